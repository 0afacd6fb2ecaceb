# Two commands: `make demo` runs the main job on a local chain, `make test` passes the tests.
# Both set up what they need in .venv and devnet/node_modules, and nowhere else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEVNET_READY := devnet/node_modules/.ready

.PHONY: setup demo test test-fast check lock clean

setup: $(READY) $(DEVNET_READY)

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DEVNET_READY): devnet/package-lock.json
	npm ci --prefix devnet --no-audit --no-fund --loglevel=error
	touch $@

demo: setup
	$(BIN)/python -m devnet.demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not anvil"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --custom-compile-command "make lock" pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml -o requirements/run.txt

clean:
	rm -rf $(VENV) devnet/node_modules devnet/build .pytest_cache .mypy_cache .ruff_cache
