"""arjax/grids.py: images side by side, readable, with what they are above and beside them."""

import numpy as np
import pytest
from trained import cells

from arjax.grids import Block, grid_of_blocks, grid_of_classes, image_grid

GREY = 128


def test_image_grid_puts_images_side_by_side_on_a_grey_ground():
    images = np.arange(3 * 2 * 4).reshape(3, 2, 4) / 23
    grid = image_grid(images, columns=2, scale=1)
    assert grid.dtype == np.uint8
    assert grid.shape == (2 * 3 + 1, 2 * 5 + 1, 3)
    expected = np.full((7, 11), GREY, np.uint8)
    levels = np.round(images.astype(np.float32) * 255)
    expected[1:3, 1:5], expected[1:3, 6:10], expected[4:6, 1:5] = levels
    np.testing.assert_array_equal(grid, np.repeat(expected[..., None], 3, axis=-1))


def test_image_grid_keeps_colours_clips_values_outside_and_draws_one_channel_grey():
    images = np.zeros((1, 1, 2, 3))
    images[0, 0, 0], images[0, 0, 1] = (1, 0, 0.2), (2, -1, 0)
    grid = image_grid(images, scale=1)
    np.testing.assert_array_equal(grid[1, 1:3], [[255, 0, 51], [255, 0, 0]])
    np.testing.assert_array_equal(image_grid(np.full((1, 1, 1, 1), 0.2), scale=1)[1, 1], [51, 51, 51])


def test_image_grid_enlarges_every_pixel_by_scale():
    images = np.random.default_rng(0).random((4, 3, 3))
    small, large = image_grid(images, scale=1), image_grid(images, scale=3)
    np.testing.assert_array_equal(large, small.repeat(3, axis=0).repeat(3, axis=1))


def test_image_grid_is_by_itself_about_square_and_about_600_pixels():
    grid = image_grid(np.zeros((64, 8, 8)))
    assert grid.shape[0] == grid.shape[1]
    assert 450 <= grid.shape[0] <= 800
    assert image_grid(np.zeros((5, 1, 1)), scale=1).shape == (2 * 2 + 1, 3 * 2 + 1, 3)


def levels(count, height=4, width=4) -> np.ndarray:
    """So many images, each of one level, 0, 1 / 255, 2 / 255, ..."""
    return np.arange(count)[:, None, None] / 255 * np.ones((height, width))


def shown(picture, rows, columns, **size) -> list[list[int]]:
    """The level of each image of a grid; GREY where there is none."""
    return cells(picture, rows, columns, **(size or {"height": 4, "width": 4}))[:, :, 0, 0, 0].tolist()


def ink(strip) -> np.ndarray:
    """Where letters are, in the columns of a strip, without the line below them."""
    return (strip[:-3] < 100).any(axis=(0, 2))


def test_grid_of_classes_has_a_column_for_each_class_under_its_name():
    picture = grid_of_classes(levels(10), ["cat", "dog", "cat", "cow", "dog"] * 2)
    # Six images a class at most, three classes: one column each.
    assert shown(picture, 4, 3) == [[0, 1, 3], [2, 4, 8], [5, 6, GREY], [7, 9, GREY]]
    strip = picture[: len(picture) % (picture.shape[1] // 16)]
    for third in np.array_split(ink(strip), 3):
        assert third.any()
        assert not third[[0, -1]].any()


def test_grid_of_classes_gives_few_classes_several_columns():
    assert shown(grid_of_classes(levels(9), ["cat"] * 9), 3, 3) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert shown(grid_of_classes(levels(16), ["cat", "dog"] * 8), 4, 4)[0] == [0, 2, 1, 3]


def test_grid_of_classes_puts_what_has_no_room_below():
    picture = grid_of_classes(levels(60, 28, 28), list(map(str, range(60))))
    assert 400 <= picture.shape[1] <= 1200
    last = shown(picture[:, : 3 * (8 * 29 + 1)], 1, 8, height=28, width=28)
    assert last == [list(range(52, 60))]


def test_grid_of_blocks_names_rows_and_blocks():
    blocks = [Block("data", levels(2), 1), Block("samples", 9 / 255 + levels(6), 3)]
    plain, picture = (grid_of_blocks(blocks, names) for names in ((), ("cat", "dog")))
    assert shown(picture, 2, 4) == shown(plain, 2, 4) == [[0, 9, 10, 11], [1, 12, 13, 14]]
    wide = picture.shape[1] - plain.shape[1]
    above, below = np.array_split((picture[:, :wide] < 100).any(axis=(1, 2)), 2)
    assert above.any()
    assert below.any()


@pytest.mark.parametrize("heading", ["\n\x1b[2J", "w" * 10_000, "", "$x_1$ \N{SNOWMAN}"])
def test_grid_of_classes_draws_any_name(heading):
    picture = grid_of_classes(levels(2), [heading, "dog"])
    assert shown(picture, 1, 2) == [[0, 1]]


@pytest.mark.parametrize(
    ("images", "captions", "columns"), [((50, 300, 300), None, 50), ((3000, 2, 2), 1, 3000), ((1500, 4, 4), 1500, None)]
)
def test_grids_are_bounded_and_say_what_they_lack(images, captions, columns):
    x = np.zeros(images, np.uint8)
    picture = image_grid(x, columns) if captions is None or columns else grid_of_classes(x, list(map(str, range(captions))))
    assert max(picture.shape) <= 4200
    assert ink(picture[-22:]).any()


@pytest.mark.parametrize("side", [4, 8, 28, 32, 64])
def test_grids_are_readable_and_no_wider_than_a_screen(side):
    for picture in (
        image_grid(np.zeros((1, side, side))),
        image_grid(np.zeros((64, side, side))),
        grid_of_classes(np.zeros((40, side, side)), list("0123456789") * 4),
        grid_of_blocks([Block("data", np.zeros((1, side, side)), 1), Block("samples", np.zeros((8, side, side)), 8)]),
    ):
        assert 400 <= picture.shape[1] <= 1200
