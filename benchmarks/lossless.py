"""What lossless compression of test images costs: in bits packed, by gzip, xz and oxipng, and by runs that train.py wrote.

    pip install -e ".[benchmarks]"  # oxipng
    python benchmarks/lossless.py runs/mnist_made runs/mnist_gated_pixelcnn --images 1000

All runs must be over the same images of symbols. gzip and xz get them in bytes, and also packed where a pixel is one bit; the
smaller counts. The PNG shows all images below each other.
"""

import argparse
import gzip
import io
import lzma
import math
import time

import jax
import numpy as np
import oxipng
from PIL import Image

import arjax
from arjax.coding import compress, decompress
from arjax.data import evenly_spaced
from arjax.protocol import Cond
from arjax.runs.load import open_run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--images", type=int, default=1000, help="so many of the test split, evenly spaced")
    parser.add_argument("--batch", type=int, default=250, help="images that go through the network at once")
    options = parser.parse_args()
    rows, expected = [], None
    for run in options.runs:
        experiment, params, _ = open_run(run)
        model, data = experiment.model, experiment.data
        images = evenly_spaced(data.load().test, options.images).x
        x = np.asarray(data.values(jax.random.key(0), images))
        if expected is None:
            expected, rows = x, [(name, size, "", "") for name, size in plain(x, model.head.vocab).items()]
            print(f"{len(x)} test images of {data.title}\n")
        elif not np.array_equal(x, expected):
            raise SystemExit(f"error: {run} is not over the same images as {options.runs[0]}; choose runs that are")
        compress(model, params, x[: options.batch], batch=options.batch)  # compiles
        began = time.perf_counter()
        stream = compress(model, params, x, batch=options.batch)
        between = time.perf_counter()
        found = decompress(model, params, stream)
        seconds = between - began, time.perf_counter() - between
        if not np.array_equal(found.x, x):
            raise SystemExit(f"error: {run} did not give the images back")
        nats = sum(
            -float(arjax.log_prob(model, params, x[i : i + 100], cond=Cond(label=at(found.label, i))).sum())
            for i in range(0, len(x), 100)
        ) + len(x) * math.log(model.cond.classes or 1)
        own = nats / math.log(2) / 8
        excess = f"{own:,.0f} {'+' if len(stream) >= own else '-'} {abs(len(stream) - own):.0f}"
        rows.append((f"`{run}`", len(stream), excess, f"{seconds[0]:.1f} / {seconds[1]:.1f}"))
    print("| | bytes | bits/dim | the model's own -log2 p(x), bytes, and what comes on top | compress / decompress, s |")
    print("|---|---|---|---|---|")
    for name, size, excess, seconds in rows:
        print(f"| {name} | {size:,} | {8 * size / expected.size:.4f} | {excess} | {seconds} |")


def at(label, i):
    return None if label is None else label[i : i + 100]


def plain(x, vocab) -> dict[str, int]:
    """Bytes of the images without a model."""
    bits = max(1, math.ceil(math.log2(vocab)))
    packed = np.packbits(x.astype(bool)).tobytes() if bits == 1 else x.astype(np.uint8).tobytes()
    return {
        f"raw, {bits} bit{'s' * (bits > 1)} a pixel": math.ceil(x.size * bits / 8),
        "gzip -9": min(len(gzip.compress(raw, 9, mtime=0)) for raw in (packed, x.astype(np.uint8).tobytes())),
        "xz -9e": min(len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)) for raw in (packed, x.astype(np.uint8).tobytes())),
        "PNG by oxipng -o 6, zopfli": png(x.reshape(-1, x.shape[2]), bits),
    }


def png(symbols, bits) -> int:
    """Bytes of the smallest PNG that is found of an image of symbols [H, W]."""
    image, file = Image.fromarray(symbols.astype(bool if bits == 1 else np.uint8)), io.BytesIO()
    image.save(file, "PNG")
    return len(oxipng.optimize_from_memory(file.getvalue(), level=6, deflate=oxipng.Deflaters.zopfli(15)))


if __name__ == "__main__":
    main()
