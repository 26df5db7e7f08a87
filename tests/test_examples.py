"""The examples run as scripts and as notebooks, without a network."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from brainlm.language_models.sources import is_cached

EXAMPLES = Path(__file__).parents[1] / "examples"


ALONE = {  # those that need no model, and what they must print
    "chinese": r"r between both: (1\.000|0\.99\d)",
    "layer_curves": r"chosen on the others: layers \[(6|7|8)",
    "own_bids": r"r: 0\.[67]\d in the planted voxels, -?0\.0\d elsewhere",
    "reading_surprisal": r"surprisal +gain 0\.0[2-5].*\ninvented +gain -?0\.000",
    "banded_ridge": r"planted: only syntax +\{'syntax': 0\.[1-9].*'meaning': -?0\.0",
    "decoding_sentences": r"2v2 accuracy 0\.[89]\d+, null 0\.(49|5)\d+, p = 0\.0",
    "first_encoding": r"'1 samples': 0\.03.*'2 samples': 0\.18.*'3 samples': 0\.03",
    "meg_response": r"'Cz': 0\.4\d+, 'Oz': -?0\.0",
    "language_network": r"same data [01]\.\d.*other runs -?0\.[01](.|\n)*procrustes r = 0\.[6-9]",
    "similarity_trap": "",
    "verdict": r"the model predicts more than(.|\n)*empty model: \['undecided', 'undecided'",
}


def test_every_example_is_run_here():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {
        *ALONE,
        "alice_tutorial",
        "features_and_surprisal",
        "decoding_story",
        "cluster_study",
        "inside_a_model",
    }


@pytest.mark.enable_socket  # of its kernel
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("name", ALONE)
def test_an_example_runs_as_the_notebook_of_the_gallery_and_finds_what_was_planted(name, tmp_path):
    """The conversion is the gallery's; every cell runs in a real kernel, and none warns."""
    convert = pytest.importorskip("sphinx_gallery.notebook").python_to_jupyter_cli
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    convert([shutil.copy(EXAMPLES / f"{name}.py", tmp_path)])
    notebook = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    said = {"stdout": "", "stderr": ""}
    for out in outputs:
        if out.output_type == "stream":
            said[out.name] += out.text
    # tqdm asks for ipywidgets in a notebook; that is up to the user.
    assert "Warning" not in said["stderr"].replace("TqdmWarning", "")
    assert re.search(ALONE[name], said["stdout"])
    assert any("image/png" in out.get("data", ()) for out in outputs)


def test_alice_goes_from_files_to_a_column(capsys):
    if not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    found = runpy.run_path(str(EXAMPLES / "alice_tutorial.py"))
    plt.close("all")
    printed = capsys.readouterr().out
    assert "89 mm wide" in printed
    assert "noise ceiling 0." in printed
    assert np.abs(found["gain"].values).max() < 0.2
    assert (found["folder"] / "layer_curve_89mm.pdf").is_file()


def test_similarity_needs_its_columns_centred():
    curves = runpy.run_path(str(EXAMPLES / "similarity_trap.py"))["curves"]
    plt.close("all")
    assert curves["informative", False][-1] < 0 < 0.5 < min(curves["informative", True])
    assert curves["random", False][-1] < -0.9
    assert max(map(abs, curves["random", True])) < 0.1


def test_the_cluster_example():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "cluster_study.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"scores_S1 .*'layer 1': -?0\.0.*'layer 2': 0\.7", done.stdout)


def test_a_simulated_minute_is_decoded(capsys):
    if not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    runpy.run_path(str(EXAMPLES / "decoding_story.py"))
    plt.close("all")
    printed = capsys.readouterr().out
    seconds = int(re.search(r"^(\d+) s, ", printed, re.MULTILINE)[1])
    assert 50 <= seconds <= 75
    score = {n: float(v) for n, v in re.findall(r"^(.*?) +BLEU-1 (0\.\d+)$", printed, re.MULTILINE)}
    assert score["brain"] > 1.2 * score["noise"]
    assert score["brain"] > score["no brain"]
    assert float(re.search(r"2v2 = ([\d.]+)", printed)[1]) > 0.9


def test_inside_a_model(capsys):
    if not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    found = runpy.run_path(str(EXAMPLES / "inside_a_model.py"))
    plt.close("all")
    attention, feed_forward = found["table"].T
    assert attention.argmax() == 0  # each region's own site
    assert feed_forward.argmax() == 1
    units, drawn = (found["preference"](found[name]) for name in ("units", "drawn"))
    assert np.median(units) > 1 > abs(np.median(drawn))
    assert "language units  prefer held-out sentences" in capsys.readouterr().out


def test_features_and_surprisal(capsys):
    for name in ("smollm2", "gemma3"):
        if not is_cached(name):
            pytest.skip(f"{name} is not in the cache: run `brainlm fetch {name}`")
    found = runpy.run_path(str(EXAMPLES / "features_and_surprisal.py"))
    assert len(found["layers"]) == 31
    assert len(found["chinese_layers"]) == 19
    for stimulus, layers, bits in (
        (found["stimulus"], found["layers"], found["surprisal"]),
        (found["chinese"], found["chinese_layers"], found["chinese_surprisal"]),
    ):
        assert all(len(layer.values) == stimulus.n_words for layer in layers)
        assert np.isfinite(bits.values).all()
        assert 2 < bits.values.mean() < 15
    printed = capsys.readouterr().out
    assert "bread." in printed
    assert "面包" in printed
    assert "mean_similarity" in printed
