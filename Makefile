# Two commands: `make demo` runs the main job, `make test` the tests. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Rebuilt when the dependencies change. torch is named exactly and comes first, so that nothing
# else pulls another build of it.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else 'brainlm needs Python 3.11 or newer; name one with make PYTHON=...')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

.PHONY: install fetch demo test lint docs clean
install: $(STAMP)

fetch: install
	$(BIN)/brainlm fetch human-ratings minilm glove-6b-50d

demo: fetch
	$(BIN)/brainlm run encode_human_ratings --twins 0 --out results/demo --overwrite

# The models of the tests, where they can be had; without them the tests that need them skip. Two
# processes with a thread each take half the time of one with two threads.
test: install
	-$(BIN)/brainlm fetch human-ratings minilm glove-6b-50d smollm2 synonyms-zh
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A warning is an error. SPHINXOPTS="-D plot_gallery=0" leaves out running the gallery, which the
# tests run as notebooks.
docs: install
	$(BIN)/python -m sphinx -W -b html $(SPHINXOPTS) docs docs/_build -q

clean:
	rm -rf $(VENV) build dist results
