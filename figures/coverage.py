"""Draw ``coverage`` from a bundle: figures/coverage.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("coverage", "results/mulcogbench")
