"""Figures of what theta depends on, measured: by the Jacobian of real networks, or at an example of a trained one."""

import jax
import numpy as np

from arjax import orders
from arjax.errors import InputError
from arjax.heads import MixtureOfGaussians
from arjax.layers.attention_mask import Causal, Strided, Window
from arjax.measure.figures.opened import Opened, example_of, site_in
from arjax.measure.figures.style import HIDDEN, MISSED, PREDICTED, SEEN, Drawn, cells, finish, key, sheet, words
from arjax.models import GatedPixelCNN, LMConv, PixelCNN, PixelCNNPP, Transformer
from arjax.protocol import Model
from arjax.testing import dependence, dependences, influences, lively_params

# A pass for each is bearable.
MOST_SITES = 4096

_COLORS = {"predicted": PREDICTED, "seen": SEEN, "known, not seen": MISSED, "not known yet": HIDDEN}


def draw_receptive_fields(height: int, width: int) -> Drawn:
    """Draws what theta at one pixel depends on, by the Jacobian of real networks: the blind spot, and its cures."""
    site = (2 * height // 3, width // 3)
    nets = (
        ("PixelCNN, with a blind spot", PixelCNN(width=8, blocks=4, kernel=5), orders.Raster()),
        ("Gated PixelCNN, without", GatedPixelCNN(width=8, layers=4, kernel=5), orders.Raster()),
        ("PixelCNN++, without", PixelCNNPP(width=6, resnets=1, levels=1), orders.Raster()),
        ("LMConv, in spiral order", LMConv(width=8, blocks=4, kernel=5), orders.Spiral()),
    )
    figure, (panels,) = sheet(
        "What the prediction of one pixel depends on", 1, len(nets), height=min(2.0 * height / width, 6) + 1.3
    )
    for axes, (name, net, order) in zip(panels, nets, strict=True):
        seen, earlier = receptive_field(net, order, (height, width), site)
        _show(axes, name, seen, earlier, site)
    key(figure, _COLORS)
    return finish(figure, f"{len(nets)} receptive fields")


def receptive_field(net, order, site_shape, site) -> tuple[np.ndarray, np.ndarray]:
    """Returns which pixels theta at the site depends on, and which are generated before it, each bool [H, W]."""
    model = Model(net, MixtureOfGaussians(1), site_shape, order)
    rank = orders.inverse(model.permutation).reshape(site_shape)
    # Of several draws, since in one of them all rectified units of a narrow net may be off.
    draws = (lively_params(model, jax.random.key(i)) for i in range(3))
    seen = sum(dependence(model, params, site, jax.random.key(3)) for params in draws) > 0
    return seen, rank < rank[site]


def draw_attention(height: int, width: int) -> Drawn:
    """Draws what theta at every pixel depends on in a transformer of one layer, by its Jacobian, for several orders and masks:
    all pixels against all, and below it one of them."""
    site = (2 * height // 3, width // 3)
    at = site[0] * width + site[1]
    kinds = [(order, Causal()) for order in (orders.Raster(), orders.Snake(), orders.Hilbert(), orders.Random(0))]
    kinds += [(orders.Raster(), Strided(width)), (orders.Hilbert(), Window(width))]
    figure, panels = sheet("Masked attention: one layer sees all that its mask leaves", 2, len(kinds), height=4.1)
    for (above, below), (order, mask) in zip(panels.T, kinds, strict=True):
        model = Model(Transformer(8, 1, 1, mask=mask), MixtureOfGaussians(1), (height, width), order)
        rank = orders.inverse(model.permutation)
        seen = dependences(model, lively_params(model, jax.random.key(0)), jax.random.key(1)) > 0
        earlier = rank[None] < rank[:, None]
        _show(above, f"{words(order).capitalize()} order,\n{words(mask)}", seen, earlier, None)
        _show(below, "", seen[at].reshape(height, width), earlier[at].reshape(height, width), site)
    panels[0, 0].set_ylabel("each pixel (row)\nby each (column)")
    panels[1, 0].set_ylabel("one pixel")
    key(figure, _COLORS)
    return finish(figure, f"{len(kinds)} pairs of an order and a mask")


def draw_receptive_field_of_run(opened: Opened) -> Drawn:
    """Draws what theta at one site depends on, over a picture; of other data that of all sites."""
    return _draw_of_run(opened, whole=False)


def draw_dependence_of_run(opened: Opened) -> Drawn:
    """Draws what theta at every site depends on."""
    return _draw_of_run(opened, whole=True)


def _draw_of_run(opened: Opened, whole: bool) -> Drawn:
    """What theta of a trained net really depends on at one example, by changing one symbol after the other."""
    model, params, x, cond, _ = example_of(opened)
    check_sites(model)
    matrix, site = whole or len(model.site_shape) == 1, opened.site
    if matrix and site is not None:
        raise InputError(f"--site {site}: all sites of data of shape {model.site_shape} are drawn at once; leave it out")
    rank, seen = orders.inverse(model.permutation), influences(model, params, x, cond) > 0
    earlier, name = rank[None] < rank[:, None], f"{type(model.net).__name__}, {words(model.order)} order"
    mean = f"theta depends on {100 * seen[earlier].mean() if earlier.any() else 0:.0f} % of the sites before it"
    figure, ((axes,),) = sheet(f"A trained {name}", height=6.6)
    if matrix:
        _show(axes, mean, seen, earlier, None)
        axes.set(xlabel="each site, row by row", ylabel="theta of each site, row by row")
    else:
        site = site_in(model, site)
        at = np.ravel_multi_index(site, model.site_shape)
        # Channels that are sites of their own lie on one pixel of the picture.
        seen, earlier = (part[at].reshape(*model.site_shape[:2], -1).any(axis=-1) for part in (seen, earlier))
        _show(axes, f"theta at row {site[0]}, column {site[1]}", seen, earlier, site[:2])
        mean = f"site {site}; {mean}"
    key(figure, _COLORS)
    return finish(figure, f"at test example {opened.example}, {mean}")


def check_sites(model: Model) -> None:
    """InputError for a model of more than MOST_SITES."""
    if model.num_sites > MOST_SITES:
        raise InputError(
            f"data of {model.num_sites} sites take as many passes, more than {MOST_SITES}; choose a run of shorter examples"
        )


def _show(axes, title, seen, earlier, site):
    """What theta depends on, `seen`, and what it could depend on, `earlier`, both bool [H, W]; with no site, [T, T], a row for
    each."""
    kinds = np.where(seen, 1, np.where(earlier, 2, 3))
    if site is None:
        np.fill_diagonal(kinds, 0)
    else:
        kinds[site] = 0
    cells(axes, kinds, _COLORS.values())
    axes.set_title(title, fontsize=9.5)
