# The two commands are `make demo` and `make test`; `make` alone lists them all.
# Needed: Python 3.11 with pip, make and git. Everything else goes into .venv and .data.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIPENV_VERSION := 2026.10.3

# pipenv lives in an environment of its own, so that none of its parts can be mistaken for one of ours.
PIPENV_SETTINGS := PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_VERBOSITY=-1
PIPENV := $(PIPENV_SETTINGS) .venv/pipenv/bin/pipenv
NEEDS_PYTHON := Python 3.11 is missing: install it (Debian: apt install python3.11), or name it: make PYTHON=/path/to/python3.11
NEEDS_PIP := pip 22.3 or newer is missing: install it for $(PYTHON) (Debian: apt install python3-pip)

.PHONY: help demo test conformance lint bench lock shell clean env

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' Makefile | column -t -s '|' 2>/dev/null || sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: env ## start everything with demo data and ask a first question over MCP
	@.venv/bin/python -m demo

test: lint tests/npm/node_modules ## the environment, lint, then every test on a throw-away database
	@sh tests/system_packages.sh
	@PIPENV="$(PIPENV)" sh tests/glucose/install_iglu.sh
	.venv/bin/pytest --numprocesses logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder

conformance: tests/npm/node_modules ## the conformance suite of MCP alone: our server, our authorization server, our clients
	@sh tests/system_packages.sh
	.venv/bin/pytest tests/conformance

lint: env ## style, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: env ## measure what matters, side by side
	.venv/bin/python -m benchmarks

lock: .venv/pipenv/bin/pipenv ## renew Pipfile.lock from Pipfile
	RPY2_CFFI_MODE=ABI $(PIPENV) lock # so that it can be done where there is no R
	$(PYTHON) .ci/portable_lock.py

shell: env ## Django's shell on the demo's database
	.venv/bin/python manage.py shell

env: .venv/.synced ## only make .venv from Pipfile.lock
	@:

clean: ## remove everything that these commands made
	rm -rf .venv .data .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	rm -rf tests/npm/node_modules

.venv/.synced: Pipfile.lock .venv/pipenv/bin/pipenv
	@echo "Installing the packages of Pipfile.lock into .venv"
	@$(PIPENV_SETTINGS) $(PYTHON) .ci/install.py .venv/pipenv/bin/pipenv sync --dev --verbose
	@touch $@

.venv/pipenv/bin/pipenv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo "$(NEEDS_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -m pip --python $(PYTHON) --version >/dev/null 2>&1 || { echo "$(NEEDS_PIP)" >&2; exit 1; }
	@echo "Making .venv with pipenv $(PIPENV_VERSION)"
	@test -x .venv/bin/python || $(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m venv --without-pip .venv/pipenv
	@$(PYTHON) -m pip --python .venv/pipenv/bin/python install -qq --disable-pip-version-check pipenv==$(PIPENV_VERSION)

# Node comes with the packages of Pipfile.lock. Without npm's registry the tests that need these tools skip and say so.
tests/npm/node_modules: tests/npm/package-lock.json | env
	@PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --prefix tests/npm --no-fund --no-audit && touch $@ \
	|| echo "The npm packages of tests/npm could not be installed: the tests that drive them will skip." >&2
