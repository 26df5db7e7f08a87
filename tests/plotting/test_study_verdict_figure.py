from pathlib import Path

from figure_bundles import study_gains

from brainlm.plotting import draw
from brainlm.results.bundle import Bundle


def test_the_verdict_of_a_study_has_a_panel_per_reference(rng):
    figure = draw(Bundle(Path("small"), {}, study_gains(rng)), "verdict")
    assert [ax.get_title().replace("\n", " ") for ax in figure.axes] == [
        "beyond the controls",
        "against static vectors",
        "against its untrained twin",
        "against random vectors",
    ]
    rows = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert rows[:2] == ["binder-en", "binder-zh"]
    assert not any(text.get_text() for text in figure.axes[1].get_yticklabels())
