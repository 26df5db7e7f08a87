"""Draw ``surprisal`` from a bundle: figures/surprisal.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("surprisal", "results/describe_language_model")
