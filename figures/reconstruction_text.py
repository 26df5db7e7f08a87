"""Draw the figure of this name from a bundle: [BUNDLE] [--out FOLDER]."""

from brainlm.workflow import figure_command

if __name__ == "__main__":
    figure_command("reconstruction_text", "results/decode_story_simulated")
