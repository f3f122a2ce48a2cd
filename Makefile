SHELL := /bin/bash
.DEFAULT_GOAL := help
# The environment; another folder for another Python: make test VENV=.venv-3.13 PYTHON=python3.13
VENV ?= .venv
BIN := $(VENV)/bin
ifneq ($(origin PYTHON),undefined)
export PYTHON
endif
export HOST PORT SANDBOX_PORT
# Where Python may keep no bytecode, each of the hundreds of processes that the tests start compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = @command -v $(or $(PYTHON),python3) >/dev/null \
  || { echo "There is no $(or $(PYTHON),python3) here; Switchboard needs Python 3.11 to 3.13."; exit 1; }; \
  $(or $(PYTHON),python3) config/install.py $(VENV)

.PHONY: help run dev test check docs docs-serve test-services test-matrix test-browser chaos simulate simulate-bugs bench isolation fuzz requirements base-environment environment docs-environment

help: ## what there is (this list)
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

base-environment:
	$(INSTALL) base

environment:
	$(INSTALL) dev

docs-environment:
	$(INSTALL) docs

run: base-environment ## server, delivery worker and sandbox CRM; HOST, PORT and every variable of .env.example count
	@exec $(BIN)/python -m config.launch

dev: environment ## the same with DEBUG, starting anew when a file changes
	@DEBUG=on LOG_FORMAT=console exec $(BIN)/python -m config.launch --reload

# Processes of tests: more than most machines have cores, for a test waits half of its time.
AT_ONCE ?= 4
TEST = $(BIN)/pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder
test: environment ## the whole suite on SQLite, but for the pages in Chromium (make test-browser)
	@$(TEST) -m "not browser"
	@echo "Left out: the pages in Chromium (make test-browser) and what needs PostgreSQL (make test-services)."

CHECKS := check-types check-style check-migrations check-settings check-packages check-security check-adapters
check: environment ## format, lint, types, Django's checks, migrations up to date
	@$(MAKE) --no-print-directory -j 2 --output-sync=target $(CHECKS)

.PHONY: $(CHECKS)
check-types:  # takes the longest: begins first
	DEBUG=on $(BIN)/mypy adapters audit connectors config deploy simulation
check-style:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
check-migrations:
	DEBUG=on $(BIN)/python manage.py makemigrations --check --dry-run
check-settings:
	DEBUG=on SANDBOX=on $(BIN)/python manage.py check
check-packages:
	$(BIN)/pip check --disable-pip-version-check
check-security:
	$(BIN)/bandit -q -ll -c pyproject.toml -r adapters audit config connectors manage.py
check-adapters:
	DEBUG=on SANDBOX=on $(BIN)/python manage.py check_adapters

docs docs-serve: export DEBUG=on
MKDOCS := NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs
docs: docs-environment ## the documentation as a site, into var/docs; fails on a broken link or a page that is not whole
	@$(BIN)/mypy --cache-dir .mypy_cache/docs -p docs.site
	@$(MKDOCS) build --strict && echo "Open var/docs/index.html; make docs-serve shows it with the search."

docs-serve: docs-environment ## the same at http://127.0.0.1:8001 (DOCS_PORT), built anew when a page changes
	@$(MKDOCS) serve --strict --dev-addr 127.0.0.1:$${DOCS_PORT:-8001}

test-services: environment ## the suite on PostgreSQL and Redis
	@if $(BIN)/python -m tests.services; then \
	  DATABASE_URL=$${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres} $(TEST) -m "not browser" --only-database; \
	else echo "SKIPPED: no PostgreSQL at $${TEST_DATABASE_URL:-127.0.0.1:5432}"; fi

MATRIX ?= all
test-matrix: environment ## the suite under other Pythons that are installed, the newest with the newest Django
	@$(BIN)/python -m tests.matrix $(MATRIX)

test-browser: environment ## the pages in Chromium
	@if command -v chromium chromium-browser >/dev/null; then $(TEST) -m browser; \
	else echo "SKIPPED: no Chromium (apt-get install chromium)"; fi

chaos: environment ## kills servers and workers while a CRM misbehaves; prints what was logged, lost and doubled
	$(BIN)/python -m tests.chaos --kills $${CHAOS_KILLS:-60} --calls $${CHAOS_CALLS:-500} --conversations 100

SCHEDULES ?= 2000
SEED ?= 1
JOBS ?= 1
DATABASE ?= sqlite
SIMULATED = --schedules $(SCHEDULES) --seed $(SEED) --database $(DATABASE)
simulate: environment ## production code of deliveries in SCHEDULES from SEED on; TRACE=1, JOBS=2, DATABASE=postgresql
	@$(BIN)/python -m simulation $(SIMULATED) --jobs $(JOBS) $(if $(TRACE),--trace)

simulate-bugs: environment ## the same with small faults planted one at a time: the schedule at which each is found
	@$(BIN)/python -m simulation.bugs $(SIMULATED) --jobs $(JOBS)

bench: environment ## how fast it is, beside a bare Django view: writes docs/bench.md (ten minutes; BENCH="--help")
	@$(BIN)/python -m bench $(BENCH)

isolation: environment ## every endpoint with one user's token against another user's records, as a table
	@ISOLATION_TABLE=on $(BIN)/pytest -q -p no:randomly tests/test_isolation.py

SECONDS ?= 300
fuzz: environment ## requests made up from the description of the API, for SECONDS
	@$(BIN)/python -m tests.fuzz $(SECONDS)

requirements: environment ## compiles the pinned files anew from the *.in files
	cd requirements && for set in base dev docs lambda; do ../$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --python-version 3.11 $$set.in -o $$set.txt; done
