"""The lower half given the upper: what is example, what is memory, through training files and commands."""

import dataclasses

import numpy as np
import pytest
from trained import write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.data import MNIST, Arrays, Digits, Dynamic, Levels, LowerHalf, Npz, Real, Threshold
from arjax.data.splits import fingerprint
from arjax.description import describe, rebuild
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.protocol import CondSpec, Model
from arjax.runs.config import edit
from arjax.training import Experiment
from arjax.training.conditions import sample_cond

DATA = LowerHalf(Digits(values=Threshold(7)))
MODEL = Model(Transformer(8, 1, 2, encoder_layers=1), Bernoulli(), (4, 8), cond=CondSpec(classes=10, memory=(8, 4)))


def saved(tmp_path, x, values, **more):
    np.savez(tmp_path / "mine.npz", **dict.fromkeys(("train", "valid", "test"), x), **more)
    return Npz(str(tmp_path / "mine.npz"), values)


def test_lower_half_takes_data_without_files():
    x = np.arange(8 * 16).reshape(8, 4, 4) % 2
    np.testing.assert_array_equal(LowerHalf(Arrays(x, x), root="nowhere").load().test.x, x[:, 2:])


def test_lower_half_is_the_example_and_the_upper_its_memory_patch_by_patch():
    whole, halves = DATA.data.load(), DATA.load()
    for split, half in zip(whole, halves, strict=True):
        np.testing.assert_array_equal(half.x, split.x[:, 4:])
        np.testing.assert_array_equal(half.label, split.label)
        assert half.memory.shape == (len(split.x), 8, 4)
        for patch in range(8):
            row, column = divmod(patch, 4)
            seen = split.x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] > 7
            np.testing.assert_array_equal(half.memory[:, patch], 2.0 * seen.reshape(-1, 4) - 1)
    # It is part of what identifies the data.
    assert fingerprint(halves)["test.memory"].startswith("float32[299, 8, 4] sha256:")
    assert DATA.medium == DATA.data.medium


def test_lower_half_hides_an_odd_row_in_the_middle_and_scales_symbols_from_minus_one_to_one(tmp_path):
    x = np.arange(5 * 3).reshape(1, 5, 3) % 5
    split = LowerHalf(saved(tmp_path, x, Levels(5)), patch=1).load().train
    np.testing.assert_array_equal(split.x, x[:, 2:])
    np.testing.assert_allclose(split.memory, [[[-1], [-0.5], [0], [0.5], [1], [-1]]])


def test_lower_half_scales_real_values_by_the_extremes_of_the_training_split(tmp_path):
    x = np.array([[[3.0, 5.0], [0.0, 9.0]], [[11.0, 7.0], [0.0, 0.0]]])
    np.testing.assert_allclose(LowerHalf(saved(tmp_path, x, Real()), 1).load().test.memory[..., 0], [[-1, -0.5], [1, 0]])


def with_memory(path):
    memory = dict.fromkeys(("train_memory", "valid_memory", "test_memory"), np.ones((1, 1, 1)))
    return saved(path, np.zeros((1, 4, 4)), Real(), **memory)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda path: LowerHalf(MNIST(values=Dynamic())), r"Dynamic\(highest=255\) draws values at random"),
        (lambda path: LowerHalf(Digits(), patch=0), "patch=0 must be at least 1"),
        (lambda path: LowerHalf(Digits(), patch=3).load(), "patches of 3 do not divide an upper half of 4 x 8 pixels; choose"),
        (lambda path: LowerHalf(saved(path, np.zeros((1, 4)), Real())).load(), r"has examples of shape \(4,\); give plain"),
        (lambda path: LowerHalf(with_memory(path)).load(), r"shape \(4, 4\) with memory; give plain pictures"),
    ],
)
def test_lower_half_refuses_what_has_no_two_halves_in_one_line(build, says, tmp_path):
    with pytest.raises(ValueError, match=rf"\A[^\n]*{says}[^\n]*\Z"):
        build(tmp_path)


def test_lower_half_is_described_edited_and_found_under_another_root(tmp_path):
    assert rebuild(describe(DATA)) == DATA
    experiment = Experiment(data=DATA, model=MODEL, steps=1, eval_every=1)
    edited, _ = edit(experiment, ["--data.patch", "4", "--data.data.values.level", "3"], "", "train.py")
    assert edited.data == LowerHalf(Digits(values=Threshold(3.0)), patch=4)
    saved(tmp_path, np.zeros((2, 2, 2), int), Levels(2))
    lost = LowerHalf(Npz("mine.npz", Levels(2), root="nowhere"), 1)
    assert dataclasses.replace(lost, root=str(tmp_path)).load().test.memory.shape == (2, 2, 1)


def test_sample_cond_is_the_memory_and_labels_of_the_first_examples():
    valid = DATA.load().valid
    cond = sample_cond(MODEL, 301, valid)
    np.testing.assert_array_equal(cond.memory, np.concatenate([valid.memory, valid.memory[:2]]))
    np.testing.assert_array_equal(cond.label[:299], valid.label)
    assert cond.local is None


@pytest.mark.slow
def test_sample_evaluate_and_complete_take_the_memory_from_the_data(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # no line of the table is broken
    run = tmp_path / "half"
    write_run_of_random_parameters(run, DATA, MODEL)
    main(["sample", str(run), "--samples", "3", "--out", str(tmp_path / "s.npz")])
    with np.load(tmp_path / "s.npz") as arrays:
        np.testing.assert_array_equal(arrays["memory"], DATA.load().valid.memory[:3])
        np.testing.assert_array_equal(arrays["label"], DATA.load().valid.label[:3])
    main(["evaluate", str(run)])
    printed = capsys.readouterr().out
    assert "-log p(x | label, memory)" in printed
    assert "per example given the label and memory" in printed
    assert "18.395" not in printed
    model, params = arjax.load(run)
    test = DATA.load().test
    cond = arjax.Cond(label=test.label.astype(np.int32), memory=test.memory)
    assert f"{-np.mean(arjax.log_prob(model, params, (test.x > 7).astype(np.int32), cond=cond)):.3f} ± " in printed
    main(["complete", str(run), "--examples", "2", "--completions", "1"])
    assert "-log p(hidden | visible, label, memory) of the truth" in capsys.readouterr().out
