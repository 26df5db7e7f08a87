"""Draw ``geometry`` from a bundle: figures/geometry.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("geometry", "results/describe_language_model")
