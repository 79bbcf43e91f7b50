"""Grids of images, enlarged to be seen, with headings above their columns and names beside their rows. Arrays in, arrays out."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arjax.errors import printable

# Screen pixels: what a grid is about as large as; what an image is at least as wide as, unless the grid became wider than _WIDE;
# what a grid of classes is at least as wide as; and what no side of a grid exceeds: of more images the first are drawn, and how
# many is written below them.
_USUAL, _READABLE, _WIDE, _NARROW, _MOST = 600, 80, 1200, 400, 4096
_STRIP, _FONTS, _GROUND = 22, (14, 13, 12, 11, 10, 9), 128


class Block(NamedTuple):
    """Images [N, H, W] or [N, H, W, 1 or 3] in [0, 1], in so many columns, under a heading; "" for none."""

    heading: str
    images: np.ndarray
    columns: int


def image_grid(images, columns: int | None = None, scale: int | None = None) -> np.ndarray:
    """[N, H, W] or [N, H, W, C] in [0, 1] -> uint8 [h, w, 3]: side by side, on a grey ground, enlarged to be seen.

    columns: None makes the grid about square. scale: screen pixels a pixel; None picks one at which images are readable.
    """
    return grid_of_blocks([Block("", np.asarray(images), columns or math.ceil(math.sqrt(len(images))))], scale=scale)


def grid_of_classes(images, captions: Sequence[str]) -> np.ndarray:
    """Draws images [N, H, W] or [N, H, W, C] in [0, 1] as uint8 [h, w, 3]: a column for each caption, with it above, or of few
    captions several columns. What does not fit beside the others comes below them."""
    places: dict[str, list[int]] = {}
    for place, caption in enumerate(captions):
        places.setdefault(caption, []).append(place)
    images, most = np.asarray(images), max(map(len, places.values()))
    columns = max(1, round(math.sqrt(most / len(places))))
    blocks = [Block(caption, images[some], columns) for caption, some in places.items()]
    step = (images.shape[2] + 1) * columns
    wide, tall = step * len(blocks), math.ceil(most / columns) * (images.shape[1] + 1)
    scale = max(math.ceil(_READABLE / (images.shape[2] + 1)), round(_USUAL / max(wide, tall)), math.ceil(_NARROW / wide))
    abreast = max(1, min(len(blocks), _WIDE // (step * scale)))
    bands, tall = [], 0
    for i in range(0, len(blocks), abreast):
        band = grid_of_blocks(blocks[i : i + abreast], scale=scale)
        if bands and tall + len(band) > _MOST:
            break
        bands.append(band)
        tall += len(band)
    width = max(band.shape[1] for band in bands)
    picture = np.concatenate([_padded(band, width) for band in bands])
    drawn = len(bands) * abreast
    return picture if drawn >= len(blocks) else _below(picture, f"the first {drawn} of {len(blocks)} classes")


def grid_of_blocks(blocks: Sequence[Block], names: Sequence[str] = (), scale: int | None = None) -> np.ndarray:
    """Draws blocks of images of one shape side by side, uint8 [h, w, 3].

    names: of each row what stands left of it.
    scale: screen pixels a pixel; None picks one at which images are readable.
    """
    height, width = blocks[0].images.shape[1:3]
    rows = max(math.ceil(len(block.images) / block.columns) for block in blocks)
    columns = sum(block.columns for block in blocks)
    tall, wide = rows * (height + 1) + 1, columns * (width + 1) + 1
    if scale is None:
        readable = min(math.ceil(_READABLE / (width + 1)), _WIDE // wide)
        scale = max(1, round(_USUAL / max(tall, wide)), readable)
    shown = max(1, min(rows, _MOST // (scale * (height + 1)))), max(1, min(columns, _MOST // (scale * (width + 1))))
    grid = np.full((shown[0] * (height + 1) + 1, shown[1] * (width + 1) + 1, 3), _GROUND, np.uint8)
    spans, left, drawn = [], 0, 0
    for block in blocks:
        for i, image in enumerate(_rgb(block.images)):
            row, column = i // block.columns, left + i % block.columns
            if row < shown[0] and column < shown[1]:
                top, side = row * (height + 1) + 1, column * (width + 1) + 1
                grid[top : top + height, side : side + width] = image
                drawn += 1
        spans.append((left, min(left + block.columns, shown[1]), block.heading))
        left += block.columns
    picture = grid.repeat(scale, axis=0).repeat(scale, axis=1)
    if any(block.heading for block in blocks):
        step = scale * (width + 1)
        above = _strip(picture.shape[1], [(a * step + scale, b * step, heading) for a, b, heading in spans if a < b])
        picture = np.concatenate([above, picture])
    if any(names):
        picture = np.concatenate([_side(names[: shown[0]], scale * (height + 1), len(picture)), picture], axis=1)
    total = sum(len(block.images) for block in blocks)
    return picture if drawn == total else _below(picture, f"{drawn} of {total} images")


def _rgb(images) -> np.ndarray:
    images = np.asarray(images, np.float32)
    images = images[..., None] if images.ndim == 3 else images
    return np.broadcast_to((np.clip(images, 0, 1) * 255).round().astype(np.uint8), (*images.shape[:3], 3))


def _strip(width: int, spans: Sequence[tuple[int, int, str]]) -> np.ndarray:
    """Headings in the middle of their (left, right), in the largest letters in which all fit, underlined."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width, _STRIP), "white")
    draw = ImageDraw.Draw(picture)
    size = _size_for([(heading, right - left - 2) for left, right, heading in spans])
    for left, right, heading in spans:
        text = _shortened(heading, right - left - 2, size)
        draw.text(((left + right) / 2, _STRIP / 2 - 1), text, "black", _font(size), anchor="mm")
        draw.line((left + 1, _STRIP - 2, right - 2, _STRIP - 2), (90, 90, 90) if heading else "white")
    return np.asarray(picture)


def _side(names: Sequence[str], step: int, height: int) -> np.ndarray:
    """Names left of the rows, which end at the bottom and are `step` high."""
    from PIL import Image, ImageDraw

    size = _FONTS[0]
    texts = [_shortened(name, 160, size) for name in names]
    width = math.ceil(max(_font(size).getlength(text) for text in texts)) + 10
    picture = Image.new("RGB", (width, height), "white")
    for i, text in enumerate(texts):
        middle = height - (len(names) - i - 0.5) * step
        ImageDraw.Draw(picture).text((width - 5, middle), text, "black", _font(size), anchor="rm")
    return np.asarray(picture)


def _below(picture: np.ndarray, text: str) -> np.ndarray:
    return np.concatenate([picture, _strip(picture.shape[1], [(0, picture.shape[1], text)])])


def _padded(picture: np.ndarray, width: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255)


def _size_for(texts: Sequence[tuple[str, int]]) -> int:
    """The largest size in which each text is no wider than its pixels, or the smallest."""
    fitting = (size for size in _FONTS if all(_font(size).getlength(_written(text)) <= room for text, room in texts))
    return next(fitting, _FONTS[-1])


def _shortened(text: str, room: int, size: int) -> str:
    """The text, or as much of its beginning as has room, with an ellipsis."""
    text = _written(text)
    for length in range(len(text), 0, -1):
        cut = text if length == len(text) else text[:length] + "\N{HORIZONTAL ELLIPSIS}"
        if _font(size).getlength(cut) <= room:
            return cut
    return text[:1]


def _written(text: str) -> str:
    return printable(text[:200])


@functools.cache
def _font(size: int):
    """The letters that come with Matplotlib, which has more alphabets than Pillow's own."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)
