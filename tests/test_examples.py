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

from brainlm import list_datasets
from brainlm.datasets.folders import is_on_disk
from brainlm.language_models.sources import is_cached

EXAMPLES = Path(__file__).parents[1] / "examples"


ALONE = {  # those that simulate their data and need no model, and what they must print
    "own_bids": r"r: 0\.[67]\d in the planted voxels, -?0\.0\d elsewhere",
    "banded_ridge": r"planted: only syntax +\{'syntax': 0\.[1-9].*'meaning': -?0\.0",
    "first_encoding": r"'1 samples': 0\.03.*'2 samples': 0\.18.*'3 samples': 0\.03",
    "verdict": r"the model predicts more than(.|\n)*empty model: \['undecided', 'undecided'",
}
OF_DATA = {  # what they open; what they must print of it, and where it is missing
    "chinese": (
        ["bsc-gaze"],
        r"92% of all boundaries(.|\n)*both +r = 0\.3\d(.|\n)*r between both: (1\.000|0\.99\d)",
        r"both +r = 0\.[56]\d(.|\n)*r between both: (1\.000|0\.99\d)",
    ),
    "decoding_sentences": (
        ["pereira2018", "glove-6b-50d"],
        r"2v2 accuracy 0\.[89]\d+, null 0\.(4[6-9]|5)\d*, p = 0\.0",
        r"2v2 accuracy 0\.[89]\d+, null 0\.(4[6-9]|5)\d*, p = 0\.0",
    ),
    "language_network": (
        ["langloc-auditory", "evlab-parcels"],
        r"IFG .*two people 0\.1\d(.|\n)*max t 3\d\d, TFCE 1\d\d\d(.|\n)*other runs -?0\.[01]",
        r"noise: same data [01]\.\d.*other runs -?0\.[01](.|\n)*procrustes r = 0\.[89]",
    ),
    "layer_curves": (
        ["binder-en", "minilm"],
        r"layer 3 +0\.7\d(.|\n)*on the other folds: [1-5, ]+; held-out score 0\.7",
        r"on the other folds: [678, ]+; held-out score 0\.5",
    ),
    "meg_response": (
        ["n400-word-pairs"],
        r"'Cz': 0\.4\d+, 'Oz': -?0\.0(.|\n)*largest r: 0\.4\d, P\w+, (3[468]|4[0-4])0 ms",
        r"'Cz': 0\.4\d+, 'Oz': -?0\.0(.|\n)*largest r: 0\.9\d, Cz, (150|200) ms",
    ),
    "own_epochs": (
        ["n400-word-pairs"],
        r"association .* at P\w+@300ms; above chance: .* 300 to [34]00 ms\nword.*nowhere above",
        r"association .* at Pz@[34]00ms; above chance: \d channel-times, 300 to 400 ms\n",
    ),
    "own_eye_tracking": (
        ["reading-brain", "smollm2"],
        r"2136 trials of 12 readers(.|\n)*surprisal +[12]\.\d(.|\n)*held out: \+0\.00",
        r"3636 trials of 12 readers(.|\n)*surprisal +1[0-9]\.\d(.|\n)*p = [0-9.e-]+\n",
    ),
    "own_ratings": (
        ["vad", "minilm"],
        r"400 words, 3 ratings(.|\n)*layer 3: Valence 0\.[56]\d",
        r"best layer on the other folds: 1; held-out score 0\.7",
    ),
    "reading_surprisal": (
        ["meco-means-en", "meco-means-fi"],
        r"\ninvented +gain [+-]0\.000(.|\n)*fi surprisal +gain \+0\.04.*\nfi invented +gain .0\.00",
        r"\ninvented +gain [+-]0\.000(.|\n)*simulated surprisal +gain \+0\.1",
    ),
    "similarity_trap": (
        ["binder-en", "glove-6b-50d"],
        r"534 words, 62 attributes(.|\n)*centred +r = \+0\.6",
        r"embeddings +centred +r = \+0\.[78](.|\n)*published form +r = .* -(0\.9|1\.0)",
    ),
}
MISSING = "not on this machine"


