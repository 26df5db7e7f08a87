"""Draw ``target_heat_map`` from a bundle: figures/target_heat_map.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("target_heat_map", "results/demo")
