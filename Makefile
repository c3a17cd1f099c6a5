# Two commands do everything: `make run` and `make test`. Each sets up what it needs, in .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
SOURCES := src tests docs bench main.py

TORCH = $(shell sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml)
TORCH_PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run local-gpu test check e2e bench soak lock help

run: .venv/run.done  ## serve on :8000 (PORT and ATELIER_… settings come from the environment or .env)
	@exec $(BIN)/python main.py

local-gpu: .venv/local.done  ## install what draws on this machine's own GPU, or its CPU (docs/local-gpu.md)

test: .venv/dev.done  ## run the tests: real SQLite, real sockets, real processes, a real browser
	$(BIN)/python -m pytest -m "not soak" --numprocesses 3 --dist loadfile --no-loadscope-reorder

e2e: .venv/dev.done  ## run the browser's tests only
	$(BIN)/python -m pytest -m e2e

bench: .venv/dev.done  ## measure speed and memory beside a bare app: ratios, about three minutes
	$(BIN)/python bench/run.py

soak: .venv/dev.done  ## run the long matrices
	$(BIN)/python -m pytest -m soak --timeout 1800

check: .venv/dev.done  ## ruff, mypy, import-linter, deptry, vulture
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/vulture

lock: .venv/dev.done  ## resolve the requirements again and lock them by hash
	$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --extra diffusers --no-emit-package torch -c requirements/run.txt -c requirements/dev.txt -o requirements/diffusers.txt

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade

help:  ## show this
	@sed -n 's/^\([a-z0-9-]*\):.*##/\1:/p' $(MAKEFILE_LIST)

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "atelier needs Python 3.11 or newer; set PYTHON=python3.11, say."; exit 1; }
	@echo "Making .venv …"
	@$(PYTHON) -m venv .venv
	@# The package is found where it lies: no build, nothing unpinned.
	@$(BIN)/python -c 'import pathlib, site; pathlib.Path(site.getsitepackages()[0], "atelier.pth").write_text(str(pathlib.Path("src").resolve()))'
	@touch $@

.venv/run.done: .venv/made requirements/run.txt
	@echo "Installing what the service needs …"
	@$(PIP) --requirement requirements/run.txt
	@touch $@

.venv/dev.done: .venv/made requirements/dev.txt
	@echo "Installing what the tests and checks need …"
	@$(PIP) --requirement requirements/dev.txt
	@touch $@ .venv/run.done

# torch has builds for CUDA, ROCm and CPUs: one that is there already stays, else pip's indexes decide, and what it needs beyond the lock comes last.
.venv/local.done: .venv/run.done requirements/diffusers.txt
	@echo "Installing what draws on this machine …"
	@$(TORCH_PIP) --no-deps $(TORCH)
	@$(PIP) --requirement requirements/diffusers.txt
	@$(TORCH_PIP) $(TORCH)
	@touch $@
