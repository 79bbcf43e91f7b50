"""The figures: what is measured for them, against what is known by hand."""

import io
import pkgutil

import jax
import numpy as np
import pytest
from PIL import Image

from arjax import orders
from arjax.heads import Bernoulli
from arjax.layers.attention_mask import Causal, Strided
from arjax.measure.figures import FIGURES, attention, listed, made_masks
from arjax.measure.figures.dependence import receptive_field
from arjax.measure.figures.sharing import remembered
from arjax.measure.figures.style import finish, words
from arjax.models import MADE, GatedPixelCNN, PixelCNN
from arjax.protocol import Model
from arjax.testing import lively_params


def test_listed_names_every_figure_in_a_line_of_its_own():
    lines = listed().splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(FIGURES)
    assert max(map(len, lines)) <= 120


def test_figures_name_functions_that_are_there():
    for figure in FIGURES.values():
        for found in filter(None, (figure.found, figure.of_run)):
            assert callable(pkgutil.resolve_name(f"arjax.measure.figures.{found}"))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (orders.Raster(), "raster"),
        (orders.Random(0), "random"),
        (orders.Random(3), "random, seed 3"),
        (orders.Reversed(orders.Spiral()), "reversed spiral"),
        (orders.Flipped(orders.Snake(), rows=True), "flipped snake, rows"),
        (orders.AnyOrder(), "any order raster"),
        (Causal(), "causal"),
        (Strided(8), "strided, stride 8"),
    ],
)
def test_words_say_an_order_or_a_mask_as_a_person_would(part, said):
    assert words(part) == said


def test_remembered_averages_over_the_sites_that_lie_so_far_back_in_the_order():
    moved = np.array([[0, 5, 7], [0, 0, 0], [0, 3, 0]])  # the order is 1, 2, 0
    np.testing.assert_allclose(remembered(moved, np.array([1, 2, 0])), [(3 + 7) / 2, 5])


@pytest.mark.parametrize("sites", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_masks_of_a_made_let_an_output_see_what_comes_before_it(sites):
    model = Model(MADE(hidden=(6, 6), activation="softplus"), Bernoulli(), (4,), orders.AnyOrder())
    first, second, last = made_masks.masks_of(model, lively_params(model, jax.random.key(0)), np.array(sites, np.int32))
    paths = last @ second @ first > 0
    for after, before in np.ndindex(4, 4):
        assert paths[after, before] == (sites.index(before) < sites.index(after))


@pytest.mark.slow
def test_receptive_field_of_a_pixelcnn_has_a_blind_spot_and_of_a_gated_one_none():
    for net, blind in ((PixelCNN(width=6, blocks=2, kernel=3), True), (GatedPixelCNN(width=6, layers=5, kernel=3), False)):
        seen, earlier = receptive_field(net, orders.Raster(), (5, 6), (3, 1))
        assert not (seen & ~earlier).any()
        assert seen[3, 0]
        assert (earlier & ~seen)[:, 2:].any() == blind


def test_attention_over_an_image_is_bluest_where_most_is_attended_to():
    weights = np.zeros((1, 1, 2, 3))
    weights[0, 0, 0] = [0.5, 0.25, 0]
    known = np.array([[True, True, True], [False, False, False]])
    drawn = finish(attention.over_image(np.zeros((2, 3)), weights, np.full((1, 1), 0.25), known, (1, 0)), "")
    with Image.open(io.BytesIO(drawn.png)) as picture:
        colors = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    blue, half_blue, covered, paper = (0, 114, 178), (122, 179, 211), (250, 237, 204), (245, 245, 245)
    for color in (blue, half_blue, covered, paper):
        assert (abs(colors - color).max(axis=1) <= 2).any(), color
