"""Draw ``decoding_curve`` from a bundle: figures/decoding_curve.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("decoding_curve", "results/decode_pereira2018")
