"""Figures of grids: the orders in which sites are generated, and the masks of convolutions."""

import jax.numpy as jnp
import numpy as np

from arjax import orders
from arjax.layers.local_mask import local_mask
from arjax.layers.masked_conv import causal_mask
from arjax.measure.figures.style import HIDDEN, INK, PREDICTED, SEEN, Drawn, bare, cells, finish, key, shades, sheet, words


def draw_orders(height: int, width: int) -> Drawn:
    """Draws every generation order: its path, and the rank of each site where there is room."""
    from matplotlib.patches import Rectangle

    every = (
        orders.Raster(),
        orders.Snake(),
        orders.Column(),
        orders.Spiral(),
        orders.Reversed(orders.Spiral()),
        orders.Hilbert(),
        orders.Random(0),
        orders.Transposed(orders.Snake()),
    )
    columns = 4
    tall = min(2.2 * height / width, 6)
    figure, panels = sheet(
        "Generation orders: which site comes when", -(-len(every) // columns), columns, height=2 * (tall + 0.4) + 0.5
    )
    for axes, order in zip(panels.flat, every, strict=True):
        permutation = np.asarray(order.permutation((height, width)))
        rank = permutation.argsort().reshape(height, width)
        bare(axes).imshow(rank, cmap=shades(SEEN), vmin=-0.25 * rank.size, vmax=1.25 * rank.size)
        axes.plot(permutation % width, permutation // width, color="white", linewidth=0.9, alpha=0.55)
        row, column = divmod(int(permutation[0]), width)
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=PREDICTED, linewidth=2.5, zorder=3))
        if max(height, width) <= 8:
            for (row, column), value in np.ndenumerate(rank):
                axes.text(
                    column, row, value, ha="center", va="center", fontsize=8, color=INK if value < rank.size / 2 else "white"
                )
        axes.set_title(words(order).capitalize())
    key(figure, {"the first site": PREDICTED, "early": "#D9EAF4", "late": "#338EC1"})
    return finish(figure, f"{len(every)} orders")


def draw_masks(height: int, width: int) -> Drawn:
    """Draws masks of a convolution: of the first layer and of others, between the channels of a pixel, and of one pixel in an
    order of its own."""
    order, (row, column) = orders.Spiral(), (height // 2, width // 4)
    permutation = jnp.asarray(order.permutation((height, width)))
    local = local_mask(permutation, height, width, 5, strict=False)[row, column]
    kernels = [
        ("mask A: the first layer,\nwithout the pixel itself", _whole(causal_mask(7, 1, 1, 1, strict=True)[..., 0, 0])),
        ("mask B: every other layer,\nwith the pixel's features", _whole(causal_mask(5, 1, 1, 1, strict=False)[..., 0, 0])),
        (f"mask of one pixel in spiral\norder, at row {row}, column {column}", np.asarray(local).reshape(5, 5)),
    ]
    channels = [
        ("A, from channel (row)\nto channel (column)", causal_mask(1, 3, 3, 3, strict=True)[0, 0]),
        ("B, from channel (row)\nto channel (column)", causal_mask(1, 3, 3, 3, strict=False)[0, 0]),
    ]
    figure, (panels,) = sheet(
        "Masked convolutions: weights for what comes later are zero", 1, 5, height=3.3, width_ratios=[1.3, 1.3, 1.3, 1, 1]
    )
    for axes, (title, mask) in zip(panels, kernels + channels, strict=True):
        cells(axes, np.where(np.asarray(mask) > 0, 1, 0), (HIDDEN, SEEN))
        axes.set_title(title, fontsize=9)
    for axes, (_, mask) in zip(panels, kernels, strict=False):
        side = len(mask) // 2
        axes.plot(side, side, "o", color=PREDICTED, markersize=7)
    for axes in panels[3:]:
        axes.set(xticks=range(3), yticks=range(3), xticklabels="RGB", yticklabels="RGB")
        axes.tick_params(length=0)
    key(figure, {"the pixel that is predicted": PREDICTED, "seen": SEEN, "masked": HIDDEN})
    return finish(figure, f"{len(panels)} masks")


def _whole(mask):
    """The mask of a whole square kernel, with the rows below the pixel, which no weight is stored for."""
    return np.pad(mask, ((0, mask.shape[1] - mask.shape[0]), (0, 0)))
