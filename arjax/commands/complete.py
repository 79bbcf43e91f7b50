"""`python -m arjax complete RUN`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from arjax.commands.complete_pictures import complete_pictures
from arjax.commands.complete_sound import complete_sound
from arjax.commands.complete_text import complete_text
from arjax.commands.flags import Run, require_model, require_positive, require_seed, require_suffix, run
from arjax.errors import InputError
from arjax.runs.load import open_run
from arjax.runs.report import pictured


@dataclasses.dataclass(frozen=True)
class Complete:
    """Hide a part of test examples, or of an example of your own, draw it anew, several times, from what is left, and say what
    the truth costs: -log p(hidden | visible). Of images a picture with a row for each: the image, what is left of it, its
    completions; of text the texts; of sound .wav files of the first seconds, continued, and a picture of them."""

    run: Run
    """The directory that train.py wrote."""
    mask: str | None = None
    """What is hidden of images: lower (the default), upper, left or right half, centre (half as high and wide), random (half of
    the pixels), or a picture in which what is to be hidden is white, or an .npy of booleans, of the images' size, or of
    tokens with a pixel for each. Of test examples of text: left, right (the default), centre or random."""
    image: Path | None = None
    """A picture to complete instead of test images, of the model's size, or an .npy of raw values. Black and white become the
    smallest and largest value of the training split."""
    text: str | None = None
    """Text to complete instead of test examples, every character to be drawn marked by --blank. A shorter one than the model's
    windows stands for the start of a window."""
    blank: str = "_"
    """The character that marks what is hidden of a text."""
    truth: str | None = None
    """What --text really is, to say what that costs."""
    audio: Path | None = None
    """A .wav file to continue instead of test recordings."""
    seconds: float | None = None
    """How much of a recording is kept, and continued; by default half of what the model generates, or of --audio all of it."""
    label: int | None = None
    """The class of what --image, --text or --audio gives, where the model knows classes."""
    examples: Annotated[int | None, tyro.conf.arg(aliases=("--images",))] = None
    """Test examples to complete, evenly spaced in their split; by default 10 images, 3 texts or 2 recordings."""
    completions: int | None = None
    """Completions of each; by default 8 of images, 3 of text and sound."""
    seed: int = 0
    raw: bool = False
    """The parameters as trained, not their moving average."""
    png: Path | None = None
    """Where to write the picture; by default RUN/samples/complete_MASK_SEED.png, or of sound RUN/samples/complete_SEED.png."""
    root: str | None = None
    """Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self) -> None:
        counts = {"examples": self.examples, "completions": self.completions}
        require_positive(**{name: count for name, count in counts.items() if count is not None})
        require_seed(self.seed)
        require_suffix(".png", png=self.png)
        own = [name for name in ("image", "text", "audio") if getattr(self, name) is not None]
        if self.label is not None and not own:
            raise InputError("--label belongs to --image, --text or --audio, test examples have their own; leave it out")
        if own and self.examples is not None:
            raise InputError(f"--examples {self.examples}: --{own[0]} is the one to complete; leave it out")
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, data = require_model(self.run, experiment), experiment.data
        blank = np.zeros((1, *model.site_shape, *model.head.event_shape), np.int32)
        # The data say what they are.
        if hasattr(data, "hear"):
            self._refuse("sound", "mask", "image", "text", "truth")
            complete_sound(self, model, params, data)
        elif hasattr(data, "show"):
            self._refuse("text", "image", "audio", "seconds", "png")
            complete_text(self, model, params, data)
        elif pictured(data, blank, model.head.vocab) is not None:
            self._refuse("images", "text", "truth", "audio", "seconds")
            complete_pictures(self, model, params, data)
        else:
            raise InputError(
                f"{self.run} models data of shape {blank.shape[1:]}, no text, sound or images (H, W), (H, W, 1) or (H, W, 3); "
                "complete it in Python, by arjax.sample(..., observed=..., mask=...)"
            )

    def _refuse(self, kind: str, *others: str) -> None:
        for name in others:
            if getattr(self, name) is not None:
                raise InputError(f"--{name}: {self.run} models {kind}; leave it out")

    def stem(self, *parts: str) -> Path:
        """RUN/samples/complete_PARTS_SEED, without a suffix."""
        return Path(self.run) / "samples" / "_".join(["complete", *parts, str(self.seed)])

    @property
    def key(self) -> jax.Array:
        """The key of everything that is drawn."""
        return jax.random.key(self.seed)


def main(argv: list[str]) -> None:
    """Runs it."""
    run(Complete, "complete", argv)
