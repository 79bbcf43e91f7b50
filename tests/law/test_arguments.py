"""What a caller gives: arrays of any byte order, and what is none of numbers."""

import jax
import numpy as np
import pytest
from faults import fault

import arjax
from arjax.arguments import as_array, native
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import CondSpec

MODEL = arjax.Model(MADE(hidden=(4,)), Bernoulli(), (2, 2), cond=CondSpec(classes=3))
PARAMS = arjax.init(MODEL, jax.random.key(0))
X = np.random.default_rng(0).integers(0, 2, (4, 2, 2))
LABEL = np.array([0, 1, 2, 0])


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">i8", ">u4", "<i2", "<u8"])
def test_log_prob_and_sample_take_arrays_of_any_byte_order(dtype):
    cond, foreign = arjax.Cond(LABEL), arjax.Cond(LABEL.astype(dtype))
    expected = arjax.log_prob(MODEL, PARAMS, X, cond=cond)
    np.testing.assert_array_equal(arjax.log_prob(MODEL, PARAMS, X.astype(dtype), cond=foreign), expected)
    options = {"observed": X.astype(dtype), "mask": np.ones((2, 2), bool), "cond": foreign}
    np.testing.assert_array_equal(arjax.sample(MODEL, PARAMS, jax.random.key(0), 4, **options), X)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">i2", ">f8", "?", "u1"])
def test_native_keeps_the_values(dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    np.testing.assert_array_equal(native(x), x)
    assert native(x).dtype == x.dtype.newbyteorder("=")
    np.testing.assert_array_equal(as_array("x", x), x)


@pytest.mark.parametrize("dtype", ["O", "U1", "S1", "M8[s]", "m8[s]", "V4", [("a", "i4")]])
def test_as_array_names_what_is_no_number(dtype):
    assert fault(as_array, "x", np.zeros(2, dtype)).startswith(f"x holds {np.dtype(dtype)}, no numbers; ")
