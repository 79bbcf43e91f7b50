"""A user's own text: documents, their symbols, and the windows that keep to them."""

import gzip
import itertools
import json

import numpy as np
import pytest
from faults import fault

from arjax.data import TextFiles, check_splits
from arjax.data.documents import END
from arjax.models import MADE
from arjax.orders import Raster
from arjax.tokenizers import BPE

WORDS = ("one two", "three", "four five six seven", "eight\nnine", "ten")


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


def rows(texts):
    return "".join(json.dumps({"text": text, "answer": "x"}) + "\n" for text in texts)


def documents(split, data, letters):
    """The documents of a split as its windows count them, each symbol once: strings, in order."""
    assert split.x.shape == split.counted.shape
    symbols = split.x[split.counted]
    text = "".join((letters + END)[i] for i in symbols)
    assert text.endswith(END)
    return text.split(END)[:-1]


def test_text_files_count_every_symbol_of_every_document_once_in_windows_that_keep_to_it(tmp_path):
    texts = [f"{word} {i}" for i in range(30) for word in WORDS]
    data = TextFiles(write(tmp_path, a_jsonl=rows(texts)), length=8, seed=3).examined().data
    splits = check_splits(data.load(), data.values, "here")
    there = [documents(split, data, data.alphabet) for split in splits]
    assert [len(some) for some in there] == [134, 8, 8]
    assert sorted(itertools.chain(*there)) == sorted(texts)
    end = len(data.alphabet)
    for split in splits:
        for x, counted in zip(split.x, split.counted, strict=True):
            assert end not in x[np.flatnonzero(counted)[:-1]]  # no window runs on behind an end
    assert (data.held_out, data.values.vocab) == ("documents", end + 1)
    assert data.division == "documents held out by seed 3: valid 0.05, test 0.05"


@pytest.mark.parametrize("symbols", ["characters", "bytes"])
def test_text_files_cut_one_text_by_place_and_train_on_each_of_its_windows(tmp_path, symbols):
    text = "".join(chr(97 + i % 26) for i in range(400))
    data = TextFiles(write(tmp_path, a_txt=text), symbols=symbols, length=10).examined().data
    splits = check_splits(data.load(), data.values, "here")
    assert data.medium.exhibit(splits.train.x[:2]).texts == (text[:10], text[1:11])
    assert data.medium.exhibit(splits.train.x[-1:]).texts == (text[351:360],)
    assert (splits.train.x.shape, splits.train.counted.all()) == ((352, 10), True)
    assert splits.train.x.base is not None  # views
    letters = data.alphabet or "".join(map(chr, range(256)))
    assert [documents(split, data, letters) for split in splits[1:]] == [[text[360:380]], [text[380:]]]


def test_text_files_across_is_one_stream_with_ends_between(tmp_path):
    data = TextFiles(write(tmp_path, a_jsonl=rows(["ab", "c"] * 40)), length=4, across=True).examined().data
    train = data.load().train
    assert (train.counted, train.x.shape[1]) == (None, 4)
    seen = {tuple(row) for row in train.x.tolist()}
    assert len(seen) > 3
    assert any(3 in row[:-1] for row in seen)


@pytest.mark.parametrize(("symbols", "test"), [("characters", 0.1), ("characters", 0.0), ("bytes", 0.1)])
def test_text_files_without_ends_are_one_stream_cut_at_the_same_characters_as_its_texts(tmp_path, symbols, test):
    text = "naïve — café 😀\n" * 40
    path = write(tmp_path, a_txt=b"\xef\xbb\xbf" * (symbols == "characters") + text.encode())
    fields = {"length": 1, "ends": False, "valid": 0.15, "test": test}
    data = TextFiles(path, symbols, **fields).examined().data
    parts, splits = data.texts(), check_splits(data.load(), data.values, "here")
    assert data.values.vocab == (256 if symbols == "bytes" else len(set(text)))
    assert b"".join(part.tobytes() for part in parts[: 2 + (test > 0)]) == text.encode()
    for part, split in zip(parts, splits, strict=True):
        row = split.x.T
        assert (part.dtype, split.counted) == (np.uint8, None)
        assert part.tobytes() == (row.tobytes() if symbols == "bytes" else data.medium.exhibit(row).texts[0].encode())
    assert (parts.test is parts.valid) == (test == 0)


def test_files_and_folders_named_train_valid_and_test_win(tmp_path):
    data, notes = TextFiles(write(tmp_path, train__a_txt="aab", train__b_md="ba", val_txt="ab", README_md="x")).examined()
    assert "1 of 4 files belong to none of train, valid and test, and are left out" in notes
    splits = data.load()
    assert [documents(split, data, "ab") for split in splits] == [["aab", "ba"], ["ab"], ["ab"]]
    assert splits.valid is splits.test
    assert (data.division, data.length, data.alphabet) == ("splits as named", 4, "ab")


