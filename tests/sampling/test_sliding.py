"""Texts longer than the model: what is drawn and scored where the window slides, and what ends it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from history import TRACES, History

import arjax
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.protocol import Cond, CondSpec, Model
from arjax.sampling import Generated, Temperature, generate, stop_strings, stream
from arjax.sliding import begins, sliding_log_probs
from arjax.testing import lively_params

KEY, T, V = jax.random.key(3), 7, 3
WITH = Model(History(), Categorical(V), (T,))
WITHOUT = Model(RNN(width=4), Categorical(V), (T,), cond=CondSpec(classes=3))
PARAMS = {model: lively_params(model, jax.random.key(0)) for model in (WITH, WITHOUT)}
COND = {WITH: None, WITHOUT: Cond(label=jnp.array([0, 2, 1]))}
# None within another's window; the last is longer than the model.
PROMPTS = [np.array([1, 2, 0, 1]), np.array([], int), np.arange(17) % V]

# More of the same kind: each compiles programs of its own.
SLOW = pytest.mark.slow
MORE_STOPS = (((1, 0), (0,)), ((2, 0, 2, 0, 2), (1, 1, 1, 1)))
both = pytest.mark.parametrize("model", [WITH, WITHOUT], ids=["with prefill", "without"])


def oracle(model, tokens, keep, stops=(), prompts=PROMPTS):
    """The rows, each symbol drawn from a full pass over the window that it is in."""
    rows, ended = [list(prompt) for prompt in prompts], [False] * len(prompts)
    ends = [len(prompt) + tokens for prompt in prompts]
    start = 0
    for n in range(max(ends)):
        if n - start == T:
            start = n - keep
        x = np.zeros((len(rows), T), np.int32)
        for window, row in zip(x, rows, strict=True):
            window[: len(row[start:n])] = row[start:n]
        theta = arjax.theta(model, PARAMS[model], x, cond=COND[model])[:, n - start]
        symbols = np.asarray(model.head.sample(jax.random.fold_in(KEY, n), theta))
        for i, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
            if len(row) == n < ends[i] and not ended[i]:
                row.append(int(symbols[i]))
                drawn = row[len(prompt) :]
                ended[i] = any(drawn[len(drawn) - len(stop) :] == list(stop) for stop in stops if len(stop) <= len(drawn))
    return rows


def rows(generated) -> list[list[int]]:
    """What was drawn, each row to its end. Behind it there are zeros."""
    for row, length in zip(*generated, strict=True):
        assert not row[length:].any()
    return [row[:length].tolist() for row, length in zip(*generated, strict=True)]


@both
@pytest.mark.parametrize("keep", [0, 6])
def test_generate_slides_as_a_pass_for_each_symbol_would(model, keep):
    drawn = generate(model, PARAMS[model], KEY, PROMPTS, tokens=20, keep=keep, cond=COND[model])
    assert drawn.x.shape == (3, 37)
    assert rows(drawn) == oracle(model, 20, keep)


@both
def test_generate_keeps_half_of_the_window_by_default_and_streams_the_same(model):
    given = {"tokens": 20, "cond": COND[model]}
    drawn = generate(model, PARAMS[model], KEY, PROMPTS, **given)
    assert rows(drawn) == oracle(model, 20, T // 2)
    shown = list(stream(model, PARAMS[model], KEY, PROMPTS, **given, every=5))
    # From the end of the empty prompt to that of the longest row: 37 symbols.
    assert [snapshot.length.max() for snapshot in shown] == [17, 17, 17, 20, 25, 30, 35, 37]
    for snapshot in shown:
        np.testing.assert_array_equal(snapshot.x, np.where(np.arange(37) < snapshot.length[:, None], drawn.x, 0))


@both
@pytest.mark.parametrize("stops", [((2, 2), (0, 1, 1)), [2], *(pytest.param(some, marks=SLOW) for some in MORE_STOPS)])
def test_generate_ends_behind_the_first_stop_that_it_draws_the_whole_of(model, stops):
    stop = tuple(map(np.array, stops)) if isinstance(stops, tuple) else stops[0]
    drawn = generate(model, PARAMS[model], KEY, PROMPTS, tokens=20, cond=COND[model], stop=stop)
    assert rows(drawn) == oracle(model, 20, 3, stops if isinstance(stops, tuple) else [stops])
    assert (drawn.length < [24, 20, 37]).any(), "choose others: nothing stops early here"


@pytest.mark.parametrize("strings", [["ba"], ["aa", "éba"], ["é"], ["abab", "baéb", "b"], ["aab", "abaab", "aaab"]])
def test_stop_strings_are_found_across_tokens_and_within_them(strings):
    spelling = (b"ab", b"a", b"\xc3\xa9b", b"")
    table = stop_strings(strings, spelling).table
    for symbols in np.random.default_rng(0).integers(0, 4, (20, 40)):
        state, text = 0, b""
        for symbol in symbols:
            state, text = table[state, symbol], text + spelling[symbol]
            found = any(string.encode() in text for string in strings)
            assert found == (state == len(table))
            if found:
                break


@pytest.mark.parametrize(
    ("strings", "message"),
    [
        (["ab", ""], "a stop is empty; give at least one character"),
        (["\ud800"], "the stop '.ud800' cannot be made of"),
        (["abc"], "the stop 'abc' cannot be made of the model's symbols"),
    ],
)
def test_stop_strings_refuse_what_symbols_cannot_spell(strings, message):
    with pytest.raises(ValueError, match=message):
        stop_strings(strings, (b"ab", b"a"))


def test_generate_compiles_no_more_for_a_window_that_slides():
    jax.clear_caches()
    TRACES.clear()
    for tokens in (9, 90):
        generate(WITH, PARAMS[WITH], KEY, [[1, 2, 0]], tokens=tokens, keep=3)
    assert TRACES == {"prefill": 1, "step": 1}


@pytest.mark.parametrize("model", [WITH, pytest.param(WITHOUT, marks=SLOW)], ids=["with prefill", "without"])
def test_generate_slides_inside_a_trace(model):
    @jax.jit
    def inside(key, prompts, lengths):
        return generate(model, PARAMS[model], key, prompts, lengths=lengths, tokens=20, cond=COND[model], stop=((2, 2),))

    prompts = [[1, 2, 0, 1], [1], np.arange(17) % V]
    padded, lengths = np.zeros((3, 17), int), [len(prompt) for prompt in prompts]
    for row, prompt in zip(padded, prompts, strict=True):
        row[: len(prompt)] = prompt
    drawn = Generated(*map(np.asarray, inside(KEY, padded, np.array(lengths))))
    assert rows(drawn) == oracle(model, 20, 3, [(2, 2)], prompts)


def test_generate_refuses_to_slide_where_sites_have_features():
    model = Model(RNN(width=4), Categorical(V), (T,), cond=CondSpec(local=1))
    params = lively_params(model, jax.random.key(0))
    with pytest.raises(ValueError, match="9 symbols are more than the model's 7 sites, each of which has local features"):
        generate(model, params, KEY, [[1]], tokens=8, cond=Cond(local=np.zeros((1, T, 1), np.float32)))


# Scores


@both
@pytest.mark.parametrize("context", [0, 3, 6])
@pytest.mark.parametrize("length", [0, 1, T, T + 1, 40])
def test_sliding_log_probs_score_each_symbol_once_in_the_window_that_draws_it(model, context, length):
    x = np.random.default_rng(0).integers(0, V, length)
    cond = None if COND[model] is None else Cond(label=np.array([2]))
    scores = sliding_log_probs(model, PARAMS[model], x, context=context, cond=cond)
    expected, start = [], 0
    for n in range(length):
        if n - start == T:
            start = n - context
        assert start == begins(n, T, context)
        assert min(n, context) <= n - start < T
        window = np.zeros((1, T), int)
        window[0, : len(x[start : start + T])] = x[start : start + T]
        expected.append(float(arjax.log_probs(model, PARAMS[model], window, cond=cond)[0, n - start]))
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_sliding_log_probs_call_likeliest_what_is_generated_greedily():
    drawn = generate(WITH, PARAMS[WITH], KEY, [[]], tokens=9, transforms=(Temperature(0.0),)).x[0]
    best = sliding_log_probs(WITH, PARAMS[WITH], drawn)
    for n, symbol in enumerate(drawn):
        for other in set(range(V)) - {int(symbol)}:
            changed = drawn.copy()
            changed[n] = other
            assert sliding_log_probs(WITH, PARAMS[WITH], changed[: n + 1])[n] <= best[n]


@pytest.mark.parametrize(
    ("x", "given", "message"),
    [
        ([[1]], {}, r"x has shape \(1, 1\); give one sequence"),
        ([3], {}, r"x has the value 3 at \[0\], but Categorical wants symbols 0\.\.2"),
        ([1], {"context": 7}, r"context=7 leaves none of the model's 7 sites"),
    ],
)
def test_sliding_log_probs_refuse_what_is_no_sequence_of_the_models(x, given, message):
    with pytest.raises(ValueError, match=message):
        sliding_log_probs(WITH, PARAMS[WITH], x, **given)
