"""Draw ``glass_brains`` from a bundle: figures/glass_brains.py BUNDLE [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("glass_brains", "results/study")
