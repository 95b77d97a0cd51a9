# Two commands do everything, each from nothing: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
.DEFAULT_GOAL := help
.PHONY: help setup demo test check accept clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: $(PYTHON) is older than 3.11; set PYTHON=python3.11 or newer"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { echo "make: no venv; on Debian or Ubuntu: apt install python3-venv"; exit 1; }

# Enough for the main job; no Qt, no test tools.
$(VENV)/.main: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot]'
	@touch $@

# badcrossbar is a peer of the tests; pycairo, which it needs for plots alone, would need a compiler.
$(VENV)/.all: $(VENV)/.main
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot,fast,parquet,cluster,gui,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps badcrossbar==1.1.0 pathvalidate
	@touch $@

setup: $(VENV)/.all ## Make .venv with everything in it

demo: $(VENV)/.main ## Train 30 memristors on the wire-level twin
	@mkdir -p $(OUT)
	@$(BIN)/hil run on-chip-training --station twin-wire --db $(OUT)/demo.sqlite
	@$(BIN)/hil plot latest --db $(OUT)/demo.sqlite --out $(OUT)/demo.png

check: $(VENV)/.all ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## Lint, types, import contracts and all tests
	$(BIN)/python -m pytest -q -n auto --dist loadfile

accept: $(VENV)/.all ## Run every acceptance benchmark; fails if one misses its goal
	@$(BIN)/python benchmarks/accept.py

clean: ## Remove the environment and what the demo wrote
	rm -rf $(VENV) $(OUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
