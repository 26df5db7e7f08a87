"""Draw ``similarity_and_rsa`` from a bundle: similarity_and_rsa.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("similarity_and_rsa", "results/similarity_binder")
