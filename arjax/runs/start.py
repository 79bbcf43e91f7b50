"""The start of training from the parameters of another run, or of a Hugging Face folder.

    --params-from runs/first                            all of them, with the objective's own state; all must fit
    --params-from runs/first --params-only blocks       those whose dotted names begin so; the rest is drawn

Optimizer and step are those of a new run. run.json has the sha256 of the parameters that were taken, so that a changed source is
refused. After its first checkpoint the run does not need the source.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from arjax.data.dataset import DataCapabilities
from arjax.description import modules_of
from arjax.errors import InputError, say
from arjax.files import sha256_of_all
from arjax.interop import load_huggingface
from arjax.interop.folder import CONFIG
from arjax.protocol import Model
from arjax.runs import directory
from arjax.runs.load import open_run
from arjax.tokenizers.tokenizer import Learned
from arjax.training.experiment import Experiment
from arjax.training.recipe import ModelFor, Pretrained, settle
from arjax.training.state import TrainState, draw_state, leaves

# The most misfits that an error names.
_NAMED = 3


def settled(experiment: Experiment, run: Path | None) -> Experiment:
    """Returns what `settle` does. With all parameters of another run the experiment also takes its symbols: the fields that the
    data `share`, and the tokenizer.

    run: its directory. A run that was begun needs its source no more: run.json has the fields that it decided.
    """
    source, model = experiment.params_from, experiment.model
    begun = run if run is not None and (run / "run.json").is_file() and directory.recorded(run, "params") else None
    from_run, from_folder = (source is not None and (Path(source) / name).is_file() for name in ("run.json", CONFIG))
    if begun is None and not from_run:
        return settle(experiment)
    # What the experiment is made of may be built of the source, too.
    other = directory.read_run(begun or source, modules_of(experiment))
    if isinstance(model, Pretrained) and isinstance(other.model, Model) and not from_folder:
        recipe = ModelFor(model.net(other.model), other.model.head, labels=False)
        experiment = dataclasses.replace(experiment, model=recipe, tokenizer=other.tokenizer)
    if experiment.params_only:
        return settle(experiment)
    if type(other.data) is type(experiment.data):
        shared = DataCapabilities.of(experiment.data).shared
        alike = {name: getattr(other.data, name) for name in shared if getattr(experiment.data, name) is None}
        try:
            experiment = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, **alike))
        except InputError as error:
            raise InputError(f"the data would need the symbols of {begun or source}: {error}") from error
    experiment = settle(experiment)
    same = experiment.tokenizer is not None and experiment.tokenizer == other.tokenizer and experiment.tokenizer_from is None
    return dataclasses.replace(experiment, tokenizer_from=source) if same and from_run else experiment


class Taken(NamedTuple):
    """The arrays that a run takes over, by name on the host, {} for none; None if the run was begun before and its source is not
    named any more, or missing. `digest`: the sha256 of the arrays, None for none."""

    arrays: Mapping[str, np.ndarray] | None
    digest: str | None


def taken(experiment: Experiment, abstract: TrainState, run: Path, learned: Learned | None = None) -> Taken:
    """Returns the arrays that the experiment, as run.json has it, takes over from its `params_from`.

    abstract: the state it trains.
    run: its directory.
    learned: what its tokenizer learned.

    InputError if the source is neither a run nor a folder of weights, if arrays do not fit, with their names, or if the run was
    begun from other parameters.
    """
    source, begun = experiment.params_from, (run / "run.json").exists()
    recorded = directory.recorded(run, "params") if begun else None
    if recorded is not None and (source is None or not Path(source).exists()):
        return Taken(None, recorded)
    if source is None:
        return Taken({}, None)
    if Path(source).resolve() == run.resolve():
        raise InputError(f"{run} cannot start from its own parameters; choose another directory with --run")
    arrays = _chosen(_read(experiment), leaves(abstract.params, abstract.state), experiment)
    digest = sha256_of_all(arrays)
    if begun and digest != recorded:
        raise InputError(
            f"{run} was begun from other parameters than {source} holds now; choose another directory with --run"
            + (", or go on with --params-from None" if recorded else "")
        )
    if not begun:
        count, all_ = (sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (arrays, [abstract.params, abstract.state]))
        say(f"starting from {source}: {count:,} of {all_:,} numbers" + (", the others are drawn" if count < all_ else ""))
        if not experiment.params_only and _of_other_symbols(experiment, learned):
            say(f"note: {source} has other symbols than these data; parameters of a symbol are taken by its number")
    return Taken(arrays, digest)


def begin(experiment: Experiment, abstract: TrainState, key, given: Taken, run: Path) -> TrainState:
    """Returns the state before the first step: what was taken over, and the rest drawn. InputError if it is not there."""
    if given.arrays is None:
        raise InputError(f"{run} has no checkpoint yet, and begins with other parameters; name them with --params-from")
    return draw_state(experiment, abstract, key, given.arrays)


def _read(experiment: Experiment) -> dict[str, np.ndarray]:
    """All that the source, a run or a folder of weights, holds."""
    source, model, state = Path(experiment.params_from), experiment.model, ()
    if (source / "run.json").is_file():
        _, params, state = open_run(source, modules=modules_of(experiment))
    elif (source / CONFIG).is_file():
        _, params = load_huggingface(source, sites=model.num_sites if isinstance(model, Model) else None)
    else:
        raise InputError(
            f"--params-from {source}: it holds neither the run.json of a run nor the {CONFIG} of a Hugging Face folder; give the "
            "directory of one"
        )
    return {name: np.asarray(leaf) for name, leaf in leaves(params, state).items()}


def _chosen(found: dict, wanted: dict, experiment: Experiment) -> dict[str, np.ndarray]:
    """What is taken of what was found. InputError where it does not fit what is wanted."""
    prefixes, source = experiment.params_only, experiment.params_from
    for prefix in prefixes:
        if not any(_begins(name, prefix) for name in wanted):
            raise InputError(f"--params-only {prefix} begins the name of no parameter; the names begin with {_tops(wanted)}")
    names = [name for name in sorted(found | wanted) if not prefixes or any(_begins(name, prefix) for prefix in prefixes)]
    pairs = {name: (_shape(found.get(name)), _shape(wanted.get(name))) for name in names}
    wrong = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not wrong:
        return {name: found[name] for name in names}
    shown = ", ".join(f"{name} {there} -> {here}" for name, (there, here) in [*wrong.items()][:_NAMED])
    more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    misfits = {_top(name) for name in wrong}
    fits = [top for top in _tops(name for name in names if name not in wrong).split() if top not in misfits]
    remedy = f"take those that fit, and draw the rest, by --params-only {' '.join(fits)}" if fits else "give another source"
    raise InputError(
        f"the parameters of {source} do not fit this model (there -> here): {shown}{more}; {remedy}, or change the model"
    )


def _of_other_symbols(experiment: Experiment, learned: Learned | None) -> bool:
    """Is the source a run of data, or of a tokenizer, with other symbols?"""
    source = Path(experiment.params_from)
    if not (source / "run.json").is_file():
        return False
    other, data = directory.read_run(source, modules_of(experiment)), experiment.data
    if learned is not None:
        return directory.recorded(source, "tokenizer") != sha256_of_all(learned)
    return other.tokenizer is not None or other.data.medium != data.medium


def _begins(name: str, prefix: str) -> bool:
    """Does a dotted name begin with another? A name stands also for itself with a number: "blocks" for "blocks_0"."""
    return re.match(rf"{re.escape(prefix)}(_?\d+)?(\.|$)", name) is not None


def _top(name: str) -> str:
    return re.sub(r"_?\d+$", "", name.partition(".")[0])


def _tops(names) -> str:
    return " ".join(sorted({_top(name) for name in names}))


def _shape(leaf) -> str:
    return "absent" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"
