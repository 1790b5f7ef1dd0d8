# The two commands: `make demo` and `make test`. Everything happens in .venv; nothing is installed elsewhere.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ARGS ?=

.PHONY: help venv demo test lint bench chaos fuzz screenshots clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

venv: .venv/installed ## prepare .venv

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/tests-installed: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: venv ## broker + simulated devices + training + live detection + dashboard; ARGS="--seconds 120 --headless --report demo.json"
	@exec $(BIN)/anomgan demo $(ARGS)

test: .venv/tests-installed ## the whole test suite; ARGS go to pytest
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/tests-installed ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/tests-installed ## speed and memory, as ratios against a baseline in the same run
	$(BIN)/python -m pytest tests/benchmarks -m bench -s -p no:cacheprovider $(ARGS)

chaos: .venv/tests-installed ## kill and starve everything around the detector service, then count what was lost
	PYTHONPATH=tests:tests/service$${PYTHONPATH:+:$$PYTHONPATH} $(BIN)/python -m chaos $(ARGS)

fuzz: .venv/tests-installed ## a million bad payloads for everything that reads bytes; ANOMGAN_FUZZ=... sets how many
	$(BIN)/python -m pytest tests/benchmarks/test_million_payloads.py -m bench -s -p no:cacheprovider $(ARGS)

screenshots: .venv/tests-installed ## the README's pictures, from a demo with an injected fault; all views to demo/pictures
	$(BIN)/python tests/pictures.py $(ARGS)

clean: ## remove what was made here
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache
