"""Draw ``topographies`` from a bundle: figures/topographies.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("topographies", "results/encode_epochs")
