"""`compress` and `decompress`: files go in and come out, or the line that says why not."""

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from trained import failure, write_run_of_random_parameters

from arjax.__main__ import main
from arjax.coding.codec import Decompressed
from arjax.commands.compress import _packed, _unpacked
from arjax.data import Bytes, Characters, Levels, Npz
from arjax.data.characters import pack_text, unpack_text
from arjax.data.media import Images
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, RNN
from arjax.protocol import Model
from arjax.tokenizers import BPE

ALPHABET = "\n abcdefghij"
TEXT = "abc dab\njade\n" * 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of random parameters: of bits, of RGB in 5 levels, of characters, of bytes and of byte-pair tokens."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    for name, levels, head, shape in (("bits", 2, Bernoulli(), (3, 4)), ("rgb", 5, Categorical(5), (2, 3, 3))):
        parts = {part: rng.integers(0, levels, (4, *shape)).astype(np.uint8) for part in ("train", "valid", "test")}
        np.savez(folder / f"{name}.npz", **parts)
        data = Npz(str(folder / f"{name}.npz"), Levels(levels))
        write_run_of_random_parameters(folder / name, data, Model(MADE(hidden=(16,)), head, shape))
    (folder / "text.txt").write_text(TEXT)
    path = str(folder / "text.txt")
    characters = Characters(path, ALPHABET, length=8)
    write_run_of_random_parameters(folder / "characters", characters, Model(RNN(width=8), Categorical(len(ALPHABET)), (8,)))
    write_run_of_random_parameters(folder / "bytes", Bytes(path, length=8), Model(RNN(width=8), Categorical(256), (8,)))
    model = Model(RNN(width=8), Categorical(260), (8,))
    write_run_of_random_parameters(folder / "tokens", Bytes(path, length=8), model, BPE(260))
    return folder


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """An empty folder, from which the runs are `../NAME`."""
    monkeypatch.chdir(tmp_path)
    return folder


def round_trip(run, *names):
    """The files of the current folder with these names, compressed and decompressed into `out`."""
    main(["compress", str(run), *names, "-o", "x.arj"])
    main(["decompress", str(run), "x.arj", "-o", "out"])


def test_images_come_back_pixel_for_pixel_in_their_kind(here, tmp_path, capsys):
    bits = np.random.default_rng(1).integers(0, 2, (3, 4)).astype(bool)
    Image.fromarray(bits).save("one.png")
    Image.fromarray(bits.astype(np.uint8) * 255).save("gray.bmp")
    round_trip(here / "bits", "one.png", "gray.bmp")
    for name, mode in (("one.png", "1"), ("gray.bmp", "L")):
        image = Image.open(tmp_path / "out" / name)
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image) > 0, bits)
    assert "2 files in out: one.png, gray.bmp" in capsys.readouterr().out


