"""The named data sets: on tiny files made here, and, where $ARJAX_DATA has them, the documented facts of the real ones."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest
import scipy.io

from arjax.data import (
    MNIST,
    BinarizedMNIST,
    BinaryDensity,
    Cifar10Subset,
    Digits,
    FashionMNIST,
    Levels,
    Npz,
    Threshold,
    density,
    images,
)
from arjax.data.sources import Source
from arjax.data.splits import Splits

RNG = np.random.default_rng(0)


@pytest.fixture
def real(request):
    """The folder of the real files; skips the test where the one that it needs is not there."""
    root, file = os.environ.get("ARJAX_DATA"), request.param
    if not root or not os.path.exists(os.path.join(root, file)):
        pytest.skip(f"$ARJAX_DATA has no {file}")
    return root


def bernoulli_nats(splits):
    """Mean nats of the test split under independent Bernoullis, Laplace +1, fitted on train and valid."""
    fitted = np.concatenate([splits.train.x, splits.valid.x]).reshape(-1, splits.train.x[0].size)
    p = (fitted.sum(0, dtype=np.int64) + 1) / (len(fitted) + 2)
    test = splits.test.x.reshape(len(splits.test.x), -1)
    return -(test @ np.log(p) + (1 - test.astype(np.int8)) @ np.log1p(-p)).mean()


def put(folder, source, content):
    """Write the content and return the source with its checksum, and no way to download it."""
    (folder / source.file).write_bytes(gzip.compress(content) if source.file.endswith(".gz") else content)
    return Source(source.file, hashlib.sha256(content).hexdigest())


def idx_file(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


# Digits


def test_digits_split_by_their_place_in_the_file():
    from sklearn.datasets import load_digits

    images, target = load_digits(return_X_y=True)
    wanted = {"train": [], "valid": [], "test": []}
    for i in range(len(images)):
        wanted[{4: "valid", 5: "test"}.get(i % 6, "train")].append(i)
    for name, split in Digits().load()._asdict().items():
        np.testing.assert_array_equal(split.x.reshape(-1, 64), images[wanted[name]])
        np.testing.assert_array_equal(split.label, target[wanted[name]])


def test_digits_say_their_sizes():
    assert Digits().title == "digits 8x8, threshold at 7, train 1199 / valid 299 / test 299"
    assert [len(split.x) for split in Digits().load()] == [1199, 299, 299]


def test_digits_refuse_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"digits: train has the value .* 2 levels accepts whole numbers"):
        Digits(values=Levels(2)).load()


# Identity


@pytest.mark.parametrize(
    "make",
    [
        Digits,
        MNIST,
        FashionMNIST,
        BinarizedMNIST,
        Cifar10Subset,
        lambda **k: BinaryDensity("dna", **k),
        lambda **k: Npz("x", Levels(2), **k),
    ],
)
def test_where_the_files_are_is_no_part_of_a_data_sets_identity(make):
    assert make(root="here") == make(root="there")
    assert hash(make(root="here")) == hash(make())


def test_how_values_are_read_is_part_of_the_identity_and_of_the_title():
    assert MNIST(values=Threshold(127)) != MNIST()
    assert MNIST().title == "MNIST 28x28, dynamic binarization, train 50000 / valid 10000 / test 10000"
    assert FashionMNIST(values=Levels(256)).title.startswith("Fashion-MNIST 28x28, 256 levels, ")


# MNIST


@pytest.fixture
def tiny_mnist(tmp_path):
    arrays = [RNG.integers(0, 256, shape).astype(np.uint8) for shape in ((7, 4, 4), (7,), (3, 4, 4), (3,))]
    return arrays, images.Files(*(put(tmp_path, s, idx_file(a)) for s, a in zip(images.MNIST_FILES, arrays, strict=True)))


def test_the_last_training_images_are_for_validation(tmp_path, tiny_mnist):
    (train, labels, test, test_labels), files = tiny_mnist
    splits = images.read_files(files, str(tmp_path), num_valid=2)
    for split, x, label in (
        (splits.train, train[:5], labels[:5]),
        (splits.valid, train[5:], labels[5:]),
        (splits.test, test, test_labels),
    ):
        np.testing.assert_array_equal(split.x, x)
        np.testing.assert_array_equal(split.label, label)


def test_an_images_file_in_the_place_of_labels_is_named(tmp_path, tiny_mnist):
    (train, *_), files = tiny_mnist
    files = files._replace(train_labels=put(tmp_path, files.train_labels, idx_file(train)))
    with pytest.raises(ValueError, match=r"mnist-train-labels-idx1-ubyte\.gz has 3 axes, not 1"):
        images.read_files(files, str(tmp_path))


@pytest.mark.parametrize(("dataset", "prefix"), [(MNIST, "mnist"), (FashionMNIST, "fashion-mnist")])
def test_another_file_under_mnists_name_is_refused(tmp_path, dataset, prefix):
    (tmp_path / f"{prefix}-train-images-idx3-ubyte").write_bytes(idx_file(np.zeros((2, 28, 28), np.uint8)))
    with pytest.raises(ValueError, match=f"{prefix}-train-images-idx3-ubyte has the wrong checksum"):
        dataset(root=str(tmp_path)).load()


MNIST_HISTOGRAM = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_HISTOGRAM = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("real", ["mnist-train-images-idx3-ubyte.gz"], indirect=True)
def test_mnist_is_as_published(real):
    splits = MNIST(root=real).load()
    assert [split.x.shape for split in splits] == [(50000, 28, 28), (10000, 28, 28), (10000, 28, 28)]
    labels = np.concatenate([splits.train.label, splits.valid.label])
    np.testing.assert_array_equal(np.bincount(labels), MNIST_HISTOGRAM)
    np.testing.assert_array_equal(np.bincount(splits.test.label), MNIST_TEST_HISTOGRAM)
    np.testing.assert_array_equal(splits.train.label[:5], [5, 0, 4, 1, 9])
    pixels = np.concatenate([splits.train.x, splits.valid.x])
    assert abs(pixels.mean() / 255 - 0.1307) < 5e-5  # the mean that is usually subtracted


@pytest.mark.parametrize("real", ["fashion-mnist-train-images-idx3-ubyte.gz"], indirect=True)
def test_fashion_mnist_is_as_published(real):
    splits = FashionMNIST(root=real).load()
    assert [split.x.shape for split in splits] == [(50000, 28, 28), (10000, 28, 28), (10000, 28, 28)]
    labels = np.concatenate([splits.train.label, splits.valid.label])
    np.testing.assert_array_equal(np.bincount(labels), [6000] * 10)
    np.testing.assert_array_equal(np.bincount(splits.test.label), [1000] * 10)
    assert abs(np.concatenate([splits.train.x, splits.valid.x]).mean() / 255 - 0.2860) < 5e-5


# Binarized MNIST


@pytest.fixture
def binary_images():
    return Splits(*(RNG.integers(0, 2, (num, 784)).astype(np.uint8) for num in (5, 3, 2)))


def test_binarized_mnist_is_read_from_the_matlab_files(tmp_path, monkeypatch, binary_images):
    sources = []
    for source, x in zip(images.MATLAB, binary_images, strict=True):
        scipy.io.savemat(tmp_path / source.file, {"X": x}, appendmat=False)
        sources.append(put(tmp_path, source, (tmp_path / source.file).read_bytes()))
    monkeypatch.setattr(images, "MATLAB", Splits(*sources))
    for split, x in zip(BinarizedMNIST(root=str(tmp_path)).load(), binary_images, strict=True):
        np.testing.assert_array_equal(split.x, x.reshape(-1, 28, 28))
        assert split.label is None


def test_binarized_mnist_is_read_from_the_packed_file_with_its_labels(tmp_path, monkeypatch, binary_images):
    labels = {f"{name}_label": np.arange(len(x)) for name, x in binary_images._asdict().items()}
    packed = {name: np.packbits(x, axis=1) for name, x in binary_images._asdict().items()}
    np.savez(tmp_path / "binarized_mnist.npz", **labels, **packed)
    content = (tmp_path / "binarized_mnist.npz").read_bytes()
    monkeypatch.setattr(images, "BINARIZED_MNIST", put(tmp_path, images.BINARIZED_MNIST, content))
    for split, x in zip(BinarizedMNIST(root=str(tmp_path)).load(), binary_images, strict=True):
        np.testing.assert_array_equal(split.x, x.reshape(-1, 28, 28))
        np.testing.assert_array_equal(split.label, np.arange(len(x)))


def test_another_file_under_the_packed_name_is_refused(tmp_path):
    np.savez(tmp_path / "binarized_mnist.npz", train=np.zeros((1, 98), np.uint8))
    with pytest.raises(ValueError, match=r"binarized_mnist\.npz has the wrong checksum"):
        BinarizedMNIST(root=str(tmp_path)).load()


@pytest.mark.parametrize("real", ["binarized_mnist.npz"], indirect=True)
def test_binarized_mnist_is_as_published(real):
    splits = BinarizedMNIST(root=real).load()
    np.testing.assert_allclose([split.x.mean() for split in splits], [0.130562, 0.131127, 0.132512], atol=5e-7)
    np.testing.assert_allclose(bernoulli_nats(splits), 205.785, atol=5e-4)
    labels = np.concatenate([splits.train.label, splits.valid.label])
    np.testing.assert_array_equal(np.bincount(labels), MNIST_HISTOGRAM)
    np.testing.assert_array_equal(splits.test.label, np.repeat(np.arange(10), MNIST_TEST_HISTOGRAM))  # in class order


# Binary density sets


@pytest.fixture
def tiny_density(tmp_path, monkeypatch):
    """Three text files in the place of nltcs, and what is in them."""
    rows = Splits(*(RNG.integers(0, 2, (num, 3)).astype(np.uint8) for num in (4, 2, 1)))
    text = ["".join(",".join(map(str, row)) + "\n" for row in x).encode() for x in rows]
    sources = Splits(*(put(tmp_path, s, t) for s, t in zip(density.text_sources("nltcs"), text, strict=True)))
    monkeypatch.setitem(density.SIZES, "nltcs", (3, 4, 2, 1))
    monkeypatch.setattr(density, "text_sources", lambda name: sources)
    return rows


def test_a_density_set_is_read_from_its_text_files(tmp_path, tiny_density):
    for split, x in zip(BinaryDensity("nltcs", root=str(tmp_path)).load(), tiny_density, strict=True):
        np.testing.assert_array_equal(split.x, x)
        assert split.label is None


def test_a_density_set_is_read_from_the_packed_file(tmp_path, tiny_density, monkeypatch):
    packed = {f"nltcs_{name}": np.packbits(1 - x, axis=1) for name, x in tiny_density._asdict().items()}
    np.savez(tmp_path / "binary_density.npz", **packed)
    content = (tmp_path / "binary_density.npz").read_bytes()
    monkeypatch.setattr(density, "PACKED", put(tmp_path, density.PACKED, content))
    for split, x in zip(BinaryDensity("nltcs", root=str(tmp_path)).load(), tiny_density, strict=True):
        np.testing.assert_array_equal(split.x, 1 - x)


@pytest.mark.parametrize(
    "text", [b"0,1\n1,0", b"0,1\n1,0\n1,1\n", b"0,1\n1;0\n", b"0,1\n1,2\n", b"0,1\n1,/\n", b"0,1,1,0\n", b""]
)
def test_text_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match=r"some.data must be .*; get it again"):
        density.parse_text(text, "some.data", (2, 2))


def test_every_text_file_but_one_has_a_checksum_and_all_have_a_url():
    sources = {source.file: source for name in density.SIZES for source in density.text_sources(name)}
    assert [file for file, source in sources.items() if source.sha256 is None] == ["connect4.test.data"]
    assert all(source.url.endswith(f"/datasets/{file.split('.')[0]}/{file}") for file, source in sources.items())
    assert len({source.sha256 for source in sources.values()}) == 42


def test_an_unknown_density_set_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no binary density set 'nope'; choose one of accidents, .* voting"):
        BinaryDensity("nope")


def test_a_density_set_says_its_sizes():
    assert BinaryDensity("dna").title == "dna, 180 binary variables, train 1600 / valid 400 / test 1186"


DENSITY_NATS = {
    "accidents": 45.558,
    "baudio": 49.336,
    "bbc": 277.074,
    "bnetflix": 64.560,
    "connect4": 35.337,
    "dna": 100.380,
    "jester": 63.882,
    "moviereview": 346.885,
    "mushrooms": 34.232,
    "nips": 294.638,
    "nltcs": 9.234,
    "plants": 31.266,
    "pumsb_star": 75.862,
    "voting": 738.486,
}


@pytest.mark.parametrize("real", ["binary_density.npz"], indirect=True)
@pytest.mark.parametrize("name", DENSITY_NATS)
def test_a_density_set_is_as_published(real, name):
    splits = BinaryDensity(name, root=real).load()
    dim, *nums = density.SIZES[name]
    assert [split.x.shape for split in splits] == [(num, dim) for num in nums]
    np.testing.assert_allclose(bernoulli_nats(splits), DENSITY_NATS[name], atol=5.1e-4)


# CIFAR-10, in part


@pytest.mark.parametrize("real", ["cifar10_train_first4000.npz"], indirect=True)
def test_the_part_of_cifar10_is_split_by_place_and_says_that_it_is_a_part(real):
    data = Cifar10Subset(root=real)
    assert data.title.startswith("CIFAR-10's first 4000 training images 32x32 RGB (not comparable with CIFAR-10), 256 levels")
    splits = data.load()
    assert [split.x.shape for split in splits] == [(3200, 32, 32, 3), (400, 32, 32, 3), (400, 32, 32, 3)]
    with np.load(os.path.join(real, "cifar10_train_first4000.npz")) as file:
        np.testing.assert_array_equal(np.concatenate([split.x for split in splits]), file["images"])
        np.testing.assert_array_equal(np.concatenate([split.label for split in splits]), file["labels"])
    # The published order begins with a frog and two trucks.
    np.testing.assert_array_equal(splits.train.label[:3], [6, 9, 9])


def test_another_file_under_the_name_of_cifar10s_part_is_refused(tmp_path):
    np.savez(tmp_path / "cifar10_train_first4000.npz", images=np.zeros((4000, 32, 32, 3), np.uint8), labels=np.zeros(4000))
    with pytest.raises(ValueError, match=r"cifar10_train_first4000\.npz has the wrong checksum"):
        Cifar10Subset(root=str(tmp_path)).load()
    with pytest.raises(ValueError, match=r"cifar10_train_first4000\.npz is not in .*; save it there"):
        Cifar10Subset(root=str(tmp_path / "nowhere")).load()
