"""`python -m arjax sample RUN`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from arjax.commands import flags
from arjax.commands.continuing import Writer, as_jsonl, continue_prompts, converse, read_prompts, unescaped
from arjax.data.exhibit import Exhibit
from arjax.errors import InputError, say, show
from arjax.runs.load import open_run
from arjax.sampling import MinP, Temperature, TopK, TopP, ancestral
from arjax.training.conditions import captions_of, sample_cond


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw from a trained run: a picture, text, continuations of a prompt, or sound with a picture of it; and with --out the
    arrays."""

    run: flags.Run
    samples: int | None = None
    """Samples to draw; by default 64, or one for each prompt."""
    seed: flags.Seed = 0
    prompt: str | None = None
    """Text to continue, for runs of text; "" begins a text. The first continuation is printed as it is drawn."""
    prompt_file: str | None = None
    """A file of prompts, or - for standard input: .jsonl with an object with a "prompt" on each line, or one text."""
    interactive: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Continue each line that is typed, until Ctrl-D."""
    tokens: int | None = None
    """Symbols to draw after the prompt; by default as many as the model has sites left, at most 200. With more its window
    slides."""
    keep: int | None = None
    """How many of its last symbols stay when the window slides; by default half of them."""
    stop: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    r"""A text at which a continuation ends; \n is a line end, \t a tab. Repeat the flag for several texts."""
    label: str | None = None
    """Name or number of the class to draw, if the model has classes; by default all classes in turn."""
    temperature: float | None = None
    """Divides the logits: below 1 likely symbols become more likely, and 0 always takes the most likely one."""
    top_k: int | None = None
    """Draw only among this many most likely symbols."""
    top_p: float | None = None
    """Draw only among the most likely symbols, as few as have this probability together."""
    min_p: float | None = None
    """Draw only among symbols with at least this fraction of the highest probability."""
    raw: flags.Raw = False
    step: flags.Step = None
    png: Path | None = None
    """The picture; by default RUN/samples/seed_SEED.png, or seed_SEED-2.png, ... if that exists. Texts and sounds are named
    likewise."""
    out: Path | None = None
    """The samples as .npz (arrays x and, if the model takes them, label, local and memory; also the lengths of continuations,
    and the tokens of images), continuations as .jsonl (prompt, text, tokens, stop), or rows of a table as .csv."""
    overwrite: flags.Overwrite = False
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        sources = {"--prompt": self.prompt is not None, "--prompt-file": self.prompt_file, "--interactive": self.interactive}
        given = [name for name, value in sources.items() if value]
        continues = bool(given or self.stop or (self.tokens, self.keep) != (None, None))
        batch = self.samples if self.samples is not None else 1 if continues else 64
        flags.require_positive(samples=batch, tokens=self.tokens)
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} each choose what to continue; give one")
        if self.interactive and (self.samples, self.out) != (None, None):
            raise InputError("--interactive prints one continuation of each line; leave out --samples and --out")
        flags.require_suffix(".npz", ".jsonl" if continues else ".csv", out=self.out)
        flags.require_suffix(".png", png=self.png)
        inputs = (self.prompt_file, *flags.data_files(self.run, self.root, self.modules))
        flags.require_outputs(self.overwrite, *inputs, out=self.out, png=self.png)
        flags.require_seed(self.seed)
        experiment, params, _ = open_run(self.run, raw=self.raw, step=self.step, root=self.root, modules=self.modules)
        model, data = flags.require_model(self.run, experiment), experiment.data
        label = flags.require_label(self.run, model, data, self.label)
        as_csv = self.out is not None and self.out.suffix == ".csv"
        if as_csv and "table" not in data.medium.flags:
            raise InputError(f"--out {self.out}: {self.run} models {data.medium.noun}, not of a table; choose .npz")
        # Only features have to come from data, which need not be there otherwise.
        examples = data.load().valid if model.cond.features(model.site_shape) else None

        def cond(count):
            chosen = {} if label is None else {"label": jnp.full(count, label, jnp.int32)}
            return sample_cond(model, count, examples).replace(**chosen)

        chosen = {Temperature: self.temperature, TopK: self.top_k, TopP: self.top_p, MinP: self.min_p}
        transforms = tuple(make(value) for make, value in chosen.items() if value is not None)
        key = jax.random.key(self.seed)
        if continues:
            if self.png:
                raise InputError(f"--png {self.png}: continuations of text are no pictures; leave it out")
            stops = tuple(map(unescaped, self.stop))
            self._continue(Writer(model, params, data.medium, cond, transforms, self.tokens, self.keep, stops), key, batch)
            return
        cond = cond(batch)
        x = np.asarray(ancestral(model, params, key, batch, cond=cond, transforms=transforms))
        exhibit = data.medium.exhibit(x, f"{self.run}, seed {self.seed}", captions_of(data, cond))
        if self.png and exhibit.picture is None:
            raise InputError(f"--png {self.png}: samples of {self.run} are {data.medium.noun}, no pictures; leave it out")
        original = data.medium.original(x)
        if exhibit.texts:
            show(exhibit.text)
        if as_csv:
            self._save("samples", exhibit, f"{exhibit.text}\n".encode(), batch)
            return
        self._write("samples", exhibit, cond, **({"x": x} if original is None else {"x": original, "tokens": x}))

    def _continue(self, writer: Writer, key, batch: int) -> None:
        if self.interactive:
            converse(writer, key)
            return
        records = [{"prompt": self.prompt or ""}] if self.prompt_file is None else read_prompts(self.prompt_file)
        drawn = continue_prompts(writer, key, [record["prompt"] for record in records], batch)
        exhibit = Exhibit(texts=tuple(text.whole for text in drawn.texts))
        if self.out and self.out.suffix == ".jsonl":
            self._save("continuations", exhibit, as_jsonl(records, drawn.texts), len(drawn.texts))
        else:
            self._write("continuations", exhibit, drawn.cond, x=drawn.symbols.x, length=drawn.symbols.length)

    def _write(self, what, exhibit, cond, **arrays) -> None:
        """Writes what was drawn, and the arrays where --out says so."""
        given = {name: getattr(cond, name) for name in ("label", "local", "memory") if getattr(cond, name) is not None}
        self._save(what, exhibit, flags.npz(**arrays, **given) if self.out else b"", len(arrays["x"]))

    def _save(self, what, exhibit, content: bytes, count: int) -> None:
        stem = Path(self.run) / "samples" / f"seed_{self.seed}"
        where = exhibit.save(stem, self.png, also={self.out: content} if self.out else {}, overwrite=self.overwrite)
        if self.out:
            say(f"{count} samples in {self.out}")
        say(f"{count} {what} in {where}")
