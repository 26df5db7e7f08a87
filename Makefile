# Two commands: `make demo` runs the main job, `make test` the tests. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

PIP := pip==26.3
UV := uv==0.13.9

# Rebuilt when the dependencies change. Every package is checked against its hash, the build backend
# included. Only torch is not, whose builds differ from machine to machine: it is named exactly.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11, 5) else 'brainlm needs Python 3.11.5 or newer; name one with make PYTHON=...')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	touch $(STAMP)

.PHONY: install fetch demo test lint lock licences docs clean
install: $(STAMP)

fetch: install
	$(BIN)/brainlm fetch human-ratings minilm glove-6b-50d

demo: fetch
	$(BIN)/brainlm run encode_human_ratings --twins 0 --out results/demo --overwrite

# The models of the tests, where they can be had; without them the tests that need them skip. Two
# processes with a thread each take half the time of one with two threads. LONG=all adds the tests that
# take many seconds each, LONG=2/8 the second of eight parts of them.
LONG ?= none
test: install
	-$(BIN)/brainlm fetch human-ratings minilm glove-6b-50d smollm2 synonyms-zh
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal --long $(LONG)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Renews requirements.lock: the hashes of all wheels of the versions in constraints.txt, for every
# platform. To change a version, change it there first.
lock:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(UV)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11.5 --generate-hashes \
		--extra dev --constraint constraints.txt --no-emit-package torch --no-annotate \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

licences: install
	$(BIN)/pip-licenses --from=mixed --with-urls --format=markdown

# A warning is an error. SPHINXOPTS="-D plot_gallery=0" leaves out running the gallery, which the
# tests run as notebooks.
docs: install
	$(BIN)/python -m sphinx -W -b html $(SPHINXOPTS) docs docs/_build -q

clean:
	rm -rf $(VENV) build dist results
