# What there is to do here, one word each; `make help` lists them.
# Every target brings its own tools: a Python, make, git and a package index are all it takes.

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.complete
# The benchmarks' rivals are large, and nothing else needs them.
BENCH := .venv-bench
DATA := $(or $(SCREENING_DATA_DIR),data)
ARGS ?=

# Any of these will do; the first that fits pyproject.toml's requires-python is taken. PYTHON=... decides.
NEWEST := python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(BIN)/python python3 $(NEWEST) python
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))

# Byte-code halves the time of every start after the first.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-cluster test-newest mutants soak measure check format dev bench lock clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## play the pipeline against the bundled sandbox and print turnaround per vendor
	@$(BIN)/screening-pipeline demo $(ARGS)

# By file on three processes, of which one mostly waits. `make test ORDER=` shuffles files and tests by a seed that the last
# lines tell; ARGS=--randomly-seed=1 repeats it.
ORDER ?= --randomly-dont-reorganize
IN_PARALLEL := --numprocesses=3 --dist=loadfile --no-loadscope-reorder $(ORDER)

test: $(READY) ## run the test suite without its slow tests, and say which these are
	@$(BIN)/pytest $(IN_PARALLEL) -m "not slow" $(ARGS)

test-all: $(READY) ## run the whole test suite, kills and soaks included
	@$(BIN)/pytest $(IN_PARALLEL) $(ARGS)

test-cluster: $(READY) ## run the tests that need a PostgreSQL, which they start themselves
	@$(BIN)/pytest -m cluster $(ARGS)

test-newest: ## run the test suite with the newest supported Python found, in an environment of its own
	@$(MAKE) --no-print-directory test VENV=.venv-newest PYTHON="$(NEWEST)" ARGS="$(ARGS)"

mutants: $(READY) ## change the code in small ways and tell what no test notices; ARGS="--sample 100 --seed 2", --all
	@$(BIN)/python tools/mutants.py $(ARGS)

soak: $(READY) ## everything at once, and whatever can go wrong with it, for half an hour; ARGS="--minutes 5 --seed 2"
	@$(BIN)/python -m screening_pipeline_tests.support.soak $(ARGS)

measure: $(READY) ## print lengths, places and imports of the code
	@$(BIN)/python tools/measure.py $(ARGS)

check: $(READY) ## run what continuous integration runs before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar screening_pipeline/sql
	$(BIN)/dagster definitions validate --log-level warning --workspace workspace.yaml
	$(BIN)/python tools/lock.py --check
	$(BIN)/python tools/audit.py

format: $(READY) ## lay out Python and SQL as the checks want them
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --disable-progress-bar screening_pipeline/sql

dev: $(READY) ## open Dagster's pages on this machine
	@exec $(BIN)/screening-pipeline dev $(ARGS)

bench: $(BENCH)/.complete ## run the short form of every benchmark and write benchmarks/RESULTS.md; ARGS=--full is longer
	@$(BENCH)/bin/python benchmarks/all.py $(ARGS)

lock: $(READY) ## bring uv.lock and tools/bootstrap.txt up to pyproject.toml
	@$(BIN)/python tools/lock.py

clean: ## remove environments, caches and builds; data/ is left alone
	rm -rf .venv .venv-newest $(BENCH) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(BENCH)/.complete: GROUP := bench
$(READY) $(BENCH)/.complete: pyproject.toml uv.lock tools/bootstrap.txt tools/bootstrap.py
	@for python in $(PYTHON); do \
	  if "$$python" -c '$(IS_SUPPORTED)' 2>/dev/null; then exec "$$python" tools/bootstrap.py $(@D) $(GROUP); fi; \
	done; \
	echo "No Python from 3.11 to 3.14 among: $(PYTHON)"; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..."; exit 2
