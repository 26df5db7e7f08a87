"""Draw ``unique_variance`` from a bundle: figures/unique_variance.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("unique_variance", "results/navigating")
