"""The same weights in PyTorch give the same logits: the peers that the benchmarks are measured against."""

import jax
import numpy as np
import pytest

import arjax
from arjax.heads import Categorical
from arjax.models import WaveNet

torch = pytest.importorskip("torch", reason="PyTorch is an optional extra: pip install -e '.[peers]'")

from benchmarks import against_torch_lstm, against_torch_wavenet  # noqa: E402


def test_rnn_is_pytorchs_lstm():
    model = against_torch_lstm.MODEL
    params = arjax.init(model, jax.random.key(0))
    x = np.random.default_rng(0).integers(0, 65, (2, 256))
    logits = against_torch_lstm.Peer(params).logits(torch.tensor(x))
    np.testing.assert_allclose(arjax.theta(model, params, x), logits, atol=2e-6)


@pytest.mark.parametrize("peer", [against_torch_wavenet.Conv1d, against_torch_wavenet.Linear])
def test_wavenet_is_pytorchs_with_queues(peer):
    model = arjax.Model(against_torch_wavenet.NET, Categorical(256), (1100,))
    assert isinstance(model.net, WaveNet)
    params = arjax.init(model, jax.random.key(0))
    x = np.random.default_rng(0).integers(0, 256, (2, 1100))  # longer than the longest queue
    logits = against_torch_wavenet.logits_of(peer(params), torch.tensor(x))
    np.testing.assert_allclose(arjax.theta(model, params, x), logits, atol=2e-5)
