"""arjax/pictures.py: arrays in, pictures out."""

import io

import numpy as np
import pytest
from PIL import Image

from arjax.pictures import (
    density_over_histogram,
    histograms,
    png,
    sound_picture,
    to_images,
)


def test_to_images_makes_symbols_and_real_values_grey_levels():
    np.testing.assert_allclose(to_images(np.array([[[0, 1], [2, 4]]]), 5), [[[0, 0.25], [0.5, 1]]])
    np.testing.assert_allclose(to_images(np.array([[[-3.0, 1.0]]]), None), [[[0, 1]]])
    np.testing.assert_array_equal(to_images(np.zeros((1, 2, 2), np.int32), 1), 0)
    assert to_images(np.zeros((2, 4, 5, 3)), 2).shape == (2, 4, 5, 3)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3, 2), (2, 3, 3, 3, 1)])
def test_to_images_is_none_for_what_has_no_shape_of_an_image(shape):
    assert to_images(np.zeros(shape), 2) is None


def test_png_holds_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    with Image.open(io.BytesIO(png(image))) as saved:
        np.testing.assert_array_equal(np.asarray(saved), image)


@pytest.mark.parametrize("count", [1, 257])
def test_density_over_histogram_is_a_picture(count):
    data = np.random.default_rng(0).integers(0, count, (50, 1))
    picture = density_over_histogram(np.arange(count), np.full(count, 1 / count), data, "a density")
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    grey = (np.abs(picture.astype(int) - 191).max(axis=-1) <= 1).mean()  # the bars
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 80).mean()  # the line
    assert grey > 0.02
    assert blue > 0.001 or count == 1


def test_histograms_share_their_bins_and_show_the_share_of_each_set():
    few, many = np.array([0.0, 0.1, 0.2, np.inf]), np.linspace(0.5, 1, 500)
    one = histograms([("few", few, np.ones(4))], "bits", "share")
    both = histograms([("few", few, np.ones(4)), ("many", many, np.ones(500))], "bits", "share", "title")
    assert one.dtype == both.dtype == np.uint8
    assert one.ndim == both.ndim == 3
    # The second set is drawn in a colour of its own, at the right where its values are.
    orange = (both[..., 0] > 230) & (np.abs(both[..., 1].astype(int) - 180) < 30) & (both[..., 2] < 160)
    left, right = orange[:300, : both.shape[1] // 2].sum(), orange[:300, both.shape[1] // 2 :].sum()
    assert left < 20 < right
    assert histograms([("alike", np.ones(3), np.ones(3))], "bits", "share").shape == one.shape
    assert histograms([("nothing", np.array([np.inf]), np.ones(1))], "bits", "share").ndim == 3


def test_histograms_count_a_value_as_often_as_its_weight_says():
    weighted = histograms([("x", np.array([0.0, 0.4, 1.0]), np.array([3.0, 1.0, 2.0]))], "bits", "share")
    repeated = histograms([("x", np.array([0.0, 0.0, 0.0, 0.4, 1.0, 1.0]), np.ones(6))], "bits", "share")
    np.testing.assert_array_equal(weighted, repeated)


def test_sound_picture_draws_a_mark_in_every_panel():
    waveforms = np.sin(np.arange(400) / 5)[None] / 2
    plain, marked = sound_picture(waveforms, 8000), sound_picture(waveforms, 8000, mark=0.025)
    changed = (plain != marked).any(axis=2)
    columns = np.flatnonzero(changed.any(axis=0))
    assert 0 < columns.max() - columns.min() < 8
    assert changed[: len(changed) // 2].any()
    assert changed[len(changed) // 2 :].any()


def test_sound_picture_draws_a_tone_at_its_frequency():
    picture = sound_picture(np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000)[None] / 3, 8000, "a tone")
    assert picture.dtype == np.uint8
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    loud = (red > 240) & (green > 200) & (blue < 215)  # the highest colour
    silent = picture.max(axis=-1) < 10  # the lowest, and the frames' lines
    rows = np.flatnonzero(silent.sum(axis=1) > picture.shape[1] / 3)
    rows = rows[rows > len(picture) / 2]  # above are the frame's lines of the waveform
    at = np.mean(np.flatnonzero(loud.sum(axis=1) > picture.shape[1] / 3))
    assert (rows[-1] - at) / (rows[-1] - rows[0]) == pytest.approx(1000 / 4000, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300)])
def test_sound_picture_shows_any_sound_silence_too(shape):
    picture = sound_picture(np.zeros(shape, np.float32), 8000)
    assert picture.ndim == 3
    assert min(picture.shape[:2]) > 200
