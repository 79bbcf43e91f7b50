"""arjax/data/image_folder.py: a folder of images of any kind, as Pillow's users expect to see them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import fault
from PIL import Image
from test_image_files import chunk, oriented, saved
from trained import cells

from arjax.__main__ import main
from arjax.data import ImageFolder, Levels, Real, Threshold
from arjax.data.dataset import DataCapabilities, examine
from arjax.data.image_files import parse_square, picture_size
from arjax.data.media import Images
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics, DiscretizedMixtureOfLogistics
from arjax.models import MADE
from arjax.orders import Raster
from arjax.runs.config import edit, load_config
from arjax.training.conditions import check_fits

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (4, 4)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (4, 4, 3)).astype(np.uint8)


def write(folder: Path, **images) -> str:
    """Writes images by their paths, "/" written as "__", and returns the folder."""
    for name, image in images.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(image))
    return str(folder)


def by_class(folder: Path, **counts) -> str:
    """So many different gray images a class, of one level each: 10 times the place of the class, and its own number."""
    every = {
        f"{name}__{i}": np.full((4, 4), 10 * k + i, np.uint8) for k, (name, n) in enumerate(counts.items()) for i in range(n)
    }
    return write(folder, **every)


# What is seen of one picture


def square(content: bytes, size=4) -> np.ndarray:
    return parse_square(content, size, "it")[0]


def test_parse_square_keeps_a_picture_of_its_size_as_it_is():
    np.testing.assert_array_equal(square(saved(COLOUR)), COLOUR)
    for kind in ("PNG", "BMP", "PPM", "TIFF", "GIF"):
        np.testing.assert_array_equal(square(saved(GRAY, kind)), np.repeat(GRAY[..., None], 3, axis=-1))
    assert np.abs(square(saved(COLOUR, "WEBP", lossless=True)).astype(int) - COLOUR).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_parse_square_reads_a_photograph_at_a_fraction_of_its_size(kind):
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[:150, 200:] = 255, 0, 0
    found = square(saved(picture, kind, quality=95), 8).astype(int)
    expected = np.zeros((8, 8, 3), int)
    expected[:4, 4:] = 255, 0, 0
    inner = np.ix_([0, 1, 2, 5, 6, 7], [0, 1, 2, 5, 6, 7])
    assert np.abs(found - expected)[inner].max() < 25


def test_parse_square_covers_the_square_and_crops_at_the_centre():
    wide = np.repeat(np.repeat(np.uint8([[9, 50, 100, 150, 200, 9]]), 8, axis=0), 2, axis=1)  # 8 x 12: the middle 8 x 8 are kept
    found, own = parse_square(saved(wide), 8, "it")
    assert own == (12, 8)
    np.testing.assert_array_equal(found[0, :, 0], wide[0, 2:10])
    np.testing.assert_array_equal(square(saved(wide.T), 8)[:, 0, 0], wide[0, 2:10])


def test_parse_square_reads_what_a_camera_puts_first_into_a_jpeg():
    first, second = np.full((16, 16, 3), 200, np.uint8), Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    content = saved(first, "MPO", save_all=True, append_images=[second])
    assert (square(content) == 200).all()


CLEAR = np.dstack([COLOUR, np.zeros((4, 4), np.uint8)])
LEVELS16 = np.array([[0, 128, 129, 257], [32767, 32768, 65406, 65407], [65535, 1, 2, 385], [386, 514, 642, 643]], np.uint16)
ODD = {
    "palette": (saved(Image.fromarray(GRAY // 64 * 85).convert("P")), GRAY // 64 * 85),
    "one bit": (saved(GRAY > 127), 255 * (GRAY > 127)),
    "16 bits": (saved(LEVELS16), [[0, 0, 1, 1], [127, 128, 254, 255], [255, 0, 0, 1], [2, 2, 2, 3]]),
    "16 bits, PGM": (saved(LEVELS16, "PPM"), np.round(LEVELS16 / 257)),
    "transparent": (saved(CLEAR), GRAY * 0 + 255),
    "a transparent level": (saved(GRAY, transparency=int(GRAY[1, 2])), np.where(GRAY[1, 2] == GRAY, 255, GRAY)),
    "gray and alpha": (saved(np.dstack([GRAY, GRAY * 0 + 255])), GRAY),
    "rgba": (saved(CLEAR | np.uint8([0, 0, 0, 255])), COLOUR),
    "cmyk": (saved(Image.fromarray(np.dstack([255 - COLOUR, GRAY * 0]), "CMYK"), "TIFF"), COLOUR),
    "turned": (saved(GRAY, exif=oriented(6)), GRAY.T[:, ::-1]),
    "turned, WebP": (saved(COLOUR, "WEBP", lossless=True, exif=oriented(3)), COLOUR[::-1, ::-1]),
}


@pytest.mark.parametrize("name", ODD)
def test_parse_square_shows_pictures_of_any_mode(name):
    content, expected = ODD[name]
    expected = np.asarray(expected)
    np.testing.assert_array_equal(square(content), expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=-1))


def test_parse_square_shows_nothing_of_the_colours_under_transparent_pixels():
    def drawn(hidden):
        right = np.indices((8, 8))[1][..., None] >= 4
        return square(saved(np.where(right, np.uint8([9, 9, 9, 255]), np.uint8([*hidden, 0]))), 2)

    np.testing.assert_array_equal(drawn((255, 0, 0)), drawn((0, 0, 255)))


ANIMATED = saved(GRAY, "GIF", save_all=True, append_images=[Image.fromarray(255 - GRAY)])
HUGE = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\x20\0\0\0\x20\0\x08\0\0\0\0") + chunk(b"IDAT", b"") + chunk(b"IEND")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nothing", "it cannot be read as a picture, PNG JPEG BMP PPM TIFF GIF WEBP; save it as PNG"),
        (saved(COLOUR)[:-30], "it cannot be read as a picture, PNG JPEG BMP PPM TIFF GIF WEBP ("),
        (ANIMATED, "it has several pages or frames; save one of them"),
        (HUGE, "it has 8192 x 8192 pixels, more than 33554432; resize it"),
    ],
)
def test_parse_square_refuses_in_one_line(content, says):
    assert fault(parse_square, content, 4, "it").startswith(says)


def test_picture_size_is_width_and_height_of_a_file(tmp_path):
    (tmp_path / "x.png").write_bytes(saved(COLOUR[:3]))
    assert picture_size(tmp_path / "x.png") == (4, 3)


# What a folder of them is


def test_image_folder_has_the_pixels_and_the_labels_of_its_files(tmp_path):
    data, notes = examine(ImageFolder(by_class(tmp_path / "pets", dog=10, cat=20, ant=5)))
    assert (data.size, data.channels, data.classes, notes) == (4, "gray", ("ant", "cat", "dog"), ())
    assert data.title == "pets 4x4 gray, 256 levels, 3 classes; valid 0.1, test 0.1 by seed 0, or by folders"
    assert data.medium == Images(256)
    assert DataCapabilities.of(data).classes == data.classes
    assert not data.open
    splits = data.load()
    assert [len(split.x) for split in splits] == [27, 4, 4]
    levels, label = (np.concatenate([getattr(split, part) for split in splits]) for part in ("x", "label"))
    assert (levels == levels[:, :1, :1]).all()
    assert sorted(levels[:, 0, 0].tolist()) == sorted([*range(10), *range(10, 30), *range(20, 25)])
    place = {"dog": (0, 10), "cat": (10, 30), "ant": (20, 25)}
    for level, k in zip(levels[:, 0, 0], label, strict=True):
        low, high = place[data.classes[k]]
        assert low <= level < high
    # What its files decide is what it was settled with: an open one loads the same.
    for split, other in zip(splits, ImageFolder(str(tmp_path / "pets")).load(), strict=True):
        np.testing.assert_array_equal(split.x, other.x)


def test_image_folder_takes_folders_train_valid_and_test_as_the_parts(tmp_path):
    write(tmp_path, train__a__1=GRAY * 0 + 1, train__b__2=GRAY * 0 + 2, val__a__3=GRAY * 0 + 3, test__b__4=GRAY * 0 + 4)
    data, _ = examine(ImageFolder(str(tmp_path)))
    assert data.classes == ("a", "b")
    assert [split.x[:, 0, 0].tolist() for split in data.load()] == [[1, 2], [3], [4]]
    assert [split.label.tolist() for split in data.load()] == [[0, 1], [0], [1]]


def test_image_folder_without_folders_or_with_one_has_no_classes(tmp_path):
    for folder, prefix in ((tmp_path / "loose", ""), (tmp_path / "one", "all__")):
        write(folder, **{f"{prefix}{i}": GRAY for i in range(5)})
        data, _ = examine(ImageFolder(str(folder)))
        assert data.classes == ()
        assert data.load().train.label is None
    by_class(tmp_path / "two", a=4, b=1)
    assert ImageFolder(str(tmp_path / "two"), classes=()).load().train.label is None


@pytest.mark.parametrize(("image", "keeps"), [(GRAY, "gray"), (np.dstack([GRAY] * 3), "gray"), (COLOUR, "rgb")])
def test_image_folder_keeps_colour_where_any_image_has_some(tmp_path, image, keeps):
    write(tmp_path, a=GRAY, b=GRAY, c=image)
    data, _ = examine(ImageFolder(str(tmp_path)))
    assert data.channels == keeps
    every = np.concatenate([split.x for split in data.load()])
    assert every.shape == (3, 4, 4, *[3] * (keeps == "rgb"))
    assert any((each == (image if keeps == "rgb" or image.ndim == 2 else image[..., 0])).all() for each in every)


def test_image_folder_makes_images_gray_or_rgb_as_pillow_does(tmp_path):
    write(tmp_path, a=COLOUR, b=COLOUR, c=COLOUR)
    np.testing.assert_array_equal(
        ImageFolder(str(tmp_path), channels="gray").load().test.x[0], Image.fromarray(COLOUR).convert("L")
    )
    write(tmp_path, a=GRAY, b=GRAY, c=GRAY)
    np.testing.assert_array_equal(ImageFolder(str(tmp_path), channels="rgb").load().test.x[0], np.dstack([GRAY] * 3))


@pytest.mark.parametrize(("sides", "size"), [((30, 30, 90), 28), ((500, 40, 64), 32), ((3, 3, 3), 4), ((4, 5, 7), 4)])
def test_image_folder_is_as_large_as_the_middle_image_and_no_larger_than_32(tmp_path, sides, size):
    write(tmp_path, **{f"i{i}": np.zeros((side, side + i), np.uint8) for i, side in enumerate(sides)})
    assert examine(ImageFolder(str(tmp_path))).data.size == size


def test_image_folder_says_once_what_it_changed_and_left_out(tmp_path):
    write(tmp_path, a=np.zeros((8, 8), np.uint8), b=np.zeros((8, 12), np.uint8), c=GRAY, d=GRAY, e=GRAY)
    for name in ("broken.png", "worse.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "moving.gif").write_bytes(ANIMATED)
    (tmp_path / "labels.csv").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    data, notes = examine(ImageFolder(str(tmp_path), size=4))
    other, cannot, several, resized = notes
    assert "1 of .csv" in other
    assert cannot.startswith("broken.png, worse.jpg are left out: it cannot be read as a picture")
    assert several == "moving.gif is left out: it has several pages or frames; save one of them"
    assert resized == "2 of 5 images are resized to 4x4, 1 of them cropped at their centre"
    assert sum(len(split.x) for split in data.load()) == 5


def test_image_folder_sees_a_file_that_changed(tmp_path):
    write(tmp_path, a=GRAY, b=GRAY, c=GRAY)
    before = ImageFolder(str(tmp_path)).load()
    write(tmp_path, a=255 - GRAY, b=255 - GRAY, c=255 - GRAY)
    assert (ImageFolder(str(tmp_path)).load().train.x == 255 - before.train.x).all()


@pytest.mark.parametrize(
    ("fields", "head", "shape", "made"),
    [
        ({"channels": "gray"}, None, (4, 4), DiscretizedMixtureOfLogistics(256, 10)),
        ({"channels": "gray", "values": Threshold(100)}, None, (4, 4), Bernoulli()),
        ({"channels": "rgb"}, None, (4, 4), CoupledDiscretizedMixtureOfLogistics(256, 10)),
        ({"channels": "rgb"}, Categorical(256), (4, 4, 3), Categorical(256)),
    ],
)
def test_image_folder_makes_the_model_of_its_values(fields, head, shape, made):
    data = ImageFolder("x", size=4, classes=("a", "b"), **fields)
    model = data.model(MADE(hidden=(4,)), head=head, order=Raster(), classes=2)
    assert (model.site_shape, model.head, model.cond.classes) == (shape, made, 2)
    assert data.model(MADE(hidden=(4,)), order=Raster(), classes=None).cond.classes is None


def test_image_folder_of_real_values_has_a_density_for_each():
    model = ImageFolder("x", 4, "rgb", (), values=Real()).model(MADE(hidden=(4,)), order=Raster(), classes=None)
    assert (model.site_shape, model.head.vocab) == ((4, 4, 3), None)


def test_image_folder_refuses_in_one_line(tmp_path):
    """One row a rule: (what is in the folder, the fields, what is said)."""
    assert "no folder of images is named; give one by --data.path FOLDER" in fault(ImageFolder().load)
    assert "give the one that it lies in" in fault(ImageFolder(write(tmp_path / "f", a=GRAY) + "/a.png").load)
    assert "there is no folder nowhere" in fault(ImageFolder("nowhere").load)
    large = ImageFolder(str(tmp_path / "f"), size=50_000, channels="gray")
    assert "1 images of 50000 x 50000 pixels, which all lie in memory, are more than" in fault(large.load)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    assert "its files are 1 of .txt; give a folder that has some" in fault(ImageFolder(str(tmp_path / "texts")).load)
    said = fault(ImageFolder(by_class(tmp_path / "few", cat=5, dog=1)).load)
    assert "has 1 example of class 'dog', and each of train, valid and test needs one" in said
    write(tmp_path / "bad", a__1=GRAY, a__2=GRAY, a__3=GRAY, b__1=GRAY)
    (tmp_path / "bad" / "b" / "1.png").write_bytes(b"x")
    said = fault(ImageFolder(str(tmp_path / "bad")).load)
    assert "none of the images of class 'b' can be read; b/1.png is left out: it cannot be read as a picture" in said
    assert "which is none of the classes" in fault(ImageFolder(str(tmp_path / "few"), classes=("cat", "cow")).load)
    levels = ImageFolder(str(tmp_path / "f"), size=4, values=Levels(2), valid=0.4, test=0)
    write(tmp_path / "f", b=GRAY)
    assert "but 2 levels accepts whole numbers 0..1 only" in fault(levels.load)
    for fields, says in (
        ({"channels": "red"}, "channels='red' is none of gray, rgb, keep"),
        ({"size": 0}, "size=0 is the height and width"),
        ({"valid": 0.0}, "valid=0.0 and test=0.1 are the fractions held out"),
    ):
        assert says in fault(lambda fields=fields: ImageFolder("x", **fields))


CONFIG = Path(__file__).parents[2] / "configs" / "my_images.py"


@pytest.mark.parametrize(("image", "shape"), [(GRAY, ()), (COLOUR, (3,))])
def test_my_images_follows_from_the_path_alone(tmp_path, image, shape):
    for classes in ((), ("cat", "dog")):
        folder = write(tmp_path / str(len(classes)), **{f"{name}__{i}": image for name in classes or ("all",) for i in range(3)})
        experiment, _ = edit(load_config(CONFIG), ["--data.path", folder], "runs/x", "train.py")
        model = experiment.model
        assert (model.site_shape, model.head.event_shape, model.cond.classes) == ((4, 4), shape, len(classes) or None)
        check_fits("images", model, experiment.data.load())


@pytest.mark.slow  # a PixelCNN++ is compiled: trained, scored and sampled
def test_my_images_trains_on_a_folder_and_shows_samples_by_class(tmp_path, capsys):
    folder = by_class(tmp_path / "pets", cat=8, dog=8)
    run, small = tmp_path / "run", ("--model.net.width", "8", "--model.net.levels", "1", "--samples", "4", "--steps", "2")
    flags = [*small, "--optimizer.schedule.warmup", "0", "--batch-size", "8", "--eval-every", "2", "--run", str(run)]
    main(["train", "my_images", "--data.path", folder, *flags])
    # What the run holds is whole: it is sampled where the folder is gone.
    shutil.rmtree(folder)
    main(["sample", str(run), "--samples", "4", "--label", "DOG", "--png", str(tmp_path / "dogs.png")])
    assert "4 samples in" in capsys.readouterr().out
    for picture, columns in ((run / "samples" / "00000002.png", 2), (tmp_path / "dogs.png", 2)):
        assert cells(picture, 2, columns, 4, 4).shape == (2, 2, 4, 4, 3)
