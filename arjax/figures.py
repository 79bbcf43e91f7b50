"""The figures that explain the library, drawn from the code that they explain: orders, masks, and what nets really look at."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax import orders, pictures
from arjax.heads import MixtureOfGaussians
from arjax.layers.local_mask import local_mask
from arjax.layers.masked_conv import causal_mask
from arjax.models import GatedPixelCNN, LMConv, PixelCNN, PixelCNNPP
from arjax.protocol import Model
from arjax.testing import dependence, lively_params


def draw_orders(path, height: int, width: int) -> str:
    """Every generation order as a numbered grid. What was drawn, in words."""
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
    pictures.order_pictures(path, every, (height, width))
    return f"{len(every)} orders"


def draw_masks(path, height: int, width: int) -> str:
    """Masks of a convolution: of the first layer and of others, between the channels of a pixel, and of one pixel in an order of
    its own."""
    order, (row, column) = orders.Spiral(), (height // 2, width // 4)
    permutation = jnp.asarray(order.permutation((height, width)))
    local = local_mask(permutation, height, width, 5, strict=False)[row, column]
    panels = [
        ("A, 7x7: the first layer", _whole(causal_mask(7, 1, 1, 1, strict=True)[..., 0, 0])),
        ("B, 5x5: the others", _whole(causal_mask(5, 1, 1, 1, strict=False)[..., 0, 0])),
        ("A, channels: from row to column", causal_mask(1, 3, 3, 3, strict=True)[0, 0]),
        ("B, channels: from row to column", causal_mask(1, 3, 3, 3, strict=False)[0, 0]),
        (f"B, 5x5, {order} at ({row}, {column})", np.asarray(local).reshape(5, 5)),
    ]
    pictures.mask_pictures(path, panels)
    return f"{len(panels)} masks"


def draw_receptive_fields(path, height: int, width: int) -> str:
    """What theta at one pixel depends on, by the Jacobian of real networks: the blind spot, and its cures."""
    site, raster = (2 * height // 3, width // 3), orders.Raster()
    nets = (
        (PixelCNN(width=8, blocks=4, kernel=5), raster),
        (GatedPixelCNN(width=8, layers=4, kernel=5), raster),
        (PixelCNNPP(width=6, resnets=1, levels=1), raster),
        (LMConv(width=8, blocks=4, kernel=5), orders.Spiral()),
    )
    panels = []
    for net, order in nets:
        model = Model(net, MixtureOfGaussians(1), (height, width), order)
        rank = orders.inverse(model.permutation).reshape(height, width)
        seen = dependence(model, lively_params(model, jax.random.key(0)), site, jax.random.key(1)) > 0
        panels.append((f"{type(net).__name__}, {order}", seen, rank < rank[site], site))
    pictures.dependence_pictures(path, panels)
    return f"{len(panels)} receptive fields"


def _whole(mask):
    """The mask of a whole square kernel, with the rows below the pixel, which no weight is stored for."""
    return np.pad(mask, ((0, mask.shape[1] - mask.shape[0]), (0, 0)))
