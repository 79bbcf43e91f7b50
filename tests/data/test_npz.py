import dataclasses
import pickle
import zipfile

import numpy as np
import pytest

import arjax
from arjax.data import Levels, Npz, Real
from arjax.heads import Bernoulli
from arjax.models import MADE, RNN, Transformer
from arjax.orders import AnyOrder, Raster, Reversed
from arjax.training import Experiment
from arjax.training.conditions import check_fits

X = np.arange(12).reshape(2, 3, 2) % 2
SPLITS = {"train": X, "valid": X, "test": X}


ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
BINARY = Levels(2)


def fault(path, values=BINARY):
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        Npz(str(path), values).load()
    message = str(info.value)
    assert str(path) in message
    return message


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return tmp_path / "mine.npz"


def test_the_three_splits_and_their_labels_are_read(tmp_path):
    path = saved(tmp_path, **SPLITS, train_label=[0, 1], valid_label=[1, 1], test_label=[2, 0], other=np.array("more"))
    splits = Npz(str(path), Levels(2)).load()
    for split, label in zip(splits, ([0, 1], [1, 1], [2, 0]), strict=True):
        np.testing.assert_array_equal(split.x, X)
        np.testing.assert_array_equal(split.label, label)


def test_labels_are_optional_and_real_values_allowed(tmp_path):
    splits = Npz(str(saved(tmp_path, **dict.fromkeys(SPLITS, X + 0.5))), Real()).load()
    assert splits.test.label is None
    np.testing.assert_array_equal(splits.test.x, X + 0.5)


def test_a_relative_path_is_looked_up_in_the_data_root(tmp_path, monkeypatch):
    saved(tmp_path, **SPLITS)
    assert len(Npz("mine.npz", Levels(2), root=str(tmp_path)).load().train.x) == 2
    monkeypatch.setenv("ARJAX_DATA", str(tmp_path))
    assert len(Npz("mine.npz", Levels(2)).load().train.x) == 2


def test_the_title_names_the_file_and_the_values():
    assert Npz("some/where/mine.npz", Levels(2)).title == "mine.npz, 2 levels, train / valid / test as in the file"


def test_a_missing_file_is_named(tmp_path):
    assert "there is no file" in fault(tmp_path / "absent.npz")


@pytest.mark.parametrize("absent", SPLITS)
def test_all_three_splits_are_wanted(tmp_path, absent):
    path = saved(tmp_path, **{name: x for name, x in SPLITS.items() if name != absent})
    message = fault(path)
    assert f"has no array {absent} " in message
    assert "save all three of train, valid and test" in message


def test_a_truncated_file_is_refused(tmp_path):
    path = saved(tmp_path, **SPLITS)
    path.write_bytes(path.read_bytes()[:-30])
    assert "is not a readable .npz" in fault(path)


