# Two commands are all that a reader needs: `make lab` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# Where tests marked `browser` are; the others need not be collected to find them.
BROWSER_TESTS := tests/browser tests/widgets tests/test_packaging.py

# Notebooks run on the kernel of this environment, without the user's own IPython profile and
# without progress bars, which a slow machine would leave in their outputs.
NOTEBOOK_ENV := env -u JUPYTER_PATH JUPYTER_PREFER_ENV_PATH=1 IPYTHONDIR=$(abspath build/ipython) TQDM_DISABLE=1

# One BLAS thread: the same digits everywhere, and no fight between test workers.
cookbook notebooks unit browser smoke: export OPENBLAS_NUM_THREADS := 1
cookbook notebooks unit browser smoke: export OMP_NUM_THREADS := 1
cookbook notebooks unit browser smoke: export MKL_NUM_THREADS := 1

.PHONY: help lab cookbook test setup lint types notebooks unit browser smoke bench format clean
.DEFAULT_GOAL := help

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

define bootstrap
	@command -v $(PYTHON) >/dev/null || { echo "adlib: there is no $(PYTHON) here. Install Python 3.11 or newer and name it: make $@ PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py
endef

lab:  ## set up, then open JupyterLab on notebooks/ (PORT=8890 to choose a port)
	$(bootstrap) lab --venv $(VENV) $(if $(PORT),--port $(PORT)) $(LAB_ARGS)

cookbook:  ## run every notebook headless and write build/cookbook/*.html
	$(bootstrap) setup --venv $(VENV) --extras notebook
	@mkdir -p build
	$(NOTEBOOK_ENV) $(BIN)/python tools/cookbook.py

test: lint types notebooks unit browser  ## everything: lint, types, notebooks against their outputs, tests, doctests, browser

setup:
	$(bootstrap) setup --venv $(VENV) --extras notebook,test

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/python tools/typecheck.py

# nbval has its own configuration: a warning in a notebook is output to compare, not an error.
notebooks: setup  ## compare each notebook's committed outputs with a fresh run
	@mkdir -p build
	$(NOTEBOOK_ENV) $(BIN)/python -m pytest -c tests/nbval.ini --rootdir . -n $(WORKERS) --dist loadscope notebooks

# Doctests import each module by its own name: a second copy would define primitives twice.
unit: setup  ## doctests and unit tests
	@command -v c++ g++ >/dev/null || test -z "$(CI)" || apt-get install -y -qq --no-install-recommends g++ || true
	$(BIN)/python -m pytest -n $(WORKERS) --import-mode=append --doctest-modules adlib kernel_ext widgets
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not browser and not gpu" -rs tests

# A process of their own: Playwright keeps the event loop that other tests start themselves.
browser: setup  ## JupyterLab, Notebook 7 and saved pages in Chromium; screenshots in build/screenshots/
	@if $(BIN)/python tools/chromium.py --install; then \
	  $(NOTEBOOK_ENV) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m browser $(BROWSER_TESTS); \
	else echo "adlib: the browser tests were left out" >&2; fi

smoke: setup  ## the tests to run while editing, under 10 seconds
	$(BIN)/python -m pytest tests/test_smoke.py tests/test_structure.py

bench:  ## compare with JAX, autograd and PyTorch side by side
	$(bootstrap) setup --venv $(VENV) --extras notebook,test,bench
	$(BIN)/python -m benchmarks

format: setup  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove the virtual environment and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
