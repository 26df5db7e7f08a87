"""Draw ``time_course`` from a bundle: figures/time_course.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("time_course", "results/encode_epochs")
