"""The figures that explain the library, drawn from the code that they explain: orders, masks, and what nets really look at."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax import orders, pictures
from arjax.errors import InputError
from arjax.heads import MixtureOfGaussians
from arjax.layers.attention_mask import Causal, Strided, Window
from arjax.layers.local_mask import local_mask
from arjax.layers.masked_conv import causal_mask
from arjax.models import GatedPixelCNN, LMConv, PixelCNN, PixelCNNPP, Transformer
from arjax.protocol import Cond, Model
from arjax.testing import dependence, dependences, influences, lively_params

# A pass for each is bearable.
MOST_SITES = 4096


def draw_orders(height: int, width: int) -> tuple[bytes, str]:
    """Draws every generation order as a numbered grid. Returns the PNG file, and in words what was drawn."""
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
    return pictures.order_pictures(every, (height, width)), f"{len(every)} orders"


def draw_masks(height: int, width: int) -> tuple[bytes, str]:
    """Draws masks of a convolution: of the first layer and of others, between the channels of a pixel, and of one pixel in an
    order of its own."""
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
    return pictures.mask_pictures(panels), f"{len(panels)} masks"


def draw_receptive_fields(height: int, width: int) -> tuple[bytes, str]:
    """Draws what theta at one pixel depends on, by the Jacobian of real networks: the blind spot, and its cures."""
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
        # Of several draws, since in one of them all rectified units of a narrow net may be off.
        draws = (lively_params(model, jax.random.key(i)) for i in range(3))
        seen = sum(dependence(model, params, site, jax.random.key(3)) for params in draws) > 0
        panels.append((f"{type(net).__name__}, {order}", seen, rank < rank[site], site))
    return pictures.dependence_pictures(panels), f"{len(panels)} receptive fields"


def draw_attention(height: int, width: int) -> tuple[bytes, str]:
    """Draws what theta at every pixel depends on in a transformer of one layer, by its Jacobian, for several orders and masks:
    all pixels against all, and below it one of them."""
    site = (2 * height // 3, width // 3)
    at = site[0] * width + site[1]
    kinds = [(order, Causal()) for order in (orders.Raster(), orders.Snake(), orders.Hilbert(), orders.Random(0))]
    kinds += [(orders.Raster(), Strided(width)), (orders.Hilbert(), Window(width))]
    matrices, fields = [], []
    for order, mask in kinds:
        model = Model(Transformer(8, 1, 1, mask=mask), MixtureOfGaussians(1), (height, width), order)
        rank = orders.inverse(model.permutation)
        seen = dependences(model, lively_params(model, jax.random.key(0)), jax.random.key(1)) > 0
        earlier = rank[None] < rank[:, None]
        matrices.append((f"{order}, {mask}: all pixels", seen, earlier, None))
        one = (part[at].reshape(height, width) for part in (seen, earlier))
        fields.append((f"the pixel {site}", *one, site))
    return pictures.dependence_pictures(matrices + fields, rows=2), f"{len(kinds)} pairs of an order and a mask"


def draw_attention_weights(model, params, x, cond: Cond, site: tuple[int, ...] | None, text: str | None) -> tuple[bytes, str]:
    """Draws how a trained transformer spreads its attention, in every layer and head, over one example x [1, *site_shape, *E]:
    over an image for the query of one `site` (None: in the centre), else of all sites for all, to which `text` puts its
    characters. Returns the PNG file, and in words what was drawn.

    InputError for a site outside the data, or where none is to be chosen.
    """
    permutation, image = model.permutation, pictures.to_images(x, model.head.vocab)
    matrix = image is None or len(model.site_shape) == 1
    if not matrix:
        site = _site(model, site)
    elif site is not None:
        raise InputError(f"--site {site}: data of shape {model.site_shape} are drawn for all sites at once; leave it out")
    weights = model.apply(params, orders.arrange(x, permutation, model.site_shape), permutation, cond, method="attention")
    weights = np.stack(weights)[:, 0]  # [layers, N, T, S]
    drawn = f"{weights.shape[0]} layers of {weights.shape[1]} heads"
    if matrix:
        return pictures.attention_matrices(weights, text), f"{drawn}, all {model.num_sites} sites"
    t = orders.inverse(permutation)[np.ravel_multi_index(site, model.site_shape)]
    spread = np.zeros((*weights.shape[:2], model.num_sites), np.float32)
    spread[..., permutation[:t]] = weights[:, :, t, 1 : t + 1]
    # Channels that are sites of their own lie on one pixel of the picture.
    spread = spread.reshape(*spread.shape[:2], *model.site_shape[:2], -1).sum(axis=-1)
    known = np.isin(np.arange(model.num_sites), permutation[:t]).reshape(*model.site_shape[:2], -1).any(axis=-1)
    return pictures.attention_pictures(image[0], spread, weights[:, :, t, 0], known, site[:2]), f"{drawn}, site {site}"


def draw_influences(model, params, x, cond: Cond, site: tuple[int, ...] | None, whole: bool) -> tuple[bytes, str]:
    """Draws what theta of a trained net really depends on at one example x [1, *site_shape, *E], by changing one symbol after the
    other: over a picture for one `site` (None: in the centre); of other data, or where the `whole` is wanted, for all sites
    against all. Returns the picture, and in words what was drawn.

    InputError for a site outside the data, or where none is to be chosen, and for more than MOST_SITES.
    """
    if model.num_sites > MOST_SITES:
        raise InputError(
            f"data of {model.num_sites} sites take as many passes, more than {MOST_SITES}; choose a run of shorter examples"
        )
    matrix = whole or len(model.site_shape) == 1
    if matrix and site is not None:
        raise InputError(f"--site {site}: all sites of data of shape {model.site_shape} are drawn at once; leave it out")
    rank, seen = orders.inverse(model.permutation), influences(model, params, x, cond) > 0
    earlier, name = rank[None] < rank[:, None], f"{type(model.net).__name__}, {model.order}"
    mean = f"theta depends on {100 * seen[earlier].mean() if earlier.any() else 0:.0f} % of the sites before it"
    if matrix:
        return pictures.dependence_pictures([(name, seen, earlier, None)]), mean
    site = _site(model, site)
    at = np.ravel_multi_index(site, model.site_shape)
    # Channels that are sites of their own lie on one pixel of the picture.
    seen, earlier = (part[at].reshape(*model.site_shape[:2], -1).any(axis=-1) for part in (seen, earlier))
    return pictures.dependence_pictures([(f"{name}, {site}", seen, earlier, site[:2])]), f"site {site}; {mean}"


def _site(model, site):
    """The site to draw, by default in the centre. InputError for one outside the data."""
    site = tuple(size // 2 for size in model.site_shape) if site is None else site
    if len(site) != len(model.site_shape) or not all(0 <= i < size for i, size in zip(site, model.site_shape, strict=True)):
        raise InputError(f"--site {site} is outside the data of shape {model.site_shape}; choose one inside")
    return site


def _whole(mask):
    """The mask of a whole square kernel, with the rows below the pixel, which no weight is stored for."""
    return np.pad(mask, ((0, mask.shape[1] - mask.shape[0]), (0, 0)))
