# One door for each chore; the same here and in continuous integration.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: help setup run test lint types walls tests soak bench debian lock clean

help: ## Show the doors
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Create .venv with everything, from hash-pinned lock files

$(STAMP): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

run: setup ## Set up, then start everything on this machine
	$(BIN)/certhouse up

test: setup debian ## Set up, then lint, walls, types and tests
	$(MAKE) --no-print-directory lint walls types tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

walls: setup
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

tests: setup
	$(BIN)/python -m pytest -m "not soak"

soak: setup debian ## The long loops
	$(BIN)/python -m pytest -m soak --timeout 3600

bench: setup ## The figures of docs/performance.md
	$(BIN)/python -m bench

debian: ## Install the Debian packages that tests need, where that is possible; starts no service
	@tools/debian-packages

lock: ## Renew the lock files
	tools/lock

clean: ## Remove what was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
