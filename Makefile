# Two commands: `make demo` and `make test`. Each does all its set-up in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# `make test COVERAGE=1` prints branch coverage, and takes a third longer.
COVERAGE ?=

# Also where the environment forbids it: each process that a test starts would compile all of weft again.
test: export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test docs dist bench format clean

demo: $(VENV)/.core
	$(BIN)/weft demo --out runs/demo

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(if $(COVERAGE),--cov --cov-report=term)

# The site, in site/; a link or an anchor that does not exist is an error.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The source distribution and the wheel, in dist/; the version is that of the newest tag.
dist: $(VENV)/.dev
	$(BIN)/python -m build

# The peers live in an environment of their own, so that the project is never tested beside them.
bench: $(VENV)-bench/.bench
	$(VENV)-bench/bin/python -m benchmarks $(BENCH)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)-bench/.bench: pyproject.toml constraints.txt
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-bench runs site build dist *.egg-info
