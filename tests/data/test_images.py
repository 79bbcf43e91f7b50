"""Named sets of images: on tiny files made here, and, where $ARJAX_DATA has them, the documented facts of the real ones."""

import struct

import numpy as np
import pytest
from faults import fault
from named_files import bernoulli_nats, put, real

from arjax.data import MNIST, BinarizedMNIST, Cifar10Subset, Digits, FashionMNIST, Levels, Threshold, images, text
from arjax.data.images import parse_idx
from arjax.data.splits import Splits

RNG = np.random.default_rng(0)
IDX = b"\0\0\x08\x02" + struct.pack(">2I", 2, 3) + bytes([1, 2, 3, 4, 5, 255])
MNIST_HISTOGRAM = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_HISTOGRAM = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx_file(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_parse_idx_reads_big_endian_axes_and_values_row_by_row():
    np.testing.assert_array_equal(parse_idx(IDX, "some-file", 2), [[1, 2, 3], [4, 5, 255]])


@pytest.mark.parametrize(
    ("content", "ndim", "says"),
    [
        (b"\x89PNG\r\n" + IDX, 2, "is not an IDX file: it starts with b'\\x89PNG'"),
        (b"\0\0\x0d" + IDX[3:], 2, "holds IDX type 0x0d"),
        (IDX, 3, "has 2 axes, not 3"),
        (IDX[:5], 2, "is truncated: it ends within its header"),
        (IDX[:-1], 2, "is truncated: shape (2, 3) takes 18 bytes, not 17"),
        (IDX + b"\0", 2, "has trailing bytes: shape (2, 3) takes 18 bytes, not 19"),
        (b"\0\0\x08\x02" + b"\0" * 8, 2, "holds no values"),
    ],
)
def test_parse_idx_refuses_another_file_in_one_line(content, ndim, says):
    assert f"some-file {says}" in fault(parse_idx, content, "some-file", ndim)


def test_digits_are_split_by_their_place_in_the_file():
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    wanted = {"train": [], "valid": [], "test": []}
    for i in range(len(pixels)):
        wanted[{4: "valid", 5: "test"}.get(i % 6, "train")].append(i)
    splits = Digits().load()
    for name, split in splits._asdict().items():
        np.testing.assert_array_equal(split.x.reshape(-1, 64), pixels[wanted[name]])
        np.testing.assert_array_equal(split.label, target[wanted[name]])
    assert Digits().title == "digits 8x8, threshold at 7, train 1199 / valid 299 / test 299"
    assert [len(split.x) for split in splits] == [1199, 299, 299]


def test_digits_refuse_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"digits: train has the value .* 2 levels accepts whole numbers"):
        Digits(values=Levels(2)).load()


@pytest.mark.parametrize("make", [Digits, MNIST, FashionMNIST, BinarizedMNIST, Cifar10Subset])
def test_root_is_no_part_of_a_data_sets_identity(make):
    assert make(root="here") == make(root="there")
    assert hash(make(root="here")) == hash(make())


def test_values_are_part_of_the_identity_and_of_the_title():
    assert MNIST(values=Threshold(127)) != MNIST()
    assert MNIST().title == "MNIST 28x28, dynamic binarization, train 50000 / valid 10000 / test 10000"
    assert FashionMNIST(values=Levels(256)).title.startswith("Fashion-MNIST 28x28, 256 levels, ")


@pytest.fixture
def tiny_mnist(tmp_path):
    arrays = [RNG.integers(0, 256, shape).astype(np.uint8) for shape in ((7, 4, 4), (7,), (3, 4, 4), (3,))]
    return arrays, images.Files(*(put(tmp_path, s, idx_file(a)) for s, a in zip(images.MNIST_FILES, arrays, strict=True)))


def test_mnist_takes_the_last_training_images_for_validation(tmp_path, tiny_mnist):
    (train, labels, test, test_labels), files = tiny_mnist
    splits = images.read_files(files, str(tmp_path), num_valid=2)
    expected = ((train[:5], labels[:5]), (train[5:], labels[5:]), (test, test_labels))
    for split, (x, label) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(split.x, x)
        np.testing.assert_array_equal(split.label, label)
    files = files._replace(train_labels=put(tmp_path, files.train_labels, idx_file(train)))
    with pytest.raises(ValueError, match=r"mnist-train-labels-idx1-ubyte\.gz has 3 axes, not 1"):
        images.read_files(files, str(tmp_path))


@pytest.fixture
def rows():
    return Splits(*(RNG.integers(0, 2, (num, 784)).astype(np.uint8) for num in (5, 3, 2)))


