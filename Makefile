# Every target makes the environment first where it is not there. ARGS="..." adds settings, as in make run ARGS="model=vgg".
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help setup demo test lint smoke prepare verify run status tables report bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(READY)  ## make the environment in .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --requirement requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --editable .
	touch $@

demo: $(READY)  ## the main job on made-up sounds: train, then tables, figures and a page; two minutes
	$(PYTHON) scripts/run.py -m +study=demo $(ARGS)
	$(PYTHON) scripts/report.py results=results/demo

test: $(READY)  ## all fast tests
	$(PYTHON) -m pytest $(ARGS)

lint: $(READY)  ## style and unused code
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

smoke: $(READY)  ## sweeps by command line and by every launcher on made-up sounds; stacks of every model with every frontend
	$(PYTHON) -m pytest -n 0 -m slow tests/test_smoke.py tests/test_launchers.py $(ARGS)
	$(PYTHON) -m pytest -m slow tests/test_stack.py $(ARGS)

prepare: $(READY)  ## build the bank of a dataset: ARGS="dataset=us8k dataset.root=..."
	$(PYTHON) scripts/prepare.py $(ARGS)

verify: $(READY)  ## check a download: ARGS="us8k /data/UrbanSound8K --full"
	$(PYTHON) scripts/verify.py $(ARGS)

run: $(READY)  ## runs: ARGS="dataset=us8k dataset.root=... fold=1 model=vgg frontend=log_eps"
	$(PYTHON) scripts/run.py $(ARGS)

status: $(READY)  ## how far a study is: ARGS="+study=us8k_two_folds dataset.root=..."
	$(PYTHON) scripts/status.py $(ARGS)

tables: $(READY)  ## write the tables of every results folder anew
	$(PYTHON) scripts/report.py show=[tables] $(ARGS)

report: $(READY)  ## tables, figures and the page results/report.html: ARGS="results=results/demo statistics=draws"
	$(PYTHON) scripts/report.py $(ARGS)

bench: $(READY)  ## how long a run takes, part by part, and what the runner adds to it
	$(PYTHON) -m benchmarks fit $(ARGS)

clean: ## remove the environment, banks and what tools left; results stay
	rm -rf $(VENV) cache .pytest_cache .ruff_cache
