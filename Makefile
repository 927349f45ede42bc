# Everything from a clean clone: needs python3 (3.11 to 3.13) with venv, make and git, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# PYTHON names the interpreter (first choice 3.11), VENV the environment: make unit PYTHON=python3.13 VENV=.venv313
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(BIN)/python scripts/install.py

.PHONY: help quickstart check test unit system bench docs clean format

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 16

$(UV): scripts/bootstrap
	@echo "Making the environment $(VENV) …"
	@PYTHON="$(PYTHON)" scripts/bootstrap $(VENV)

$(BIN)/.ready: $(UV) pyproject.toml constraints/dev.txt
	@echo "Installing sagehouse into $(VENV) …"
	@$(INSTALL) --python $(BIN)/python --constraints constraints/dev.txt --build-constraints constraints/dev.txt -e . --group dev
	@touch $@

.envs/%/.ready: constraints/%.txt $(BIN)/.ready
	@echo "Installing constraints/$*.txt into .envs/$* …"
	@$(BIN)/python -m venv --clear --without-pip .envs/$*
	@$(INSTALL) --compile-bytecode --python .envs/$*/bin/python -r constraints/$*.txt
	@touch $@

quickstart: $(BIN)/.ready ## Set everything up, start a house, run examples/quickstart
	@$(BIN)/sagehouse quickstart

check: $(BIN)/.ready ## Lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test unit system bench: export SAGEHOUSE_ENVIRONMENTS ?= $(CURDIR)/.cache/environments

test: $(BIN)/.ready .envs/sdk2/.ready .envs/sdk3/.ready ## Everything a change must pass
	$(BIN)/pytest -n 2 --dist loadgroup tests/unit tests/contract tests/conformance
	$(BIN)/pytest tests/system

unit: $(BIN)/.ready ## The quick tests alone
	$(BIN)/pytest -n 2 --dist loadgroup tests/unit tests/contract tests/conformance

system: $(BIN)/.ready .envs/sdk2/.ready .envs/sdk3/.ready ## Unmodified SDK programs against a running house
	$(BIN)/pytest tests/system

bench: $(BIN)/.ready .envs/sdk2/.ready ## Measure, against a peer or the bare limit, and print the table
	$(BIN)/python -m benchmarks

docs: $(BIN)/.ready ## Write docs/reference from the code
	$(BIN)/python scripts/reference.py

format: $(BIN)/.ready ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what make made; what a house keeps in ~/.sagehouse stays
	rm -rf $(VENV) .envs .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
