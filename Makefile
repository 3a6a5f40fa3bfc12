# `make demo` and `make test` do everything, on a machine that has Python and make.

PYTHON ?= python3
WORKERS ?= auto
# Workers run the tests of a file one after the other, so that they share what it makes
PYTEST := -m pytest -n $(WORKERS) --dist worksteal -q
DATA ?= small
VENV := .venv
BIN := $(VENV)/bin

# Without a GPU, TensorFlow tells so in several lines on standard error
export TF_CPP_MIN_LOG_LEVEL ?= 3

# Something of every stage, in a minute or two
QUICK := tests/graph tests/engine/test_engine.py tests/simulator/test_running.py \
	tests/converter/test_converter.py tests/test_config.py tests/test_contract.py \
	tests/test_dists.py tests/test_imports.py tests/test_losses.py tests/test_surrogates.py \
	tests/nodes/test_tensor_node.py

# What XLA has compiled stays in memory until its process ends: one process for all tests
# would take 11 GB. So these have processes of their own.
HALF := tests/converter tests/hardware tests/keras_model tests/nir tests/onnx tests/wrapped

# Nengo's test names, and with them the seeds of its tests, then do not depend on where
# it is installed
NENGO_ROOT = $(shell $(BIN)/python -c \
	"import nengo, pathlib; print(pathlib.Path(nengo.__file__).parents[1])")

# Where the lowest versions are installed that setup.cfg promises
OLDEST := .venv-oldest

# What snnTorch, norse and sinabs make of the graphs of tests/nir
SPIKES := $(VENV)/spikes

.PHONY: help install demo test lint unit quick test-oldest test-exchange conformance docs \
	benchmarks clean

help:
	@echo "make demo         the package's main job on real data (a minute or two)"
	@echo "make test         lint, the package's tests, Nengo's tests on our Simulator"
	@echo "make install      set up .venv for the two"
	@echo "make lint         Ruff's checks and format check, and mypy's"
	@echo "make unit         only the package's tests"
	@echo "make quick        a part of them that looks at every stage"
	@echo "make test-oldest  the same with the lowest versions that setup.cfg promises,"
	@echo "                  which need Python 3.10 to 3.12"
	@echo "make test-exchange  tests with PyTorch and onnxruntime; runs graphs in snnTorch,"
	@echo "                  norse and sinabs"
	@echo "make conformance  only Nengo's tests"
	@echo "make docs         the documentation, in docs/_build/html; with DATA=real, its"
	@echo "                  notebooks load the real data sets from the internet"
	@echo "make benchmarks   speed and memory, as ratios to nengo.Simulator"
	@echo "make clean        remove environments, caches and outputs"

install: $(VENV)/.installed-tests $(VENV)/.installed-demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing nengo_dl[$*] into $(VENV) (minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable ".[$*]"
	@touch $@

.PRECIOUS: $(VENV)/.installed-%

demo: $(VENV)/.installed-demo
	$(BIN)/python -m demo

# One after the other, also under `make -j`, so that pytest's summary comes last
test: $(VENV)/.installed-tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory conformance

lint: $(VENV)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.installed-tests
	$(BIN)/python $(PYTEST) $(HALF)
	$(BIN)/python $(PYTEST) $(HALF:%=--ignore=%)

quick: $(VENV)/.installed-tests
	$(BIN)/python $(PYTEST) $(QUICK)

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) -q $(QUICK)

$(OLDEST)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	sed -n 's/^    \([a-z]*\)>=\([0-9.]*\)$$/\1==\2/p' setup.cfg > $(OLDEST)/floors.txt
	@echo "Installing into $(OLDEST):" && cat $(OLDEST)/floors.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(OLDEST)/floors.txt --editable ".[tests]"
	@touch $@

test-exchange: $(VENV)/.installed-exchange
	rm -rf $(SPIKES)
	$(BIN)/python -W ignore -m tests.nir.record $(SPIKES)
	NIR_DATA=$(SPIKES) $(BIN)/python $(PYTEST) tests/nir/test_peers.py tests/torch \
		tests/onnx/test_peers.py
	$(BIN)/python $(PYTEST) tests/test_docs.py tests/test_notebooks.py -k torch

# Norse asks for packages that bring gigabytes of CUDA, and sinabs for an older nir
$(VENV)/.installed-exchange: tests/exchange.txt tests/exchange-alone.txt \
		| $(VENV)/.installed-tests
	@echo "Installing torch, onnxruntime, snnTorch, norse and sinabs into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/exchange.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --requirement tests/exchange-alone.txt
	@touch $@

conformance: $(VENV)/.installed-tests
	$(BIN)/python $(PYTEST) -c setup.cfg --rootdir "$(NENGO_ROOT)" \
		-p no:cacheprovider --pyargs nengo

docs: $(VENV)/.installed-docs
	@echo "Building the pages (5 to 10 minutes the first time, when all notebooks run)"
	$(BIN)/python -m sphinx -n -W --keep-going -t $(DATA)_data docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

benchmarks: $(VENV)/.installed-demo
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(OLDEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info \
		docs/_build demo/output benchmarks/results
