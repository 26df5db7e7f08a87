"""Draw ``layer_curve`` from a bundle: figures/layer_curve.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("layer_curve", "results/encode_alice_fmri")