def test_colours_come_back_if_the_model_has_symbols_for_them(here, tmp_path):
    colours = np.random.default_rng(1).choice([0, 64, 128, 191, 255], (2, 3, 3)).astype(np.uint8)
    Image.fromarray(colours).save("a.png")
    round_trip(here / "rgb", "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open("out/a.png")), colours)


@pytest.mark.parametrize("dtype", ["uint8", "bool", ">i4"])
def test_arrays_come_back_with_their_dtype(here, dtype):
    x = np.random.default_rng(1).integers(0, 2, (9, 3, 4)).astype(dtype)
    np.save("many.npy", x)
    np.save("one.npy", x[0])
    np.save("none.npy", x[:0])
    round_trip(here / "bits", "many.npy", "one.npy", "none.npy")
    for name, array in (("many", x), ("one", x[0]), ("none", x[:0])):
        found = np.load(f"out/{name}.npy")
        np.testing.assert_array_equal(found, array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("run", ["bits", "rgb"])
def test_a_file_of_no_bytes_comes_back_whatever_its_name(here, tmp_path, run):
    for name in ("x.npy", "x.png", "x.wav", "x"):
        (tmp_path / name).write_bytes(b"")
    round_trip(here / run, "x.npy", "x.png", "x.wav", "x")
    assert all(path.stat().st_size == 0 for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("run", ["characters", "bytes", "tokens"])
def test_any_file_comes_back_byte_for_byte_from_a_run_of_text(here, tmp_path, run):
    files = {
        "plain.txt": b"abc dab\njade",
        "foreign.txt": "Übergröße, \N{GRINNING FACE}\r\nabc".encode(),
        "no text": bytes(range(256)) + b"\xff\xed\xa0\x80",
        "empty": b"",
        "one": b"a",
        "whole": b"abcdabcd" * 2,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    round_trip(here / run, *files)
    for name, content in files.items():
        assert (tmp_path / "out" / name).read_bytes() == content


@given(st.binary(max_size=60), st.sampled_from(["ab", " ü\U0001f600", ALPHABET]))
@settings(max_examples=200, deadline=None)
def test_text_is_packed_without_loss(content, alphabet):
    symbols, rest = pack_text(content, alphabet)
    assert unpack_text(symbols, rest, alphabet) == content
    assert ((symbols >= 0) & (symbols < len(alphabet))).all()
    assert (rest == b"") == all(character in alphabet for character in content.decode("utf-8", "surrogateescape"))


def test_what_compress_refuses(here, capsys):
    np.save("two.npy", np.full((1, 3, 4), 2))
    np.save("real.npy", np.zeros((1, 3, 4)))
    np.save("shape.npy", np.zeros((1, 4, 3), int))
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    Image.fromarray(np.full((3, 4), 37, np.uint8)).save("levels.png")
    Image.fromarray(np.zeros((4, 3), np.uint8)).save("size.png")
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save("colour.png")
    for name in ("cut.png", "none.png", "array.npy", "sound.wav"):
        (here / name).write_bytes(b"\x89PNG\r\n\x1a\nnothing" if name == "cut.png" else b"nothing")
    for name, says in (
        ("two.npy", "has the value 2 at [0, 0, 0], but the model has symbols 0..1 only; convert it"),
        ("real.npy", "holds float64, but symbols are integers 0..1; convert it"),
        ("shape.npy", "has shape (1, 4, 3), but the model's examples are (3, 4); give [N, 3, 4]"),
        ("objects.npy", "objects.npy cannot be read as an array"),
        ("levels.png", "has the value 37 at [0, 0], but the model has 2 levels 0, 255 only; convert it"),
        ("size.png", "size.png is L of 4x3 pixels, but the model's images are (3, 4); convert it"),
        ("colour.png", "colour.png is RGB of 3x4 pixels, but the model's images are (3, 4); convert it"),
        (here / "cut.png", "cut.png cannot be read as a picture"),
        (here / "none.png", "none.png cannot be read as a picture"),
        (here / "array.npy", "array.npy cannot be read as an array"),
        (here / "sound.wav", "files of the model's symbols end in one of .npy .png .bmp .pgm .ppm .tif; save it as such"),
        ("missing.npy", "missing.npy cannot be read"),
        (here, "cannot be read"),
    ):
        assert says in failure(capsys, "compress", here / "bits", name, "-o", "x.arj")
    (here / "two.npy").write_bytes(b"")
    says = failure(capsys, "compress", here / "bits", "two.npy", here / "two.npy", "-o", "x.arj")
    assert "2 of the files are called two.npy, and could not be told apart; rename all but one" in says


def test_what_decompress_refuses(here, tmp_path, capsys):
    np.save("a.npy", np.zeros((2, 3, 4), int))
    main(["compress", str(here / "bits"), "a.npy", "-o", "x.arj"])
    stream = (tmp_path / "x.arj").read_bytes()
    (tmp_path / "cut.arj").write_bytes(stream[:-1])
    (tmp_path / "flipped.arj").write_bytes(stream[:30] + bytes([stream[30] ^ 1]) + stream[31:])
    (tmp_path / "empty.arj").write_bytes(b"")
    for argv, says in (
        (("bits", "cut.arj"), "cut.arj: the stream of"),
        (("bits", "flipped.arj"), "its checksum is wrong; restore it"),
        (("bits", "empty.arj"), "empty.arj: this is no arjax stream"),
        (("bits", "a.npy"), "a.npy: this is no arjax stream: it begins with"),
        (("bytes", "x.arj"), "x.arj: the stream was written with another model or in another order; give the run"),
        (("bits", "missing.arj"), "there is no file missing.arj; give one that arjax compress wrote"),
        (("bits", "x.arj"), "a.npy is there already; choose another folder with --out"),
        (("bits", "x.arj", "-o", "a.npy"), "--out a.npy is no folder; choose another"),
        (("bits", "x.arj", "--raw", "-o", "out"), "x.arj: the stream was written with other parameters"),
    ):
        assert says in failure(capsys, "decompress", here / argv[0], *argv[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "cut.arj", "empty.arj", "flipped.arj", "x.arj"]


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xc1",
        msgpack.packb(3),
        msgpack.packb([]),
        msgpack.packb([["a.npy", 1, {}]]),
        msgpack.packb([["a.npy", 3, {}], ["b.npy", -1, {}]]),
        msgpack.packb([["../a.npy", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["/a.npy", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["..", 2, {"dtype": "<i4", "one": False}]]),
        msgpack.packb([["a.npy", 2, {}]]),
        msgpack.packb([["a.npy", 2, {"dtype": "O", "one": False}]]),
        msgpack.packb([["a.npy", 2, {"dtype": "no dtype", "one": False}]]),
        msgpack.packb([["a.png", 2, {"mode": "P"}]]),
        msgpack.packb([["a.png", 2, {"mode": "RGB"}]]),
        msgpack.packb([["a.exe", 2, {"mode": "L"}]]),
    ],
)
def test_a_note_that_no_compress_wrote_is_refused_and_no_name_leaves_its_folder(note):
    model = Model(MADE(), Bernoulli(), (3, 4))
    found = Decompressed(np.zeros((2, 3, 4), np.int32), None, (), note)
    with pytest.raises(ValueError, match=r"\A[^\n]+; [^\n]+\Z"):
        [_unpacked(Images(2), name, packed, model) for name, packed in _packed(model, found)]
