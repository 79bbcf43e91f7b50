"""Compression: what goes in comes out, in as many bits as the model says, or is refused."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import msgpack
import numpy as np
import pytest
from zoo import ZOO

import arjax
from arjax.coding import codec, compress, decompress, read_header, stream
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, MixtureOfGaussians
from arjax.models import MADE, RNN
from arjax.orders import AnyOrder, Spiral
from arjax.protocol import Cond, CondSpec, Model
from arjax.testing import lively_params

# Every family, kind of head and of condition; `make test` tries an order, labels with impossible symbols, and several values.
QUICK = ("made_any_order", "bayes_tables", "made_coupled")
FURTHER = (
    "histogram", "bayes_neural_shared", "made_members", "made_labels", "made_many_values", "lstm", "gru_deep",
    "wavenet_discretized", "pixelcnn_bfloat16", "gated_pixelcnn", "lmconv", "pixelcnnpp_rgb", "pixelcnnpp_labels",
    "transformer_grouped", "transformer_rotary",
)  # fmt: skip
ROWS = [pytest.param(ZOO[name], id=name) for name in QUICK]
ROWS += [pytest.param(ZOO[name], id=name, marks=pytest.mark.slow) for name in FURTHER]
ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy

MADE_3X3 = Model(MADE(hidden=(12,)), Bernoulli(), (3, 3), AnyOrder())


def symbols(model, count, seed=0):
    shape = (count, *model.site_shape, *model.head.event_shape)
    return np.random.default_rng(seed).integers(0, model.head.vocab, shape)


@pytest.fixture(scope="module")
def params():
    return lively_params(MADE_3X3, jax.random.key(0))


@pytest.fixture(scope="module")
def written(params):
    """A stream of five examples."""
    return compress(MADE_3X3, params, symbols(MADE_3X3, 5), note=b"a note")


def resealed(content: bytes) -> bytes:
    """A stream of this content whose checksum is right."""
    return content + stream.hashlib.sha256(content).digest()[: stream.CHECKSUM]


@pytest.mark.parametrize("model", ROWS)
def test_decompress_returns_what_went_in_for(model):
    params = lively_params(model, jax.random.key(0))
    x = symbols(model, 7)
    if isinstance(model.net, arjax.models.BayesNet):
        x = x % 2  # and a symbol beyond a variable's arity, which the model holds impossible:
        x[0, -1] = 2
    label = None if model.cond.classes is None else np.arange(7) % model.cond.classes
    found = decompress(model, params, compress(model, params, x, label=label, batch=4))
    np.testing.assert_array_equal(found.x, x)
    assert found.x.dtype == np.int32
    assert (found.label is None) if label is None else (found.label == label).all()
    assert (found.lengths, found.note) == ((), b"")


@pytest.mark.parametrize("name", ["made_labels", *(pytest.param(n, marks=pytest.mark.slow) for n in ("lstm", "made_coupled"))])
def test_compress_writes_as_many_bits_as_the_model_says(name):
    model = ZOO[name]
    params, count = lively_params(model, jax.random.key(0)), 3000
    cond = model.example_cond(count)
    x = np.asarray(arjax.sample(model, params, jax.random.key(1), count, cond=cond))
    bits = -float(arjax.log_prob(model, params, x, cond=cond).sum()) / math.log(2) + count * math.log2(model.cond.classes or 1)
    size = len(compress(model, params, x, label=cond.label, batch=500))
    assert bits / 8 <= size <= 1.005 * bits / 8 + 64


def test_compress_writes_the_most_probable_label_where_none_is_given():
    model = Model(MADE(hidden=(12,), direct=True), Bernoulli(), (3, 3), cond=CondSpec(classes=4))
    params, x = lively_params(model, jax.random.key(0)), symbols(model, 9)
    each = [arjax.log_prob(model, params, x, cond=Cond(label=np.full(9, label))) for label in range(4)]
    found = decompress(model, params, compress(model, params, x, batch=4))
    np.testing.assert_array_equal(found.label, np.argmax(each, axis=0))
    np.testing.assert_array_equal(found.x, x)


def test_compress_takes_any_order_and_decompress_only_the_same(params):
    x, order = symbols(MADE_3X3, 5), Spiral().permutation((3, 3))
    written = compress(MADE_3X3, params, x, order=order)
    np.testing.assert_array_equal(decompress(MADE_3X3, params, written, order=order).x, x)
    with pytest.raises(ValueError, match="with another model or in another order; give the run"):
        decompress(MADE_3X3, params, written)


def test_compress_writes_only_the_first_sites_of_each_example():
    model = Model(RNN(width=8), Categorical(5), (6,))
    params, x, lengths = lively_params(model, jax.random.key(0)), symbols(model, 7), (6, 0, 3, 6, 1, 0, 2)
    found = decompress(model, params, compress(model, params, x, lengths=lengths, batch=3))
    np.testing.assert_array_equal(found.x, np.where(np.arange(6) < np.array(lengths)[:, None], x, 0))
    assert found.lengths == lengths
    nothing = decompress(model, params, compress(model, params, x[:0], note=b"empty"))
    assert (nothing.x.shape, nothing.note) == ((0, 6), b"empty")
    x = symbols(model, 300)
    assert len(compress(model, params, x, lengths=[1] * 300)) < len(compress(model, params, x)) / 3


def test_decompress_finds_every_flipped_bit(params, written):
    for place in range(8 * len(written)):
        damaged = bytearray(written)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match=ONE_LINE):
            decompress(MADE_3X3, params, bytes(damaged))


def test_decompress_refuses_every_stream_that_is_cut_off_or_goes_on(params, written):
    for damaged in [*(written[:size] for size in range(len(written))), written + b"\0", b"", b"PK\3\4" + written]:
        with pytest.raises(ValueError, match=ONE_LINE):
            decompress(MADE_3X3, params, damaged)


def test_read_header_says_what_a_stream_holds(written):
    header = read_header(written)
    assert (header.shape, header.batch, header.note) == ((5, 3, 3), 5, b"a note")
    assert header.where == f"cpu {jax.__version__}"


def test_compress_writes_what_is_read_when_a_class_has_gained_a_field_with_a_default(params, written):
    def coin(**fields):
        """A head of that name whose fields have these defaults."""
        fields = [(name, float, value) for name, value in fields.items()]
        return dataclasses.make_dataclass("Coin", fields, bases=(Bernoulli,), frozen=True, namespace={"__module__": __name__})

    old = dataclasses.replace(MADE_3X3, head=coin()())
    new = dataclasses.replace(MADE_3X3, head=coin(bias=0.0)())
    written = compress(old, params, symbols(old, 5))
    np.testing.assert_array_equal(decompress(new, params, written).x, symbols(old, 5))
    with pytest.raises(InputError, match="with another model"):
        decompress(dataclasses.replace(MADE_3X3, head=coin(bias=0.0)(bias=1.0)), params, written)
    with pytest.raises(InputError, match="cannot be described as data; use None, booleans"):
        compress(dataclasses.replace(MADE_3X3, head=coin(bias=0.0)(bias=print)), params, symbols(old, 5))


def test_decompress_names_another_model_other_parameters_and_another_platform(params, written, monkeypatch):
    wider = Model(MADE(hidden=(13,)), Bernoulli(), (3, 3), AnyOrder())
    with pytest.raises(ValueError, match="another model or in another order; "):
        decompress(wider, lively_params(wider, jax.random.key(0)), written)
    other = jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].add(1e-6), params)
    with pytest.raises(ValueError, match=r"other parameters of this model .*; give those"):
        decompress(MADE_3X3, other, written)
    with monkeypatch.context() as patch:
        patch.setattr(codec, "platform_here", lambda: "tpu 0.9")
        with pytest.raises(ValueError, match=r"was written on cpu .*, this is tpu 0.9, which may round otherwise; "):
            decompress(MADE_3X3, params, written)
    monkeypatch.setattr(codec, "digest_of_platform", lambda: b"else")
    with pytest.raises(ValueError, match=r"another processor, with another number of its cores .*; decompress it there"):
        decompress(MADE_3X3, params, written)


def test_decompress_finds_arithmetic_that_differs_by_what_comes_out(params, written, monkeypatch):
    monkeypatch.setattr(codec, "digest_of_params", lambda params: read_header(written).params)
    other = jax.tree.map(lambda leaf: leaf + 0.3, params)
    with pytest.raises(ValueError, match="what was decoded is not what was written"):
        decompress(MADE_3X3, other, written)


def test_decompress_refuses_a_header_that_asks_for_too_much_or_makes_no_sense(params, written):
    start = len(stream.MAGIC) + 1
    unpacker = msgpack.Unpacker()
    unpacker.feed(written[start:])
    fields = unpacker.unpack()
    payload = written[start + unpacker.tell() : -stream.CHECKSUM]

    def with_fields(payload=payload, **changed):
        names = ("digests", "where", "contents", "shape", "batch", "runs", "note")
        new = dict(zip(names, fields, strict=True)) | changed
        return resealed(written[:start] + msgpack.packb(list(new.values())) + payload)

    assert (decompress(MADE_3X3, params, with_fields()).x == symbols(MADE_3X3, 5)).all()
    for changed in (
        {"shape": [2**31, 3, 3]},
        {"shape": [-1, 3, 3]},
        {"shape": [2**63, 3, 3]},
        {"shape": [5, 0, 3]},
        {"shape": [5, 0, 3], "runs": [[2**31, 9]]},
        {"runs": [[2**63, 9]]},
        {"runs": [[-5, 9], [10, 9]]},
        {"shape": [5, 3]},
        {"shape": []},
        {"shape": [5, 3, "3"]},
        {"shape": [True, 3, 3]},
        {"batch": 0},
        {"batch": 2**30},
        {"shape": [2**20, 3, 3], "batch": 4097, "runs": []},
        {"digests": b"short"},
        {"where": 3},
        {"where": "two\nlines"},
        {"runs": [[3, 9]]},
        {"runs": [[5, 10]]},
        {"runs": [5]},
        {"note": None},
        {"more": 1},
    ):
        with pytest.raises(ValueError, match=ONE_LINE):
            decompress(MADE_3X3, params, with_fields(**changed))
    # What the words of a payload are is not known before they are decoded.
    for words, says in ((b"", "not what was written"), (b"\0" * 8, "not what was written"), (b"\xff" * 8, "payload is none")):
        with pytest.raises(ValueError, match=says):
            decompress(MADE_3X3, params, with_fields(words))
    for content in (written[:start], written[:start] + b"\xc1", resealed(written[:-6] + b"\0")[:-6], written[:4] + b"\1"):
        with pytest.raises(ValueError, match=ONE_LINE):
            decompress(MADE_3X3, params, resealed(content))


REAL = Model(MADE(hidden=(4,)), MixtureOfGaussians(1), (3,))
LOCAL = dataclasses.replace(ZOO["wavenet"], cond=CondSpec(local=2))
X = symbols(MADE_3X3, 2)


@pytest.mark.parametrize(
    ("model", "x", "arguments", "message"),
    [
        (MADE_3X3, X + 1, {}, r"x has the value 2 at \[.*\], but Bernoulli wants symbols 0..1; correct it"),
        (MADE_3X3, X - 1, {}, r"x has the value -1 at \[.*\], but Bernoulli wants symbols 0..1; correct it"),
        (MADE_3X3, X[:, :2], {}, r"x has shape .*; reshape it"),
        (MADE_3X3, X / 2, {}, "x is float64, but Bernoulli wants integer symbols"),
        *((MADE_3X3, X, {"batch": batch}, rf"batch={batch} ") for batch in (0, -1, 4097, 2**63)),
        (MADE_3X3, X, {"lengths": (9,)}, "1 lengths for 2 examples"),
        (MADE_3X3, X, {"lengths": (9, 10)}, r"2 lengths for 2 examples; give each example one of 0..9"),
        (MADE_3X3, X, {"label": np.zeros(2, int)}, "the model has no classes"),
        (MADE_3X3, X, {"order": np.stack([np.arange(9)] * 2)}, r"a stream is written in one order \[T\]"),
        (REAL, np.zeros((1, 3)), {}, "models real values, which have no end of digits; compress symbols"),
        (LOCAL, symbols(LOCAL, 1), {}, "needs local features, which a stream does not hold"),
    ],
)
def test_compress_refuses_what_cannot_be_written(model, x, arguments, message):
    with pytest.raises(ValueError, match=message):
        compress(model, {}, x, **arguments)


def test_compress_names_parameters_that_are_no_numbers(params):
    broken = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), params)
    with pytest.raises(ValueError, match="probabilities at its site 0 are not all numbers; train it again"):
        compress(MADE_3X3, broken, symbols(MADE_3X3, 2))


def test_log_conditionals_of_a_pixel_are_laws_that_sum_to_its_log_prob():
    head = CoupledDiscretizedMixtureOfLogistics(4, 3)
    x = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    theta = np.repeat(np.random.default_rng(0).normal(scale=2, size=(1, head.param_size)), len(x), axis=0).astype(np.float32)
    each, total = jax.jit(lambda *args: (head.log_conditionals(*args), head.log_prob(*args)))(theta, x)
    np.testing.assert_allclose(np.sum(each, axis=-1), total, atol=2e-5)
    # Each is a law of its own: over the last value, the middle one, the first.
    table = np.exp(np.asarray(each, np.float64)).reshape(4, 4, 4, 3)
    np.testing.assert_allclose(table[..., 2].sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(table[:, :, 0, 1].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(table[:, 0, 0, 0].sum(), 1, atol=1e-5)
