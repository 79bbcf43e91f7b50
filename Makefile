# Every target makes the virtual environment it needs: `make demo` and `make test` each work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow contract torture fuzz lint clean

demo: $(VENV)/installed
	$(BIN)/python train.py configs/digits_made.py

test: $(VENV)/installed
	$(BIN)/python -m pytest

# The rows of the zoo that `make test` leaves out, but for other dtypes; then, as users run it, with all of XLA's optimizations, what takes long.
test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m "slow and contract"
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 ARJAX_TORTURE_KILLS=4 $(BIN)/python -m pytest -m "slow and not contract and not torture"

# The law for every model of the zoo with all of XLA's optimizations: several times as long to compile, too long for CI.
contract: $(VENV)/installed
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(BIN)/python -m pytest -m contract

# Runs are killed, interrupted, damaged, crowded, given full disks and other meshes, and must end as if they had been left alone.
TORTURE := hostile/test_torture.py hostile/test_torture_disk.py hostile/test_torture_hosts.py training/test_meshes_agree.py
torture: $(VENV)/installed
	$(BIN)/python -m pytest -n 0 -m "slow or torture" $(TORTURE:%=tests/%)

# Each parser of outside bytes for a minute, guided by coverage. What breaks one is left in build/fuzz.
fuzz: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[fuzz]" --constraint constraints.txt
	mkdir -p build/fuzz
	$(BIN)/python tests/hostile/fuzz_readers.py -max_total_time=60 -artifact_prefix=build/fuzz/

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
