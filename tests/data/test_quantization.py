"""Sound as symbols, over all 65536 samples, against the formulas in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arjax.data import Linear, MuLaw
from arjax.data.waveforms import to_int16

RAW = np.arange(-32768, 32768, dtype=np.int16)
EVERY = [
    Linear(2),
    Linear(16),
    Linear(256),
    Linear(1024),
    Linear(65536),
    MuLaw(2),
    MuLaw(16),
    MuLaw(255),
    MuLaw(256),
    MuLaw(1024),
]
KEY = jax.random.key(0)


def f(w, mu):
    """Mu-law's curve, one number at a time."""
    return math.copysign(math.log(1 + mu * abs(w)) / math.log(1 + mu), w)


@pytest.mark.parametrize("values", EVERY, ids=str)
def test_every_symbol_is_the_symbol_of_its_waveform(values):
    symbols = np.arange(values.count)
    waveform = values.waveform(symbols)
    assert waveform.dtype == jnp.float32
    assert float(jnp.abs(waveform).max()) <= 1
    assert (np.diff(waveform) > 0).all()
    np.testing.assert_array_equal(values.symbols(waveform), symbols)


@pytest.mark.parametrize("values", EVERY, ids=str)
def test_symbols_rise_with_the_samples_and_are_those_of_their_waveform(values):
    symbols = np.asarray(values(KEY, RAW))
    assert symbols.dtype == np.int32
    assert (symbols[0], symbols[-1]) == (0, values.count - 1)
    assert (np.diff(symbols) >= 0).all()
    np.testing.assert_array_equal(symbols, values.symbols(RAW / 32768))
    np.testing.assert_array_equal(symbols, jax.jit(values)(KEY, RAW))


@pytest.mark.parametrize("count", [16, 255, 256, 1024])
def test_mu_law_is_within_half_a_bin_of_every_sample(count):
    values, mu = MuLaw(count), count - 1
    decoded = np.asarray(values.waveform(values(KEY, RAW)), np.float64)
    error = [abs(f(w, mu) - f(d, mu)) for w, d in zip((RAW / 32768).tolist(), decoded.tolist(), strict=True)]
    assert max(error) <= 1 / mu + 1e-7
    assert max(error) > 0.9 / mu  # half a bin, not less


@pytest.mark.parametrize("count", [2, 16, 256, 1024, 65536])
def test_linear_is_within_half_a_bin_of_every_sample_and_with_all_bits_exact(count):
    values = Linear(count)
    error = np.abs(RAW / 32768 - np.asarray(values.waveform(values(KEY, RAW)), np.float64))
    assert error.max() == (65536 / count - 1) / 65536


@pytest.mark.parametrize("count", [16, 256])
def test_mu_law_is_its_formula(count):
    mu = count - 1
    expected = [math.floor((f(w, mu) + 1) * mu / 2 + 0.5) for w in (RAW / 32768).tolist()]
    np.testing.assert_array_equal(MuLaw(count)(KEY, RAW), expected)
    levels = [math.copysign(((1 + mu) ** abs(2 * s / mu - 1) - 1) / mu, 2 * s / mu - 1) for s in range(count)]
    np.testing.assert_allclose(MuLaw(count).waveform(np.arange(count)), levels, rtol=1e-6)


@pytest.mark.parametrize("values", [Linear(16), Linear(65536), MuLaw(16), MuLaw(256)], ids=str)
def test_sixteen_bits_hold_every_waveform_well_enough_to_give_its_symbol_back(values):
    symbols = np.arange(values.count)
    np.testing.assert_array_equal(values(KEY, to_int16(values.waveform(symbols))), symbols)


def test_a_waveform_becomes_the_nearest_samples_and_is_clipped():
    waveform = np.array([-1.5, -1, -0.6 / 32768, 0, 0.4 / 32768, 0.6 / 32768, 32767 / 32768, 1, 7])
    np.testing.assert_array_equal(to_int16(waveform), [-32768, -32768, -1, 0, 0, 1, 32767, 32767, 32767])


@pytest.mark.parametrize("values", [Linear(256), MuLaw(256)], ids=str)
def test_what_is_no_16_bit_sample_is_outside(values):
    np.testing.assert_array_equal(values.outside(np.array([-32769, -32768, 32767, 32768])), [True, False, False, True])
    np.testing.assert_array_equal(values.outside(np.array([0.0, 0.5, np.nan, np.inf])), [False, True, True, True])
    assert not values.outside(RAW).any()
    assert "256 levels" in values.title


@pytest.mark.parametrize(
    "make", [lambda: Linear(1), lambda: Linear(100), lambda: Linear(2**17), lambda: MuLaw(1), lambda: MuLaw(2**17)]
)
def test_counts_that_have_no_meaning_are_refused(make):
    with pytest.raises(ValueError, match=r"\A[^\n]+; choose [^\n]+\Z"):
        make()


@pytest.mark.parametrize("values", [MuLaw(256), Linear(256)], ids=str)
def test_what_is_too_loud_is_clipped_and_what_is_not_finite_refused(values):
    np.testing.assert_array_equal(values.symbols([1.5, -1.5, 1.0, -1.0]), [255, 0, 255, 0])
    with pytest.raises(ValueError, match="not finite"):
        values.symbols([0.0, np.nan])
