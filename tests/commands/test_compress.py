"""`compress` and `decompress`: files go in and come out, or the line that says why not."""

import msgpack
import numpy as np
import pytest
from PIL import Image
from trained import failure

from arjax.__main__ import main
from arjax.coding.codec import Decompressed
from arjax.commands.compress import packed_files, unpacked
from arjax.data.media import Images
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model


@pytest.fixture
def here(runs, tmp_path, monkeypatch):
    """`runs`, from an empty folder."""
    monkeypatch.chdir(tmp_path)
    return runs


def round_trip(run, *names):
    """The files of the current folder with these names, compressed and decompressed into `out`."""
    main(["compress", str(run), *names, "-o", "x.arj"])
    main(["decompress", str(run), "x.arj", "-o", "out"])


def test_compress_gives_images_and_arrays_back_in_their_kind(here, tmp_path, capsys):
    bits = np.random.default_rng(1).integers(0, 2, (9, 8, 8))
    Image.fromarray(bits[0].astype(bool)).save("one.png")
    Image.fromarray(bits[0].astype(np.uint8) * 255).save("gray.bmp")
    for name, dtype in (("many.npy", "uint8"), ("bool.npy", "bool"), ("swapped.npy", ">i4")):
        np.save(name, bits.astype(dtype))
    np.save("single.npy", bits[0])
    np.save("none.npy", bits[:0])
    np.save("columns.npy", np.asfortranarray(bits))
    (tmp_path / "empty.wav").write_bytes(b"")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    round_trip(here("digits"), *names)
    for name in names:
        found, original = tmp_path / "out" / name, tmp_path / name
        if name.endswith(".npy"):
            assert found.read_bytes() == original.read_bytes()
        elif name != "empty.wav":
            with Image.open(found) as again, Image.open(original) as before:
                assert again.mode == before.mode
                np.testing.assert_array_equal(np.asarray(again), np.asarray(before))
    assert (tmp_path / "out" / "empty.wav").read_bytes() == b""
    assert "written to out: bool.npy, columns.npy" in capsys.readouterr().out


def test_compress_takes_colours_that_the_model_has_symbols_for(here):
    colours = np.random.default_rng(1).choice([0, 85, 170, 255], (4, 4, 3)).astype(np.uint8)
    Image.fromarray(colours).save("a.png")
    round_trip(here("rgb"), "a.png")
    with Image.open("out/a.png") as again:
        np.testing.assert_array_equal(np.asarray(again), colours)


def test_compress_refuses_a_file_that_would_not_come_back_and_writes_nothing(here, tmp_path, capsys):
    bits = np.random.default_rng(1).integers(0, 2, (8, 8)).astype(np.uint8)
    image = Image.fromarray(bits * 255)
    image.save("pages.tif", save_all=True, append_images=[image])
    image.save("seen.png", transparency=0)
    np.save("one.npy", bits)
    (tmp_path / "two.npy").write_bytes((tmp_path / "one.npy").read_bytes() * 2)
    (tmp_path / "a\x1b.npy").write_bytes((tmp_path / "one.npy").read_bytes())
    for name, says in {
        "pages.tif": "pages.tif has several pages or frames, which would be lost; save it without, or as .npy",
        "seen.png": "seen.png has a transparent colour, which would be lost",
        "two.npy": "two.npy cannot be read as an array",
        "a\x1b.npy": "a stream keeps no name with control characters; rename it",
    }.items():
        assert says in failure(capsys, "compress", here("digits"), "one.npy", name, "-o", "x.arj")
    assert not (tmp_path / "x.arj").exists()


@pytest.mark.parametrize("run", ["characters", "bytes", "tokens"])
def test_compress_gives_any_file_back_byte_for_byte_by_a_run_of_text(here, tmp_path, run):
    files = {
        "plain.txt": b"hello\nworld",
        "foreign.txt": "Übergröße, \N{GRINNING FACE}\r\nhello".encode(),
        "no text": bytes(range(256)) + b"\xff\xed\xa0\x80",
        "marked.txt": b"\xef\xbb\xbfhello",
        "a.png": b"\x89PNG",
        "empty": b"",
        "one": b"h",
        "whole": b"hello wo" * 4,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    round_trip(here(run), *files)
    for name, content in files.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_decompress_refuses_another_run_and_a_damaged_stream(here, tmp_path, capsys):
    np.save("a.npy", np.zeros((2, 8, 8), int))
    main(["compress", str(here("digits")), "a.npy", "-o", "x.arj"])
    stream = (tmp_path / "x.arj").read_bytes()
    (tmp_path / "cut.arj").write_bytes(stream[:-1])
    (tmp_path / "flipped.arj").write_bytes(stream[:30] + bytes([stream[30] ^ 1]) + stream[31:])
    for argv, says in (
        (("digits", "cut.arj"), "cut.arj: the stream of"),
        (("digits", "flipped.arj"), "its checksum is wrong; restore it"),
        (("bytes", "x.arj"), "x.arj: the stream was written with another model or in another order; give the run"),
        (("digits", "x.arj"), "--out a.npy is there already; choose another path, or replace it by --overwrite"),
        (("digits", "x.arj", "--raw", "-o", "out"), "x.arj: the stream was written with other parameters"),
    ):
        assert says in failure(capsys, "decompress", here(argv[0]), *argv[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "cut.arj", "flipped.arj", "x.arj"]


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xc1",
        msgpack.packb(3),
        msgpack.packb([["a.npy", 1, {}]]),
        msgpack.packb([["a.npy", 3, {}], ["b.npy", -1, {}]]),
        msgpack.packb([["../a.npy", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["/a.npy", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["..", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["b/../a.npy", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["a.npy", 1, {"dtype": "<i4", "one": False}]] * 2),
        msgpack.packb([["a.npy", 2, {}]]),
        msgpack.packb([["a.npy", 2, {"dtype": "O", "one": False}]]),
        msgpack.packb([["a.npy", 2, {"dtype": "no dtype", "one": False}]]),
        msgpack.packb([["a.png", 2, {"mode": "P"}]]),
        msgpack.packb([["a.png", 2, {"mode": "RGB"}]]),
        msgpack.packb([["a.exe", 2, {"mode": "L"}]]),
    ],
)
def test_decompress_refuses_a_note_that_no_compress_wrote_and_no_name_leaves_its_folder(note):
    model = Model(MADE(), Bernoulli(), (3, 4))
    found = Decompressed(np.zeros((2, 3, 4), np.int32), None, (), note)
    with pytest.raises(ValueError, match=r"\A[^\n]+; [^\n]+\Z"):
        [unpacked(Images(2), name, packed, model) for name, packed in packed_files(model, found)]
