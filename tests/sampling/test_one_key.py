"""One key, the same samples: from every sampler, whatever the key's implementation, on one device and on many."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from arjax.heads import Categorical
from arjax.models import RNN
from arjax.protocol import Model
from arjax.sampling import ancestral, fixed_point, generate, naive, stream
from arjax.testing import lively_params

MODEL = Model(RNN(width=5), Categorical(4), (6,))
PARAMS = lively_params(MODEL, jax.random.key(0))


def samples(key):
    """From each sampler the same [8, 6], if all is well: the first symbols are observed."""
    given = {"observed": np.array([[1] * 6]), "mask": np.arange(6) < 1}
    yield np.asarray(ancestral(MODEL, PARAMS, key, 8, **given))
    yield np.asarray(naive(MODEL, PARAMS, key, 8, **given))
    yield np.asarray(fixed_point(MODEL, PARAMS, key, 8, **given)[0])
    yield generate(MODEL, PARAMS, key, [[1]] * 8, tokens=5).x
    yield list(stream(MODEL, PARAMS, key, [[1]] * 8, tokens=5, every=2))[-1].x
    yield np.asarray(jax.jit(lambda key: ancestral(MODEL, PARAMS, key, 8, **given))(key))
    yield np.asarray(jax.vmap(lambda key: ancestral(MODEL, PARAMS, key, 8, **given))(key[None]))[0]


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_samplers_agree_on_a_key_of_any_implementation(impl):
    keys = jax.random.split(jax.random.key(5, impl=impl), 2)
    first, *others = samples(keys[0])
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert (first != ancestral(MODEL, PARAMS, keys[1], 8)).any()


def test_samplers_take_raw_keys_of_the_default_implementation():
    expected = {impl: ancestral(MODEL, PARAMS, jax.random.key(3, impl=impl), 4) for impl in ("threefry2x32", "rbg")}
    for impl, x in expected.items():
        with jax.default_prng_impl(impl):
            np.testing.assert_array_equal(ancestral(MODEL, PARAMS, jax.random.PRNGKey(3), 4), x)


ON_EIGHT = """
import jax, numpy as np
from test_one_key import samples

key = jax.random.key(5, impl="rbg")
alone = list(samples(key))
for kind in (jax.sharding.AxisType.Auto, jax.sharding.AxisType.Explicit):
    with jax.set_mesh(jax.make_mesh((8,), ("data",), axis_types=(kind,))):
        for one, split in zip(alone, samples(key), strict=True):
            np.testing.assert_array_equal(one, split)
print("agree on", jax.device_count())
"""


@pytest.mark.slow  # eight devices need a process of their own
def test_samplers_of_an_rbg_key_agree_on_eight_devices():
    here = Path(__file__).parent
    given = {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{here.parents[1]}:{here}"}
    env = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | given
    run = subprocess.run([sys.executable, "-c", ON_EIGHT], env=env, capture_output=True, text=True)
    assert (run.stdout, run.returncode) == ("agree on 8\n", 0), run.stderr