def test_a_damaged_array_is_refused(tmp_path):
    path = saved(tmp_path, **SPLITS)
    content = bytearray(path.read_bytes())
    place = content.index(X.tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert "is not a readable .npz" in fault(path)


@pytest.mark.parametrize("content", [b"", b"train,valid,test\n", pickle.dumps(SPLITS)])
def test_what_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    assert "is not a readable .npz" in fault(path)


def test_a_bare_npy_is_refused(tmp_path):
    np.save(tmp_path / "mine.npy", X)
    assert "is not a readable .npz" in fault(tmp_path / "mine.npy")


def test_a_folder_is_refused(tmp_path):
    assert "is not a readable .npz" in fault(tmp_path)


def test_a_zip_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as file:
        for name in SPLITS:
            file.writestr(name, b"not an array")
    assert "has no array train, valid, test " in fault(tmp_path / "mine.npz")


def test_pickled_arrays_are_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    path = saved(tmp_path, **SPLITS | {"valid": np.array([[Bomb()]], object)})
    assert "without object arrays" in fault(path)
    assert not (tmp_path / "exploded").exists()


def test_a_nan_is_refused(tmp_path):
    x = X.astype(float)
    x[1, 2, 0] = np.nan
    assert "test has the value nan at [1, 2, 0]" in fault(saved(tmp_path, **SPLITS | {"test": x}), Real())


def test_values_outside_the_support_are_refused(tmp_path):
    assert "valid has the value 5 at [0, 0, 0]" in fault(saved(tmp_path, **SPLITS | {"valid": X + 5}))


def sequences(tmp_path, **changed):
    rows = np.array([[0, 1, 1, 0], [1, 1, 0, 0]])
    arrays = dict.fromkeys(SPLITS, rows) | {f"{name}_length": np.array([4, 2]) for name in SPLITS}
    return saved(tmp_path, **{name: array for name, array in (arrays | changed).items() if array is not None})


def test_the_padding_of_sequences_does_not_count(tmp_path):
    splits = Npz(str(sequences(tmp_path)), Levels(2)).load()
    np.testing.assert_array_equal(splits.valid.counted, [[True] * 4, [True, True, False, False]])


def test_what_counts_can_be_given_site_by_site(tmp_path):
    counted = {f"{name}_counted": np.array([[True, False, True, True]] * 2) for name in SPLITS}
    splits = Npz(str(sequences(tmp_path, **dict.fromkeys([f"{name}_length" for name in SPLITS]), **counted)), Levels(2)).load()
    np.testing.assert_array_equal(splits.test.counted, counted["test_counted"])


@pytest.mark.parametrize("part", ["local", "memory"])
def test_features_are_read(part, tmp_path):
    features = {f"{name}_{part}": np.full((2, 4, 3), i + 0.5) for i, name in enumerate(SPLITS)}
    assert getattr(Npz(str(sequences(tmp_path, **features)), Levels(2)).load().test, part)[0, 0, 0] == 2.5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"valid_length": np.array([4, 5])}, "valid_length[1] is 5, not in 1..4"),
        ({"valid_length": np.array([0, 2])}, "valid_length[0] is 0, not in 1..4"),
        ({"valid_length": np.array([4.0, 2.0])}, "valid_length is float64 of shape (2,); give one whole number"),
        ({"valid_length": np.array([4])}, "valid_length is int64 of shape (1,)"),
        ({"valid_length": None}, "valid has no lengths"),
        ({"train_counted": np.ones((2, 4), bool)}, "both train_length and train_counted"),
    ],
)
def test_lengths_that_do_not_fit_are_named(tmp_path, changed, message):
    assert message in fault(sequences(tmp_path, **changed))


def test_what_has_no_rows_is_named_for_that_and_not_for_its_lengths(tmp_path):
    assert "train has shape ()" in fault(sequences(tmp_path, train=np.array(3)))


@pytest.mark.parametrize("order", [Reversed(), AnyOrder()])
def test_an_order_in_which_padding_would_come_first_is_refused(tmp_path, order):
    data = Npz(str(sequences(tmp_path)), Levels(2))
    model = arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4,), order)
    with pytest.raises(ValueError, match=r"mine.npz.* has sites that do not count, which needs Raster\(\), not "):
        check_fits(data.title, model, data.load())
    check_fits(data.title, dataclasses.replace(model, order=Raster()), data.load())


@pytest.mark.parametrize(
    ("part", "cond", "message"),
    [
        (
            "local",
            arjax.CondSpec(local=2),
            r"has local features of shape \(4, 3\), but the model wants \(4, 2\) for an example; set",
        ),
        ("memory", arjax.CondSpec(local=2), r"has no local features, but the model wants \(4, 2\) for an example"),
        (
            "memory",
            arjax.CondSpec(memory=(4, 2)),
            r"has memory features of shape \(4, 3\), but .* \(4, 2\).*--model.cond.memory to fit",
        ),
        ("local", arjax.CondSpec(memory=(4, 2)), r"has no memory features, but the model wants \(4, 2\) for an example; set"),
    ],
)
def test_features_that_do_not_fit_the_model_are_named(part, cond, message, tmp_path):
    data = Npz(str(sequences(tmp_path, **{f"{name}_{part}": np.ones((2, 4, 3)) for name in SPLITS})), Levels(2))
    net = RNN(width=3) if cond.local else Transformer(width=4, layers=1, heads=1)
    experiment = Experiment(data=data, model=arjax.Model(net, Bernoulli(), (4,), cond=cond), batch_size=2, steps=1, eval_every=1)
    with pytest.raises(ValueError, match=message):
        check_fits(data.title, experiment.model, data.load())
