# SPDX-License-Identifier: GPL-2.0
# `make run` and `make test` set up whatever they need first; nothing missing, nothing done.
#
#   make run ARGS='--config debug --topology 4n'

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# one target at a time: what runs below brings its own jobs
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOT := $(shell [ $$(id -u) = 0 ] || echo sudo)
ARGS ?=
# tests at a time; with 0 pytest runs them itself, one after the other
JOBS ?= $(shell nproc)
# what `make setup` installs packages for: run, test (and run), or soak (everything)
FOR ?= run

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## set up, then render, build, boot and judge SLQB on 4 CPUs and 2 nodes
	@$(BIN)/slqb run $(ARGS)

.PHONY: test
test: FOR = test
test: setup ## set up, then run the tests: what CI runs
	@$(BIN)/pytest -n $(JOBS) $(ARGS)

.PHONY: soak
soak: FOR = soak
soak: setup ## everything and long: all configs, topologies and allocators
	@$(BIN)/pytest -m ''
	@$(BIN)/slqb run --scale soak --config lean,debug --allocator slqb \
		--topology uma,2n,4n,asym,memoryless,cpuless,altix,plugged $(ARGS)
	@$(BIN)/slqb run --scale soak --config lean --allocator slub,slab,slob \
		--topology uma,4n $(ARGS)
	@$(BIN)/slqb run --icount --allocator slqb,slub --topology up --case 'slabtest.*' $(ARGS)
	@$(BIN)/slqb run --scale soak --config lean+up,debug+up --topology up $(ARGS)

.PHONY: bench-harness
bench-harness: FOR = test
bench-harness: setup ## our time against the tree's own kunit.py, same suites, same CPUs
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-peers
bench-peers: FOR = test
bench-peers: setup ## from QEMU's start to power-off, with our command line and with peers'
	@$(BIN)/python -m tests.peers $(ARGS)

.PHONY: bench-parse
bench-parse: setup ## time and memory of `slqb parse` on a long log, beside grep -c
	@$(BIN)/python -m tests.parse_bench $(ARGS)

.PHONY: lint
lint: $(VENV)/.test ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: setup
setup: host $(VENV)/.run ## install what the host lacks, make the virtual environment
	@[ $(FOR) = run ] || $(MAKE) --no-print-directory $(VENV)/.test

.PHONY: host
host:
	@command -v $(PYTHON) > /dev/null || { echo 'installing python3'; \
		$(ROOT) apt-get -qq update && $(ROOT) env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install --yes --no-install-recommends python3 > /dev/null; } || \
		{ echo 'host: let root install python3' >&2; exit 8; }
	@$(PYTHON) harness/host.py --install --for $(FOR)

$(VENV)/.run: pyproject.toml
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@# once, though PYTHONDONTWRITEBYTECODE may be set: each start of slqb would compile it
	@$(BIN)/python -m compileall -q harness
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "setting up $(VENV) for the tests"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@
