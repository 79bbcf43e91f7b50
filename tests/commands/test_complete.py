"""`python -m arjax complete`: what it keeps, what it draws anew, and what it says that the truth costs."""

import math
import re

import jax
import numpy as np
import pytest
from PIL import Image
from shared_runs import DIGITS, LENGTH, LETTERS, RATE, SOUNDS
from trained import cells, failure, write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.commands.completing import read_mask
from arjax.data.sound_files import read_sound, wav
from arjax.data.waveforms import MuLaw
from arjax.errors import printable
from arjax.files import write_whole
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.orders import Flipped, Spiral
from arjax.protocol import Model

LOWER = np.indices((8, 8))[0] >= 4
KEPT = 12
RULE = f"\n{'-' * 40}\n"


@pytest.mark.parametrize("mask", ["lower", "centre", "random"])
def test_complete_draws_the_image_what_is_left_of_it_and_completions_that_keep_that(mask, runs, capsys):
    run = runs("digits")
    main(["complete", str(run), "--mask", mask, "--examples", "3", "--completions", "2", "--seed", "5"])
    path = run / "samples" / f"complete_{mask}_5.png"
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"3 images, {mask} hidden, and 2 completions of each in {path}"
    assert second.startswith("-log p(hidden | visible) of the truth: ")
    truth, left, *completed = np.moveaxis(cells(path, 3, 4), 1, 0)
    # Digits has 299 test images; these lie evenly among them.
    np.testing.assert_array_equal(truth[..., 0], 255 * (DIGITS.load().test.x[[0, 99, 199]] > 7))
    hidden = read_mask(mask, 8, 8, 5)
    np.testing.assert_array_equal(left[:, hidden], 128)
    for cell in (left, *completed):
        np.testing.assert_array_equal(cell[:, ~hidden], truth[:, ~hidden])
    assert set(np.unique(completed)) == {0, 255}
    assert (completed[0] != completed[1]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("mask", "even", "odd"),
    [
        ("lower", ("......", "......", "######", "######"), ("...", "...", "###", "###", "###")),
        ("upper", ("######", "######", "......", "......"), ("###", "###", "###", "...", "...")),
        ("left", ("###...",) * 4, ("##.",) * 5),
        ("right", ("...###",) * 4, (".##",) * 5),
        ("centre", ("......", ".####.", ".####.", "......"), ("...", "###", "###", "###", "...")),
    ],
)
def test_read_mask_hides_what_its_name_says(mask, even, odd):
    for shape, rows in (((4, 6), even), ((5, 3), odd)):
        np.testing.assert_array_equal(read_mask(mask, *shape, 0), [[pixel == "#" for pixel in row] for row in rows])


