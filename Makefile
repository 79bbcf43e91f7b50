# Every target makes the virtual environment it needs: `make demo` and `make test` each work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow bench-check gpu contract torture fuzz lint wheel clean

demo: $(VENV)/installed
	$(BIN)/python train.py configs/digits_made.py

test: $(VENV)/installed
	$(BIN)/python -m pytest

# What `make test` leaves out: the other rows of the zoo, then, with all of XLA's optimizations as users run it, what takes long.
test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m "slow and contract"
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 ARJAX_TORTURE_KILLS=4 $(BIN)/python -m pytest -m "slow and not (contract or torture or bench)"

# Timings at full size, one after the other: they need a machine that does nothing else.
bench-check: $(VENV)/installed
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(BIN)/python -m pytest -n 0 -m bench

# What there is to measure on an accelerator, in ten minutes at most; FLAGS=--tiny tries it on a CPU. See docs/benchmarks.md.
gpu: $(VENV)/installed
	$(BIN)/python -m benchmarks.accelerator $(FLAGS)

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

# Style, then the types of the core.
lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

# The wheel, in an environment of its own without extras: `pip install arjax` must be enough to train, evaluate and sample.
wheel:
	rm -rf build/wheel
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet . --constraint constraints.txt
	cd build/wheel && bin/python -P ../../tests/plain_install.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "arjax needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[lint,test]" --constraint constraints.txt
	touch $@
