"""Draw ``winners`` from a bundle: figures/winners.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("winners", "results/navigating")
