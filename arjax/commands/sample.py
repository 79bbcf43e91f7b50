"""`python -m arjax sample RUN`."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from arjax import pictures
from arjax.commands.flags import Run, require_positive, require_seed, require_suffix
from arjax.data.splits import heard, shown
from arjax.sampling import Temperature, TopK, TopP, ancestral
from arjax.training.load import load
from arjax.training.report import rule_between, sample_cond, write_sounds, write_texts
from arjax.training.run_directory import read_run


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw from a trained run: a picture, text, or sound with a picture of it; and with --out the arrays."""

    run: Run
    """The directory that train.py wrote."""
    batch: int = 64
    seed: int = 0
    label: int | None = None
    """The class to draw, if the model knows classes; by default all of them in turn."""
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    raw: bool = False
    """The parameters as trained, not their moving average."""
    png: Path | None = None
    """Where to write the picture; by default RUN/samples/seed_SEED.png."""
    out: Path | None = None
    """Where to write the samples as .npz (arrays x and, as the model knows them, label, local and memory)."""
    root: str | None = None
    """Where the data lie that local features or a memory are taken from, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self, flags: list[str]) -> None:
        require_positive(batch=self.batch)
        require_suffix(".npz", out=self.out)
        require_suffix(".png", png=self.png)
        require_seed(self.seed)
        experiment = read_run(self.run, self.modules)
        model, params = load(self.run, raw=self.raw, modules=self.modules)
        if self.label is not None and model.cond.classes is None:
            raise ValueError(f"--label {self.label}: {self.run} knows no classes; leave it out")
        if self.label is not None and not 0 <= self.label < model.cond.classes:
            raise ValueError(f"--label {self.label}: label must be in 0..{model.cond.classes - 1}; choose one that is")
        # Only features have to come from data, which need not be there otherwise.
        data = dataclasses.replace(experiment.data, root=self.root or experiment.data.root)
        cond = sample_cond(model, self.batch, data.load().valid if model.cond.features(model.site_shape) else None)
        if self.label is not None:
            cond = cond.replace(label=jnp.full(self.batch, self.label, jnp.int32))
        chosen = {Temperature: self.temperature, TopK: self.top_k, TopP: self.top_p}
        transforms = tuple(make(value) for make, value in chosen.items() if value is not None)
        x = ancestral(model, params, jax.random.key(self.seed), self.batch, cond=cond, transforms=transforms)
        texts, sound = shown(experiment.data, x), heard(experiment.data, x)
        images = pictures.to_images(x, model.head.vocab) if texts is None and sound is None else None
        if self.png and sound is None and images is None:
            raise ValueError(f"--png {self.png}: samples of {self.run} are no pictures; leave it out")
        if self.out:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            known = {name: getattr(cond, name) for name in ("label", "local", "memory") if getattr(cond, name) is not None}
            np.savez_compressed(self.out, x=x, **known)
            print(f"{self.batch} samples in {self.out}")
        stem = Path(self.run) / "samples" / f"seed_{self.seed}"
        png = self.png or stem.with_suffix(".png")
        if texts is not None:
            path = stem.with_suffix(".txt")
            write_texts(path, texts)
            print(rule_between(texts))
            print(f"{self.batch} samples in {path}")
        elif sound is not None:
            write_sounds(stem, sound)
            pictures.save_png(png, pictures.sound_picture(*sound, f"{self.run}, seed {self.seed}"))
            print(f"{self.batch} samples in {stem}_0.wav to {stem.name}_{self.batch - 1}.wav, the first 8 drawn in {png}")
        elif images is not None:
            pictures.save_png(png, pictures.image_grid(images))
            print(f"{self.batch} samples in {png}")
        elif not self.out:
            raise ValueError(
                f"samples of shape {model.site_shape} are no images, text or sound; write them to a file with --out FILE.npz"
            )
