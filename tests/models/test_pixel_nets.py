"""What the picture nets have in common: colours that sum to one, and what they say of orders and channels they cannot serve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import check_steps

import arjax
from arjax import Model
from arjax.data import Digits, Levels
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, GatedPixelCNN, LMConv, PixelCNN, PixelCNNPP
from arjax.orders import AnyOrder, Snake, Spiral, Topological
from arjax.testing import lively_params
from arjax.testing.cases import random_symbols
from arjax.training import Experiment
from arjax.training.conditions import check_fits

KEY = jax.random.key(0)
ROW_BY_ROW = [PixelCNN(width=3, blocks=1), GatedPixelCNN(width=3, layers=1), PixelCNNPP(width=3, resnets=1, levels=1)]
COUPLED = CoupledDiscretizedMixtureOfLogistics(4, 2)


def name(net):
    return type(net).__name__


@pytest.mark.parametrize(
    "net",
    [
        PixelCNN(width=4, blocks=1, kernel=3),
        GatedPixelCNN(width=4, layers=1, kernel=3),
        PixelCNNPP(width=3, resnets=1, levels=1),
        LMConv(width=4, blocks=1, kernel=3),
    ],
    ids=name,
)
def test_log_prob_of_two_pixels_sums_to_one_over_all_their_colours(net):
    # With a softmax for each channel, which are then sites, the zoo's rows do.
    model = Model(net, COUPLED, (1, 2))
    outcomes = np.stack(np.unravel_index(np.arange(4**6), (4,) * 6), axis=-1).reshape(4**6, 1, 2, 3)
    probs = np.exp(np.asarray(arjax.log_prob(model, lively_params(model, KEY), outcomes), np.float64))
    np.testing.assert_allclose(probs.sum(), 1, atol=1e-5)
    assert probs.min() < 0.5 / 4**6 < 2 / 4**6 < probs.max()


@pytest.mark.parametrize(
    ("net", "head", "shape"),
    [
        (PixelCNN(width=6, blocks=1, head=(), embedding=2), Categorical(9), (3, 5, 3)),
        (PixelCNN(width=4, blocks=2, kernel=5, block_kernel=1), CoupledDiscretizedMixtureOfLogistics(256, 2), (4, 3)),
        (PixelCNNPP(width=2, resnets=1, levels=2), Bernoulli(), (4, 6)),
        (PixelCNNPP(width=2, resnets=2, levels=1), CoupledDiscretizedMixtureOfLogistics(256, 2), (3, 5)),
    ],
    ids=["channels", "coupled", "levels", "coupled_levels"],
)
def test_step_is_what_one_pass_gives(net, head, shape):
    model = Model(net, head, shape)
    check_steps(model, lively_params(model, KEY), random_symbols(model, KEY, 3), jnp.asarray(model.permutation))


# Orders


@pytest.mark.parametrize(
    ("net", "takes"),
    [*((net, False) for net in ROW_BY_ROW), (LMConv(width=4, blocks=1, kernel=3), True), (MADE(hidden=(8,)), True)],
    ids=lambda part: name(part) if hasattr(part, "apply") else "",
)
def test_check_raster_says_which_nets_take_another_order(net, takes):
    model = Model(net, Bernoulli(), (2, 4))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(lambda: arjax.init(model, KEY)))
    x, mask = np.zeros((1, 2, 4), int), np.indices((2, 4))[1] < 2
    wishes = {
        r"row by row, not in Spiral\(\); choose Raster\(\), or a net": lambda: Model(net, Bernoulli(), (2, 4), Spiral()),
        r"in one order only, not in AnyOrder\(\); choose a fixed order, or": lambda: Model(net, Bernoulli(), (2, 4), AnyOrder()),
        r"in its own order Raster\(\) only; leave out `order`, or choose a net with any_order=True": lambda: arjax.theta(
            model, params, x, order=Snake().permutation((2, 4))
        ),
        r"in no other order; observe a prefix of the order, or choose a net with any_order=True": lambda: arjax.sample(
            model, params, KEY, 1, observed=x, mask=mask
        ),
    }
    for message, wish in wishes.items():
        if takes:
            wish()
        else:
            with pytest.raises(ValueError, match=f"{name(net)} generates {message}"):
                wish()


@pytest.mark.parametrize("net", ROW_BY_ROW, ids=name)
def test_check_raster_takes_an_order_that_comes_to_the_same(net):
    Model(net, Bernoulli(), (2, 3), Topological(((0, 5), (1, 4))))


# What they refuse


@pytest.mark.parametrize(
    ("net", "head", "shape", "message"),
    [
        *(
            (net(), Bernoulli(), (9,), "needs pictures, .*, not site_shape=\\(9,\\)")
            for net in (PixelCNN, GatedPixelCNN, PixelCNNPP, LMConv)
        ),
        (PixelCNN(width=8), Bernoulli(), (4, 4, 3), "width=8 cannot be shared by the 3 channels of a pixel; choose a multiple"),
        (GatedPixelCNN(width=6, head=(4,)), Bernoulli(), (4, 4, 3), "head=4 cannot be shared by the 3 channels of a pixel"),
        (
            PixelCNN(width=3, head=()),
            COUPLED,
            (4, 4, 3),
            r"has 3 sites a pixel, and Coupled.* 3 values a site; choose",
        ),
        (PixelCNNPP(), COUPLED, (4, 4, 3), r"PixelCNNPP generates a pixel at once, but .* has 3 sites a pixel; .* or a PixelCNN"),
        (PixelCNNPP(levels=3), Bernoulli(), (28, 30), r"cannot be halved 2 times, for levels=3; .* that are multiples of 4"),
        (LMConv(), COUPLED, (4, 4, 3), r"LMConv needs pictures, \(H, W\), not .*; choose a head for whole pixels, as Coupled"),
    ],
    ids=lambda part: name(part) if hasattr(part, "apply") else "",
)
def test_check_model_refuses_pictures_that_do_not_fit_with_the_remedy(net, head, shape, message):
    with pytest.raises(ValueError, match=message):
        Model(net, head, shape)


def test_check_fits_refuses_data_without_colours_for_a_head_of_colours():
    data = Digits(values=Levels(17))
    head = CoupledDiscretizedMixtureOfLogistics(17, 2)
    experiment = Experiment(data=data, model=Model(PixelCNNPP(levels=1), head, (8, 8)), steps=1, eval_every=1)
    message = r"has examples of shape \(8, 8\), but Coupled.* models 3 values a site; choose a head of one"
    with pytest.raises(ValueError, match=message):
        check_fits(data.title, experiment.model, data.load())
    with pytest.raises(ValueError, match=r"x has shape \(2, 8, 8\), but the model's data is \[B, 8, 8, 3\]"):
        arjax.log_prob(experiment.model, {}, np.zeros((2, 8, 8), int))
