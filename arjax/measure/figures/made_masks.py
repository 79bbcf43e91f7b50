"""The figure of MADE's masks, measured: a weight that is masked has a derivative of exactly zero."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax import orders
from arjax.heads import Bernoulli
from arjax.likelihood import theta
from arjax.measure.figures.style import FAINT, HIDDEN, PREDICTED, SEEN, Drawn, bare, cells, finish, key, node, sheet
from arjax.models import MADE
from arjax.protocol import Model
from arjax.testing import lively_params

_SITES = 4
# From layer to layer.
_RISE = 1.8
_ORDERS = (
    ("order 1 2 3 4", orders.Raster()),
    ("order 4 3 2 1", orders.Reversed()),
    ("order 3 1 4 2", orders.Permutation((2, 0, 3, 1))),
)


def draw_made_masks() -> Drawn:
    """Draws the connections that a small MADE keeps in three orders, those that lead to one output in colour, and below what each
    output sees in all."""
    model = Model(MADE(hidden=(6, 6), activation="softplus"), Bernoulli(), (_SITES,), orders.AnyOrder())
    params = lively_params(model, jax.random.key(0))
    figure, panels = sheet("MADE: one network, whose masks follow the order", 2, len(_ORDERS), height=5.6, height_ratios=[2.3, 1])
    for (above, below), (name, order) in zip(panels.T, _ORDERS, strict=True):
        permutation = order.permutation((_SITES,))
        masks = masks_of(model, params, permutation)
        _draw_net(bare(above), masks, int(permutation[-2]))
        above.set_title(name, fontsize=11)
        paths = masks[2] @ masks[1] @ masks[0] > 0
        cells(below, np.where(paths, 0, 1), (SEEN, HIDDEN))
        below.set(xticks=range(_SITES), yticks=range(_SITES), xticklabels=range(1, 5), yticklabels=range(1, 5), xlabel="pixel")
        below.tick_params(length=0)
    panels[1, 0].set_ylabel("output for\npixel")
    key(figure, {"one output": PREDICTED, "what it sees": SEEN, "masked, or of other outputs": HIDDEN})
    return finish(figure, f"masks in {len(_ORDERS)} orders")


def masks_of(model, params, permutation) -> list[np.ndarray]:
    """Returns where weights count: inputs to units [6, T], units to units [6, 6], units to outputs [T, 6], all int."""
    rng = np.random.default_rng(0)
    x = np.ones((1, *model.site_shape), np.int32)
    mix = rng.standard_normal((1, _SITES, 1)).astype(np.float32)
    slopes = _slopes(model, params, x, jnp.asarray(permutation), mix)
    return [
        (np.abs(np.asarray(part)).reshape(len(part), -1) > 0).astype(int)
        for part in (slopes["w0"], slopes["w1"], slopes["v"][:, 0])
    ]


def _slopes(model, params, x, permutation, mix):
    return jax.jit(jax.grad(lambda params: (theta(model, params, x, order=permutation) * mix).sum()))(params)


def _draw_net(axes, masks, output):
    """Inputs below, outputs above; of the connections those that lead to one output in colour."""
    lit, layers = {(len(masks), output)}, [masks[0].shape[1], *(len(mask) for mask in masks)]
    places = [np.arange(width) - (width - 1) / 2 for width in layers]
    spread = [1.5, 1.0, 1.0, 1.5]
    for level in range(len(masks), 0, -1):
        for to, source in np.argwhere(masks[level - 1]):
            on = (level, to) in lit
            if on:
                lit.add((level - 1, source))
            axes.plot(
                [places[level - 1][source] * spread[level - 1], places[level][to] * spread[level]],
                [_RISE * (level - 1), _RISE * level],
                color=SEEN if on else HIDDEN,
                linewidth=1.6 if on else 0.9,
                zorder=2 if on else 1,
            )
    reach = np.eye(layers[0], dtype=int)
    for level, xs in enumerate(places):
        if level:
            reach = (masks[level - 1] @ reach > 0).astype(int)
        for unit, x in enumerate(xs):
            ends = level in (0, len(masks))
            text = f"{unit + 1}" if ends else f"{reach[unit].sum()}"
            color = PREDICTED if (level, unit) == (len(masks), output) else SEEN if (level, unit) in lit else "white"
            node(
                axes,
                x * spread[level],
                _RISE * level,
                text,
                color,
                radius=0.32,
                size=9,
                ink=FAINT if color == "white" and not ends else None,
            )
    axes.set(xlim=(-3.2, 3.2), ylim=(-0.5, _RISE * len(masks) + 0.5), aspect="equal")
    axes.set_yticks(_RISE * np.arange(len(masks) + 1), ["pixels", "degrees", "degrees", "theta"])
    axes.tick_params(length=0)
