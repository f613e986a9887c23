# Every target makes the environment first where it is not there. ARGS="..." adds settings:
#   make run ARGS="dataset=us8k dataset.root=/data/UrbanSound8K model=vgg"
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help setup demo test slow soak lint docs check prepare verify run status tables report answers bench lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(READY)  ## make the environment in .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo 'making $(VENV): 4 to 5 minutes, 6.3 GB'
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --requirement requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --editable .
	touch $@

demo: $(READY)  ## 16 runs on synthetic sounds, then tables, figures and a page; 1 to 3 minutes
	$(PYTHON) scripts/run.py -m +study=demo $(ARGS)
	$(PYTHON) scripts/report.py results=results/demo

test: $(READY)  ## the default tests
	$(PYTHON) -m pytest $(ARGS)

slow: $(READY)  ## all slow tests: launchers, sweeps by command line, stacks of every model and frontend
	$(PYTHON) -m pytest -n 0 -m slow -k "not stack" $(ARGS)
	$(PYTHON) -m pytest -m slow -k stack $(ARGS)

soak: $(READY)  ## 100 kills at random moments; nothing may be lost; an hour: ARGS="--kills 10"
	$(PYTHON) scripts/soak.py $(ARGS)

lint: $(READY)  ## style, types and import layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(READY)  ## build the documentation in site/; make docs ARGS=serve shows it while you write
	$(VENV)/bin/mkdocs $(if $(ARGS),$(ARGS),build --strict)

check: lint docs test  ## all that a change must pass

prepare: $(READY)  ## build the feature cache of a dataset: ARGS="dataset=us8k dataset.root=..."
	$(PYTHON) scripts/prepare.py $(ARGS)

verify: $(READY)  ## check a download: ARGS="us8k /data/UrbanSound8K --full"
	$(PYTHON) scripts/verify.py $(ARGS)

run: $(READY)  ## runs: ARGS="dataset=us8k dataset.root=... fold=1 model=vgg frontend=log_eps"
	$(PYTHON) scripts/run.py $(ARGS)

status: $(READY)  ## how far a study is: ARGS="+study=us8k_three_folds dataset.root=..."
	$(PYTHON) scripts/status.py $(ARGS)

tables: $(READY)  ## write the tables of every results folder
	$(PYTHON) scripts/report.py show=[tables] $(ARGS)

report: $(READY)  ## tables, figures and the page results/report.html: ARGS="results=results/demo"
	$(PYTHON) scripts/report.py $(ARGS)

answers: report  ## the same, and what README.md and docs/ say of the results
	$(PYTHON) scripts/report.py results=results/leaf_article_small
	$(PYTHON) scripts/report.py results=results/us8k_two_folds
	$(PYTHON) scripts/report.py results=results/us8k_three_folds_controls
	$(PYTHON) scripts/report.py results=results/three_frontends/few 'also=[results/three_frontends/whole]'
	$(PYTHON) scripts/report.py results=results/three_frontends/mixtures
	$(PYTHON) scripts/readme.py

bench: $(READY)  ## how long a run takes, part by part, and what the runner adds to it
	$(PYTHON) -m benchmarks fit $(ARGS)

lock:  ## write requirements.lock from pyproject.toml, with uv
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 -o requirements.lock

clean: ## remove the environment, feature caches and what tools left; results stay
	rm -rf $(VENV) cache site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
