"""Draw ``paired_bars`` from a bundle: figures/paired_bars.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("paired_bars", "results/navigating")
