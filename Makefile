# Everything is set up in .venv from the exact versions in constraints.txt. PYTHON picks the interpreter (3.11 to 3.14).
PYTHON ?= python3
BUDGET_MFLOPS ?= 0.2
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What a processor computes differently from another is in these.
NUMERICS := tests/test_execution.py tests/test_distributed.py tests/test_training.py
# These need no torch, nothing that loads it, and run where there is none.
TORCH_FREE := $(addprefix tests/test_,$(addsuffix .py,architecture baselines pareto product racing width \
	width_igcv2 width_igcv3 width_optimum))

.PHONY: search test test-without-torch older-processors as-avx2 as-sse check lint pins setup clean

search: .venv/ready  ## a real search on scikit-learn's handwritten digits
	$(BIN)/python run_search.py --budget-mflops $(BUDGET_MFLOPS) $(ARGS)

# A file of tests stays with one process: what its tests share is made once.
test: .venv/ready-dev  ## all tests
	$(BIN)/python -m pytest -n auto --dist loadfile

test-without-torch:  ## with the interpreter PYTHON as it is: the part of the tests that needs no torch
	$(PYTHON) -m pytest $(TORCH_FREE)

# Each variant compiles its own kernels, and two processes of a variant would both compile all of them: one process each,
# side by side.
older-processors: .venv/ready-dev  ## numerics once more as a processor of 2013, and as one without AVX
	$(MAKE) --no-print-directory --jobs 2 as-avx2 as-sse

as-avx2: .venv/ready-dev
	NUMBA_CACHE_DIR=$(CURDIR)/.venv/kernels-avx2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 NUMBA_CPU_NAME=haswell \
		$(BIN)/python -m pytest $(NUMERICS)

as-sse: .venv/ready-dev
	NUMBA_CACHE_DIR=$(CURDIR)/.venv/kernels-generic ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default \
		NUMBA_CPU_NAME=generic $(BIN)/python -m pytest $(NUMERICS)

pins: .venv/ready-dev  ## do the pins and ranges resolve on every platform and Python
	$(BIN)/python -m tools.pins

lint: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: .venv/ready-dev  ## format, lint, types, pins, tests: what a change must pass
	$(MAKE) --no-print-directory --jobs 2 lint pins
	$(BIN)/python -m pytest -n auto --dist loadfile

setup: .venv/ready

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(PIP) --editable ".[all]"
	$(BIN)/python -m igcnas.execution.cpu
	touch $@

.venv/ready-dev: .venv/ready
	$(PIP) --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv
