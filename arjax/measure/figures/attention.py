"""The figure of how a trained transformer spreads its attention, in every layer and head."""

import numpy as np

from arjax import orders, pictures
from arjax.errors import InputError
from arjax.measure.figures.opened import Opened, example_of, site_in
from arjax.measure.figures.style import PREDICTED, SEEN, Drawn, bare, finish, key, shades, sheet

_BLUE, _PAPER = (0.0, 0.447, 0.698), (0.98, 0.93, 0.80)


def draw_attention_of_run(opened: Opened) -> Drawn:
    """Draws the attention of a trained net over one example: over an image for the query of one site, else of all sites for all.

    InputError for a net without `attention`, for a site outside the data, and where none is to be chosen.
    """
    model, params, x, cond, text = example_of(opened)
    if model.capabilities.attention is None:
        raise InputError(
            f"{opened.run} is a {type(model.net).__name__}, which has no method `attention`; choose a run of a net with one, "
            "as Transformer, or draw receptive-field"
        )
    permutation, image, site = model.permutation, pictures.to_images(x, model.head.vocab), opened.site
    matrix = image is None or len(model.site_shape) == 1
    if not matrix:
        site = site_in(model, site)
    elif site is not None:
        raise InputError(f"--site {site}: data of shape {model.site_shape} are drawn for all sites at once; leave it out")
    weights = model.apply(params, orders.arrange(x, permutation, model.site_shape), permutation, cond, method="attention")
    weights = np.stack(weights)[:, 0]  # [layers, N, T, S]
    said = f"at test example {opened.example}, {weights.shape[0]} layers of {weights.shape[1]} heads"
    if matrix:
        return finish(_over_sites(weights, text), f"{said}, all {model.num_sites} sites")
    t = orders.inverse(permutation)[np.ravel_multi_index(site, model.site_shape)]
    spread = np.zeros((*weights.shape[:2], model.num_sites), np.float32)
    spread[..., permutation[:t]] = weights[:, :, t, 1 : t + 1]
    # Channels that are sites of their own lie on one pixel of the picture.
    spread = spread.reshape(*spread.shape[:2], *model.site_shape[:2], -1).sum(axis=-1)
    known = np.isin(np.arange(model.num_sites), permutation[:t]).reshape(*model.site_shape[:2], -1).any(axis=-1)
    return finish(over_image(image[0], spread, weights[:, :, t, 0], known, site[:2]), f"{said}, site {site}")


def over_image(image, weights, start, known, site: tuple[int, int]):
    """Draws over an image [H, W] or [H, W, C] in [0, 1], for every layer and head, how weights [layers, N, H, W] spread in blue,
    the strongest as blue as can be; `start` [layers, N] is written above. Pixels not `known` [H, W] are covered; `site` is
    framed."""
    from matplotlib.patches import Rectangle

    layers, heads = weights.shape[:2]
    each = (8.6 / heads) * image.shape[0] / image.shape[1]
    figure, panels = sheet(
        "Where attention looks before it predicts a pixel", layers, heads, height=layers * min(each + 0.4, 4) + 1
    )
    ink = 0.96 - 0.45 * np.broadcast_to(image[..., None] if image.ndim == 2 else image, (*image.shape[:2], 3))[..., :3]
    paper = np.where(known[..., None], ink, _PAPER)
    for (layer, head), axes in np.ndenumerate(panels):
        strength = np.clip(weights[layer, head] / max(weights[layer, head].max(), 1e-6), 0, 1)[..., None]
        bare(axes).imshow((1 - strength) * paper + strength * np.array(_BLUE))
        axes.add_patch(Rectangle((site[1] - 0.5, site[0] - 0.5), 1, 1, fill=False, edgecolor=PREDICTED, linewidth=2.5))
        axes.set_title(f"start {start[layer, head]:.0%}, most {weights[layer, head].max():.0%}", fontsize=9)
        _name_layer_and_head(axes, layer, head, layers)
    key(
        figure,
        {
            "predicted": PREDICTED,
            "attended to": SEEN,
            "known, dark": "#F5F5F5",
            "known, bright": "#828282",
            "not known yet": _PAPER,
        },
    )
    return figure


def _over_sites(weights, text: str):
    """For every layer and head weights [layers, N, T, S] as a matrix, a row for each site, the darkest the strongest of its row.
    text: T characters, written at the axes where there is room."""
    layers, heads, sites, _ = weights.shape
    each = 8.6 / heads
    figure, panels = sheet("Where attention looks before it predicts a symbol", layers, heads, height=layers * min(each, 7) + 1)
    letters = [{"\n": "\N{RETURN SYMBOL}"}.get(letter, letter) for letter in text]
    for (layer, head), axes in np.ndenumerate(panels):
        strongest = weights[layer, head].max(axis=1, keepdims=True)
        bare(axes).imshow(weights[layer, head] / np.maximum(strongest, 1e-6), cmap=shades(SEEN), interpolation="nearest")
        room = 72 * each / (sites + 4)
        if len(letters) == sites and room >= 6:
            axes.set_yticks(range(sites), letters, fontsize=min(10, room))
            axes.set_xticks(range(sites), ["\N{BLACK RIGHT-POINTING SMALL TRIANGLE}", *letters[:-1]], fontsize=min(10, room))
            axes.tick_params(length=0, pad=1)
        _name_layer_and_head(axes, layer, head, layers)
    figure.supxlabel("to the start and the symbols before", fontsize=10)
    figure.supylabel("from the symbol that is predicted", fontsize=10)
    return figure


def _name_layer_and_head(axes, layer, head, layers):
    if head == 0:
        axes.set_ylabel(f"layer {layer + 1}")
    if layer == layers - 1:
        axes.set_xlabel(f"head {head + 1}")
