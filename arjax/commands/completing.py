"""What `complete` does to examples of every medium: hide a part of them, draw it from what is visible, and say what it costs."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from arjax.commands.flags import require_label
from arjax.data.archive import parse_array
from arjax.data.batches import gather
from arjax.data.dataset import rooted
from arjax.data.image_files import parse_image
from arjax.data.sound_files import read_sound
from arjax.data.splits import Split, Splits
from arjax.errors import InputError
from arjax.files import read_file
from arjax.likelihood import bits_per_dim, conditional_log_prob
from arjax.orders import named
from arjax.protocol import Cond
from arjax.runs.directory import read_run, read_tokenizer
from arjax.runs.report import plus_minus
from arjax.sampling import ancestral
from arjax.training.conditions import check_fits, cond_of
from arjax.training.evaluation import standard_error
from arjax.training.experiment import over_tokens

MASKS = ("lower", "upper", "left", "right", "centre", "random")


class Hidden(NamedTuple):
    """Examples of which a part is hidden.

    x: [N, *site_shape, *E], what is hidden among it, as far as that is known.
    hidden: bool [*site_shape], of all of them.
    inside: bool [N, *site_shape]; False at sites that are no part of an example.
    cond: their condition.
    true: is what is hidden known?
    """

    x: np.ndarray
    hidden: np.ndarray
    inside: np.ndarray
    cond: Cond
    true: bool = True


def grid(model) -> tuple[int, int]:
    """Returns the (height, width) of what is hidden: pixels or, of a sequence, one row of sites."""
    return model.site_shape[:2] if len(model.site_shape) > 1 else (1, model.num_sites)


def over_sites(model, hidden: np.ndarray) -> np.ndarray:
    """Returns bool [*site_shape] of what is hidden on the grid [H, W]: a pixel with all of its channels."""
    pixels = hidden.reshape(*model.site_shape[:2], *[1] * (len(model.site_shape) - 2))
    return np.broadcast_to(pixels, model.site_shape)


def read_mask(mask: str, height: int, width: int, seed: int) -> np.ndarray:
    """Returns [H, W] bool, True where the mask hides a pixel.

    mask: one of MASKS, where a half of an odd number is rounded up; or a picture, in which what is brighter than half is hidden
        and what is transparent is not, or an .npy of booleans. InputError where it is none of these, has another size, or hides
        nothing or everything.
    """
    if mask in MASKS:
        hidden = _named_mask(mask, height, width, seed)
    elif not Path(mask).exists():
        raise InputError(f"--mask {mask} is none of {', '.join(MASKS)}, and no file; choose one of them, or a picture")
    elif Path(mask).suffix == ".npy":
        hidden = parse_array(read_file(mask), f"--mask {mask}")
        if hidden.dtype != bool or hidden.shape != (height, width):
            raise InputError(
                f"--mask {mask} is {hidden.dtype} of shape {hidden.shape}; give booleans of shape {(height, width)}, True hides"
            )
    else:
        hidden = parse_image(read_file(mask), (height, width), f"--mask {mask}", background=0) > 127
    if hidden.all() or not hidden.any():
        what = "nothing" if not hidden.any() else "everything"
        raise InputError(
            f"--mask {mask} hides {what} of {height} x {width}; hide a part: choose another of {', '.join(MASKS)}, or a picture"
        )
    return hidden


def _named_mask(mask, height, width, seed) -> np.ndarray:
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


def samples_kept(model, sample_rate: int, seconds: float | None, audio: Path | None) -> int:
    """Counts the samples of a recording that are kept. InputError unless they leave something to draw.

    seconds: of these; None for half of what the model generates, or all of `audio`, which may be shorter anyway.
    """
    most = (model.num_sites - 1) / sample_rate
    if seconds is not None and not 1 / sample_rate <= seconds <= most:
        raise InputError(
            f"--seconds {seconds:g} is not in {1 / sample_rate:g}..{most:g}, one sample to all but one of what the model "
            "generates; choose a number that is"
        )
    kept = None if seconds is None else round(seconds * sample_rate)
    if audio is None:
        return kept or model.num_sites // 2
    there = len(read_sound(audio, sample_rate))
    kept = min(there, kept or there)
    if kept >= model.num_sites:
        raise InputError(
            f"--audio {audio} has {there / sample_rate:g} seconds, and the model generates {model.num_sites / sample_rate:g} "
            "with those that are kept; keep fewer, by --seconds"
        )
    return kept


def of_test_split(experiment, hidden: np.ndarray, count: int | None, default: int, seed: int) -> Hidden:
    """Takes `count` test examples, evenly spaced, since where a split is in the order of its classes, the first are all of one;
    None for as many as by `default`, or all there are. InputError if there are fewer."""
    model, data = experiment.model, experiment.data
    splits = data.load()
    check_fits(data.title, model, splits)
    counted, places = splits.test.counted, np.arange(len(splits.test.x))
    if counted is not None:
        # Of windows those that begin where a recording does; and something has to be left to draw.
        begins = counted.reshape(len(places), -1)[:, 0] | (not data.medium.stream)
        places = places[begins & (counted & hidden).reshape(len(places), -1).any(axis=1)]
    if not len(places):
        raise InputError(f"no test {data.medium.noun} go on behind what is kept of them; keep less, by --seconds or --mask")
    count = min(default, len(places)) if count is None else count
    if count > len(places):
        raise InputError(f"--examples {count} is more than the {len(places)} of the test split; choose fewer")
    batch = gather(splits.test, places[np.arange(count) * len(places) // count])
    x = np.asarray(data.values(jax.random.key(seed), batch["x"]))
    return Hidden(x, hidden, batch.get("counted", np.ones((count, *model.site_shape), bool)), cond_of(model, batch))


def of_text(experiment, text: str, truth: str | None, blank: str, cond: Cond) -> Hidden:
    """Reads --text, in which every `blank` is hidden, as the start of an example; with --truth what is hidden is known."""
    model, medium = experiment.model, experiment.data.medium
    # What stands before a blank and behind it is read apart: a blank is no symbol.
    parts = [medium.encode(part) for part in text.split(blank)]
    symbols = np.concatenate([parts[0], *(piece for part in parts[1:] for piece in (np.zeros(1, int), part))]).astype(np.int32)
    marked = np.concatenate([np.zeros(len(parts[0]), bool), *(np.arange(len(part) + 1) == 0 for part in parts[1:])])
    if not len(symbols):
        raise InputError("--text is empty; give one with something hidden in it")
    if not marked.any():
        raise InputError(f"--text has nothing hidden; mark every character to be drawn by {blank!r}, or choose --blank")
    if marked.all():
        raise InputError("--text hides everything; sample without it, by `python -m arjax sample`")
    if len(symbols) > model.num_sites:
        raise InputError(f"--text has {len(symbols)} characters, the model's windows {model.num_sites}; shorten it")
    forwards = (model.permutation == np.arange(model.num_sites)).all()
    if len(symbols) < model.num_sites and not (model.capabilities.any_order or forwards):
        raise InputError(
            f"--text has {len(symbols)} characters, and a net that generates in {model.order} only needs all {model.num_sites} "
            "of a window; give as many"
        )
    if truth is not None:
        true = medium.encode(truth).astype(np.int32)
        if len(true) != len(symbols) or (true != symbols)[~marked].any():
            raise InputError(
                f"--truth has {len(true)} characters, --text {len(symbols)}, and where nothing is hidden they must be the same; "
                "correct one of them"
            )
        symbols = true
    missing = model.num_sites - len(symbols)
    x, hidden = np.pad(symbols, (0, missing)), np.pad(marked, (0, missing), constant_values=True)
    inside = np.arange(model.num_sites) < len(symbols)
    return Hidden(x[None], hidden, inside[None], cond, true=truth is not None)


def of_recording(experiment, audio: Path, hidden: np.ndarray, cond: Cond, seed: int) -> Hidden:
    """Reads --audio as symbols. Of a recording that is longer than what is kept, what follows is known."""
    model, data = experiment.model, experiment.data
    samples = read_sound(audio, data.medium.sample_rate)
    raw, inside = np.zeros((1, model.num_sites), np.int16), np.arange(model.num_sites)[None] < len(samples)
    raw[inside] = samples[: model.num_sites]
    x = np.asarray(data.values(jax.random.key(seed), raw))
    return Hidden(x, hidden, inside, cond, true=bool((inside & hidden).any()))


def of_image(experiment, run: str, root: str | None, modules, image: Path, hidden: np.ndarray, cond: Cond, seed: int) -> Hidden:
    """Reads --image as the model sees it: its raw values are those of the training split, and become tokens where the run has
    some."""
    described = read_run(run, modules)
    source = rooted(described.data, root)
    train, flag = source.load().train.x, f"--image {image}"
    shape, content = train.shape[1:], read_file(image)
    if image.suffix == ".npy":
        raw = parse_array(content, flag)
        if raw.shape != shape or raw.dtype.kind not in "biuf":
            raise InputError(f"{flag} is {raw.dtype} of shape {raw.shape}; give numbers of shape {shape}")
    else:
        grey = parse_image(content, shape[:2], flag, background=255, colour=shape[2:] == (3,)).reshape(shape)
        low, high = train.min().astype(np.float64), train.max().astype(np.float64)
        raw = low + grey / 255 * (high - low)
        raw = raw.round().astype(train.dtype) if train.dtype.kind in "biu" else raw.astype(train.dtype)
    outside = source.values.outside(raw)
    if outside.any():
        value = raw[tuple(np.argwhere(outside)[0])].item()
        raise InputError(
            f"{flag} has the value {value}, but {source.values.title} accepts {source.values.support} only; correct it"
        )
    one = dataclasses.replace(described, data=_One(source, raw[None]))
    data = over_tokens(one, read_tokenizer(run, described)).data
    x = np.asarray(data.values(jax.random.key(seed), data.load().test.x))
    return Hidden(x, hidden, np.ones((1, *experiment.model.site_shape), bool), cond)


@dataclasses.dataclass(frozen=True, eq=False)
class _One:
    """A data set of one example, of the values of another data set."""

    like: Any
    x: np.ndarray

    values = property(lambda self: self.like.values)
    medium = property(lambda self: self.like.medium)
    title = property(lambda self: self.like.title)

    def load(self) -> Splits:
        return Splits(*[Split(self.x)] * 3)


def own_cond(model, data, run: str, flag: str, label: str | None) -> Cond:
    """Returns the condition of one example of the user's own, given by `flag`. InputError where the model takes features, which
    only test examples have, or where the label is not one of its classes."""
    if features := model.cond.features(model.site_shape):
        raise InputError(f"{flag}: {run} is given {' and '.join(features)} features, which test examples have; leave it out")
    number = require_label(run, model, data, label)
    classes = model.cond.classes
    if classes is not None and label is None:
        raise InputError(f"{flag}: {run} is given the class of what it completes; name it with --label, 0..{classes - 1}")
    return Cond(None if number is None else np.array([number], np.int32))


def order_for(model, case: Hidden):
    """Returns of the orders that the model was trained in by name the first that has all that is visible before all that is
    hidden: the model learned that one better than its own, rearranged. None if there is none, or the net takes no order but its
    own.

    Where one example is the start of a longer one, the sites inside it come before all others: what stands behind it is then no
    part of anything's condition, so that it is completed, and scored, exactly as the start.
    """
    if not model.capabilities.any_order:
        return None
    hidden, orders = case.hidden.reshape(-1), named(model.order, model.site_shape)
    chosen = next((order for order in orders if not (hidden[order][:-1] & ~hidden[order][1:]).any()), None)
    if len(case.x) > 1 or case.inside.all():
        return chosen
    order = model.permutation if chosen is None else chosen
    return order[np.argsort(~case.inside.reshape(-1)[order], kind="stable")]


def draw(model, params, key, case: Hidden, completions: int, order) -> np.ndarray:
    """Draws [N, K, *site_shape, *E]: K completions of each example, all drawn at once."""
    observed, cond = jax.tree.map(lambda part: np.repeat(part, completions, axis=0), (case.x, case.cond))
    drawn = ancestral(model, params, key, len(observed), order=order, cond=cond, observed=observed, mask=~case.hidden)
    return np.asarray(drawn).reshape(len(case.x), completions, *case.x.shape[1:])


def cost(model, params, unit: str, case: Hidden, order) -> str:
    """Says -log p(hidden | visible) of the truth in words, in the order that completions are drawn in: the mean and its standard
    error, or the value of one example."""
    nats = conditional_log_prob(model, params, case.x, ~case.hidden, order=order, cond=case.cond, counted=case.inside)
    nats = -np.asarray(nats, np.float64)
    dims = (case.inside & case.hidden).reshape(len(case.x), -1).sum(axis=1) * (model.num_dims // model.num_sites)
    error = plus_minus(standard_error(nats))
    bits = bits_per_dim(float(nats.mean()), float(dims.mean()))
    knows = [*(["label"] if model.cond.classes else []), *model.cond.features(model.site_shape)]
    return (
        f"-log p({', '.join(['hidden | visible', *knows])}) of the truth: {nats.mean():.3f}{error} nats per example = {bits:.4f} "
        f"bits per hidden {unit}, {dims.mean():.4g} of them"
    )