def test_examined_reads_marks_line_ends_packed_and_empty_files_and_says_so(tmp_path):
    folder = write(
        tmp_path,
        a_txt=b"\xef\xbb\xbfa\r\nb\rc",
        b_txt_gz=gzip.compress(b"d\n"),
        c_md="",
        d_jsonl=b"\xef\xbb\xbf" + b'\n{"text": "\\ud800e"}\n{"text": ""}\n',
        e_png=b"\x89",
        _hidden_txt=b"\xff",
    )
    data, notes = TextFiles(folder, valid=0.4, test=0.0).examined()
    assert data.alphabet == "\n?abcde"
    assert "2 empty documents are left out" in notes
    assert "lines end in \\r\\n or \\r in 1 of 3 documents, and are read as ending in \\n" in notes
    assert f"files of {folder} that do not end as text are left out: 1 of .png" in notes
    assert "windows are 6 symbols long, as the longest of 3 documents with its end" in notes
    as_bytes = TextFiles(f"{folder}/*.txt", symbols="bytes", valid=0.4, test=0.0)
    assert as_bytes.load().train.x[0, :4].tolist() == [0xEF, 0xBB, 0xBF, 97]


def test_alphabet_has_what_only_held_out_parts_have(tmp_path):
    data, notes = TextFiles(write(tmp_path, a_txt="ab" * 99 + "é"), length=4).examined()
    assert data.alphabet == "abé"
    assert notes == ("1 of 3 characters are in held-out splits alone: 'é'",)
    assert data.model(MADE(hidden=(4,)), head=None, order=Raster(), classes=None).head.vocab == 4


def test_bpe_tokens_of_documents_end_with_a_token_that_counts_no_bytes(tmp_path):
    texts = [f"{word} and the {word}" for _ in range(30) for word in WORDS]
    data = TextFiles(write(tmp_path, a_jsonl=rows(texts)), symbols="bpe", vocab=290, length=6).examined().data
    bpe = BPE(data.subwords)
    learned = bpe.fit(data)
    tokenized = bpe.over(data, learned)
    end, splits, found = bpe.end(learned), tokenized.load(), []
    assert end == 289  # the last, as in GPT-2
    for split in splits:
        tokens = split.x[split.counted]
        found += [
            bpe.decode(learned, some[some != end]).tobytes().decode()
            for some in np.split(tokens, np.flatnonzero(tokens == end) + 1)
        ]
        size = tokenized.medium.original_bytes(tokens[:, None]).sum()
        assert size == sum(len(text.encode()) for text in found[-(tokens == end).sum() - 1 :])
    assert sorted(filter(None, found)) == sorted(texts)
    x = np.array([[*bpe.encode(learned, np.frombuffer(b"ten", np.uint8)), end, 5]])
    assert tokenized.medium.exhibit(x).texts == ("ten",)


@pytest.mark.parametrize(
    ("files", "fields", "says"),
    [
        ({"a_png": b"x", "b_csv": b"x"}, {}, ".arrow, .parquet): its files are 1 of .png, 1 of .csv; name what"),
        ({}, {"path": "no*such"}, "no file is named as no*such, neither here nor in"),
        ({}, {"path": None}, "name the file or folder of text by --data.path"),
        ({}, {"path": "a" * 5000}, "there is no file or folder of text aaa"),
        ({"a_jsonl": rows(["a"])}, {"field": "body"}, "line 1 has no text named 'body': it has the fields 'text', 'answer'; "),
        ({"a_jsonl": "[1]\n"}, {}, "a.jsonl line 1 has no text named 'text': it is no object; choose one by --data.field"),
        ({"a_jsonl": "{\n"}, {}, "a.jsonl line 1 is no JSON: '{'; mend it"),
        ({"a_txt": b"ab\xff"}, {}, "a.txt is not UTF-8: byte 2 is 0xff; convert it, or model its bytes by --data.symbols bytes"),
        ({"a_txt": "a\uffff"}, {}, "a.txt has U+FFFF, which is no character"),
        ({"a_txt": b""}, {}, "holds empty documents alone; give a file that holds something"),
        ({"a_txt_gz": b"ab"}, {}, "a.txt.gz cannot be read (BadGzipFile"),
        ({"a_txt": "abcdefgh" * 9}, {"alphabet": "abc"}, "'d', 'e', 'f', 'g', 'h', first at character 3, which the alphabet"),
        ({"a_jsonl": '{"text": 3}'}, {}, "a.jsonl line 1 has 3 as 'text', no text; correct it, or choose another --data.field"),
        ({"a_txt": "ab"}, {}, "its validation split is empty; give more text, or hold out"),
        ({"a_txt": "ab"}, {"held_out": "named"}, "has no files or folder named train; leave out --data.held-out named"),
        ({}, {"vocab": 300}, "vocab and tokenizer are of byte-pair tokens, not of characters; set --data.symbols bpe"),
        ({}, {"symbols": "bytes", "alphabet": "a"}, "an alphabet is of characters, not of bytes; leave it out"),
        ({}, {"alphabet": "aa"}, "must name at least one character, each once"),
        ({}, {"alphabet": "a\udcff"}, "names half of a character"),
        ({}, {"seed": -1}, "seed=-1 must not be negative"),
        ({}, {"length": 0}, "length=0 must be at least one symbol"),
        ({}, {"valid": 0.0}, "valid=0.0 and test=0.05 are the fractions held out"),
        ({"a_txt": b"\xff\xfea\0"}, {}, "is in UTF-16 or UTF-32"),
    ],
)  # fmt: skip
def test_text_files_refuse_in_one_line_what_they_cannot_read(tmp_path, files, fields, says):
    folder = write(tmp_path, **files)
    assert says in fault(lambda: TextFiles(**{"path": folder} | fields).load())
