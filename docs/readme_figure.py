"""Draw the figure of the README from the bundle of the demo, for one column of a page.

``python docs/readme_figure.py results/demo docs/layer_curve.png``
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from brainlm.plotting import ONE_COLUMN, paper_style, plot_layer_curve
from brainlm.results.bundle import load_bundle


def main(bundle: str, path: str) -> None:
    """Draw the layer curve of ridge encoding."""
    scores = load_bundle(Path(bundle)).arrays["scores"]
    with paper_style():
        figure, ax = plt.subplots(figsize=(ONE_COLUMN / 25.4, 2.6))
        plot_layer_curve(scores, "ridge encoding", ax)
        ax.set_title("Which layers encode human meaning ratings?", loc="left")
        ax.set_ylabel("held-out r (7 ratings, 5 folds)")
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        figure.savefig(path)


if __name__ == "__main__":
    main(*sys.argv[1:3])
