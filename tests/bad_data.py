"""Wrong data files and arrays: a row a rule. The others that a rule refuses are in tests/data, where they cost no command."""

from pathlib import Path

import numpy as np
from bad_input import Bad, config, cut, file, gone, npz
from PIL import Image

TINY = 'Npz("tiny.npz", Levels(2)), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4, 4))'
MNIST = config(TINY, "MNIST(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (28, 28))")
SPOKEN = config(TINY, "SpokenDigits(8, 2), model=arjax.Model(MADE(hidden=(4,)), Categorical(256), (8,))")


def whole(name, array):
    return {f"{split}{name}": array for split in ("train", "valid", "test")}


def mnist():
    MNIST()
    Path("mnist-train-images-idx3-ubyte").write_bytes(b"\0")


BAD_ARRAYS = tuple(
    Bad("train.py tiny.py", says, spoil)
    for says, spoil in (
        ("there is no file tiny.npz", gone("tiny.npz")),
        ("is not a readable .npz", cut("tiny.npz", -100)),
        ("valid.npy holds Python objects", npz(valid=np.array([{}, {}]))),
        ("valid.npy holds complex128, not booleans, whole or real numbers", npz(valid=np.zeros((8, 4, 4), complex))),
        ("has no array valid (it has train, train_label", npz(valid=None)),
        (
            "train.npy holds [('a', '<i4')], not booleans, whole or",
            npz(train=np.zeros((16, 4, 4), [("a", np.int32)])),
        ),
        (
            "has examples of shape (5, 5), but the model's are (4, 4); set --model.site-shape",
            npz(**whole("", np.zeros((8, 5, 5))), **whole("_label", None)),
        ),
        ("test has the value 18446744073709551615 at", npz(test=np.full((8, 4, 4), 2**64 - 1, np.uint64))),
        ("test has the value inf at", npz(test=np.full((8, 4, 4), np.inf, np.float16))),
        ("valid has no labels but another split has", npz(valid_label=None)),
        ("train_length[0] is 0, not in 1..4", npz(train_length=np.zeros(16, int))),
    )
)


def lone():
    """A class of one recording."""
    for name in ("a/0.wav", "a/1.wav", "a/2.wav", "b/3.wav"):
        file(f"lone/{name}", Path("sounds/0.wav").read_bytes())()


def one_dog():
    for name in ("cats/1", "cats/2", "cats/3", "dogs/1"):
        Path("pets", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(f"pets/{name}.png")


def own(name, content=None, reader="TextFiles"):
    """A config over a file of one's own."""

    def write():
        config(TINY, f"{reader}({name!r}, length=4), model=ModelFor(RNN(width=4))")()
        if content is not None:
            file(name, content)()

    return write


BAD_FILES = (
    Bad("train.py my_images", "no folder of images is named; give one by --data.path FOLDER"),
    Bad("train.py my_images --data.path sounds", " of .wav; give a folder that has some"),
    Bad("train.py my_images --data.path pets", "has 1 example of class 'dogs', and each of train, valid and test", one_dog),
    Bad(
        "train.py bad.py",
        "sounds has no text (.txt, .md, .jsonl, .arrow, .parquet): its files are 5 of .wav; name",
        own("sounds"),
    ),
    Bad(
        "train.py bad.py",
        "rows.jsonl line 1 has no text named 'text': it has the fields 'a'; choose",
        own("rows.jsonl", '{"a": 1}'),
    ),
    Bad(
        "train.py bad.py",
        "mine.txt is not UTF-8: byte 2 is 0xff; convert it, or model its bytes",
        own("mine.txt", b"he\xff" * 90),
    ),
    Bad("train.py bad.py --data.alphabet eh", "has 'l', first at character 2, which the alphabet", own("a.txt", "hel" * 90)),
    Bad("train.py bad.py --data.vocab 3", "has the value 5 at [0, 0], but 3 levels", own("x.bin", b"\5\0" * 99, "TokenFile")),
    Bad("train.py my_tokens --data.path text.txt", "text.txt is text, no tokens; give a file .bin of these, or train my_text"),
    Bad("train.py text.py", "there is no file or folder of text text.txt", gone("text.txt")),
    Bad("train.py text.py --data.length 9", "has examples of shape (9,), but the model's are (8,)"),
    Bad("train.py sound.py", "there is no folder sounds", gone("sounds")),
    Bad(
        "train.py sound.py",
        "sounds has 2 examples, and each of train, valid",
        lambda: [Path(f"sounds/{i}.wav").unlink() for i in (0, 1, 2)],
    ),
    Bad("train.py sound.py --data.path ''", "no folder of recordings is named; give one by --data.path FOLDER"),
    Bad("train.py sound.py --data.path run", "run has no recordings (.wav, .flac, .ogg, .mp3): its files are"),
    Bad("train.py sound.py --data.sample-rate 16000 --data.no-resample", ".wav has 8000 samples a second, not sample_rate=16000"),
    Bad("train.py sound.py --data.path lone", "lone has 1 example of class 'b', and each of train, valid", lone),
    Bad("train.py bad.py", "mnist-train-images-idx3-ubyte has the wrong checksum", mnist),
    Bad("train.py bad.py", "fsdd.npz is not in", SPOKEN),
    Bad(
        "train.py bad.py",
        "Dynamic(highest=0) must be positive",
        config('Npz("tiny.npz", Levels(2))', 'Npz("tiny.npz", Dynamic(0))'),
    ),
)
BAD_DATA = (*BAD_ARRAYS, *BAD_FILES)
