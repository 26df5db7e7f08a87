import json
import re
import sys
import warnings

import numpy as np
import pytest
import xarray

from brainlm import plotting
from brainlm._log import keep_log
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import check_output


def _save(folder, **options):
    scores = xarray.Dataset({"score": ("target", [0.1, 0.2])}, coords={"target": ["a", "b"]})
    settings = {
        "analysis": "test",
        "arrays": {"scores": scores},
        "config": {"delays": [1, 2]},
        "inputs": {"data": {"file": "sha"}},
        "notes": ["said twice", "said twice"],
    }
    return save_bundle(folder, **(settings | options))


def test_what_is_saved_is_loaded(tmp_path):
    bundle = load_bundle(_save(tmp_path / "deep" / "bundle"))
    np.testing.assert_array_equal(bundle.arrays["scores"]["score"], [0.1, 0.2])
    assert bundle.record["config"] == {"delays": [1, 2]}
    assert bundle.record["notes"] == [{"kind": "other", "text": "said twice"}]
    assert bundle.record["environment"]["numpy"] == np.__version__
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["bundle"]


def test_a_bundle_is_replaced_only_when_asked(tmp_path):
    folder = _save(tmp_path / "bundle")
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        _save(folder)
    _save(folder, analysis="second", overwrite=True)
    assert load_bundle(folder).record["analysis"] == "second"


def test_a_folder_that_is_no_bundle_is_never_removed(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not a result bundle"):
        _save(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.docx").is_file()
    assert check_output(tmp_path / "new") == tmp_path / "new"


def test_a_failure_leaves_neither_a_half_bundle_nor_the_old_one_changed(tmp_path):
    folder = _save(tmp_path / "bundle")
    with pytest.raises(TypeError):
        _save(folder, config={"bad": object()}, overwrite=True)
    assert load_bundle(folder).record["config"] == {"delays": [1, 2]}
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_results_are_kept_where_a_figure_cannot_be_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(plotting.FIGURES, "broken", lambda bundle: 1 / 0)
    folder = _save(tmp_path / "bundle", figures=["broken"])
    with pytest.warns(plotting.FigureWarning, match=r"'broken' could not be drawn \(ZeroDiv"):
        plotting.save_figures(load_bundle(folder))
    np.testing.assert_array_equal(load_bundle(folder).arrays["scores"]["score"], [0.1, 0.2])
    with pytest.raises(ZeroDivisionError):
        plotting.save_figures(load_bundle(folder), names=["broken"])


def test_a_figure_that_a_bundle_has_nothing_for_is_named(tmp_path):
    bundle = load_bundle(_save(tmp_path / "bundle"))
    with pytest.raises(UnknownNameError, match=r"'geometry' cannot be drawn from it.*\(none\)"):
        plotting.draw(bundle, "geometry")


def test_missing_and_broken_bundles_are_named(tmp_path):
    with pytest.raises(DataMissingError, match="no bundle"):
        load_bundle(tmp_path)
    folder = _save(tmp_path / "bundle")
    (folder / "scores.nc").write_bytes(b"<html>")
    with pytest.raises(CorruptDataError, match=r"scores.nc: was changed since it was saved"):
        load_bundle(folder)
    record = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**record, "checksums": {}}))  # an old bundle
    with pytest.raises(CorruptDataError, match=r"scores.nc: not a readable NetCDF"):
        load_bundle(folder)
    (folder / "scores.nc").unlink()
    with pytest.raises(DataMissingError, match=r"scores.nc: missing"):
        load_bundle(folder)
    (folder / "bundle.json").write_text(json.dumps([1]))
    with pytest.raises(CorruptDataError, match="not a bundle record"):
        load_bundle(folder)


def test_the_log_of_a_command_goes_into_its_bundle(tmp_path, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: shown.append(given[0]))
    with keep_log():
        sys.stdout.write("table of scores\n")
        sys.stderr.write("\r 10 %|#         |\r100 %|##########|\n")
        sys.stderr.write("not on this machine\n")
        warnings.showwarning("edge of the grid", UserWarning, "file.py", 1)
        _save(tmp_path / "bundle")
    said = capsys.readouterr()
    assert said.out == "table of scores\n"  # everything is passed on
    assert "##########" in said.err
    assert shown == ["edge of the grid"]
    lines = (tmp_path / "bundle" / "log.txt").read_text("utf-8").splitlines()
    assert re.fullmatch(r"started 20\d\d-.*", lines[0])
    texts = [re.fullmatch(r" +\d+\.\d s  (.*)", line)[1] for line in lines[1:]]
    assert texts == [
        "table of scores",
        "not on this machine",
        "warning: UserWarning: edge of the grid",
        "bundle is written",
    ]


def test_without_a_command_there_is_no_log(tmp_path):
    _save(tmp_path / "bundle")
    assert not (tmp_path / "bundle" / "log.txt").exists()
    before = sys.stdout, sys.stderr, warnings.showwarning
    with keep_log(), keep_log():
        pass
    assert (sys.stdout, sys.stderr, warnings.showwarning) == before
