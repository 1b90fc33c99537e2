# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERL_VENV := .venv-verl

.PHONY: demo test long faults browser chromium verl check install clean

demo: install  ## a small model made on the spot learns sums with PMPO; then two objectives beside each other
	$(BIN)/pmpo train
	$(BIN)/pmpo compare --study quick --objectives grpo sapo --seeds 0 --max_steps 120 --output_dir runs/compare-demo

test: install  ## the whole test suite, doctests included
	$(BIN)/python -m pytest -n auto --dist worksteal

faults: install  ## every kill point, damage and full disk, with a table of what came of it (two to five minutes)
	PMPO_ALL_FAULTS=1 $(BIN)/python -m pytest tests/faults

long: install  ## the tests that take most of a minute each: the default learns, a soak, resumptions of two processes
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

browser: install chromium  ## the pages of `pmpo report` in headless Chromium, and screenshots of them to look at
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[browser]"
	PMPO_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest -n auto --dist worksteal -rs tests/web_browser
	@echo "Screenshots of the pages, for people to look at: build/screenshots"

chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
	  || { echo "Chromium is needed, and Debian's package could not be installed: install it by hand."; exit 1; }

verl: $(VERL_VENV)/.installed  ## verl's main_ppo end to end on CPU cores, in an environment of its own (about ten minutes)
	$(VERL_VENV)/bin/python -m pytest tests/verl

# An environment of its own: verl takes an older transformers than TRL.
$(VERL_VENV)/.installed: pyproject.toml constraints-verl.txt
	@echo "Installing into $(VERL_VENV) (about three minutes)"
	$(PYTHON) -m venv $(VERL_VENV)
	$(VERL_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-verl.txt torch
	$(VERL_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-verl.txt \
	  --editable ".[verl,grading]" pytest
	@touch $@

check: install  ## what a change must pass: lint, format, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal

install: $(VENV)/.installed  ## .venv alone, from the tested versions in constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (about two minutes)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) $(VERL_VENV) build dist .pytest_cache .mypy_cache .ruff_cache
