"""`python -m arjax score RUN FILE...`."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from arjax.commands import flags
from arjax.commands.completing import own_cond
from arjax.data.medium import MediumCapabilities
from arjax.errors import InputError, say, show
from arjax.files import read_input, write_all
from arjax.measure.results import table
from arjax.measure.texts import ScoredText, score_text, together
from arjax.runs.load import open_run
from arjax.sliding import begins, check_keep


@dataclasses.dataclass(frozen=True)
class Score:
    """Score texts of any length under a trained run: perplexity, nats and bits per symbol, and bits per byte. Each symbol is
    scored once, in a window that slides along its text."""

    run: flags.Run
    files: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILES")]
    """Files, a text each; - is standard input."""
    context: int | None = None
    """The least number of symbols before it that each symbol is given, except near the beginning; by default half of the
    window. More take longer, and 0 scores independent windows, as evaluate does."""
    label: str | None = None
    """Name or number of the class of the texts, if the model has classes."""
    raw: flags.Raw = False
    step: flags.Step = None
    out: Path | None = None
    """The score of each symbol, as .npz (arrays symbol, log_prob in nats, context; text, the number of its text; files, their
    names) or .jsonl (an object for each symbol, with its text)."""
    overwrite: flags.Overwrite = False
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        flags.require_suffix(".npz", ".jsonl", out=self.out)
        inputs = (*self.files, *flags.data_files(self.run, self.root, self.modules))
        flags.require_outputs(self.overwrite, *inputs, out=self.out)
        if not self.files:
            raise InputError("there is nothing to score; name at least one file, or - for standard input")
        if self.files.count("-") > 1:
            raise InputError("standard input can be read only once; give - once")
        trained = open_run(self.run, raw=self.raw, step=self.step, root=self.root, modules=self.modules)
        model, data = flags.require_model(self.run, trained.experiment), trained.experiment.data
        medium = data.medium
        if MediumCapabilities.of(medium).spelling is None:
            raise InputError(f"{self.run} models {medium.noun}, no texts; use `python -m arjax evaluate`")
        cond, keep = own_cond(model, data, self.run, "score", self.label), check_keep(model, self.context, 0, "--context")
        # Each text is checked before any is scored.
        contents = [(name, read_input(name)) for name in self.files]
        for name, content in contents:
            with _naming(name):
                medium.encode(content.decode(errors="surrogateescape"))
        scored = []
        for name, content in contents:
            with _naming(name):
                scored.append(score_text(model, trained.params, medium, content, context=keep, cond=cond))
        self._table(scored, medium.unit, keep, model.num_sites)
        if self.out:
            contexts = [np.arange(len(text.symbols)) for text in scored]
            contexts = [n - begins(n, model.num_sites, keep) for n in contexts]
            write_all({self.out: self._content(scored, contexts, medium)}, overwrite=self.overwrite)
            say(f"{sum(len(text.symbols) for text in scored)} {medium.unit}s in {self.out}")

    def _table(self, scored: list[ScoredText], unit: str, keep: int, sites: int) -> None:
        texts = [*zip(self.files, scored, strict=True), *([("together", together(scored))] if len(scored) > 1 else [])]
        heads = ["text", f"{unit}s", "perplexity", f"nats/{unit}", f"bits/{unit}", *(["bits/byte"] if unit != "byte" else [])]
        rows = []
        for name, text in texts:
            numbers = (text.perplexity, text.nats_per_symbol, text.bits_per_symbol, text.bits_per_byte)[: len(heads) - 2]
            rows.append([name, f"{len(text.symbols):,}", *(f"{number:.4f}" for number in numbers)])
        show(table(heads, rows))
        say(f"each {unit} once, given {keep} to {sites - 1} before it where its text has so many")

    def _content(self, scored: list[ScoredText], contexts: list[np.ndarray], medium) -> bytes:
        if self.out.suffix == ".npz":
            whole, sizes = together(scored), [len(text.symbols) for text in scored]
            return flags.npz(
                symbol=whole.symbols.astype(np.int32),
                log_prob=whole.log_probs,
                context=np.concatenate(contexts).astype(np.int32),
                text=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
                files=np.array(self.files),
            )
        lines = []
        for name, text, given in zip(self.files, scored, contexts, strict=True):
            shown = medium.exhibit(text.symbols[:, None]).texts
            for i, (symbol, log_prob, spelled) in enumerate(zip(text.symbols, text.log_probs, shown, strict=True)):
                values = {"symbol": int(symbol), "text": spelled, "log_prob": float(log_prob), "context": int(given[i])}
                lines.append(json.dumps({"file": name, "index": i} | values, ensure_ascii=False))
        return "".join(line + "\n" for line in lines).encode(errors="backslashreplace")


@contextlib.contextmanager
def _naming(name: str):
    """Names the text that an InputError is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{'standard input' if name == '-' else name}: {error}") from None
