"""Draw ``winner_brain`` from a bundle: figures/winner_brain.py BUNDLE [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("winner_brain", "results/study")
