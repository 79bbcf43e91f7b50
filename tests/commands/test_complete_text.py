"""`python -m arjax complete` of text: infilling in any order, continuing in one, and what the truth costs."""

import math
import re

import jax
import numpy as np
import pytest
from trained import write_run_of_random_parameters

import arjax
import train as script
from arjax.__main__ import main
from arjax.data import Bytes, Characters
from arjax.heads import Categorical
from arjax.models import RNN, Transformer
from arjax.orders import AnyOrder, Random
from arjax.protocol import Model

ALPHABET = "\n abcdehlorw"
RULE = f"\n{'-' * 40}\n"
CONFIG = """
import arjax
from arjax.data import Characters
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.orders import AnyOrder
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Characters({path!r}, "abc", length=6), optimizer=Adam(learning_rate=1e-2, warmup=20), ema=0.9,
    model=arjax.Model(Transformer(width=16, layers=1, heads=2, any_order=True), Categorical(3), (6,), AnyOrder()),
    batch_size=40, steps=300, eval_every=300, samples=0,
)
"""
ANY = Transformer(width=8, layers=1, heads=2, any_order=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text, and runs of random parameters over its characters and bytes."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("hello world\n" * 30)
    characters = Characters(str(folder / "text.txt"), ALPHABET, length=6, test=0.1)
    count = len(ALPHABET)
    models = {
        "any": (characters, Model(ANY, Categorical(count), (6,), AnyOrder(Random(3)))),
        "rows": (characters, Model(RNN(width=4), Categorical(count), (6,))),
        "bytes": (Bytes(str(folder / "text.txt"), length=6), Model(RNN(width=4), Categorical(256), (6,))),
    }
    for name, (data, model) in models.items():
        write_run_of_random_parameters(folder / name, data, model)
    return folder


def completed(capsys, *argv) -> tuple[list[str], list[str]]:
    """(the texts that the command prints, its last lines)."""
    main(["complete", *map(str, argv)])
    texts, last = re.fullmatch(r"(.*)\n([^\n]+ in [^\n]+\.txt\n.*)", capsys.readouterr().out, re.DOTALL).groups()
    return texts.split(RULE), last.splitlines()


def in_turn(model, *groups) -> np.ndarray:
    """An order [T]: these groups of sites one after the other, each in the model's order."""
    return np.array([site for group in groups for site in model.permutation if site in group])


def marginal(model, params, known: dict[int, int], order) -> float:
    """log of the probability of these symbols at these sites, by summing over all others, in this order, float64."""
    free = [site for site in range(model.num_sites) if site not in known]
    x = np.zeros((model.head.vocab ** len(free), model.num_sites), np.int32)
    for site, symbol in known.items():
        x[:, site] = symbol
    if free:
        x[:, free] = np.indices([model.head.vocab] * len(free)).reshape(len(free), -1).T
    return np.logaddexp.reduce(np.asarray(arjax.log_prob(model, params, x, order=order), np.float64))


def test_infilling_keeps_what_is_visible_and_says_what_the_truth_costs(folder, capsys):
    texts, last = completed(capsys, folder / "any", "--text", "hel__w", "--truth", "hellow", "--completions", "4")
    assert texts[0] == "hel__w"
    assert len(texts) == 5
    assert all(re.fullmatch("hel..w", text, re.DOTALL) for text in texts[1:])
    assert len(set(texts[1:])) > 1
    model, params = arjax.load(folder / "any")
    known = {site: ALPHABET.index(character) for site, character in enumerate("hellow")}
    order = in_turn(model, (0, 1, 2, 5), (3, 4))
    visible = {site: known[site] for site in (0, 1, 2, 5)}
    nats = marginal(model, params, visible, order) - marginal(model, params, known, order)
    said = f"{nats:.3f} nats per example = {nats / 2 / math.log(2):.4f} bits per hidden char, 2 of them"
    assert last[1] == f"-log p(hidden | visible) of the truth: {said}"
    assert (folder / "any" / "samples" / "complete_text_0.txt").read_text() == RULE.join(texts) + "\n"
    # Without the truth there is nothing that it costs.
    again, last = completed(capsys, folder / "any", "--text", "hel**w", "--blank", "*", "--completions", "4")
    assert (again[1:], len(last)) == (texts[1:], 1)


def test_a_shorter_text_is_the_start_of_a_window_whatever_the_models_order(folder, capsys):
    texts, last = completed(capsys, folder / "any", "--text", "h_l_", "--truth", "hell", "--completions", "2")
    assert all(len(text) == 4 for text in texts)
    model, params = arjax.load(folder / "any")
    known = {site: ALPHABET.index(character) for site, character in enumerate("hell")}
    order = in_turn(model, (0, 2), (1, 3), (4, 5))
    # What stands behind the text is summed out.
    nats = marginal(model, params, {0: known[0], 2: known[2]}, order) - marginal(model, params, known, order)
    assert f"truth: {nats:.3f} nats per example" in last[1]


def test_any_net_continues_a_text_as_it_would_continue_a_prompt(folder, capsys):
    texts, last = completed(capsys, folder / "rows", "--text", "hell__", "--completions", "3", "--seed", "4")
    model, params = arjax.load(folder / "rows")
    prompt = np.array([ALPHABET.index(character) for character in "hell"])
    drawn = arjax.sampling.generate(model, params, jax.random.key(4), [prompt] * 3, tokens=2).x
    assert texts[1:] == ["".join(ALPHABET[symbol] for symbol in row) for row in drawn]
    assert "the text, blanks hidden, and 3 completions of each in" in last[0]


def test_characters_of_several_bytes_take_a_blank_for_each_byte(folder, capsys):
    texts, last = completed(capsys, folder / "bytes", "--text", "é__", "--truth", "éab", "--completions", "1")
    assert texts[0] == "é__"
    assert texts[1].startswith("é")
    assert "bits per hidden byte, 2 of them" in last[1]


def test_of_test_examples_the_second_half_is_hidden_or_what_the_mask_says(folder, capsys):
    text = ("hello world\n" * 30)[-36:]
    for flags, shown in (((), "{0}{1}{2}___"), (("--mask", "centre"), "{0}____{5}")):
        texts, last = completed(capsys, folder / "any", "--examples", "2", "--completions", "1", *flags)
        assert texts[::2] == [shown.format(*text[start : start + 6]) for start in (0, 18)]
        assert re.search(r"truth: \d+\.\d+ ± \d+\.\d+ nats per example = .* bits per hidden char, [34] of them", last[1])


@pytest.mark.slow
def test_a_trained_net_fills_in_what_must_be_there(folder, tmp_path, capsys):
    # In a text that repeats itself a character says where one is, so that all others are certain.
    (tmp_path / "abc.txt").write_text("abc" * 400)
    (tmp_path / "abc.py").write_text(CONFIG.format(path=str(tmp_path / "abc.txt")))
    assert script.main([str(tmp_path / "abc.py"), "--run", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    texts, last = completed(capsys, tmp_path / "run", "--text", "_bc__c", "--truth", "abcabc", "--completions", "20")
    assert texts[1:].count("abcabc") >= 17
    nats = float(re.search(r"truth: (\d+\.\d+) nats", last[1])[1])
    assert nats < 0.5 < 3 * math.log(3)
