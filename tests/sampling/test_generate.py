"""Prompts of several lengths, continued together, whole or in chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import TRACES, History
from normal import Normal

from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, RNN
from arjax.orders import AnyOrder, Random, Raster
from arjax.protocol import Cond, CondSpec, Model
from arjax.sampling import Temperature, TopK, ancestral, generate, stop_strings, stream
from arjax.sampling.generate import _advance, _start
from arjax.sampling.transforms import Transforms
from arjax.testing import lively_params
from arjax.testing.execution import compilations

KEY, T, V = jax.random.key(3), 20, 4
WITH = Model(History(), Categorical(V), (T,))
WITHOUT = Model(RNN(width=5), Categorical(V), (T,), cond=CondSpec(classes=3))
PARAMS = {model: lively_params(model, jax.random.key(0)) for model in (WITH, WITHOUT)}
COND = {WITH: None, WITHOUT: Cond(label=jnp.array([0, 2, 1]))}
PROMPTS = [np.array([1, 2, 3, 0, 1]), np.array([2, 2], np.int64), np.array([3, 0, 1], np.uint8)]

both = pytest.mark.parametrize("model", [WITH, WITHOUT], ids=["with prefill", "without"])


def by_ancestral(model, prompts, key=KEY, **arguments):
    """[B, T]: the prompts observed, all the rest drawn."""
    observed, mask = np.zeros((len(prompts), T), np.int32), np.zeros((len(prompts), T), bool)
    for row, known, prompt in zip(observed, mask, prompts, strict=True):
        row[: len(prompt)], known[: len(prompt)] = prompt, True
    return np.asarray(
        ancestral(model, PARAMS[model], key, len(prompts), cond=COND[model], observed=observed, mask=mask, **arguments)
    )


def ended(whole, prompts, tokens, stop=None):
    """What is left of rows [B, T] when each ends behind `tokens` symbols, or behind `stop`; and the lengths."""
    lengths = []
    for row, prompt in zip(whole, prompts, strict=True):
        length = len(prompt)
        while length < len(prompt) + tokens:
            length += 1
            if row[length - 1] == stop:
                break
        lengths.append(length)
    x = np.zeros((len(prompts), max(map(len, prompts)) + tokens), np.int32)
    for out, row, length in zip(x, whole, lengths, strict=True):
        out[:length] = row[:length]
    return x, lengths


@both
@pytest.mark.parametrize(("tokens", "stop"), [(15, None), (1, None), (15, 2), (4, 3)])
def test_generate_returns_the_samplers_rows_cut_where_they_end(model, tokens, stop):
    x, length = generate(model, PARAMS[model], KEY, PROMPTS, tokens=tokens, cond=COND[model], stop=stop)
    # A row that has ended is padded while the others go on, which must not matter to them.
    expected, lengths = ended(by_ancestral(model, PROMPTS), PROMPTS, tokens, stop)
    assert (x.dtype, length.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(x, expected)
    assert length.tolist() == lengths
    if (tokens, stop) == (15, 2):
        assert length.min() < length.max(), "choose another key: nothing stops early here"


@both
def test_generate_applies_transforms_and_draws_others_with_another_key(model):
    transforms = (Temperature(2.0), TopK(2))
    drawn = generate(model, PARAMS[model], KEY, PROMPTS, tokens=15, cond=COND[model], transforms=transforms)
    np.testing.assert_array_equal(drawn.x, ended(by_ancestral(model, PROMPTS, transforms=transforms), PROMPTS, 15)[0])
    other = generate(model, PARAMS[model], jax.random.key(4), PROMPTS, tokens=15, cond=COND[model], transforms=transforms)
    assert (drawn.x != other.x).any()


@both
@pytest.mark.parametrize("every", [1, 4, 100])
def test_stream_shows_the_same_symbols_on_the_way(model, every):
    arguments = {"tokens": 12, "cond": COND[model], "stop": 2}
    x, length = generate(model, PARAMS[model], KEY, PROMPTS, **arguments)
    shown = list(stream(model, PARAMS[model], KEY, PROMPTS, **arguments, every=every))
    assert len(shown) == -(-(length.max() - 2) // every)  # 2: the shortest prompt
    for i, snapshot in enumerate(shown):
        reached = np.maximum([len(prompt) for prompt in PROMPTS], 2 + (i + 1) * every)
        np.testing.assert_array_equal(snapshot.length, np.minimum(length, reached))
        np.testing.assert_array_equal(snapshot.x, np.where(np.arange(x.shape[1]) < snapshot.length[:, None], x, 0))
    np.testing.assert_array_equal(shown[-1].x, x)


# What it costs


def test_generate_is_one_program_for_prompts_of_all_lengths():
    jax.clear_caches()
    TRACES.clear()
    for length in range(1, T):
        generate(WITH, PARAMS[WITH], KEY, [np.zeros(length, int), np.ones(length, int)], tokens=T - length)
    # T = 20 in eighths of 3: 7 lengths of what enters in one pass.
    assert TRACES["prefill"] == 7
    assert TRACES["step"] == 1


@both
def test_stream_compiles_nothing_at_a_second_call(model):
    def calls(prompts, tokens, seed):
        for every in (3, 100):
            for _ in stream(model, PARAMS[model], jax.random.key(seed), prompts, tokens=tokens, cond=COND[model], every=every):
                pass

    calls(PROMPTS, 9, 0)
    with compilations() as further:
        calls([prompt[:1] for prompt in PROMPTS], 14, 1)
    assert not further


@both
def test_stream_uses_up_the_cache_of_each_chunk_and_nothing_else(model):
    params, order = jax.tree.map(jnp.array, PARAMS[model]), model.permutation
    cond = COND[model] or Cond()
    lengths, x = np.full(3, 4, np.int32), np.ones((3, T), np.int32)
    cache, t = _start(model, params, x, lengths, order, cond)
    end, state, zero, stop = lengths + np.int32(8), np.zeros(3, np.int32), np.int32(0), np.zeros((1, V), np.int32)
    for until in (6, 8, 12):
        before = cache
        shapes = [leaf.shape for leaf in jax.tree.leaves(before)]
        cache, x, t, end, state = _advance(
            model, params, KEY, before, x, t, end, state, zero, np.int32(until), lengths, stop, order, cond, Transforms.of(())
        )
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
        assert [leaf.shape for leaf in jax.tree.leaves(cache)] == shapes
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, cond)))


@both
def test_stream_does_not_grow_in_memory(model):
    sizes = [
        sum(array.nbytes for array in jax.live_arrays())
        for _ in stream(model, PARAMS[model], KEY, PROMPTS, tokens=15, cond=COND[model], every=2)
    ]
    assert len(set(sizes)) == 1


# Bad input


@pytest.mark.parametrize(
    ("prompts", "arguments", "message"),
    [
        ([], {}, r"there is no prompt to continue; give at least one"),
        ([[1] * 21], {"keep": 20}, r"keep=20 leaves none of the model's 20 sites for new symbols; choose fewer"),
        ([[1]], {"keep": -1}, r"keep=-1 is no whole number of at least 0"),
        ([[0, 4]], {}, r"prompt 0 has the value 4 at \[1\], but Categorical wants symbols 0\.\.3; correct it"),
        ([[0], [-1]], {}, r"prompt 1 has the value -1 at \[0\]"),
        ([[0.5]], {}, r"prompt 0 is float64, but Categorical wants integer symbols 0\.\.3; convert it"),
        ([[[1]]], {}, r"prompt 0 has shape \(1, 1\); give integers of shape \[length\]"),
        ([[1]], {"tokens": 0}, r"tokens=0 is no whole number of at least 1"),
        ([[1]], {"stop": 4}, r"stop=4 is no symbol of the model's; choose one of 0\.\.3, or None"),
        ([[1]], {"stop": -1}, r"stop=-1 is no whole number"),
        ([[1]], {"stop": ((1, 4),)}, r"stop=4 is no symbol of the model's"),
        ([[1]], {"stop": ((),)}, r"stop=\[\] is no sequence of symbols; give whole numbers, at least one"),
        ([[1]], {"stop": stop_strings(["a"], [b"a"])}, r"stop is of 1 symbols, the model of 4"),
        ([[1]], {"every": 0}, r"every=0 is no whole number of at least 1"),
        ([[1]], {"cond": Cond(label=jnp.array([0]))}, r"the model has no classes"),
    ],
)
def test_generate_and_stream_refuse_bad_prompts_at_the_call(prompts, arguments, message):
    arguments = {"tokens": 5} | arguments
    with pytest.raises(ValueError, match=message):
        stream(WITH, PARAMS[WITH], KEY, prompts, **arguments)
    if "every" not in arguments:
        with pytest.raises(ValueError, match=message):
            generate(WITH, PARAMS[WITH], KEY, prompts, **arguments)


MADES = {
    r"prompts are sequences of symbols, which Normal\(.*\) does not model; use arjax": (Normal(), (5,), Raster()),
    r"prompts are sequences of symbols": (CoupledDiscretizedMixtureOfLogistics(3, 1), (5,), Raster()),
    r"on one axis, but the model's sites are \(2, 3\) in Raster\(\)": (Bernoulli(), (2, 3), Raster()),
    r"sites are \(5,\) in AnyOrder\(reference=Random": (Bernoulli(), (5,), AnyOrder(Random(0))),
    "use a Categorical head": (Bernoulli(), (5,), Raster()),
}


@pytest.mark.parametrize("message", MADES)
def test_generate_refuses_models_and_transforms_of_another_kind(message):
    with pytest.raises(ValueError, match=message):
        generate(Model(MADE((4,)), *MADES[message]), {}, KEY, [[1]], tokens=1, transforms=(TopK(1),))


@pytest.mark.parametrize(
    ("prompts", "lengths", "message"),
    [
        (np.ones((2, 3), int), [1], r"lengths=\[1\] do not fit prompts of shape \(2, 3\); give 0\.\.L for each of them"),
        (np.ones((2, 3), int), [-1, 1], r"lengths=\[-1, 1\] do not fit"),
        (np.ones((2, 3), int), np.array([4, 1]), r"lengths=\[4 1\] do not fit"),
    ],
)
def test_generate_refuses_lengths_that_do_not_fit_the_prompts(prompts, lengths, message):
    with pytest.raises(ValueError, match=message):
        generate(WITH, PARAMS[WITH], KEY, prompts, lengths=lengths, tokens=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.ones(3, int), None), r"prompts are int32 \(3,\); give integers \[B, L\], L at least 1"),
        ((np.ones((2, 0), int), None), r"prompts are int32 \(2, 0\)"),
        ((np.ones((2, 3)), None), r"prompts are float32 \(2, 3\)"),
        (([np.ones(2, int), np.ones(3, int)], None), r"traced prompts differ in length; give one array \[B, L\], and lengths="),
        ((np.ones((2, 3), int), np.ones(3, int)), r"lengths are int32 \(3,\); give integers of shape \(2,\)"),
    ],
)
def test_generate_refuses_traced_prompts_of_another_shape(given, message):
    def inside(prompts, lengths):
        return generate(WITH, PARAMS[WITH], KEY, prompts, lengths=lengths, tokens=5).x

    with pytest.raises(ValueError, match=message):
        jax.jit(inside)(*given)


def test_stream_refuses_to_show_what_is_traced():
    with pytest.raises(ValueError, match="which nothing inside a trace can; use generate"):
        jax.jit(lambda key: next(stream(WITH, PARAMS[WITH], key, [[1]], tokens=2)))(KEY)
