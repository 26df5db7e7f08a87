"""Draw ``brain_maps`` from a bundle: figures/brain_maps.py BUNDLE [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("brain_maps", "results/study")
