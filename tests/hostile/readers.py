"""Every reader of bytes from outside, as one table: a valid file, and how it is read.

The tests damage the valid file, and a fuzzer starts from it. A reader gives something back or refuses in one line (`outcome`):
never another exception, and none that was raised by a library, which the commands would show with a traceback.
"""

import dataclasses
import functools
import gzip
import hashlib
import io
import json
import signal
import struct
import tempfile
import traceback
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import soundfile
from huggingface_folders import GPT2, tensors_of, write_folder
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

import arjax
from arjax.coding import stream
from arjax.coding.stream import Header
from arjax.commands.flags import npz
from arjax.data import Digits, Levels, Npz, TableFile, TextFiles, WikipediaSample, audio, density, sources
from arjax.data.archive import parse_array
from arjax.data.characters import LETTERS
from arjax.data.contents import Packed
from arjax.data.image_files import check_same, parse_image, parse_square
from arjax.data.images import parse_idx
from arjax.data.media import Images, Text
from arjax.data.sound_files import read_sound
from arjax.description import describe
from arjax.files import sha256_of_all
from arjax.heads import Bernoulli
from arjax.interop import load_huggingface
from arjax.models import MADE
from arjax.orders import AnyOrder, Reversed, Spiral
from arjax.protocol import CondSpec, Model
from arjax.runs.directory import read_run, read_tokenizer
from arjax.runs.metrics import read_metrics
from arjax.tokenizers import BPE, Palette
from arjax.tokenizers.byte_level import read_vocabulary
from arjax.training import Experiment

PACKAGE = Path(arjax.__file__).parent
SECONDS = 20  # a damaged file of a few kilobytes takes milliseconds; the machine may be busy


@dataclasses.dataclass(frozen=True)
class Reader:
    """valid: the bytes of a file that is read without complaint. read: (bytes, empty folder to put them in) -> what it holds."""

    valid: bytes
    read: Callable[[bytes, Path], object]


class Hang(BaseException):
    """No exception that a reader could catch."""


def outcome(reader: Reader, content: bytes, folder: Path) -> str | None:
    """The line with which the reader refuses, None if it takes the content. AssertionError, or whatever was raised, where it does
    neither; Hang after SECONDS."""
    previous = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what NumPy says of old headers
            reader.read(content, folder)
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        if not Path(frames[-1].filename).is_relative_to(PACKAGE):
            raise
        line = str(error)
        assert line.isprintable(), f"no line: {line!r}"
        assert 0 < len(line) < 2000, f"no short line: {line!r}"
        return line
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return None


def _hang(*_):
    raise Hang(f"no answer in {SECONDS} seconds")


def as_file(name: str, read: Callable[[Path], object]):
    """A reader of the file `name`."""

    def of_content(content, folder):
        (folder / name).write_bytes(content)
        return read(folder / name)

    return of_content


X = np.arange(24, dtype=np.uint8).reshape(3, 2, 4) % 2
IDX = b"\0\0\x08\x03" + struct.pack(">3I", *X.shape) + X.tobytes()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


CSV = b'size,colour,"a ""note"""\n' + b"".join(b"%d.5,%s,\n%d,NA,yes\n" % (i, b"red", i * i) for i in range(9))


def _arrow() -> bytes:
    import pyarrow

    table, file = pyarrow.table({"column": [f"text {i}" for i in range(12)]}), io.BytesIO()
    with pyarrow.ipc.new_stream(file, table.schema) as opened:
        opened.write_table(table)
    return file.getvalue()


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet as parquet

    file = io.BytesIO()
    columns = {"size": [i / 4 for i in range(18)], "colour": ["red", None, "blue"] * 6, "there": [True, False] * 9}
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _read_table(path):
    return TableFile(str(path), valid=0.2, test=0.2).examined().data.load()


def zipped(members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    """An archive whose checksums are right, whatever its members hold."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _read_npz(content, folder):
    return as_file("mine.npz", lambda path: Npz(str(path), Levels(2)).load())(content, folder)


def _read_member(*names):
    valid = {"train.npy": npy(X), "valid.npy": npy(X), "test.npy": npy(X)}
    return lambda content, folder: _read_npz(zipped(valid | dict.fromkeys(names, content)), folder)


def npy_with_header(text: bytes) -> bytes:
    """An .npy of this header over 24 bytes, so that it is no wrong length that stops it."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) & 65535) + text[:65535] + bytes(24)


def image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.eye(3, 4, dtype=np.uint8) * 255).save(file, kind)
    return file.getvalue()


