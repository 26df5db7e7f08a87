"""Draw ``layers_by_modality`` from a bundle: [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("layers_by_modality", "results/mulcogbench")
