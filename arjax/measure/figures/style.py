"""One look for all figures: nine inches wide, so that a point is a pixel and a half on a page of 900 pixels, and colours that
people tell apart whatever their sight (Okabe and Ito 2008). A colour means the same thing everywhere."""

import contextlib
import dataclasses
import re
from typing import NamedTuple

import numpy as np

from arjax.pictures import as_png, new_figure

# What theta depends on; what is predicted; what is known but not seen; what is hidden: not known yet, or masked.
SEEN, PREDICTED, MISSED, HIDDEN = "#0072B2", "#D55E00", "#F0B93A", "#E3E3E3"
INK, FAINT = "#222222", "#8C8C8C"
# Meanings without order among them, as of neighbouring tokens: they tell neighbours apart and nothing else.
TINTS = ("#CFE6F5", "#FCE3B6", "#CDEBDD", "#F7D3E3", "#FBF3B4")

WIDTH = 9.0


class Drawn(NamedTuple):
    """A picture as the content of a PNG file, and in words what was drawn."""

    png: bytes
    said: str


@contextlib.contextmanager
def look():
    """Sets the fonts, lines and colours of what Matplotlib draws inside."""
    from matplotlib import rc_context

    with rc_context(
        {
            "font.size": 10,
            "axes.titlesize": 10.5,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "text.parse_math": False,
            "lines.linewidth": 2,
        }
    ):
        yield


def sheet(title: str, rows: int = 1, columns: int = 1, *, height: float, **layout):
    """Returns (figure, panels [rows, columns]) of Matplotlib, `height` inches high, with a title that says what the figure shows.
    layout: as of its `subplots`."""
    figure, panels = new_figure("", rows, columns, size=(WIDTH, height), squeeze=False, **layout)
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return figure, panels


def finish(figure, said: str) -> Drawn:
    """Returns the figure as a picture, and what was drawn."""
    return Drawn(as_png(figure, dpi=160), said)


def bare(axes):
    """Removes ticks and frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def key(figure, colors: dict[str, str]):
    """Names colours in a line below the figure."""
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(colors), frameon=False, handlelength=1, handleheight=1)


def cells(axes, kinds, colors):
    """Draws kinds [h, w] of 0, 1, ... in these colours, with white between the cells where there are few."""
    from matplotlib.colors import to_rgb

    bare(axes).imshow(np.array([to_rgb(color) for color in colors])[np.asarray(kinds)], interpolation="nearest")
    height, width = np.shape(kinds)
    if max(height, width) <= 40:
        for at in range(1, width):
            axes.axvline(at - 0.5, color="white", linewidth=0.8)
        for at in range(1, height):
            axes.axhline(at - 0.5, color="white", linewidth=0.8)


def shades(color: str):
    """A map of colours from white to `color`."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["white", color])


def node(axes, x, y, text="", color="white", radius=0.3, ink=None, size=10):
    """Draws a circle with a text in it."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), radius, facecolor=color, edgecolor=INK if color == "white" else color, linewidth=1.2, zorder=3))
    ink = ink or (INK if color in ("white", HIDDEN, MISSED) else "white")
    axes.text(x, y, text, ha="center", va="center", fontsize=size, color=ink, zorder=4)


def arrow(axes, start, end, color=INK, gap=0.3, width=1.3):
    """Draws an arrow from one point to another, which keeps a distance `gap` from both."""
    (x0, y0), (x1, y1) = start, end
    length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-6)
    dx, dy = gap * (x1 - x0) / length, gap * (y1 - y0) / length
    axes.annotate(
        "",
        (x1 - dx, y1 - dy),
        (x0 + dx, y0 + dy),
        arrowprops={
            "arrowstyle": "-|>,head_length=0.45,head_width=0.2",
            "color": color,
            "linewidth": width,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=2,
    )


def words(part) -> str:
    """Names an order or a mask, a frozen dataclass, in words: Reversed(Spiral()) is "reversed spiral", Window(8) is "window, size
    8". Fields with their defaults are left out."""
    said = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(part).__name__).lower()]
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            said[0] += f" {words(value)}"
        elif value is True:
            said.append(field.name)
        elif value != field.default and isinstance(value, (int, float, str)):
            said.append(f"{field.name} {value}")
    return ", ".join(said)
