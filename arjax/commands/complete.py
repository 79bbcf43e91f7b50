"""`python -m arjax complete RUN`."""

import dataclasses
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from arjax import pictures
from arjax.commands.flags import Run, require_model, require_positive, require_seed, require_suffix
from arjax.data.batches import gather
from arjax.orders import named
from arjax.protocol import Cond
from arjax.sampling import ancestral
from arjax.training.fits import check_fits
from arjax.training.load import open_run
from arjax.training.objective import cond_of
from arjax.training.report import pictured


@dataclasses.dataclass(frozen=True)
class Complete:
    """Hide a part of test images and draw it anew, several times, from what is left. A picture with a row for each image: the
    image, what is left of it, its completions."""

    run: Run
    """The directory that train.py wrote."""
    mask: Literal["lower", "upper", "left", "right", "centre", "random"] = "lower"
    """What is hidden: a half of the image, its centre (half as high and wide), or half of its pixels at random."""
    images: int = 10
    """Test images to complete, evenly spaced in their split."""
    completions: int = 8
    """Completions of each."""
    seed: int = 0
    raw: bool = False
    """The parameters as trained, not their moving average."""
    png: Path | None = None
    """Where to write the picture; by default RUN/samples/complete_MASK_SEED.png."""
    root: str | None = None
    """Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self, flags: list[str]) -> None:
        require_positive(images=self.images, completions=self.completions)
        require_seed(self.seed)
        require_suffix(".png", png=self.png)
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, data = require_model(self.run, experiment), experiment.data
        shape = (*model.site_shape, *model.head.event_shape)
        if pictured(data, np.zeros((1, *shape), np.int32), model.head.vocab) is None:
            raise ValueError(
                f"{self.run} models data of shape {shape}, no images (H, W), (H, W, 1) or (H, W, 3); "
                "complete it in Python, by arjax.sample(..., observed=..., mask=...)"
            )
        splits = data.load()
        check_fits(data.title, model, splits)
        hidden = hide(self.mask, *shape[:2], self.seed)
        x, cond = self._examples(model, data, splits.test)
        drawn = _complete(model, params, jax.random.key(self.seed), x, hidden, self.completions, cond)
        png = self.png or Path(self.run) / "samples" / f"complete_{self.mask}_{self.seed}.png"
        pictures.save_png(png, _grid(data, x, hidden, drawn, model.head.vocab))
        # A tokenizer looks at more pixels than its token is drawn at.
        seen = "; tokens beside the hidden ones were made with a look at what they hide" if hasattr(data, "visible") else ""
        print(f"{self.images} images, {self.mask} hidden, and {self.completions} completions of each in {png}{seen}")

    def _examples(self, model, data, split) -> tuple[np.ndarray, Cond]:
        """The images [N, H, W, ...] as the model knows them, and their condition."""
        if self.images > len(split.x):
            raise ValueError(f"--images {self.images} is more than the {len(split.x)} of the test split; choose fewer")
        # Where the split is in the order of its classes, the first images are all of one.
        chosen = np.arange(self.images) * len(split.x) // self.images
        batch = gather(split, chosen)
        return np.asarray(data.values(jax.random.key(self.seed), batch["x"])), cond_of(model, batch)


def hide(mask: str, height: int, width: int, seed: int) -> np.ndarray:
    """[H, W] bool: True where the mask of this name hides a pixel. A half of an odd number is rounded up."""
    row, column = np.indices((height, width))
    top, left = height // 4, width // 4
    return {
        "lower": row >= height // 2,
        "upper": row < height - height // 2,
        "left": column < width - width // 2,
        "right": column >= width // 2,
        "centre": (row >= top) & (row < height - top) & (column >= left) & (column < width - left),
        "random": np.random.default_rng(seed).permutation(row.size).reshape(row.shape) >= row.size // 2,
    }[mask]


def _complete(model, params, key, x, hidden, completions, cond) -> np.ndarray:
    """[N, K, H, W, ...]: K completions of each image [N, H, W, ...], all drawn at once."""
    mask = np.broadcast_to(~hidden.reshape(*hidden.shape, *[1] * (len(model.site_shape) - 2)), model.site_shape)
    observed, cond = jax.tree.map(lambda part: np.repeat(part, completions, axis=0), (x, cond))
    order = _order_ending_with_the_hidden(model, mask) if model.net.any_order else None
    drawn = ancestral(model, params, key, len(observed), order=order, cond=cond, observed=observed, mask=mask)
    return np.asarray(drawn).reshape(len(x), completions, *x.shape[1:])


def _order_ending_with_the_hidden(model, mask):
    """Of the orders that the model was trained in by name, the first that has all that is observed before all that is hidden: it
    knows that one better than its own, rearranged. None if there is none."""
    for order in named(model.order, model.site_shape):
        observed = mask.reshape(-1)[order]
        if not (observed[1:] & ~observed[:-1]).any():
            return order
    return None


def _grid(data, x, hidden, drawn, vocab) -> np.ndarray:
    """uint8 [h, w, 3]: a row for each image [N, H, W, ...]: itself, half-hidden, completed [N, K, H, W, ...]."""
    rows = np.concatenate([x[:, None], x[:, None], drawn], axis=1)
    images = np.array(pictured(data, rows.reshape(-1, *x.shape[1:]), vocab))
    # A token may stand for a patch of pixels.
    patch = np.ones([size // sites for size, sites in zip(images.shape[1:3], hidden.shape, strict=True)], bool)
    images[1 :: rows.shape[1], np.kron(hidden, patch)] = 0.5
    return pictures.image_grid(images, columns=rows.shape[1])
