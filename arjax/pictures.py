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


def as_png(figure, dpi: int = 120) -> bytes:
    """Returns a figure as the content of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, dpi=dpi)
    return file.getvalue()
