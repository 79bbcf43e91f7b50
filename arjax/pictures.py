"""Pictures: what a person looks at. Arrays in, arrays or the bytes of PNG files out."""

import io
import itertools
import math
import textwrap
from collections.abc import Sequence

import numpy as np

from arjax.errors import KEPT, printable

# Of many waveforms so many are drawn.
SOUNDS = 8


def to_images(x, vocab: int | None) -> np.ndarray | None:
    """Samples [B, H, W], [B, H, W, 1] or [B, H, W, 3] -> the same in [0, 1], as float32; None if x has another shape.

    vocab: the number of symbols, the last of which is white; None for real values, of which the largest is.
    """
    x = np.asarray(x, np.float32)
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        return None
    if vocab is None:
        low, high = x.min(), x.max()
        return (x - low) / max(high - low, 1e-6)
    return x / max(vocab - 1, 1)


def png(image: np.ndarray) -> bytes:
    """Returns uint8 [h, w, 3] as the content of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def density_over_histogram(points, density, data, title: str = "") -> np.ndarray:
    """uint8 [h, w, 3]: a density [N] at evenly spaced points [N], drawn over the histogram of data [M].

    Both are per unit of x. The data's bins are centred on the points; where these are more than 100, several share a bin.
    """
    points, data = np.asarray(points, np.float64), np.asarray(data, np.float64).ravel()
    gap = points[1] - points[0] if len(points) > 1 else 1.0
    shared = math.ceil(len(points) / 100)
    edges = points[0] - gap / 2 + gap * shared * np.arange(math.ceil(len(points) / shared) + 1)
    figure, axes = new_figure(title)
    axes.hist(data, edges, density=True, color="0.75", label=f"data ({len(data)})")
    axes.plot(points, np.asarray(density), color="tab:blue", linewidth=1.2, label="model")
    axes.set(xlabel="x", ylabel="density", ylim=(0, None))
    axes.legend()
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def histograms(sets: list[tuple[str, np.ndarray, np.ndarray]], xlabel: str, ylabel: str, title: str = "") -> np.ndarray:
    """uint8 [h, w, 3]: for every (name, values [N], weights [N]) the share of the weight in each of 60 bins that all of them
    share, and the weighted mean as a line and as a number. What is not finite has no bin; the name says how many there are."""
    finite = [np.isfinite(values) for _, values, _ in sets]
    everything = np.concatenate([values[there] for (_, values, _), there in zip(sets, finite, strict=True)])
    low, high = (everything.min(), everything.max()) if len(everything) else (0.0, 1.0)
    edges = np.linspace(low, high, 61) if high > low else np.linspace(low - 0.5, low + 0.5, 61)
    figure, axes = new_figure(title)
    for i, ((name, values, weights), there) in enumerate(zip(sets, finite, strict=True)):
        shown, shares = values[there], weights[there] / weights.sum()
        if not there.all():
            name += f", {np.count_nonzero(~there)} of them infinite"
        if len(shown):
            mean = np.average(shown, weights=shares)
            name += f"; mean {mean:.4f}"
            axes.axvline(mean, color=f"C{i}", linewidth=1.2, linestyle="--")
        axes.hist(shown, edges, weights=shares, color=f"C{i}", alpha=0.55, label=textwrap.fill(name, 100))
    axes.set(xlabel=f"{xlabel}; dashed: the mean", ylabel=ylabel)
    figure.legend(loc="outside lower center", fontsize="small")
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def sound_picture(
    waveforms, sample_rate: int, title: str = "", mark: float | None = None, captions: Sequence[str] = ()
) -> np.ndarray:
    """uint8 [h, w, 3]: waveforms [N, T] in [-1, 1], and below each its spectrogram, over seconds; of many the first SOUNDS. At
    `mark` seconds there is a line in them, and above each its caption, if there are any.

    A spectrogram is the power of Hann windows of at most 256 samples, in dB below its highest: 80 dB and more are black.
    """
    waveforms = np.asarray(waveforms, np.float64)[:SOUNDS]
    columns = min(4, len(waveforms))
    rows = math.ceil(len(waveforms) / columns)
    figure, panels = new_figure(title, 2 * rows, columns, size=(1 + 3.2 * columns, 0.6 + 3.2 * rows), squeeze=False)
    for axes in panels.ravel():
        axes.set_axis_off()
    seconds = waveforms.shape[1] / sample_rate
    for i, waveform in enumerate(waveforms):
        wave, spectrum = panels[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]
        for axes in (wave, spectrum):
            axes.set_axis_on()
            axes.tick_params(labelsize=7)
        wave.plot(np.arange(len(waveform)) / sample_rate, waveform, linewidth=0.4)
        wave.set(xlim=(0, seconds), ylim=(-1, 1), xticks=[])
        spectrum.imshow(_decibels(waveform), "magma", origin="lower", aspect="auto", vmin=-80, vmax=0,
                        extent=(0, seconds, 0, sample_rate / 2000))  # fmt: skip
        if captions:
            wave.set_title(printable(captions[i], KEPT), fontsize=8, parse_math=False)
        if mark is not None:
            for axes in (wave, spectrum):
                axes.axvline(mark, color="tab:red", linewidth=0.8, linestyle="--")
        if i % columns == 0:
            wave.set_ylabel("waveform", fontsize=7)
            spectrum.set_ylabel("kHz", fontsize=7)
        if i + columns >= len(waveforms):
            spectrum.set_xlabel("seconds", fontsize=7)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _decibels(waveform) -> np.ndarray:
    """[frequencies, frames]: the spectrogram of a waveform [T], dB below its highest value; silence is -200."""
    width = min(256, len(waveform))
    padded = np.pad(waveform, width // 2)  # a frame is centred on its time
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[:: max(1, width // 4)]
    power = np.abs(np.fft.rfft(frames * np.hanning(width + 2)[1:-1])) ** 2
    return 10 * np.log10(np.maximum(power / max(power.max(), 1e-20), 1e-20)).T


def likelihood_against_speed(points: dict[str, tuple[float, float, float]], title: str = "") -> bytes:
    """Each model at (samples/s, nats per test example), with the standard error of these; the best are lower right. The legend
    names the most probable first."""
    figure, axes = new_figure(title, size=(9, 5))
    ordered = sorted(points.items(), key=lambda item: item[1][1])
    for (name, (speed, nats, error)), marker in zip(ordered, itertools.cycle("osD^vP*"), strict=False):
        axes.errorbar(speed, nats, error, marker=marker, linestyle="", capsize=3, alpha=0.8, label=name)
    axes.set(xscale="log", xlabel="samples/s", ylabel="test nats per example")
    axes.margins(x=0.1)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    return as_png(figure)


def order_pictures(orders, site_shape: tuple[int, int]) -> bytes:
    """For every order the data's sites with their ranks written in them, and the path through them in colour."""
    height, width = site_shape
    columns = min(4, len(orders))
    rows = math.ceil(len(orders) / columns)
    figure, panels = new_figure("", rows, columns, size=(3.2 * columns, 3.2 * rows * height / width + 0.3))
    for axes in np.ravel(panels):
        axes.axis("off")
    for axes, order in zip(np.ravel(panels), orders, strict=False):
        permutation = np.asarray(order.permutation(site_shape))
        rank = permutation.argsort().reshape(site_shape)
        axes.imshow(rank, cmap="viridis")
        axes.plot(permutation % width, permutation // width, color="white", linewidth=0.7, alpha=0.6)
        for (row, column), value in np.ndenumerate(rank):
            color = "white" if value < rank.size / 2 else "black"
            axes.text(column, row, value, ha="center", va="center", fontsize=7, color=color)
        axes.set_title(str(order), fontsize=9)
    return as_png(figure)


def dependence_pictures(panels: list[tuple[str, np.ndarray, np.ndarray, tuple[int, int] | None]], rows: int = 1) -> bytes:
    """For every (title, seen [H, W] bool, earlier [H, W] bool, site): what theta at the site depends on, and what it could
    depend on, being generated earlier, but does not. With no site, the picture is a matrix [T, T], a row for each."""
    columns = -(-len(panels) // rows)
    figure, axes_row = new_figure("", rows, columns, size=(3.2 * columns, 3.4 * rows + 0.5))
    colors = {"later": "0.85", "earlier, not seen": "tab:orange", "seen": "tab:blue", "the site": "tab:red"}
    for axes, (title, seen, earlier, site) in zip(np.ravel(axes_row), panels, strict=True):
        kinds = np.where(seen, 2, np.where(earlier, 1, 0))
        if site is None:
            np.fill_diagonal(kinds, 3)
            axes.set(xticks=[], yticks=[])
            axes.set_ylabel("theta at site, row by row", fontsize=8)
            axes.set_xlabel("by site, row by row", fontsize=8)
        else:
            kinds[site] = 3
            _rule(axes, kinds.shape)
        axes.imshow(_colored(kinds, colors))
        axes.set_title(title, fontsize=9)
    _name_colors(figure, colors)
    return as_png(figure)


def attention_pictures(image, weights, start, known, site: tuple[int, int]) -> bytes:
    """Over an image [H, W] or [H, W, C] in [0, 1], for every layer and head, how weights [layers, N, H, W] spread in red, the
    strongest as red as can be; `start` [layers, N] is written above. Pixels not `known` [H, W] are covered; `site` is framed."""
    from matplotlib.patches import Rectangle

    layers, heads = weights.shape[:2]
    tall = image.shape[0] / image.shape[1]
    figure, panels = new_figure("", layers, heads, size=(1.9 * heads + 0.4, (1.9 * tall + 0.3) * layers + 0.5), squeeze=False)
    ink = 0.96 - 0.45 * np.broadcast_to(image[..., None] if image.ndim == 2 else image, (*image.shape[:2], 3))[..., :3]
    paper = np.where(known[..., None], ink, (0.80, 0.87, 0.95))
    for (layer, head), axes in np.ndenumerate(panels):
        strength = np.clip(weights[layer, head] / max(weights[layer, head].max(), 1e-6), 0, 1)[..., None]
        axes.imshow((1 - strength) * paper + strength * np.array((0.85, 0.0, 0.0)))
        axes.add_patch(Rectangle((site[1] - 0.5, site[0] - 0.5), 1, 1, fill=False, edgecolor="tab:blue", linewidth=2))
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"start {start[layer, head]:.0%}, reddest {weights[layer, head].max():.0%}", fontsize=7)
        _name_layer_and_head(axes, layer, head, layers)
    colors = {"attended to": (0.85, 0, 0), "known, dark": "0.96", "known, bright": "0.51", "not known yet": (0.80, 0.87, 0.95)}
    _name_colors(figure, colors | {"to be generated": "tab:blue"})
    return as_png(figure)


def attention_matrices(weights, text: str | None = None) -> bytes:
    """For every layer and head weights [layers, N, T, S] as a matrix, a row for each site, the darkest the strongest of its row.
    text: T characters, written at the axes where there is room."""
    layers, heads, sites, _ = weights.shape
    figure, panels = new_figure("", layers, heads, size=(3.0 * heads + 0.4, 3.0 * layers + 0.3), squeeze=False)
    letters = [{"\n": "\N{RETURN SYMBOL}"}.get(letter, letter) for letter in text or ""]
    for (layer, head), axes in np.ndenumerate(panels):
        strongest = weights[layer, head].max(axis=1, keepdims=True)
        axes.imshow(weights[layer, head] / np.maximum(strongest, 1e-6), cmap="Greys", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        if len(letters) == sites <= 64:
            axes.set_yticks(range(sites), letters, fontsize=4)
            axes.set_xticks(range(sites), ["\N{BLACK RIGHT-POINTING SMALL TRIANGLE}", *letters[:-1]], fontsize=4)
            axes.tick_params(length=0, pad=1)
        _name_layer_and_head(axes, layer, head, layers)
    figure.supxlabel("to the start and the symbols before", fontsize=8)
    figure.supylabel("from the site to be generated", fontsize=8)
    return as_png(figure)


def _name_layer_and_head(axes, layer, head, layers):
    if head == 0:
        axes.set_ylabel(f"layer {layer + 1}", fontsize=8)
    if layer == layers - 1:
        axes.set_xlabel(f"head {head + 1}", fontsize=8)


def mask_pictures(panels: list[tuple[str, np.ndarray]]) -> bytes:
    """For every (title, mask [h, w]): where the weights of a masked convolution may be other than zero."""
    figure, axes_row = new_figure("", 1, len(panels), size=(2.6 * len(panels), 3.2))
    colors = {"masked": "0.85", "seen": "tab:blue"}
    for axes, (title, mask) in zip(np.ravel(axes_row), panels, strict=True):
        axes.imshow(_colored((np.asarray(mask) > 0).astype(int), colors))
        axes.set_title(title, fontsize=9)
        _rule(axes, mask.shape)
    _name_colors(figure, colors)
    return as_png(figure)


def _colored(kinds, colors):
    """[h, w] of 0, 1, ... -> [h, w, 3], the colours in turn."""
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(color) for color in colors.values()])[kinds]


def _rule(axes, shape):
    """Thin lines between the cells of a picture."""
    axes.set(xticks=np.arange(shape[1] + 1) - 0.5, yticks=np.arange(shape[0] + 1) - 0.5, xticklabels=[], yticklabels=[])
    axes.grid(color="white", linewidth=0.6)
    axes.tick_params(length=0)


def _name_colors(figure, colors):
    from matplotlib.patches import Patch

    figure.legend(
        handles=[Patch(color=color, label=name) for name, color in colors.items()],
        loc="outside lower center",
        ncols=max(1, min(5, int(figure.get_figwidth() / 1.6))),
        fontsize="small",
    )


def new_figure(title, rows=1, columns=1, size=(7, 4.5), squeeze=True, **layout):
    """Returns (figure, its panels) of Matplotlib, with a title that is no formula. layout: as of its `subplots`."""
    # Matplotlib takes half a second to import, and only these pictures need it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    # A name may hold dollars, which are no formula.
    figure.suptitle(printable(title, KEPT), fontsize=10, wrap=True, parse_math=False)
    return figure, figure.subplots(rows, columns, squeeze=squeeze, **layout)


def as_png(figure) -> bytes:
    """Returns a figure as the content of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, dpi=120)
    return file.getvalue()
