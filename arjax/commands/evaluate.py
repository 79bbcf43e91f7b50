"""`python -m arjax evaluate RUN`."""

import dataclasses
import math
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from arjax import pictures
from arjax.commands import flags
from arjax.data.dataset import examine, rooted
from arjax.data.splits import split_fingerprint
from arjax.errors import InputError, say
from arjax.files import write_all
from arjax.likelihood import bits_per_dim
from arjax.measure.comparison import RESAMPLES, auroc, paired
from arjax.runs.config import load_config
from arjax.runs.directory import is_split_of, read_run, read_tokenizer
from arjax.runs.load import open_run
from arjax.runs.report import per_unit, plus_minus, result_table
from arjax.training.evaluation import Evaluation, evaluate
from arjax.training.experiment import over_tokens, scoring
from arjax.training.mesh import Mesh, replicated
from arjax.training.objective import Score


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score a trained run on one of its splits, with its unit, data set and baseline; beside it, other data under its model, or
    another run on the same examples."""

    run: flags.Run
    split: Literal["train", "valid", "test"] = "test"
    """The split to score."""
    ensemble: int | None = None
    """Orders and members to average over, as probabilities; by default as the experiment says."""
    raw: flags.Raw = False
    step: flags.Step = None
    out: Path | None = None
    """The scores as .npz: log_prob [N] of each example in nats, counts [N], its number of counted values, label if there is one,
    and in words what was scored: run, split, weights, title, x (the sha256 of the examples). Also other_log_prob and
    other_counts of other data, and other_run_log_prob of another run."""
    png: Path | None = None
    """A histogram of bits per value over the examples, as a picture; with --other-data of both data sets."""
    overwrite: flags.Overwrite = False
    other_data: str | None = None
    """A config or run directory whose data, of the same split, the model also scores: are they less likely?"""
    other_run: str | None = None
    """A run over the same data to compare with, example by example."""
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        flags.require_suffix(".npz", out=self.out)
        flags.require_suffix(".png", png=self.png)
        read = flags.data_files(self.run, self.root, self.modules)
        flags.require_outputs(self.overwrite, self.other_data, *read, out=self.out, png=self.png)
        experiment, params, state = open_run(self.run, raw=self.raw, step=self.step, root=self.root, modules=self.modules)
        if self.ensemble is not None:
            experiment = dataclasses.replace(experiment, ensemble=self.ensemble)
        if any((self.out, self.png, self.other_data, self.other_run)):
            flags.require_model(self.run, experiment)
        splits = experiment.data.load()
        experiment.task.check_data(experiment, splits)
        split = getattr(splits, self.split)
        if not is_split_of(self.run, self.split, split):
            say(f"note: the {self.split} split is not the one of the run: its files have changed, training may have seen some")
        # What is wrong with the others is found before anything is scored.
        other = self.other_data and self._on_other_data(experiment)
        rival = self.other_run and self._on_same_data(experiment, split)
        mesh = Mesh().build()
        options = scoring(experiment, mesh)
        params, state = jax.device_put((params, state), replicated(mesh))
        scored = experiment.task.test(experiment, params, state, splits, self.split, **options)
        values = math.prod(splits.train.x.shape[1:])
        rows = {
            "scored": f"{self.split} split, {scored.examples} examples of {values} {experiment.data.medium.unit}s",
            "weights": self._weights(experiment, self.step),
            "rate": _rate(scored, experiment.eval_batch_size),
        }
        arrays, drawn = {}, []
        if scored.result is not None:
            arrays = {"log_prob": scored.result.log_probs, "counts": scored.result.counts}
            drawn = [self._drawn(experiment, scored.result)]
        if other:
            outside = self._each(*other, params, options)
            rows |= self._other_data_rows(other[0], scored.result, outside)
            arrays |= {"other_log_prob": outside.log_probs, "other_counts": outside.counts}
            drawn.append(self._drawn(other[0], outside))
        if rival:
            (there, there_params, _), there_splits = rival
            if self.ensemble is not None:
                there = dataclasses.replace(there, ensemble=self.ensemble)
            result = self._each(there, there_splits, jax.device_put(there_params, replicated(mesh)), options)
            rows |= self._other_run_rows(there, scored.result, result)
            arrays |= {"other_run_log_prob": result.log_probs}
        result_table(experiment, self.run, self.split, scored.record, rows)
        files = {}
        if self.out:
            files[self.out] = flags.npz(**arrays, **self._about(experiment, split))
        if self.png:
            unit, title = experiment.data.medium.unit, f"{self.run}, {self._weights(experiment, self.step)}"
            picture = pictures.histograms(drawn, f"-log p(x), bits/{unit}", f"fraction of the {unit}s counted", title)
            files[self.png] = pictures.png(picture)
        write_all(files, overwrite=self.overwrite)
        if self.out:
            say(f"{len(arrays['log_prob'])} examples in {self.out}")
        if self.png:
            say(f"histogram in {self.png}")

    def _on_other_data(self, experiment):
        """(the run's experiment over the data of --other-data, their splits). Raw data become symbols as that config says, tokens
        as the run's tokenizer makes them. InputError where they do not fit the model."""
        path, described = self.other_data, read_run(self.run, self.modules)
        there = examine((read_run(path, self.modules) if Path(path).is_dir() else load_config(path)).data).data
        there, here = rooted(there, self.root), described.data
        text = "text" in there.medium.flags
        if described.tokenizer is None and there.medium.unit != here.medium.unit:
            units = f"consists of {there.medium.unit}s, the run's data of {here.medium.unit}s"
            raise InputError(f"--other-data {path} {units}; choose such data")
        if described.tokenizer is None and text and there.medium != here.medium:
            raise InputError(f"--other-data {path} has another alphabet than the run's; give its data the run's alphabet")
        if described.tokenizer is not None and there.medium.noun != here.medium.noun:
            raise InputError(f"--other-data {path}: the tokenizer of the run is not for such data; choose others")
        # Of text a tokenizer is given the bytes, whatever its symbols.
        if described.tokenizer is not None and not text and there.values != here.values:
            raise InputError(
                f"--other-data {path}: the tokenizer of the run is of values={here.values}, these data have "
                f"values={there.values}; give both the same"
            )
        # An experiment refuses data whose symbols are not the model's.
        other = over_tokens(dataclasses.replace(described, data=there), read_tokenizer(self.run, described))
        other = dataclasses.replace(other, ensemble=experiment.ensemble)
        splits = other.data.load()
        other.task.check_data(other, splits)
        return other, splits

    def _on_same_data(self, experiment, split):
        """(--other-run, Trained; its splits), of a model of the very examples that `split`, the first run's, holds. InputError
        where it is of others, or where they become other values."""
        other = open_run(self.other_run, raw=self.raw, root=self.root, modules=self.modules)
        flags.require_model(self.other_run, other.experiment)
        here, there = experiment.data, other.experiment.data
        if (here.medium.unit, here.values) != (there.medium.unit, there.values):
            raise InputError(
                f"--other-run {self.other_run} is of {there.medium.unit}s, {there.values}, this one of {here.medium.unit}s, "
                f"{here.values}; only nats of the same values can be compared, choose a run of these"
            )
        splits = there.load()
        other.experiment.task.check_data(other.experiment, splits)
        marks = [split_fingerprint(part) for part in (split, getattr(splits, self.split))]
        name = next((name for name in ("x", "counted") if marks[0].get(name) != marks[1].get(name)), None)
        if name is not None:
            raise InputError(
                f"--other-run {self.other_run} has another {self.split} split ({name}: {marks[1].get(name)} there, "
                f"{marks[0].get(name)} here); choose a run over the same data"
            )
        return other, splits

    def _each(self, experiment, splits, params, options) -> Evaluation:
        split, values = getattr(splits, self.split), experiment.data.values
        return evaluate(experiment.model, params, split, values, ensemble=experiment.ensemble, **options)

    def _drawn(self, experiment, result: Evaluation) -> tuple[str, np.ndarray, np.ndarray]:
        """One set of the histogram. An example weighs as many values as it counts, so that the mean is that of the table."""
        return f"{self.split}: {experiment.data.title} ({len(result.counts)} examples)", _bits(result), result.counts

    def _weights(self, experiment, step: int | None = None) -> str:
        of = "" if step is None else f", of step {step}"
        if self.raw or experiment.ema == 0:
            return f"the parameters as trained{of}"
        return f"the moving average of the parameters (EMA, decay {experiment.ema:g}){of}"

    def _other_data_rows(self, experiment, inside: Evaluation, outside: Evaluation) -> dict[str, str]:
        name, area = experiment.data.medium.unit, auroc(_bits(inside), _bits(outside))
        scored = f"{outside.nats:.3f}{plus_minus(outside.standard_error)} nats per example"
        return {
            "other data": f"{experiment.data.title}; {self.split} split, {len(outside.log_probs)} examples",
            "-log p of these": f"{scored} = {per_unit(experiment, outside.nats, outside.dims)}",
            "AUROC": f"{area:.4f} of -log p per {name} as a detector of the other data (0.5: it detects nothing)",
        }

    def _other_run_rows(self, experiment, here: Evaluation, there: Evaluation) -> dict[str, str]:
        # What this run needs more nats for, the other finds likelier.
        lost = paired(there.log_probs, here.log_probs)
        interval = f"95 % [{lost.low:.3f}, {lost.high:.3f}], a bootstrap over examples, {RESAMPLES} resamples, seed 0"
        scored = f"{there.nats:.3f}{plus_minus(there.standard_error)} nats per example"
        return {
            "other run": f"{self.other_run}: {scored}; {self._weights(experiment)}",
            "this - other": f"{lost.difference:+.3f} nats per example, {interval}",
            "likelier": f"{lost.second:.1%} of the examples under this run, {lost.first:.1%} under the other",
        }

    def _about(self, experiment, split) -> dict:
        """What an .npz says of what was scored."""
        label = {} if split.label is None else {"label": split.label}
        said = {"run": self.run, "split": self.split, "weights": self._weights(experiment, self.step)}
        return label | said | {"title": experiment.data.title} | {"x": split_fingerprint(split)["x"]}


def _bits(result: Evaluation) -> np.ndarray:
    """[N] float64: what each example costs a value that was counted, in bits."""
    return bits_per_dim(-result.log_probs.astype(np.float64), result.counts)


def _rate(score: Score, batch_size: int) -> str:
    """Examples a second, as far as this can be told apart from compiling."""
    if score.result is None or score.examples <= batch_size:
        return f"{score.examples / score.seconds:,.0f} examples/s, compilation included"
    rate = (score.examples - batch_size) / score.result.rest
    return f"{rate:,.0f} examples/s behind the first {batch_size}, which took {score.result.first:.1f} s with compilation"