# What a medium asks of a model.
OF_IMAGES = types.SimpleNamespace(site_shape=(3, 4), num_sites=12, head=types.SimpleNamespace(event_shape=(), vocab=256))


def _read_image(name):
    """As it shows, and packed as what comes back."""

    def read(content, folder):
        parse_image(content, (3, 4), name, background=0, colour=True)
        check_same(name, content, Images(256).unpack(name, Images(256).pack(name, content, OF_IMAGES), OF_IMAGES))

    return read


def _read_square(content, folder):
    return parse_square(content, 2, "it")


def _read_rest(content, folder):
    """What the alphabet lacks of a text of five characters."""
    return Text("ab").unpack("x", Packed(np.zeros((1, 5), int), [5], {"rest": content}), None)


def flac() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.arange(64, dtype=np.int16), 8000, format="FLAC")
    return file.getvalue()


def wav(samples: bytes, tag: int, bits: int, before: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", tag, 1, 8000, 8000 * bits // 8, bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + before + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _text(read):
    return as_file("mine.txt", lambda path: read(str(path)).load())


LEARNED = {"colours": np.array([[0.0], [100.0], [255.0]], np.float32)}


def _read_documents(path, **fields):
    return TextFiles(str(path), valid=0.3, test=0.3, **fields).load()


def _read_learned(content, folder):
    """With the sha256 of what is there, so that it is no wrong sum that stops it."""
    (folder / "tokenizer.safetensors").write_bytes(content)
    try:
        sha256 = sha256_of_all(safetensors.numpy.load(content))
    except Exception:
        sha256 = "none"
    (folder / "run.json").write_text(json.dumps({"experiment": {}, "data": {}, "tokenizer": sha256}))
    return read_tokenizer(folder, types.SimpleNamespace(tokenizer=Palette(3)))


@functools.cache
def _folder_of(file: str) -> dict[str, bytes]:
    """A tiny GPT-2 in the files of a folder, its tensors in this one."""
    with tempfile.TemporaryDirectory() as folder:
        config = GPT2 | {"n_layer": 1}
        write_folder(Path(folder), config, tensors_of(config), file=file)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


SHARD = "model-00001-of-00001.safetensors"


def _of_folder(name: str, file: str = "model.safetensors"):
    def read(content, folder):
        for other, there in (_folder_of(file) | {name: content}).items():
            (folder / other).write_bytes(there)
        return load_huggingface(folder)

    return read


def _header() -> tuple[bytes, bytes]:
    """(the header of the valid safetensors file, the bytes behind it)."""
    whole = _folder_of("model.safetensors")["model.safetensors"]
    end = 8 + struct.unpack("<Q", whole[:8])[0]
    return whole[8:end], whole[end:]


def _with_header(content, folder):
    """A safetensors file of this header over the bytes of the valid one."""
    return _of_folder("model.safetensors")(struct.pack("<Q", len(content)) + content + _header()[1], folder)


def _index() -> bytes:
    held = safetensors.numpy.load(_folder_of(SHARD)[SHARD])
    return json.dumps({"weight_map": dict.fromkeys(held, SHARD)}).encode()


def _tokenizer_json() -> bytes:
    vocab = {letter: byte for byte, letter in enumerate(LETTERS)} | {"th": 256, "the": 257}
    library = Tokenizer(models.BPE(vocab=vocab, merges=[("t", "h"), ("th", "e")]))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.add_special_tokens(["<|endoftext|>"])
    return library.to_str().encode()


def _read_tokenizer(content, folder):
    (folder / "tokenizer.json").write_bytes(content)
    read_vocabulary.cache_clear()
    bpe = BPE(259, str(folder / "tokenizer.json"))
    learned = bpe.fit(WikipediaSample())
    text = np.frombuffer(b"the thing\n\xff<|endoftext|>" + bytes(range(256)), np.uint8)
    np.testing.assert_array_equal(bpe.decode(learned, bpe.encode(learned, text)), text)
    return learned


HEADER = Header(b"modl", b"params", b"plat", "cpu 0.10.2", 7, (6, 2, 2), 6, ((5, 4), (1, 1)), b"note")
STREAM = stream.write(HEADER, np.arange(5, dtype=np.uint32))


def _read_resealed(content, folder):
    """The stream of this content, with its checksum, so that it is no wrong sum that stops it."""
    return stream.read(content + hashlib.sha256(content).digest()[: stream.CHECKSUM])


EXPERIMENT = Experiment(
    data=Digits(),
    model=Model(MADE(hidden=(5, 6)), Bernoulli(), (8, 8), AnyOrder(Reversed(Spiral())), CondSpec(classes=10)),
    steps=10,
    eval_every=5,
)
RUN = json.dumps({"experiment": describe(EXPERIMENT), "data": {}, "written_by": {}}, indent=1).encode()
METRICS = b"".join(
    json.dumps({"step": step, "split": "valid", "seconds": 1.5 * step, "nats": 2.0}).encode() + b"\n" for step in (1, 2, 3)
)
TEXT = "Ein Löwe, two lions.\n".encode() * 8

KINDS = {"png": "PNG", "bmp": "BMP", "pgm": "PPM", "tif": "TIFF"}
_read_sound = functools.partial(read_sound, sample_rate=8000)
READERS = {
    "idx": Reader(IDX, lambda content, folder: parse_idx(content, "the file", 3)),
    "gzip": Reader(
        gzip.compress(IDX, mtime=0), as_file("mine.gz", lambda path: sources.read(sources.Source(path.name, None), path.parent))
    ),
    "npz": Reader(npz(train=X, valid=X, test=X, train_label=[0, 1, 2], valid_label=[0, 1, 2], test_label=[0, 1, 2]), _read_npz),
    "npz member": Reader(npy(X), _read_member("train.npy")),
    "npy": Reader(npy(X), lambda content, folder: parse_array(content, "the file")),
    "npy header": Reader(npy(X)[10:128], lambda content, folder: parse_array(npy_with_header(content), "the file")),
    "npz lengths": Reader(npy(np.array([1, 2, 2])), _read_member("train_length.npy", "valid_length.npy", "test_length.npy")),
    "fsdd": Reader(
        npz(audio=np.zeros(9, np.int16), offsets=np.arange(4), digit=[1, 2, 3], speaker=[0, 1, 2], take=[0, 9, 20]),
        as_file("fsdd.npz", lambda path: audio._fsdd(path.parent)),
    ),
    "wav": Reader(wav(bytes(range(64)), 1, 16), as_file("mine.wav", _read_sound)),
    "flac": Reader(flac(), as_file("mine.flac", _read_sound)),
    "wav of real numbers": Reader(wav(np.linspace(-1, 1, 9).astype("<f4").tobytes(), 3, 32), as_file("mine.wav", _read_sound)),
    "square.jpg": Reader(image("JPEG"), _read_square),
    "square.png": Reader(image("PNG"), _read_square),
    **{name: Reader(image(kind), _read_image(f"x.{name}")) for name, kind in KINDS.items()},
    "density": Reader(b"0,1,1\n1,0,0\n", lambda content, folder: density.parse_text(content, "the file", (2, 3))),
    "csv": Reader(CSV, as_file("mine.csv", _read_table)),
    "arrow": Reader(_arrow(), as_file("mine.arrow", functools.partial(_read_documents, field="column"))),
    "jsonl": Reader(b"\n" + '{"text": "Ein Löwe"}\n'.encode() * 8, as_file("mine.jsonl", _read_documents)),
    "parquet": Reader(_parquet(), as_file("mine.parquet", _read_table)),
    "characters": Reader(TEXT, _text(lambda path: TextFiles(path, length=4, valid=0.2, test=0.2))),
    "rest": Reader(Text("ab").pack("x", "abüba".encode(), OF_IMAGES).note["rest"], _read_rest),
    "bytes": Reader(TEXT, _text(lambda path: TextFiles(path, "bytes", length=4, valid=0.2, test=0.2))),
    "learned": Reader(safetensors.numpy.save(LEARNED), _read_learned),
    "config.json": Reader(json.dumps(GPT2 | {"n_layer": 1}).encode(), _of_folder("config.json")),
    "safetensors": Reader(_folder_of("model.safetensors")["model.safetensors"], _of_folder("model.safetensors")),
    "safetensors header": Reader(_header()[0], _with_header),
    "safetensors index": Reader(_index(), _of_folder("model.safetensors.index.json", SHARD)),
    "tokenizer.json": Reader(_tokenizer_json(), _read_tokenizer),
    "stream": Reader(STREAM, lambda content, folder: stream.read(content)),
    "stream of the right checksum": Reader(STREAM[: -stream.CHECKSUM], _read_resealed),
    "run.json": Reader(RUN, as_file("run.json", lambda path: read_run(path.parent))),
    "metrics.jsonl": Reader(METRICS, as_file("metrics.jsonl", read_metrics)),
}
