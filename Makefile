# Voicegate: everything a checkout needs, on Debian 12 with git, make and Python 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Each of the tests' processes would else compile every module anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo lab hear unit test soak attack check bench bench-quick format client pages pictures docs wheel lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## real calls through a real Asterisk: a telephone enrolled, activated, signed in with
	@$(BIN)/voicegate lab demo

lab: $(READY) ## the same PBX, carrier and telephones, left running to try things on; LAB holds options
	@$(BIN)/voicegate lab up $(LAB)

hear: $(READY) ## how well each language is understood over bad lines, and the pages about it; HEAR holds options
	@OMP_NUM_THREADS=1 $(BIN)/voicegate lab hear $(HEAR)

test: check ## all checks and all tests but those for `make soak`
	$(BIN)/pytest --durations=10

unit: $(READY) ## the rules, the use cases, settings, clients, the house's own: no telephone, under a minute
	$(BIN)/pytest -n 3 tests/house tests/unit/domain tests/unit/application tests/unit/client tests/unit/test_*.py

# Alone, one after another: they load the machine on purpose.
soak: $(READY) ## the tests that take too long for every run: floods, exhaustion, hundreds of calls
	$(BIN)/pytest -m soak -n 0 --durations=0

check: $(READY) ## format, lint, types, the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

attack: $(READY) ## floods of every kind at a daemon, while an honest client signs people in; two minutes
	@$(BIN)/python -m tests.attack.run

bench: $(READY) ## what calls cost, beside the least that the same PBX can do; PART holds parts, BENCH options
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python -m tests.bench $(PART) $(BENCH)

bench-quick: $(READY) ## this checkout beside BASE (main~1), by turns: fails where it certainly costs more; some minutes
	@$(BIN)/python -m tests.bench.quick $(if $(BASE),--base $(BASE)) $(BENCH)

format: $(READY) ## put the source into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

client: $(READY) ## write the blocking client anew from the one for asyncio
	@$(BIN)/python -m tests.house.blocking_client

pages: $(READY) ## renew the pages that follow from the code: settings, command line, providers
	@$(BIN)/python docs/generate.py

pictures: $(READY) ## the pictures of the pages for people anew, in Chromium and with calls in a lab; two minutes
	$(BIN)/pytest -n 0 -m '' tests/browser/test_pages.py tests/browser/test_calls.py
	$(BIN)/python -m tests.browser.pictures

docs: $(READY) ## all pages as HTML, into docs/_build
	@$(BIN)/python -m sphinx -q -W --keep-going -n -b html docs docs/_build
	@echo "docs/_build/index.html"

wheel: $(READY) ## what `pip install` takes, and the source of it, into dist
	@$(BIN)/python -m hatchling build --target wheel --target sdist --directory dist

# What is installed here, and so was tested, with the hashes of all files that an index has of it; the tests' for
# Pythons from this one on: their tools drop older ones sooner than the daemon does.
lock: $(READY) ## renew requirements/ from what this checkout's tests ran with
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[lock]'
	@$(BIN)/python -m pip freeze --exclude-editable | grep -vE '^(uv|pip)==' > .tested.txt
	@$(LOCK) --extra freeswitch --extra classic-agi --extra postgresql -o requirements/daemon.txt pyproject.toml
	@$(LOCK) --extra test --python-version "$$($(BIN)/python -c 'import platform; print(platform.python_version())')" \
	  -o requirements/tests.txt pyproject.toml
	@rm .tested.txt
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header -c .tested.txt

clean: ## remove what `make` made in this checkout
	-$(BIN)/voicegate lab down
	rm -rf $(VENV) .lab .pictures docs/_build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Debian splits venv (and pip) from Python. Root installs the packages; anyone else unpacks pip beside
# the environment, which needs no rights.
$(READY): pyproject.toml
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=""; \
	  $(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="python3-venv"; \
	  command -v flite >/dev/null || missing="$$missing flite"; \
	  command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"; \
	  if [ -n "$$missing" ]; then \
	    echo "installing$${missing:+ $$missing}"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  fi; \
	fi
	@echo "making $(VENV)"
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv --clear $(VENV); \
	else \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && mkdir -p $(VENV)/pip/lists/partial $(VENV)/pip/cache/archives/partial && \
	  cd $(VENV)/pip && own="-qq -o Dir::State::Lists=$$PWD/lists -o Dir::Cache=$$PWD/cache" && \
	  apt-get $$own update && apt-get $$own download python3-pip-whl && dpkg -x python3-pip-whl_*.deb . && \
	  wheel=$$(echo $$PWD/usr/share/python-wheels/pip-*.whl) && \
	  ../bin/python $$wheel/pip install -q --no-index $$wheel; \
	fi
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@
