"""`python -m arjax sample RUN`."""

import dataclasses
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from arjax.commands import flags
from arjax.data.media import Exhibit
from arjax.errors import InputError, say, show
from arjax.runs.load import open_run
from arjax.sampling import Generated, MinP, Temperature, TopK, TopP, ancestral, stream
from arjax.training.conditions import sample_cond


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw from a trained run: a picture, text, continuations of a prompt, or sound with a picture of it; and with --out the
    arrays."""

    run: flags.Run
    batch: int | None = None
    """By default 64, or with --prompt 1."""
    seed: int = 0
    prompt: str | None = None
    """Text to continue, for runs of text. The first continuation is printed as it is drawn."""
    tokens: int | None = None
    """Symbols to draw behind the prompt; by default as many as the model has room for, at most 200."""
    stop: str | None = None
    """The character, or of tokens the very token, that a continuation ends with, if it is drawn."""
    label: int | None = None
    """The class to draw, if the model has classes; by default all of them in turn."""
    temperature: float | None = None
    """0 is greedy."""
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    raw: flags.Raw = False
    step: flags.Step = None
    png: Path | None = None
    """Where to write the picture; by default RUN/samples/seed_SEED.png, with -2, -3, ... behind it as long as that is there.
    Texts and sounds are named likewise."""
    out: Path | None = None
    """Where to write the samples as .npz (arrays x and, as the model takes them, label, local and memory; of continuations also
    their length, of images drawn as tokens also these)."""
    overwrite: flags.Overwrite = False
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        batch = self.batch if self.batch is not None else 64 if self.prompt is None else 1
        flags.require_positive(batch=batch, tokens=self.tokens)
        flags.require_suffix(".npz", out=self.out)
        flags.require_suffix(".png", png=self.png)
        flags.require_outputs(self.overwrite, *flags.data_files(self.run, self.root, self.modules), out=self.out, png=self.png)
        flags.require_seed(self.seed)
        if self.prompt is None and (self.tokens, self.stop) != (None, None):
            raise InputError("--tokens and --stop belong to --prompt; give one, or leave them out")
        experiment, params, _ = open_run(self.run, raw=self.raw, step=self.step, root=self.root, modules=self.modules)
        model, data = flags.require_model(self.run, experiment), experiment.data
        flags.require_label(self.run, model, self.label)
        # Only features have to come from data, which need not be there otherwise.
        cond = sample_cond(model, batch, data.load().valid if model.cond.features(model.site_shape) else None)
        if self.label is not None:
            cond = cond.replace(label=jnp.full(batch, self.label, jnp.int32))
        chosen = {Temperature: self.temperature, TopK: self.top_k, TopP: self.top_p, MinP: self.min_p}
        transforms = tuple(make(value) for make, value in chosen.items() if value is not None)
        key = jax.random.key(self.seed)
        if self.prompt is not None:
            self._continue(model, params, key, data.medium, batch, cond, transforms)
            return
        x = np.asarray(ancestral(model, params, key, batch, cond=cond, transforms=transforms))
        exhibit = data.medium.exhibit(x, f"{self.run}, seed {self.seed}")
        if self.png and exhibit.picture is None:
            raise InputError(f"--png {self.png}: samples of {self.run} are {data.medium.noun}, no pictures; leave it out")
        original = data.medium.original(x)
        if exhibit.texts:
            show(exhibit.text)
        self._write("samples", exhibit, cond, **({"x": x} if original is None else {"x": original, "tokens": x}))

    def _continue(self, model, params, key, medium, batch, cond, transforms) -> None:
        """Print and write what the prompt is continued by: the first continuation as it is drawn, then the others."""
        if self.png:
            raise InputError(f"--png {self.png}: continuations of text are no pictures; leave it out")
        prompt = medium.encode(self.prompt)
        if not len(prompt):
            raise InputError("--prompt is empty; leave it out to sample from the start")
        room = model.num_sites - len(prompt)
        tokens = max(1, min(room, 200)) if self.tokens is None else self.tokens
        options = {"tokens": tokens, "cond": cond, "transforms": transforms, "stop": self._stop(medium)}
        snapshots = stream(model, params, key, [prompt] * batch, every=8, **options)
        begun = Generated(np.stack([prompt] * batch), np.full(batch, len(prompt)))
        printed = 0
        for drawn in itertools.chain([begun], snapshots):
            texts = [medium.exhibit(row[None, :length]).texts[0] for row, length in zip(*drawn, strict=True)]
            # A character of several bytes may be half drawn; it is shown as a replacement until it is whole.
            settled = texts[0].rstrip("\N{REPLACEMENT CHARACTER}")
            show(settled[printed:], end="")
            printed = max(printed, len(settled))
        show(Exhibit(texts=(texts[0][printed:], *texts[1:])).text)
        self._write("continuations", Exhibit(texts=tuple(texts)), cond, x=drawn.x, length=drawn.length)

    def _stop(self, medium) -> int | None:
        """The symbol that --stop is. InputError unless it is one."""
        if self.stop is None:
            return None
        symbols = medium.encode(self.stop)
        if len(symbols) != 1:
            raise InputError(f"--stop {self.stop!r} is {len(symbols)} symbols; choose one")
        return int(symbols[0])

    def _write(self, what, exhibit, cond, **arrays) -> None:
        """Writes what was drawn, and the arrays where --out says so."""
        given = {name: getattr(cond, name) for name in ("label", "local", "memory") if getattr(cond, name) is not None}
        also = {self.out: flags.npz(**arrays, **given)} if self.out else {}
        stem = Path(self.run) / "samples" / f"seed_{self.seed}"
        where = exhibit.save(stem, self.png, also=also, overwrite=self.overwrite)
        if self.out:
            say(f"{len(arrays['x'])} samples in {self.out}")
        say(f"{len(arrays['x'])} {what} in {where}")
