"""Draw ``rdm_pair`` from a bundle: figures/rdm_pair.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("rdm_pair", "results/similarity_binder")
