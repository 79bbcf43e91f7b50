"""Images with a part hidden: a grid with a row for each, the image, what is left of it, its completions."""

from pathlib import Path

import jax
import numpy as np

from arjax import pictures
from arjax.commands.completions import chosen, cost, draw, order_for, own_cond, spread
from arjax.commands.image_file import read_array, read_image
from arjax.commands.masks import NAMES, read_mask
from arjax.errors import InputError
from arjax.protocol import Cond
from arjax.runs.report import pictured
from arjax.training.conditions import check_fits


def complete_pictures(flags, model, params, data) -> None:
    """Write the grid where `flags`, a Complete, say, and print what the truth costs. InputError where they do not fit."""
    name = flags.mask or "lower"
    hidden = read_mask(name, *model.site_shape[:2], flags.seed)
    splits = data.load()
    check_fits(data.title, model, splits)
    completions = flags.completions or 8
    if flags.image:
        x, cond = _own(flags, model, data, splits)
    else:
        x, cond, _ = chosen(model, data, splits.test, spread(flags.examples, 10, len(splits.test.x)), flags.seed)
    # A pixel is hidden with all of its channels.
    mask = np.broadcast_to(~hidden.reshape(*hidden.shape, *[1] * (len(model.site_shape) - 2)), model.site_shape)
    order = order_for(model, mask)
    told = cost(model, params, data, x, mask, cond, order)
    drawn = draw(model, params, flags.key, x, mask, completions, cond, order)
    image = (flags.image.stem,) if flags.image else ()
    png = flags.png or flags.stem(*image, name if name in NAMES else Path(name).stem).with_suffix(".png")
    pictures.save_png(png, _grid(data, x, hidden, drawn, model.head.vocab))
    # A tokenizer looks at more pixels than its token is drawn at.
    seen = "; tokens beside the hidden ones were made with a look at what they hide" if hasattr(data, "visible") else ""
    what = flags.image or f"{len(x)} images"
    print(f"{what}, {name} hidden, and {completions} completions {'' if flags.image else 'of each '}in {png}{seen}")
    print(told)


def _own(flags, model, data, splits) -> tuple[np.ndarray, Cond]:
    """(--image as the model knows it [1, H, W, ...], its condition)."""
    cond = own_cond(model, flags.run, "--image", flags.label)
    tokenized = hasattr(data, "visible")
    source = data.data if tokenized else data
    train = (source.load() if tokenized else splits).train.x
    shape = train.shape[1:]
    if flags.image.suffix == ".npy":
        raw = read_array(flags.image, "--image")
        if raw.shape != shape or raw.dtype.kind not in "biuf":
            raise InputError(f"--image {flags.image} is {raw.dtype} of shape {raw.shape}; give numbers of shape {shape}")
        raw = np.array(raw)
    else:
        grey = read_image(flags.image, shape[:2], "--image", colour=shape[2:] == (3,)).reshape(shape)
        low, high = train.min().astype(np.float64), train.max().astype(np.float64)
        raw = low + grey / 255 * (high - low)
        raw = raw.round().astype(train.dtype) if train.dtype.kind in "biu" else raw.astype(train.dtype)
    outside = source.values.outside(raw)
    if outside.any():
        value = raw[tuple(np.argwhere(outside)[0])].item()
        raise InputError(
            f"--image {flags.image} has the value {value}, but {source.values.title} accepts {source.values.support} only; "
            "correct it"
        )
    if tokenized:
        return data.encode(raw[None]), cond
    return np.asarray(data.values(jax.random.key(flags.seed), raw[None])), cond


def _grid(data, x, hidden, drawn, vocab) -> np.ndarray:
    """uint8 [h, w, 3]: a row for each image [N, H, W, ...]: itself, half-hidden, completed [N, K, H, W, ...]."""
    rows = np.concatenate([x[:, None], x[:, None], drawn], axis=1)
    images = np.array(pictured(data, rows.reshape(-1, *x.shape[1:]), vocab))
    # A token may stand for a patch of pixels.
    patch = np.ones([size // sites for size, sites in zip(images.shape[1:3], hidden.shape, strict=True)], bool)
    images[1 :: rows.shape[1], np.kron(hidden, patch)] = 0.5
    return pictures.image_grid(images, columns=rows.shape[1])
