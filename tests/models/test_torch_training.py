"""The networks in PyTorch that training is timed against are ours: the same weights give the same theta."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an optional extra: pip install -e '.[peers]'")

from benchmarks import against_torch_training  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("row", against_torch_training.rows(), ids=lambda row: row.name)
def test_theta_is_that_of_the_network_in_pytorch(row):
    assert against_torch_training.gap(row) < 1e-4
