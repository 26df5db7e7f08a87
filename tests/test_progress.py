"""Progress bars: asked for, or inside a command; none in a library call."""

from time import sleep

from brainlm import _progress
from brainlm._log import keep_log, log_lines
from brainlm._progress import bar, shown_progress, step
from brainlm.workflow import Run


def test_a_library_call_is_silent_unless_asked(capsys):
    assert list(bar([1, 2], "steps")) == [1, 2]
    assert capsys.readouterr().err == ""
    list(bar([1, 2], "steps", progress=True))
    assert "steps: 100%" in capsys.readouterr().err


def test_a_command_shows_every_bar_and_inner_ones_when_they_last(capsys, monkeypatch):
    with shown_progress():
        list(bar([1], "outer"))
        list(bar([1], "quick", inner=True))
        monkeypatch.setattr(_progress, "DELAY", 0.02)
        for _ in bar(range(4), "slow", inner=True, mininterval=0):
            sleep(0.02)
    told = capsys.readouterr().err
    assert "outer: 100%" in told
    assert "slow: " in told
    assert "quick" not in told
    assert list(bar([1], "after")) == [1]
    assert capsys.readouterr().err == ""


def test_an_analysis_is_a_command_and_its_lines_stand_alone(tmp_path, capsys):
    with keep_log(), Run("test", {}, tmp_path / "out") as run:
        for name in bar(["first part"], "parts"):
            run.progress(f"{name}: done")
        lines = log_lines()
    told = capsys.readouterr().err
    assert "parts: " in told
    assert any(line.endswith("first part: done") for line in lines)
    assert not any("parts:" in line for line in lines)  # bars are not in the log


def test_a_step_without_parts_is_named_when_it_lasts(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "DELAY", 0.02)
    with step("outside of a command"):
        sleep(0.05)
    with keep_log(), shown_progress():
        with step("quick"):
            pass
        with step("load a model"):
            sleep(0.1)
        lines = log_lines()
    assert capsys.readouterr().err == "load a model ...\n"
    assert any(line.endswith("load a model ...") for line in lines)


def test_folds_of_a_fit_have_a_bar(monkeypatch, rng):
    from brainlm import ContiguousBlocks, RidgeEncoder, cross_validate
    from brainlm.encoding import cross_validation

    seen = []
    monkeypatch.setattr(
        cross_validation, "bar", lambda items, *told, **_: seen.append(told) or items
    )
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    cross_validate(RidgeEncoder(), X, Y, ContiguousBlocks(3))
    assert seen == [("folds",)]
