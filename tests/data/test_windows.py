"""Recordings as windows: every sample counted once, and likelihoods that add up to the whole recordings."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import fault

import arjax
from arjax.data import tile
from arjax.heads import Categorical
from arjax.testing import lively_params

RNG = np.random.default_rng(0)


class LooksBack(nn.Module):
    """A net of its own parameters for each of the last three symbols, and of nothing else."""

    spec: Any = None
    any_order: ClassVar[bool] = False
    decays: ClassVar[tuple[str, ...]] = ()

    @nn.compact
    def __call__(self, x, order, cond=None, *, key=None):
        shape = (3, self.spec.vocab, self.spec.param_size)
        table = self.param("table", nn.initializers.normal(), shape)
        theta = self.param("bias", nn.initializers.normal(), shape[2:])
        theta = jnp.broadcast_to(theta, (*x.shape, shape[2]))
        for back in range(1, min(3, x.shape[1] - 1) + 1):
            theta = theta.at[:, back:].add(table[back - 1][x[:, :-back]])
        return theta


@pytest.mark.parametrize(("length", "context"), [(1, 0), (5, 3), (8, 7), (20, 7)])
def test_tile_counts_every_sample_once_and_after_its_true_context(length, context):
    recordings = [np.arange(num, dtype=np.int16) + 100 * i for i, num in enumerate((1, 4, 5, 6, 8, 9, 13, 40, 41))]
    cut = tile(recordings, length, context)
    assert cut.x.shape == cut.counted.shape == (len(cut.recording), length)
    assert (cut.x.dtype, cut.counted.dtype) == (np.int16, bool)
    # A sample's value says which recording it is of, and its place in it.
    assert sorted(cut.x[cut.counted].tolist()) == sorted(np.concatenate(recordings).tolist())
    for x, counted, i in zip(cut.x, cut.counted, cut.recording, strict=True):
        assert counted.any()
        whole = recordings[i]
        begin = int(x[0]) - 100 * i
        kept = min(length, len(whole))
        np.testing.assert_array_equal(x[:kept], whole[begin : begin + kept])
        assert not x[kept:].any()
        assert not counted[kept:].any()
        first = int(np.argmax(counted))
        assert counted[first:kept].all()
        assert first == 0 if begin == 0 else first >= context


def test_tile_cuts_no_more_windows_than_are_needed():
    for num, windows in ((1, 1), (10, 1), (11, 2), (17, 2), (18, 3), (24, 3), (25, 4)):
        assert len(tile([np.zeros(num, np.int16)], 10, 3).x) == windows


@pytest.mark.parametrize("context", [3, 2])
def test_log_prob_of_windows_adds_up_to_that_of_whole_recordings_with_enough_context(context):
    recordings = [RNG.integers(0, 5, num).astype(np.int16) for num in (2, 11, 37)]
    params = lively_params(arjax.Model(LooksBack(), Categorical(5), (4,)), jax.random.key(0))
    cut = tile(recordings, 4, context)
    model = arjax.Model(LooksBack(), Categorical(5), (4,))
    scores = np.asarray(arjax.log_prob(model, params, cut.x.astype(np.int32), counted=cut.counted))
    for i, recording in enumerate(recordings):
        whole = arjax.Model(LooksBack(), Categorical(5), (len(recording),))
        expected = float(arjax.log_prob(whole, params, recording[None].astype(np.int32))[0])
        close = np.isclose(scores[cut.recording == i].sum(), expected, rtol=1e-6, atol=1e-5)
        assert close == (context == 3 or len(recording) <= 4)


@pytest.mark.parametrize(
    ("recordings", "length", "context", "says"),
    [
        ([np.zeros(3, np.int16)], 4, 4, "context=4 must be in 0..length - 1, and length=4"),
        ([np.zeros(3, np.int16)], 4, -1, "context=-1"),
        ([], 4, 1, "there are no recordings"),
        ([np.zeros(3, np.int16), np.zeros(0, np.int16)], 4, 1, "recording 1 is int16 of shape (0,)"),
        ([np.zeros((3, 2), np.int16)], 4, 1, "recording 0 is int16 of shape (3, 2)"),
        ([np.zeros(3, np.int16), np.zeros(3)], 4, 1, "recording 1 is float64"),
    ],
)
def test_tile_names_what_cannot_be_cut(recordings, length, context, says):
    assert says in fault(lambda: tile(recordings, length, context))
