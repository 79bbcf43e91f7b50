"""Files of tokens, mapped into memory."""

import json
import tracemalloc

import numpy as np
import pytest
from faults import fault

from arjax.data import TokenFile, check_splits, text, training_batches
from arjax.data.splits import fingerprint
from arjax.models import MADE
from arjax.orders import Raster


def write(folder, dtype=np.uint16, **files):
    for name, tokens in files.items():
        np.asarray(tokens, dtype).tofile(folder / f"{name}.bin")
    return str(folder)


def test_token_file_reads_nanogpts_files_as_windows(tmp_path):
    tokens = np.arange(50) * 7 % 31
    data, notes = TokenFile(write(tmp_path, train=tokens, val=tokens[:11]), length=4).examined()
    splits = check_splits(data.load(), data.values, "here")
    np.testing.assert_array_equal(splits.train.x, [tokens[i : i + 4] for i in range(47)])
    np.testing.assert_array_equal(splits.valid.x, tokens[:8].reshape(2, 4))
    np.testing.assert_array_equal(splits.test.x, splits.valid.x)
    assert (data.vocab, data.subwords, data.open) == (31, None, False)
    assert notes == (f"{tmp_path} has no tokenizer.json beside it: its tokens are shown as numbers",)
    assert data.medium.exhibit(splits.train.x[:1]).texts == ("0 7 14 21 ",)
    model = data.model(MADE(hidden=(4,)), head=None, order=Raster(), classes=None)
    assert (model.head.vocab, model.site_shape) == (31, (4,))
    shown = data.medium.completed(splits.train.x[:1], np.arange(4) > 2, splits.train.x[None, 1:2], np.ones((1, 4), bool))
    assert shown.texts == ("0 7 14 _ ", "7 14 21 28 ")


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64"])
def test_token_file_holds_out_the_end_of_one_file_of_any_whole_numbers(tmp_path, dtype):
    write(tmp_path, np.dtype(dtype).newbyteorder("<"), mine=np.arange(100))
    splits = TokenFile(str(tmp_path / "mine.bin"), dtype, length=5).examined().data.load()
    assert [split.x.max() for split in splits] == [89, 94, 99]


def test_windows_of_many_tokens_begin_apart_so_that_none_is_in_more_windows_than_another(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_MOST_WINDOWS", 30)
    data = TokenFile(write(tmp_path, train=np.arange(97), val=np.arange(97)), length=12).examined().data
    splits = data.load()
    np.testing.assert_array_equal(splits.train.x, [np.arange(i, i + 12) for i in range(0, 86, 4)])
    marks = fingerprint(splits)
    write(tmp_path, train=np.arange(97) * (np.arange(97) != 50))
    assert fingerprint(data.load())["train.x"] != marks["train.x"]


@pytest.mark.slow  # hashing hundreds of megabytes
def test_token_file_of_hundreds_of_megabytes_takes_little_memory(tmp_path):
    with open(tmp_path / "train.bin", "wb") as file:  # sparse: it takes no place
        file.truncate(300 * 2**20)
    data = TokenFile(write(tmp_path, val=np.arange(5000) % 9), length=256, vocab=9).examined().data
    tracemalloc.start()
    splits = check_splits(data.load(), data.values, "here")
    marks = fingerprint(splits)
    batch = training_batches(splits.train, 8, seed=0)[2]["x"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (splits.train.x.shape, batch.shape) == ((4915193, 256), (8, 256))
    assert peak < 100e6
    with open(tmp_path / "train.bin", "r+b") as file:
        file.seek(-2, 2)
        file.write(b"\1")
    assert fingerprint(data.load())["train.x"] != marks["train.x"]  # the last token counts


def test_token_file_refuses_in_one_line_what_is_none(tmp_path):
    folder = write(tmp_path, train=np.arange(50))
    assert "has no train.bin and val.bin (it has train.bin); give a folder of these" in fault(TokenFile(folder).examined)
    write(tmp_path, val=np.arange(50))
    wrong = TokenFile(folder, "uint32", length=5)
    assert f"has the token {48 + 49 * 2**16}, which no tokenizer has; choose another --data.dtype" in fault(wrong.examined)
    assert "has 100 bytes, which are no int64 tokens; choose another --data.dtype" in fault(TokenFile(folder, "int64").load)
    data = TokenFile(folder, length=5, vocab=40)
    says = "train has the value 40 at [40, 0], but 40 levels accepts whole numbers 0..39 only"
    assert says in fault(lambda: check_splits(data.load(), data.values, data.title))
    (tmp_path / "tokenizer.json").write_text("{}")
    assert "tokenizer.json is no tokenizer.json (KeyError); give that of a byte-level BPE" in fault(TokenFile(folder).examined)
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"content": "b"}]})
    )
    assert TokenFile(folder).examined().data.subwords == 2
    assert "name the file of tokens, or folder of some, by --data.path" in fault(TokenFile().examined)
