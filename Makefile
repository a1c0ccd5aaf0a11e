# Everything is set up in .venv from the exact versions in constraints.txt. PYTHON picks the interpreter (3.11 to 3.13).
PYTHON ?= python3
BUDGET_MFLOPS ?= 0.2
ARGS ?=
BIN := .venv/bin

.PHONY: search test check setup clean

search: .venv/ready  ## a real search on scikit-learn's handwritten digits
	$(BIN)/python run_search.py --budget-mflops $(BUDGET_MFLOPS) $(ARGS)

test: .venv/ready-dev  ## all tests
	$(BIN)/python -m pytest -n auto

check: .venv/ready-dev  ## format, lint, types, tests: what a change must pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

setup: .venv/ready

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	$(BIN)/python -m igcnas.execution.cpu
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv
