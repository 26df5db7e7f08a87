"""Draw ``model_by_dataset`` from a bundle: figures/model_by_dataset.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("model_by_dataset", "results/mulcogbench")
