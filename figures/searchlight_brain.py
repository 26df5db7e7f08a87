"""Draw ``searchlight_brain``: figures/searchlight_brain.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("searchlight_brain", "results/simulate_regions")
