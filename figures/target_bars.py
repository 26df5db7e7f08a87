"""Draw ``target_bars`` from a bundle: figures/target_bars.py [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("target_bars", "results/encode_alice_fmri")
