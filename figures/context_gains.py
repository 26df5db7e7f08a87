"""Draw ``context_gains`` from a bundle: figures/context_gains.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("context_gains", "results/mulcogbench")