def is_here(name):
    """A data set or a model."""
    return is_on_disk(name) if name in list_datasets() else is_cached(name)


def test_every_example_is_run_here():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {
        *ALONE,
        *OF_DATA,
        "alice_tutorial",
        "features_and_surprisal",
        "decoding_story",
        "cluster_study",
        "inside_a_model",
    }
    assert len(OF_DATA) + 1 >= len(names) / 2  # with Alice: half of them open real data
    for name in names:
        text = (EXAMPLES / f"{name}.py").read_text("utf-8")
        assert "noqa" not in text, f"{name}: readers see it"
        assert "plt." in text or "thumbnail" in text or "surface_views" in text


@pytest.mark.long
@pytest.mark.parametrize("name", OF_DATA)
def test_without_its_data_an_example_says_so_and_finds_what_was_planted(
    name, tmp_path, monkeypatch, capsys
):
    for folder in ("BRAINLM_DATA", "BRAINLM_CACHE"):
        monkeypatch.setenv(folder, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    figures = plt.get_fignums()
    plt.close("all")
    printed = capsys.readouterr().out
    assert MISSING in printed
    assert re.search(OF_DATA[name][2], printed)
    assert figures


@pytest.fixture(scope="module")
def kernel():
    """A kernel for all notebooks: each is in a fresh namespace, the libraries are loaded once."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    client = nbclient.NotebookClient(nbformat.v4.new_notebook(), timeout=300)
    with client.setup_kernel():
        yield client


def execute(client, notebook, folder):
    """Run the cells of a notebook in a folder, after all names of the one before are removed."""
    fresh = f"%reset -f\n%cd -q {folder}\nimport warnings\nwarnings.resetwarnings()"
    cell = {**notebook.cells[0], "cell_type": "code", "source": fresh}
    notebook.cells.insert(0, nbformat.from_dict({**cell, "outputs": [], "execution_count": None}))
    client.nb = notebook
    client.reset_execution_trackers()
    for index, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, index)
    return client.nb.cells


@pytest.mark.enable_socket  # of its kernel
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("name", [*ALONE, *OF_DATA])
def test_an_example_runs_as_the_notebook_of_the_gallery_and_finds_what_was_planted(
    name, kernel, tmp_path
):
    """The conversion is the gallery's; every cell runs in a real kernel, and none warns."""
    convert = pytest.importorskip("sphinx_gallery.notebook").python_to_jupyter_cli
    convert([shutil.copy(EXAMPLES / f"{name}.py", tmp_path)])
    cells = execute(kernel, nbformat.read(tmp_path / f"{name}.ipynb", as_version=4), tmp_path)
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    said = {"stdout": "", "stderr": ""}
    for out in outputs:
        if out.output_type == "stream":
            said[out.name] += out.text
    # tqdm asks for ipywidgets in a notebook; that is up to the user.
    assert "Warning" not in said["stderr"].replace("TqdmWarning", "")
    needed, with_data, without = OF_DATA.get(name, ([], ALONE.get(name), ""))
    here = all(map(is_here, needed))
    assert (MISSING in said["stdout"]) == (not here)
    assert re.search(with_data if here else without, said["stdout"])
    assert any("image/png" in out.get("data", ()) for out in outputs)


@pytest.mark.long
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


def test_similarity_needs_its_columns_centred(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_DATA", str(tmp_path))
    curves = runpy.run_path(str(EXAMPLES / "similarity_trap.py"))["curves"]
    plt.close("all")
    assert curves["word embeddings", False][-1] < 0 < 0.5 < min(curves["word embeddings", True])
    assert curves["random vectors", False][-1] < -0.9
    assert max(map(abs, curves["random vectors", True])) < 0.1


@pytest.mark.long
def test_the_cluster_example():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "cluster_study.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"scores_S1 .*'layer 1': -?0\.0.*'layer 2': 0\.7", done.stdout)


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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
