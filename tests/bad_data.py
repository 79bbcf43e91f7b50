"""Wrong data files and arrays: a row a rule. The others that a rule refuses are in tests/data, where they cost no command."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import soundfile
from bad_input import Bad, config, cut, file, folder_instead, gone, npz

TINY = 'Npz("tiny.npz", Levels(2)), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4, 4))'
MNIST = config(TINY, "MNIST(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (28, 28))")
SPOKEN = config(TINY, "SpokenDigits(8, 2), model=arjax.Model(MADE(hidden=(4,)), Categorical(256), (8,))")


def whole(name, array):
    return {f"{split}{name}": array for split in ("train", "valid", "test")}


def mnist(name="mnist-train-images-idx3-ubyte.gz", content=b""):
    def write():
        MNIST()
        Path(name).write_bytes(content)

    return write


def data(expression):
    return config('Npz("tiny.npz", Levels(2))', expression)


def wav(samples, rate=8000, subtype="PCM_16", name="sounds/2.wav"):
    return lambda: soundfile.write(name, samples, rate, subtype, format="WAV")


def lying():
    """An array whose header promises more than there is."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (10**15, 4, 4)})
    with zipfile.ZipFile("tiny.npz", "w") as pack:
        pack.writestr("train.npy", head.getvalue() + b"few")


BAD_ARRAYS = tuple(
    Bad("train.py tiny.py", says, spoil)
    for says, spoil in (
        ("there is no file tiny.npz", gone("tiny.npz")),
        ("is not a readable .npz", file("tiny.npz", "no zip")),
        ("is not a readable .npz", cut("tiny.npz", -100)),
        ("is not a readable .npz", lying),
        ("valid.npy holds Python objects", npz(valid=np.array([{}, {}]))),
        ("has no array valid (it has train, train_label", npz(valid=None)),
        ("train has dtype [('a', '<i4')], not numbers", npz(train=np.zeros((16, 4, 4), [("a", np.int32)]))),
        ("test has shape (0, 4, 4); it must be [N, *site_shape] with at least one example", npz(test=np.zeros((0, 4, 4)))),
        ("an example has shape (4, 5) in valid but (4, 4) in train", npz(valid=np.zeros((8, 4, 5)))),
        (
            "has examples of shape (5, 5), but the model's are (4, 4); set --model.site-shape",
            npz(**whole("", np.zeros((8, 5, 5))), **whole("_label", None)),
        ),
        ("test has the value 18446744073709551615 at", npz(test=np.full((8, 4, 4), 2**64 - 1, np.uint64))),
        ("test has the value inf at", npz(test=np.full((8, 4, 4), np.inf, np.float16))),
        ("valid has no labels but another split has", npz(valid_label=None)),
        ("the labels of test are int64 of shape (8, 1)", npz(test_label=np.zeros((8, 1), int))),
        ("label 3 of test is -1; number the classes from 0", npz(test_label=np.array([0, 0, 0, -1, 0, 0, 0, 0]))),
        ("train_length[0] is 0, not in 1..4", npz(train_length=np.zeros(16, int))),
        ("what counts of train is int64", npz(**whole("_counted", np.ones((16, 4, 4), int)))),
        ("the local features of train are int64", npz(**whole("_local", np.ones((16, 4, 4, 2), int)))),
        ("the memory features of train are float64 of shape (16, 2)", npz(**whole("_memory", np.ones((16, 2))))),
    )
)

BAD_FILES = (
    Bad("train.py text.py", "there is no file text.txt", gone("text.txt")),
    Bad("train.py text.py", "text.txt is not UTF-8: byte 2 is 0xff; convert it", file("text.txt", b"he\xff" * 90)),
    Bad("train.py text.py", "has '!', 'x', first at character 0, which the alphabet of 9 lacks", file("text.txt", "x!" * 300)),
    Bad("train.py text.py", "its validation part has 2 characters, less than one window", file("text.txt", "hello" * 9)),
    Bad("train.py text.py", "text.txt is no file; give one", folder_instead("text.txt")),
    Bad("train.py text.py --data.length 9", "has examples of shape (9,), but the model's are (8,)"),
    Bad("train.py sound.py", "there is no folder sounds", gone("sounds")),
    Bad("train.py sound.py", "has 2 .wav files, too few", lambda: [Path(f"sounds/{i}.wav").unlink() for i in (0, 1, 2)]),
    Bad("train.py sound.py", "has 16000 samples a second, not sample_rate=8000; resample it", wav(np.zeros(20), 16000)),
    Bad("train.py sound.py", "samples that are not finite", wav(np.full(20, np.nan), subtype="DOUBLE")),
    Bad("train.py sound.py", "is truncated: its header promises 40 bytes of samples, 30 are there", cut("sounds/2.wav", -10)),
    Bad("train.py bad.py", "cannot become sound again", data('WavFolder("sounds", 8000, values=Levels(2))')),
    Bad("train.py bad.py", "mnist-train-images-idx3-ubyte has the wrong checksum", mnist("mnist-train-images-idx3-ubyte", b"\0")),
    Bad("train.py bad.py", "mnist-train-images-idx3-ubyte.gz cannot be read", mnist(content=gzip.compress(bytes(999))[:-9])),
    Bad("train.py bad.py", "fsdd.npz is not in", SPOKEN),
    Bad("train.py bad.py", "label='word' is none of digit, speaker, both", data("SpokenDigits(label='word')")),
    Bad("train.py bad.py", "patches of 3 do not divide an upper half", data('LowerHalf(Npz("tiny.npz", Levels(2)), 3)')),
    Bad("train.py bad.py", "Dynamic(highest=0) must be positive", data('Npz("tiny.npz", Dynamic(0))')),
)
BAD_DATA = (*BAD_ARRAYS, *BAD_FILES)
