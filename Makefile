# Every target makes the virtual environment it needs: `make demo` and `make test` each work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow torture fuzz lint clean

demo: $(VENV)/installed
	$(BIN)/python train.py configs/digits_made.py

test: $(VENV)/installed
	$(BIN)/python -m pytest

# As users run it: with all of XLA's optimizations, which compile too slowly for `make test`.
test-slow: $(VENV)/installed
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 ARJAX_TORTURE_KILLS=10 $(BIN)/python -m pytest -m "slow or contract"

# Runs are killed, interrupted, damaged, crowded and given full disks, and must end as if they had been left alone.
torture: $(VENV)/installed
	$(BIN)/python -m pytest -n 0 -m slow tests/test_torture.py tests/test_torture_disk.py tests/test_torture_hosts.py

# Each parser of outside bytes for a minute, guided by coverage. What breaks one is left in build/fuzz.
fuzz: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[fuzz]" --constraint constraints.txt
	mkdir -p build/fuzz
	$(BIN)/python tests/fuzz_readers.py -max_total_time=60 -artifact_prefix=build/fuzz/

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "arjax needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[test]" --constraint constraints.txt
	touch $@
