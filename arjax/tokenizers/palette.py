"""A palette: every pixel becomes the nearest of a few colours, found by k-means (Image GPT, Chen et al. 2020, section 2.1: 512
colours, which shortens a colour image to a third)."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from arjax.description import check_types
from arjax.errors import InputError, require
from arjax.tokenizers.images import over_images
from arjax.tokenizers.pixels import check_levels
from arjax.tokenizers.tokenizer import check_learned, check_range

# Pixels that the colours are fitted to: more change them little, and k-means takes longer.
_PIXELS = 200_000


@dataclasses.dataclass(frozen=True)
class Palette:
    """`colours` of RGB pixels (H, W, 3), or that many shades of gray (H, W), of values 0..255."""

    colours: int = 512
    """The number of colours, or of shades of gray."""
    seed: int = 0
    """Seed of the clustering."""

    lossless: ClassVar[bool] = False

    def __post_init__(self):
        check_types(self)
        if not 2 <= self.colours <= 2**16:
            raise InputError(f"Palette(colours={self.colours}) must have 2..65536 colours; choose so many, as 512")

    @property
    def vocab(self) -> int:
        return self.colours

    @property
    def title(self) -> str:
        return f"palette of {self.colours} colours"

    def token_shape(self, shape):
        if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
            raise InputError(f"a palette is of images (H, W) or (H, W, 3), not of examples of shape {shape}; give images")
        return shape[:2]

    def fit(self, data):
        """Learns {"colours": float32 [colours, C]}, the darkest first: k-means over pixels drawn from the training split."""
        check_levels(data, 256)
        x = np.asarray(data.values(jax.random.key(0), data.load().train.x))
        self.token_shape(x.shape[1:])
        pixels = x.reshape(-1, x.shape[3] if x.ndim == 4 else 1)
        drawn = pixels[np.random.default_rng(self.seed).choice(len(pixels), min(len(pixels), _PIXELS), replace=False)]
        # Each colour once, with its weight: of many equal pixels k-means would make several equal colours.
        distinct, counts = np.unique(drawn, axis=0, return_counts=True)
        if len(distinct) < self.colours:
            raise InputError(
                f"{data.title} shows {len(distinct)} different colours, fewer than the {self.colours} of the palette; "
                "choose fewer"
            )
        k_means = require("sklearn.cluster", extra="data").KMeans(self.colours, n_init=1, max_iter=50, random_state=self.seed)
        means = k_means.fit(distinct, sample_weight=counts).cluster_centers_
        means = means[np.lexsort((*means.T, means.sum(axis=1)))]
        return {"colours": means.astype(np.float32)}

    def check(self, learned):
        channels = 3 if np.shape(learned.get("colours"))[1:] == (3,) else 1
        check_learned(self.title, learned, {"colours": jax.ShapeDtypeStruct((self.colours, channels), np.float32)})

    def encode(self, learned, x) -> jax.Array:
        """Turns values [B, H, W] or [B, H, W, 3] into tokens [B, H, W], the nearest colour; of equals the first."""
        check_range("pixel", x, 256)
        colours = learned["colours"]
        channels = colours.shape[1:] if colours.shape[1] > 1 else ()
        if np.ndim(x) < 3 or np.shape(x)[3:] != channels:
            raise InputError(
                f"a palette of {colours.shape[1]} channels does not fit images of shape {np.shape(x)}; give [B, H, W] for 1, "
                "[B, H, W, 3] for 3"
            )
        return _nearest(jnp.asarray(colours), jnp.asarray(x))

    def decode(self, learned, tokens) -> jax.Array:
        """Turns tokens [B, H, W] into int32 values, the colours rounded."""
        check_range("token", tokens, self.colours)
        colours = jnp.round(jnp.clip(jnp.asarray(learned["colours"]), 0, 255)).astype(jnp.int32)
        found = colours[jnp.asarray(tokens)]
        return found if found.shape[-1] == 3 else found[..., 0]

    over = over_images


@jax.jit
def _nearest(colours, x):
    pixels = x[..., None] if colours.shape[1] == 1 else x

    def of_row(row):
        # A row of pixels at a time: all distances at once would take as much memory as `colours` such batches.
        return jnp.square(row[..., None, :].astype(jnp.float32) - colours[None, None]).sum(axis=-1).argmin(axis=-1)

    rows = pixels.swapaxes(0, 1)
    return jax.lax.map(of_row, rows).swapaxes(0, 1).astype(jnp.int32)
