"""Draw ``critical_difference`` from a bundle: [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("critical_difference", "results/survey")
