"""`python -m arjax score`: each symbol of texts of any length, once."""

import io
import json
import math
import re

import jax
import numpy as np
import pytest
from shared_runs import ALPHABET, LENGTH

import arjax
from arjax.__main__ import main
from arjax.measure.texts import score_text, together
from arjax.runs.load import open_run

TEXTS = ("hello wörld\n" * 5, "oh")


@pytest.fixture
def here(runs, tmp_path, monkeypatch):
    """`runs`, from a folder of two texts."""
    monkeypatch.chdir(tmp_path)
    for name, text in zip(("long.txt", "short.txt"), TEXTS, strict=True):
        (tmp_path / name).write_text(text)
    return runs


def costs(run, symbols, context, length):
    """-log p of each symbol, by a pass over the window that it is in, one after the other."""
    model, params = arjax.load(run)
    start, nats = 0, []
    for n in range(len(symbols)):
        start = n - context if n - start == length else start
        window = np.zeros((1, length), int)
        window[0, : n + 1 - start] = symbols[start : n + 1]
        nats.append(-float(arjax.log_probs(model, params, window)[0, n - start]))
    return np.array(nats)


def test_score_prints_each_text_and_all_together(here, capsys):
    run = here("characters")
    main(["score", str(run), "long.txt", "short.txt"])
    said = re.sub(" +", " ", capsys.readouterr().out)
    assert f"each char once, given {LENGTH // 2} to {LENGTH - 1} before it" in said
    nats = [costs(run, [ALPHABET.index(letter) for letter in text], LENGTH // 2, LENGTH) for text in TEXTS]
    rows = [*zip(("long.txt", "short.txt"), nats, TEXTS, strict=True), ("together", np.concatenate(nats), "".join(TEXTS))]
    for name, each, text in rows:
        bits, size = each.sum() / math.log(2), len(text.encode())
        perplexity, mean = math.exp(each.mean()), each.mean()
        numbers = (perplexity, mean, bits / len(text), bits / size)
        assert f"{name} | {len(text)} | {' | '.join(f'{number:.4f}' for number in numbers)} |" in said


def test_score_writes_what_each_symbol_costs(here, capsys, monkeypatch):
    run, context = here("characters"), 5
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXTS[1].encode())))
    main(["score", str(run), "long.txt", "-", "--context", str(context), "--out", "s.npz"])
    assert capsys.readouterr().out.endswith("62 chars in s.npz\n")
    with np.load("s.npz") as arrays:
        assert arrays["files"].tolist() == ["long.txt", "-"]
        assert arrays["text"].tolist() == [0] * 60 + [1] * 2
        assert "".join(ALPHABET[symbol] for symbol in arrays["symbol"]) == "".join(TEXTS)
        nats = costs(run, arrays["symbol"][:60], context, LENGTH)
        np.testing.assert_allclose(-arrays["log_prob"][:60], nats, rtol=1e-5)
        contexts, log_prob = arrays["context"], arrays["log_prob"]
    assert contexts.tolist() == [*range(32), *range(5, 32), 5, 0, 1]
    main(["score", str(run), "long.txt", "short.txt", "--context", str(context), "--out", "s.jsonl"])
    with open("s.jsonl") as file:
        lines = [json.loads(line) for line in file]
    assert lines[61] == {
        "file": "short.txt",
        "index": 1,
        "symbol": ALPHABET.index("h"),
        "text": "h",
        "log_prob": float(log_prob[61]),
        "context": 1,
    }
    assert "".join(line["text"] for line in lines) == "".join(TEXTS)


@pytest.mark.parametrize("name", ["characters", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bytes", "tokens"))])
def test_score_text_counts_the_bytes_of_the_text_whatever_its_symbols_are(runs, name):
    experiment, params, _ = open_run(runs(name))
    scored = score_text(experiment.model, params, experiment.data.medium, TEXTS[0])
    assert scored.bytes == len(TEXTS[0].encode())
    assert scored.bits_per_byte * scored.bytes == pytest.approx(scored.bits_per_symbol * len(scored.symbols))
    np.testing.assert_array_equal(scored.symbols, experiment.data.medium.encode(TEXTS[0]))
    both = together([scored, scored])
    assert (both.bytes, both.nats, both.perplexity) == pytest.approx((2 * scored.bytes, 2 * scored.nats, scored.perplexity))


def test_score_text_is_the_probability_of_what_generate_draws(runs):
    """Of all continuations by two symbols past the window, the probabilities sum to that of what they have in common."""
    experiment, params, _ = open_run(runs("characters"))
    model, medium = experiment.model, experiment.data.medium
    begun = "hello wörld\n" * 3
    every = [score_text(model, params, medium, begun + a, context=9).log_probs for a in ALPHABET]
    assert np.exp([each[-1] for each in every]).sum() == pytest.approx(1, abs=1e-5)
    drawn = arjax.sampling.generate(model, params, jax.random.key(0), [medium.encode(begun)] * 2000, tokens=1, keep=9).x[
        :, len(begun)
    ]
    found = np.bincount(drawn, minlength=len(ALPHABET)) / 2000
    expected = np.exp([each[-1] for each in every])
    assert (np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)).all()