def test_read_mask_draws_a_random_half_from_its_seed():
    one, same, other = (read_mask("random", 5, 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one.sum() == other.sum() == 8


def test_complete_gives_every_completion_the_label_of_its_image(runs, tmp_path):
    run = runs("labelled")
    main(["complete", str(run), "--examples", "2", "--completions", "3", "--seed", "1"])
    drawn = cells(run / "samples" / "complete_lower_1.png", 2, 5)[:, 2:, ..., 0]
    (model, params), test = arjax.load(run), DIGITS.load().test
    x, label = (np.repeat(part[[0, 149]], 3, axis=0) for part in (test.x > 7, test.label.astype(np.int32)))
    assert label[0] != label[3]
    expected = arjax.sample(model, params, jax.random.key(1), 6, cond=arjax.Cond(label), observed=x, mask=~LOWER)
    np.testing.assert_array_equal(drawn.reshape(6, 8, 8), 255 * expected)
    # A picture of one's own takes the label it is given.
    np.save(tmp_path / "x.npy", test.x[0])
    flags = ["--image", str(tmp_path / "x.npy"), "--label", "7", "--completions", "6", "--png", str(tmp_path / "c.png")]
    main(["complete", str(run), *flags])
    cond = arjax.Cond(label=np.full(6, 7, np.int32))
    expected = arjax.sample(model, params, jax.random.key(0), 6, cond=cond, observed=test.x[:1] > 7, mask=~LOWER)
    np.testing.assert_array_equal(cells(tmp_path / "c.png", 1, 8)[0, 2:, ..., 0], 255 * expected)


@pytest.mark.slow
def test_complete_takes_of_the_orders_it_was_trained_in_one_that_ends_with_the_hidden_part(runs, capsys):
    run = runs("curves")
    main(["complete", str(run), "--mask", "upper", "--examples", "3", "--completions", "2"])
    drawn = cells(run / "samples" / "complete_upper_0.png", 3, 4)[:, 2:, ..., 0]
    (model, params), x = arjax.load(run), DIGITS.load().test.x[[0, 99, 199]] > 7
    upwards, observed = Flipped(rows=True).permutation((8, 8)), np.repeat(x, 2, axis=0)
    expected = arjax.sample(model, params, jax.random.key(0), 6, order=upwards, observed=observed, mask=LOWER)
    np.testing.assert_array_equal(drawn.reshape(6, 8, 8), 255 * expected)
    # The truth costs its conditional probability in that order.
    each = arjax.theta(model, params, x, order=upwards)
    symbols = x.reshape(3, 64)[:, upwards].astype(np.int32)
    nats = -np.asarray(model.head.log_prob(each, symbols), np.float64)[:, 32:].sum(axis=1)
    said = f"{nats.mean():.3f} ± {nats.std(ddof=1) / np.sqrt(3):.3f} nats per example = {nats.mean() / 32 / np.log(2):.4f} bits"
    assert f"-log p(hidden | visible) of the truth: {said} per hidden dim, 32 of them" in capsys.readouterr().out


def test_complete_takes_a_picture_and_a_mask_of_ones_own_as_the_same_test_image(runs, tmp_path, capsys):
    raw, hidden = DIGITS.load().test.x[0], np.zeros((8, 8), bool)
    hidden[2:5, 1:7] = True
    Image.fromarray((raw / 16 * 255).round().astype(np.uint8)).save(tmp_path / "digit.png")
    Image.fromarray(hidden.astype(np.uint8) * 255).save(tmp_path / "hole.bmp")
    # The same, drawn in alpha, and turned by what the file says of its orientation.
    turned, upside_down = Image.Exif(), np.s_[::-1, ::-1]
    turned[0x0112] = 3
    black = 255 - (raw / 16 * 255).round().astype(np.uint8)
    Image.fromarray(np.stack([black * 0, black], axis=-1)[upside_down]).save(tmp_path / "alpha.png", exif=turned)
    white = np.stack([black | 255, hidden * np.uint8(255)], axis=-1)
    Image.fromarray(white[upside_down]).save(tmp_path / "alpha_hole.png", exif=turned)
    np.save(tmp_path / "digit.npy", raw.astype(">i2"))
    np.save(tmp_path / "hole.npy", hidden)
    pictures = []
    for i, flags in enumerate(
        (
            ("--image", tmp_path / "digit.png", "--mask", tmp_path / "hole.bmp"),
            ("--image", tmp_path / "digit.npy", "--mask", tmp_path / "hole.npy"),
            ("--examples", 1, "--mask", tmp_path / "hole.npy"),
            ("--image", tmp_path / "alpha.png", "--mask", tmp_path / "alpha_hole.png"),
        )
    ):
        png = tmp_path / "deep" / f"{i}.png"
        main(["complete", str(runs("digits")), *map(str, flags), "--completions", "3", "--seed", "2", "--png", str(png)])
        pictures.append(cells(png, 1, 5))
    np.testing.assert_array_equal(pictures[0], pictures[2])
    np.testing.assert_array_equal(pictures[1], pictures[2])
    np.testing.assert_array_equal(pictures[3], pictures[2])
    truth, left, *completed = pictures[0][0, ..., 0]
    np.testing.assert_array_equal(truth, 255 * (raw > 7))
    np.testing.assert_array_equal(left, np.where(hidden, 128, truth))
    assert all((one == truth)[~hidden].all() for one in completed)
    words = capsys.readouterr().out.splitlines()
    assert words[1] == words[3] == words[5] == words[7]
    assert "nats per example" in words[1]
    assert "±" not in words[1]  # of one there is no error


@pytest.mark.parametrize("name", ["coupled", pytest.param("rgb", marks=pytest.mark.slow)])
def test_complete_hides_pixels_of_several_values_whole(name, runs, tmp_path):
    x = np.load(runs(name).parent / "4_4x4x3.npz")["test"]
    main(["complete", str(runs(name)), "--examples", "2", "--completions", "2", "--png", str(tmp_path / "c.png")])
    truth, left, *completed = np.moveaxis(cells(tmp_path / "c.png", 2, 4, 4, 4), 1, 0)
    np.testing.assert_array_equal(truth, 85 * x[[0, 1]])
    np.testing.assert_array_equal(left[:, 2:], 128)
    for cell in (left, *completed):
        np.testing.assert_array_equal(cell[:, :2], truth[:, :2])
    assert (completed[0][:, 2:] != completed[1][:, 2:]).any()
    # The picture of an example is completed as the example.
    Image.fromarray(truth[1]).save(tmp_path / "own.png")
    flags = ["--image", str(tmp_path / "own.png"), "--completions", "4", "--png", str(tmp_path / "own_c.png")]
    main(["complete", str(runs(name)), *flags])
    again, _, *redrawn = np.moveaxis(cells(tmp_path / "own_c.png", 1, 6, 4, 4), 1, 0)
    np.testing.assert_array_equal(again[0], truth[1])
    np.testing.assert_array_equal(np.stack(redrawn)[:, 0, :2], np.stack([truth[1, :2]] * 4))


def test_complete_says_which_net_would_draw_what_cannot_be_drawn_in_one_order(runs, tmp_path, capsys):
    line = failure(capsys, "complete", runs("labelled"), "--mask", "centre", "--png", tmp_path / "c.png")
    assert "comes after unobserved ones in Raster(), and PixelCNN" in line
    assert "or choose a net with any_order=True, as MADE, LMConv and Transformer(any_order=True) have" in line
    assert not (tmp_path / "c.png").exists()
    # A net that takes any order does so whichever is its own.
    write_run_of_random_parameters(tmp_path / "spiral", DIGITS, Model(MADE(hidden=(3,)), Bernoulli(), (8, 8), Spiral()))
    flags = ["--mask", "centre", "--examples", "1", "--completions", "1", "--png", str(tmp_path / "c.png")]
    main(["complete", str(tmp_path / "spiral"), *flags])
    assert (tmp_path / "c.png").exists()


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


def test_complete_fills_in_a_text_and_says_what_the_truth_costs(runs, capsys):
    run = runs("infilling")
    texts, last = completed(capsys, run, "--text", "abc__b", "--truth", "abcacb", "--completions", "4")
    assert texts[0] == "abc__b"
    assert len(texts) == 5
    assert all(re.fullmatch("abc..b", text, re.DOTALL) for text in texts[1:])
    assert len(set(texts[1:])) > 1
    model, params = arjax.load(run)
    known = {site: LETTERS.index(character) for site, character in enumerate("abcacb")}
    order = in_turn(model, (0, 1, 2, 5), (3, 4))
    nats = marginal(model, params, {site: known[site] for site in (0, 1, 2, 5)}, order) - marginal(model, params, known, order)
    said = f"{nats:.3f} nats per example = {nats / 2 / math.log(2):.4f} bits per hidden char, 2 of them"
    assert last[1] == f"-log p(hidden | visible) of the truth: {said}"
    assert (run / "samples" / "complete_text_0.txt").read_text() == RULE.join(texts) + "\n"
    # Without the truth there is nothing that it costs.
    again, last = completed(capsys, run, "--text", "abc**b", "--blank", "*", "--completions", "4")
    assert (again[1:], len(last)) == (texts[1:], 1)


def test_complete_takes_a_shorter_text_as_the_start_of_a_window_whatever_the_models_order(runs, capsys):
    texts, last = completed(capsys, runs("infilling"), "--text", "a_c_", "--truth", "abca", "--completions", "2")
    assert all(len(text) == 4 for text in texts)
    model, params = arjax.load(runs("infilling"))
    known = {site: LETTERS.index(character) for site, character in enumerate("abca")}
    order = in_turn(model, (0, 2), (1, 3), (4, 5))
    # What stands behind the text is summed out.
    nats = marginal(model, params, {0: known[0], 2: known[2]}, order) - marginal(model, params, known, order)
    assert f"truth: {nats:.3f} nats per example" in last[1]


def test_complete_hides_of_test_texts_the_second_half_or_what_the_mask_says(runs, capsys):
    text = ("abcacb\n" * 60)[-42:]
    for flags, shown in (((), "{0}{1}{2}___"), (("--mask", "centre"), "{0}____{5}")):
        texts, last = completed(capsys, runs("infilling"), "--examples", "2", "--completions", "1", *flags)
        assert texts[::2] == [shown.format(*text[start : start + 6]) for start in (0, 18)]
        assert re.search(r"truth: \d+\.\d+ ± \d+\.\d+ nats per example = .* bits per hidden char, [34] of them", last[1])


def test_complete_with_any_net_continues_a_text_as_it_would_continue_a_prompt(runs, capsys):
    # Characters of several bytes take a blank for each byte.
    texts, last = completed(capsys, runs("bytes"), "--text", "é__", "--truth", "éab", "--completions", "3", "--seed", "4")
    model, params = arjax.load(runs("bytes"))
    drawn = arjax.sampling.generate(model, params, jax.random.key(4), [np.frombuffer("é".encode(), np.uint8)] * 3, tokens=2).x
    shown = (row.astype(np.uint8).tobytes().decode(errors="replace") for row in drawn)
    assert texts == ["é__", *(printable(text) for text in shown)]
    assert "the text, blanks hidden, and 3 completions of each in" in last[0]
    assert "bits per hidden byte, 2 of them" in last[1]


def test_complete_shows_rows_of_a_table_with_commas(runs, capsys):
    main(["complete", str(runs("rows")), "--examples", "1", "--completions", "1"])
    hidden, drawn, last, _ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"([01],){3}_,_,_", hidden)
    assert drawn[:6] == hidden[:6]
    assert last.startswith("1 images, right hidden, and 1 completions of each in")


def symbols(path):
    """A recording as the model knows it, [T]."""
    return np.asarray(MuLaw(16)(None, read_sound(path, RATE)))


def test_complete_continues_test_recordings_from_their_start_and_scores_their_true_rest(runs, capsys):
    run = runs("sound")
    main(["complete", str(run), "--seconds", str(KEPT / RATE), "--completions", "2", "--seed", "3"])
    stem = run / "samples" / "complete_3"
    first, second = capsys.readouterr().out.splitlines()
    where = f"{stem}_0_true.wav to complete_3_1_1.wav, drawn in {stem}.png"
    assert first == f"2 recordings, 0.0015 s kept, and 2 completions of each in {where}"
    model, params = arjax.load(run)
    # What is padded is silence, which is a symbol like others.
    x = np.tile(np.asarray(MuLaw(16)(None, np.zeros(LENGTH, np.int16))), (2, 1))
    ends = (LENGTH, SOUNDS["test/5"])
    for row, name, end in zip(x, ("test/4", "test/5"), ends, strict=True):
        row[:end] = symbols(run.parent / "sounds" / f"{name}.wav")[:end]
    each = np.asarray(model.head.log_prob(arjax.theta(model, params, x), x), np.float64)
    nats = np.array([-each[b, KEPT:end].sum() for b, end in enumerate(ends)])
    dims, error = np.mean(ends) - KEPT, nats.std(ddof=1) / np.sqrt(2)
    assert second.startswith(f"-log p(hidden | visible) of the truth: {nats.mean():.3f} ± {error:.3f} nats per example")
    assert f"= {nats.mean() / dims / np.log(2):.4f} bits per hidden sample, {dims:g} of them" in second
    observed = np.repeat(x, 2, axis=0)
    drawn = arjax.sample(model, params, jax.random.key(3), 4, observed=observed, mask=np.arange(LENGTH) < KEPT)
    for b, end in enumerate(ends):
        for k in range(2):
            np.testing.assert_array_equal(symbols(stem.with_name(f"complete_3_{b}_{k}.wav")), drawn[2 * b + k])
        np.testing.assert_array_equal(symbols(stem.with_name(f"complete_3_{b}_true.wav")), x[b, :end])
    with Image.open(stem.with_suffix(".png")) as picture:
        assert min(picture.size) > 300


@pytest.mark.slow
def test_complete_continues_a_recording_of_ones_own_behind_all_of_it_or_the_seconds_that_are_kept(runs, tmp_path, capsys):
    run, sound = runs("sound"), tmp_path / "mine.wav"
    write_whole(sound, wav(np.sin(np.arange(20) / 2) / 2, RATE))
    flags = ["complete", str(run), "--audio", str(sound), "--completions", "4", "--overwrite", "--png", str(tmp_path / "x.png")]
    main(flags)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{sound}, 0.0025 s kept, and 4 completions of each in")
    # Seconds that the file has not are not kept.
    main([*flags, "--seconds", str(25 / RATE)])
    assert capsys.readouterr().out.splitlines() == [line]
    main([*flags, "--seconds", str(KEPT / RATE)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{sound}, 0.0015 s kept")
    model, params = arjax.load(run)
    x = np.zeros((1, LENGTH), np.int32)
    x[0, :20] = symbols(sound)
    nats = -float(model.head.log_prob(arjax.theta(model, params, x), x)[0, KEPT:20].sum())
    assert re.match(rf"-log p\(hidden \| visible\) of the truth: {nats:.3f} nats per example = .*, 8 of them", second)
