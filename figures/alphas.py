"""Draw ``alphas`` from a bundle: figures/alphas.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("alphas", "results/encode_alice_fmri")
