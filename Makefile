SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export HOST PORT SANDBOX_PORT

.PHONY: run dev test check test-services test-browser chaos isolation fuzz requirements

.venv/base: requirements/base.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

.venv/dev: requirements/dev.txt .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: .venv/base
	@$(BIN)/python -m config.launch

dev: .venv/dev
	@DEBUG=on LOG_FORMAT=console $(BIN)/python -m config.launch --reload

test: .venv/dev
	$(BIN)/pytest -q -n 2

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	DEBUG=on $(BIN)/mypy adapters audit connectors config
	DEBUG=on $(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=on SANDBOX=on $(BIN)/python manage.py check
	$(BIN)/pip check --disable-pip-version-check
	$(BIN)/bandit -q -ll -c pyproject.toml -r adapters audit config connectors manage.py
	DEBUG=on SANDBOX=on $(BIN)/python manage.py check_adapters

test-services: .venv/dev
	@if $(BIN)/python -m tests.services; then \
	  DATABASE_URL=$${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres} $(BIN)/pytest -q -n 2; \
	else echo "SKIPPED: no PostgreSQL at $${TEST_DATABASE_URL:-127.0.0.1:5432}"; fi

# Kills servers and workers while calls are logged at a CRM that misbehaves; prints what was logged, lost and doubled.
chaos: .venv/dev
	$(BIN)/python -m tests.chaos --kills $${CHAOS_KILLS:-60} --calls $${CHAOS_CALLS:-500} --conversations 100

# Every endpoint with one user's token against another user's records, as a table.
isolation: .venv/dev
	@ISOLATION_TABLE=on $(BIN)/pytest -q -p no:randomly tests/test_isolation.py

# Requests made up from the description of the API, for SECONDS; fails on any 5xx or undescribed reply.
SECONDS ?= 300
fuzz: .venv/dev
	@$(BIN)/python -m tests.fuzz $(SECONDS)

test-browser: .venv/dev
	@if command -v chromium chromium-browser >/dev/null; then $(BIN)/pytest -q -m browser; \
	else echo "SKIPPED: no Chromium (apt-get install chromium)"; fi

# Compiles the pinned files anew from the *.in files.
requirements: .venv/dev
	cd requirements && for set in base dev; do ../$(BIN)/uv pip compile -q --upgrade --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --python-version 3.11 $$set.in -o $$set.txt; done
