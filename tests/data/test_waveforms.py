"""Sound as symbols, over all 65536 samples, against the formulas in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import fault

from arjax.data import Linear, MuLaw
from arjax.data.waveforms import to_int16

RAW = np.arange(-32768, 32768, dtype=np.int16)
EVERY = [Linear(2), Linear(65536), MuLaw(2), MuLaw(255), MuLaw(256), MuLaw(1024)]
KEY = jax.random.key(0)


def f(w, mu):
    """Mu-law's curve, one number at a time."""
    return math.copysign(math.log(1 + mu * abs(w)) / math.log(1 + mu), w)


@pytest.mark.parametrize("values", EVERY, ids=str)
def test_symbols_rise_with_the_samples_and_are_those_of_their_waveform(values):
    symbols = np.asarray(values(KEY, RAW))
    assert symbols.dtype == np.int32
    assert (symbols[0], symbols[-1]) == (0, values.count - 1)
    assert (np.diff(symbols) >= 0).all()
    np.testing.assert_array_equal(symbols, values.symbols(RAW / 32768))


@pytest.mark.parametrize("values", EVERY, ids=str)
def test_waveform_of_every_symbol_has_that_symbol_also_in_sixteen_bits(values):
    symbols = np.arange(values.count)
    waveform = values.waveform(symbols)
    assert waveform.dtype == jnp.float32
    assert float(jnp.abs(waveform).max()) <= 1
    assert (np.diff(waveform) > 0).all()
    np.testing.assert_array_equal(values.symbols(waveform), symbols)
    if values.count <= 256 or isinstance(values, Linear):
        np.testing.assert_array_equal(values(KEY, to_int16(waveform)), symbols)


@pytest.mark.parametrize("count", [16, 255])
def test_mu_law_is_within_half_a_bin_of_every_sample(count):
    values, mu = MuLaw(count), count - 1
    decoded = np.asarray(values.waveform(values(KEY, RAW)), np.float64)
    error = [abs(f(w, mu) - f(d, mu)) for w, d in zip((RAW / 32768).tolist(), decoded.tolist(), strict=True)]
    assert max(error) <= 1 / mu + 1e-7
    assert max(error) > 0.9 / mu  # half a bin, not less


def test_mu_law_is_its_formula():
    mu, values = 255, MuLaw(256)
    expected = [math.floor((f(w, mu) + 1) * mu / 2 + 0.5) for w in (RAW / 32768).tolist()]
    np.testing.assert_array_equal(values(KEY, RAW), expected)
    np.testing.assert_array_equal(jax.jit(values)(KEY, RAW), expected)
    levels = [math.copysign(((1 + mu) ** abs(2 * s / mu - 1) - 1) / mu, 2 * s / mu - 1) for s in range(256)]
    np.testing.assert_allclose(values.waveform(np.arange(256)), levels, rtol=1e-6)


@pytest.mark.parametrize("count", [2, 16, 256, 1024, 65536])
def test_linear_is_within_half_a_bin_of_every_sample_and_with_all_bits_exact(count):
    values = Linear(count)
    error = np.abs(RAW / 32768 - np.asarray(values.waveform(values(KEY, RAW)), np.float64))
    assert error.max() == (65536 / count - 1) / 65536


def test_to_int16_takes_the_nearest_samples():
    waveform = np.array([-1 - 1e-6, -1, -0.6 / 32768, 0, 0.4 / 32768, 0.6 / 32768, 32767 / 32768, 1, 1 + 1e-6])
    np.testing.assert_array_equal(to_int16(waveform), [-32768, -32768, -1, 0, 0, 1, 32767, 32767, 32767])


@pytest.mark.parametrize("wrong", [1.5, -1.5, 1.0001, -16000, np.nan, np.inf])
def test_to_int16_and_symbols_refuse_what_is_beyond_or_not_finite(wrong):
    waveform, says = [0.0, wrong], f"up to {abs(wrong):.6g}; divide them by that" if np.isfinite(wrong) else "not finite"
    for call in (to_int16, MuLaw(256).symbols, Linear(256).symbols):
        assert says in fault(call, waveform)


@pytest.mark.parametrize("values", [Linear(256), MuLaw(256)], ids=str)
def test_outside_int16_is_what_is_no_sample(values):
    np.testing.assert_array_equal(values.outside(np.array([-32769, -32768, 32767, 32768])), [True, False, False, True])
    np.testing.assert_array_equal(values.outside(np.array([0.0, 0.5, np.nan, np.inf])), [False, True, True, True])
    assert not values.outside(RAW).any()
    assert "256 levels" in values.title
    np.testing.assert_array_equal(values.symbols([1.0, -1.0]), [255, 0])


@pytest.mark.parametrize(("make", "count"), [(Linear, 1), (Linear, 100), (Linear, 2**17), (MuLaw, 1), (MuLaw, 2**17)])
def test_linear_and_mu_law_refuse_counts_that_have_no_meaning(make, count):
    assert "; choose " in fault(make, count)
