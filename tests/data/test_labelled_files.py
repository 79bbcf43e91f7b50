"""arjax/data/labelled_files.py: classes and parts by folders."""

import numpy as np
import pytest
from faults import fault

from arjax.data.labelled_files import list_files, parts_of


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def listing(folder, classes=None):
    return list_files(str(folder), None, (".wav",), "recordings", classes)


@pytest.mark.parametrize(
    ("names", "classes", "label", "part"),
    [
        (("b/2.wav", "a/x/1.WAV"), ("a", "b"), [0, 1], ("", "")),
        (("2.wav", "1.wav"), (), [0, 0], ("", "")),
        (("a/1.wav", "a/2.wav"), (), [0, 0], ("", "")),  # one class says nothing
        (("train/a/1.wav", "val/b/1.wav", "train/b/3.wav"), ("a", "b"), [0, 1, 1], ("train", "train", "valid")),
        (("train/1.wav", "test/1.wav"), (), [0, 0], ("test", "train")),
        (("test/1.wav", "valid/1.wav"), ("test", "valid"), [0, 1], ("", "")),  # without train these are words like others
    ],
)
def test_list_files_takes_classes_and_parts_from_folders(names, classes, label, part, tmp_path):
    found = listing(put(tmp_path, *names, ".hidden.wav", ".git/x.wav"))
    assert (found.classes, found.label.tolist(), found.part, found.notes) == (classes, label, part, ())
    assert all(file.is_file() for file in found.files)


def test_list_files_takes_a_folder_train_beside_others_for_a_class(tmp_path):
    found = listing(put(tmp_path, "bus/1.wav", "train/1.wav", "train/2.wav"))
    assert (found.classes, found.label.tolist(), found.part) == (("bus", "train"), [0, 1, 1], ("",) * 3)


def test_list_files_says_what_it_leaves_out(tmp_path):
    put(tmp_path, "train/a/1.wav", "train/b/1.wav", "more/3.wav", "notes.txt", "a.md", "b.md", "Makefile")
    found = listing(tmp_path)
    assert found.notes == (
        f"files of {tmp_path} that are no recordings are left out: 2 of .md, 1 of no ending, 1 of .txt",
        "1 of 3 recordings lie in none of the folders train, valid and test, and are left out",
    )
    assert [file.name for file in found.files] == ["1.wav", "1.wav"]


def test_list_files_takes_no_classes_where_some_files_have_none(tmp_path):
    found = listing(put(tmp_path, "a/1.wav", "b/1.wav", "3.wav"))
    assert (found.classes, found.label.tolist()) == ((), [0, 0, 0])
    assert found.notes == ("1 of 3 recordings lie in no folder: the 2 folders are not taken for classes",)


def test_list_files_numbers_classes_as_they_were(tmp_path):
    put(tmp_path, "b/1.wav", "c/1.wav")
    assert listing(tmp_path, ("a", "b", "c")).label.tolist() == [1, 2]
    assert listing(tmp_path, ()).label.tolist() == [0, 0]
    assert "has a folder 'c', which is none of the classes ('a', 'b')" in fault(listing, tmp_path, ("a", "b"))


def test_list_files_says_what_a_folder_without_any_holds(tmp_path):
    says = f"{tmp_path} has no recordings (.wav): it holds no files; give a folder that has some"
    assert fault(listing, tmp_path) == says
    assert "its files are 2 of .txt; give" in fault(listing, put(tmp_path, "x.txt", "deep/y.txt"))
    assert "is no folder; give the one" in fault(listing, tmp_path / "x.txt")
    assert "give one by --data.path FOLDER" in fault(list_files, None, None, (".wav",), "recordings")


def test_parts_of_draws_a_part_that_no_folder_names_from_training(tmp_path):
    put(tmp_path, *(f"train/{name}/{i}.wav" for name in "ab" for i in range(10)), "test/a/1.wav")
    found = listing(tmp_path)
    parts = parts_of(found, 0.2, 0.2, 0)
    assert [found.part[i] for i in parts.test] == ["test"]
    assert [len(part) for part in parts] == [16, 4, 1]
    assert np.bincount(found.label[parts.valid]).tolist() == [2, 2]
    assert not set(parts.train) & set(parts.valid)


def test_parts_of_refuses_a_class_that_training_lacks(tmp_path):
    found = listing(put(tmp_path, "train/a/1.wav", "valid/a/2.wav", "test/b/3.wav"))
    assert "has files of class 'b' in test and none in train; put some into train" in fault(parts_of, found, 0.1, 0.1, 0)
