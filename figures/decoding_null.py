"""Draw ``decoding_null`` from a bundle: figures/decoding_null.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("decoding_null", "results/decode_pereira2018")