def test_binarized_mnist_is_read_from_the_matlab_files(tmp_path, monkeypatch, rows):
    from scipy.io import savemat

    sources = []
    for source, x in zip(images.MATLAB, rows, strict=True):
        savemat(tmp_path / source.file, {"X": x}, appendmat=False)
        sources.append(put(tmp_path, source, (tmp_path / source.file).read_bytes()))
    monkeypatch.setattr(images, "MATLAB", Splits(*sources))
    for split, x in zip(BinarizedMNIST(root=str(tmp_path)).load(), rows, strict=True):
        np.testing.assert_array_equal(split.x, x.reshape(-1, 28, 28))
        assert split.label is None


def test_binarized_mnist_is_read_from_the_packed_file_with_its_labels(tmp_path, monkeypatch, rows):
    packed = {name: np.packbits(x, axis=1) for name, x in rows._asdict().items()}
    labels = {f"{name}_label": np.arange(len(x)) for name, x in rows._asdict().items()}
    np.savez(tmp_path / "binarized_mnist.npz", **labels, **packed)
    content = (tmp_path / "binarized_mnist.npz").read_bytes()
    monkeypatch.setattr(images, "BINARIZED_MNIST", put(tmp_path, images.BINARIZED_MNIST, content))
    for split, x in zip(BinarizedMNIST(root=str(tmp_path)).load(), rows, strict=True):
        np.testing.assert_array_equal(split.x, x.reshape(-1, 28, 28))
        np.testing.assert_array_equal(split.label, np.arange(len(x)))


@pytest.mark.parametrize(
    ("make", "file"),
    [
        (MNIST, "mnist-train-images-idx3-ubyte"),
        (FashionMNIST, "fashion-mnist-train-images-idx3-ubyte"),
        (BinarizedMNIST, "binarized_mnist.npz"),
        (Cifar10Subset, "cifar10_train_first4000.npz"),
        (text.TinyShakespeare, "tinyshakespeare.txt"),
        (text.WikipediaSample, "enwiki_sample.xml.bz2"),
    ],
)
def test_load_refuses_another_file_under_the_name_of_a_named_set(make, file, tmp_path):
    (tmp_path / file).write_bytes(IDX)
    with pytest.raises(ValueError, match=f"{file} has the wrong checksum"):
        make(root=str(tmp_path)).load()


def test_cifar10_subset_is_not_downloaded(tmp_path):
    with pytest.raises(ValueError, match=r"cifar10_train_first4000\.npz is not in .*; save it there"):
        Cifar10Subset(root=str(tmp_path)).load()


# The real files


def counts(*splits):
    return np.bincount(np.concatenate([split.label for split in splits]))


@pytest.mark.parametrize(
    ("make", "file", "histogram", "mean"),
    [
        (MNIST, "mnist-train-images-idx3-ubyte.gz", (MNIST_HISTOGRAM, MNIST_TEST_HISTOGRAM), 0.1307),
        (FashionMNIST, "fashion-mnist-train-images-idx3-ubyte.gz", ([6000] * 10, [1000] * 10), 0.2860),
    ],
)
def test_mnist_and_fashion_mnist_are_as_published(make, file, histogram, mean):
    splits = make(root=real(file)).load()
    assert [split.x.shape for split in splits] == [(50000, 28, 28), (10000, 28, 28), (10000, 28, 28)]
    np.testing.assert_array_equal(counts(splits.train, splits.valid), histogram[0])
    np.testing.assert_array_equal(counts(splits.test), histogram[1])
    # The mean that is usually subtracted.
    assert abs(np.concatenate([splits.train.x, splits.valid.x]).mean() / 255 - mean) < 5e-5


def test_binarized_mnist_is_as_published():
    splits = BinarizedMNIST(root=real("binarized_mnist.npz")).load()
    np.testing.assert_allclose([split.x.mean() for split in splits], [0.130562, 0.131127, 0.132512], atol=5e-7)
    np.testing.assert_allclose(bernoulli_nats(splits), 205.785, atol=5e-4)
    np.testing.assert_array_equal(counts(splits.train, splits.valid), MNIST_HISTOGRAM)
    np.testing.assert_array_equal(splits.test.label, np.repeat(np.arange(10), MNIST_TEST_HISTOGRAM))  # in class order


def test_cifar10_subset_is_split_by_place_and_says_that_it_is_a_part():
    data = Cifar10Subset(root=real("cifar10_train_first4000.npz"))
    assert data.title.startswith("CIFAR-10's first 4000 training images 32x32 RGB (not comparable with CIFAR-10), 256 levels")
    splits = data.load()
    assert [split.x.shape for split in splits] == [(3200, 32, 32, 3), (400, 32, 32, 3), (400, 32, 32, 3)]
    with np.load(f"{data.root}/cifar10_train_first4000.npz") as file:
        np.testing.assert_array_equal(np.concatenate([split.x for split in splits]), file["images"])
        np.testing.assert_array_equal(np.concatenate([split.label for split in splits]), file["labels"])
    # The published order begins with a frog and two trucks.
    np.testing.assert_array_equal(splits.train.label[:3], [6, 9, 9])
