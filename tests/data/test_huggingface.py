"""Data sets in .arrow and .parquet files, as Hugging Face's `datasets` and its hub have them."""

import io
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from faults import fault
from PIL import Image

from arjax.data import ImageFolder, TextFiles

TEXTS = [f"row {i} of text" for i in range(40)]


def png(i):
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), i, np.uint8)).save(file, "PNG")
    return file.getvalue()


def described(table, **features):
    """The table with the metadata that `datasets` gives it."""
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def save(folder, table, name, kind="stream"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        pyarrow.parquet.write_table(table, folder / name)
        return
    with pyarrow.OSFile(str(folder / name), "wb") as file:
        writer = pyarrow.ipc.new_stream if kind == "stream" else pyarrow.ipc.new_file
        with writer(file, table.schema) as opened:
            opened.write_table(table)


@pytest.mark.parametrize(("name", "kind"), [("a.arrow", "stream"), ("b.arrow", "file"), ("c.parquet", "parquet")])
def test_text_files_take_each_row_of_a_column_for_a_document(tmp_path, name, kind):
    save(tmp_path, pyarrow.table({"body": [*TEXTS, None], "number": range(41)}), name, kind)
    (tmp_path / "state.json").write_text("{}")
    data, notes = TextFiles(str(tmp_path), field="body").examined()
    shown = [text for split in data.load() for text in data.medium.exhibit(split.x).texts]
    assert sorted(shown) == sorted(TEXTS)
    assert notes[0] == "1 empty document is left out"
    says = "has no text named 'text': its columns are 'body' (string), 'number' (int64); choose one by --data.field"
    assert says in fault(TextFiles(str(tmp_path)).examined)


def test_image_folder_takes_rows_with_the_names_of_their_classes_and_parts_as_named(tmp_path):
    kinds = {"picture": {"_type": "Image"}, "kind": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    for part, shades in (("train", range(20)), ("test", range(100, 106))):
        images = [{"bytes": png(i), "path": None} for i in shades]
        table = described(pyarrow.table({"picture": images, "kind": [i % 2 for i in shades]}), **kinds)
        save(tmp_path, table, f"{part}/data-00000-of-00001.arrow")
    data = ImageFolder(str(tmp_path)).examined().data
    splits = data.load()
    assert (data.classes, data.size, data.channels) == (("cat", "dog"), 8, "gray")
    np.testing.assert_array_equal(splits.test.x[:, 0, 0], range(100, 106))
    np.testing.assert_array_equal(splits.train.label, splits.train.x[:, 0, 0] % 2)
    assert [len(split.x) for split in splits] == [18, 2, 6]
    assert "rows of class 'dog', which is none of ('cat',); begin a new run" in fault(
        ImageFolder(str(tmp_path), classes=("cat",)).load
    )


def test_image_folder_takes_plain_columns_image_and_label(tmp_path):
    images = [png(i) for i in range(12)]
    save(tmp_path, pyarrow.table({"image": images, "label": ["b", "a"] * 6}), "x.parquet", "parquet")
    data = ImageFolder(str(tmp_path / "x.parquet")).examined().data
    train = data.load().train
    assert data.classes == ("a", "b")
    np.testing.assert_array_equal(train.label, 1 - train.x[:, 0, 0] % 2)
    # Several labels of an image are no class.
    save(tmp_path, pyarrow.table({"image": images, "label": [[1, 2], [1]] * 6}), "x.parquet", "parquet")
    assert ImageFolder(str(tmp_path)).examined().data.classes == ()


def test_rows_are_refused_in_one_line_where_they_cannot_be_read(tmp_path):
    (tmp_path / "a.arrow").write_bytes(b"no arrow at all" * 10)
    for data in (TextFiles(str(tmp_path)), ImageFolder(str(tmp_path))):
        assert "a.arrow cannot be read (ArrowInvalid: " in fault(data.examined)
    save(tmp_path, pyarrow.table({"photo": [1]}), "a.arrow")
    assert "has no column of images: its columns are 'photo'; name that of the images 'image'" in fault(
        ImageFolder(str(tmp_path)).examined
    )
    for image in ({"bytes": None, "path": "x.png"}, [[1, 2]], 3):
        save(tmp_path, pyarrow.table({"image": [image]}), "a.arrow")
        assert "row 0 of" in fault(ImageFolder(str(tmp_path)).examined)
    save(tmp_path, pyarrow.Table.from_arrays([[png(1)], [png(2)]], names=["image", "image"]), "a.arrow")
    assert "a.arrow has two columns named 'image'; give each a name" in fault(ImageFolder(str(tmp_path)).examined)


@pytest.mark.slow  # another library
def test_readers_take_what_the_library_saves(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk(str(tmp_path / "text"))
    data = TextFiles(str(tmp_path / "text")).examined().data
    assert sorted(text for split in data.load() for text in data.medium.exhibit(split.x).texts) == sorted(TEXTS)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])})
    rows = {"image": [{"bytes": png(i), "path": None} for i in range(40)], "label": [i % 2 for i in range(40)]}
    images = datasets.Dataset.from_dict(rows, features)
    datasets.DatasetDict({"train": images, "validation": images}).save_to_disk(str(tmp_path / "images"))
    images.to_parquet(str(tmp_path / "hub" / "train-00000-of-00001.parquet"))
    for name, count in (("images", 36), ("hub", 32)):
        data = ImageFolder(str(tmp_path / name)).examined().data
        train = data.load().train
        assert (data.classes, len(train.x)) == (("even", "odd"), count)
        np.testing.assert_array_equal(train.label, train.x[:, 0, 0] % 2)
