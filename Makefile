# Nærblik. `make help` lists what there is. Everything is set up on first use and kept in .venv and data/.

PYTHON ?= python3.11
DATA ?= data
PORT ?= 8050
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
CHROMIUM := /usr/bin/chromium
DEMO := $(DATA)/raw/demo
FILES ?=
BENCH_YEARS ?= 1
MINUTES ?= 60
PUBLICATIONS ?= 10
CYCLONEDX_VERSION := 7.5.0
PIP_AUDIT_VERSION := 2.10.1

.DEFAULT_GOAL := help
.PHONY: help run load serve test test-faults test-attack lint bench browser lock format clean soak sbom audit

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: $(VENV)/.run ## make and load the demo country on first use, then serve http://127.0.0.1:8050
	@test -f $(DATA)/releases/CURRENT || { \
	  $(BIN)/python -m etl demo --data $(DATA) && \
	  $(BIN)/python -m etl load $(DEMO) --data $(DATA); }
	@$(BIN)/python -m dashboard --data $(DATA) --port $(PORT)

load: $(VENV)/.run ## load a folder of deliveries: make load FILES=folder DATA=data/own
	@test -n "$(FILES)" || { echo "Say what to load: make load FILES=folder DATA=data/own"; exit 1; }
	@$(BIN)/python -m etl load $(FILES) --data $(DATA)

serve: $(VENV)/.run ## serve what is in DATA, without making a demo: make serve DATA=data/own
	@$(BIN)/python -m dashboard --data $(DATA) --port $(PORT)

test: $(VENV)/.dev browser lint ## set up everything (Chromium included) and run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev ## ruff (lint and format) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev ## benchmarks, printed as ratios: make bench BENCH_YEARS=10
	@PYTHONPATH=. $(BIN)/python tests/load/bench_kpis.py
	@PYTHONPATH=. $(BIN)/python tests/load/bench_effect.py
	@PYTHONPATH=. $(BIN)/python tests/load/bench_dashboard.py
	@PYTHONPATH=. $(BIN)/python tests/load/bench_etl.py --years $(BENCH_YEARS)
	@PYTHONPATH=. $(BIN)/python tests/load/bench_protect.py --years $(BENCH_YEARS)

test-faults: $(VENV)/.dev ## the long versions of the fault and mutation tests
	@NAERBLIK_FAULTS=full NAERBLIK_MUTATIONS=10000 $(BIN)/python -m pytest -n 2 --timeout 7200 tests/faults tests/etl/test_shapes.py

test-attack: $(VENV)/.dev ## attack the protection at full length, and print what each scheme gives away
	@NAERBLIK_ATTACK=full $(BIN)/python -m pytest -s --timeout 7200 tests/attack

soak: $(VENV)/.dev ## 200 viewers and publications under them: make soak MINUTES=60 PUBLICATIONS=10 DATA=data
	@$(BIN)/python tests/load/viewers.py $(DATA) --opens 200
	@$(BIN)/python tests/load/viewers.py $(DATA) --minutes $(MINUTES) --publications $(PUBLICATIONS)

sbom: $(VENV)/.uv ## what it is made of, as CycloneDX: DATA/build/sbom.cdx.json
	@mkdir -p $(DATA)/build
	@$(UV) tool run -q --from cyclonedx-bom==$(CYCLONEDX_VERSION) cyclonedx-py requirements requirements.lock \
	  --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON -o $(DATA)/build/sbom.cdx.json
	@echo "$(DATA)/build/sbom.cdx.json is written."

audit: $(VENV)/.uv ## ask whether a locked dependency has a known vulnerability
	@$(UV) tool run -q --from pip-audit==$(PIP_AUDIT_VERSION) pip-audit --strict --require-hashes --disable-pip \
	  -r requirements.lock || { echo "Not clean: a vulnerability is listed above – or, where it says that a package was not found or"; \
	  echo "that nobody answered, there is no way from here to the vulnerability database, and nothing is known."; exit 1; }

browser:
	@test -x $(CHROMIUM) || { \
	  echo "Installing Chromium for the browser tests …"; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; \
	  else \
	    echo "The browser tests need Chromium at $(CHROMIUM). Install it (Debian: sudo apt-get install chromium) and run make test again."; exit 1; \
	  fi; }

format: $(VENV)/.dev ## format and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/.uv ## work out the locked, hashed dependencies anew
	@$(UV) pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 pyproject.toml -o requirements.lock
	@$(UV) pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean: ## take away the environment and everything made in DATA
	rm -rf $(VENV) $(DATA)/raw $(DATA)/build $(DATA)/releases

$(VENV)/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "Nærblik needs Python 3.11 ($(PYTHON) was not found). Set PYTHON=… to where it is."; exit 1; }
	@echo "Setting up the environment …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION) || { echo "uv could not be installed: is there a way to a package index (pip)?"; exit 1; }
	@touch $@

# Everything is compiled here, once: a service may not write beside its code, and would compile it at every start.
SET_UP := $(UV) pip sync -q --require-hashes --compile-bytecode --python $(BIN)/python
COMPILE := $(BIN)/python -m compileall -q dashboard etl kpis

# The test environment is the run environment and more: once it is there, `make run` uses it as it is.
$(VENV)/.run: requirements.lock | $(VENV)/.uv
	@test -f $(VENV)/.dev || $(SET_UP) requirements.lock
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.uv
	@$(SET_UP) requirements-dev.lock
	@$(COMPILE)
	@touch $@
