"""Draw ``reading_gains`` from a bundle: figures/reading_gains.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("reading_gains", "results/reading")
