"""What `complete` does to every kind of data: draw what is hidden from what is visible, and say what the truth costs."""

import math

import jax
import numpy as np

from arjax.data.batches import gather
from arjax.data.splits import unit
from arjax.errors import InputError
from arjax.likelihood import bits_per_dim, conditional_log_prob
from arjax.orders import named
from arjax.protocol import Cond
from arjax.sampling import ancestral
from arjax.training.conditions import cond_of


def order_for(model, mask):
    """Of the orders that the model was trained in by name, the first that has all that is observed before all that is hidden: it
    knows that one better than its own, rearranged. None if there is none, or the net takes no order but its own."""
    if not model.capabilities.any_order:
        return None
    for order in named(model.order, model.site_shape):
        observed = mask.reshape(-1)[order]
        if not (observed[1:] & ~observed[:-1]).any():
            return order
    return None


def draw(model, params, key, x, mask, completions: int, cond: Cond, order) -> np.ndarray:
    """[N, K, *site_shape, *E]: K completions of each example x [N, ...] given where the mask [*site_shape] is True, all drawn at
    once."""
    observed, cond = jax.tree.map(lambda part: np.repeat(part, completions, axis=0), (x, cond))
    drawn = ancestral(model, params, key, len(observed), order=order, cond=cond, observed=observed, mask=mask)
    return np.asarray(drawn).reshape(len(x), completions, *x.shape[1:])


def cost(model, params, data, x, mask, cond: Cond, order, counted=None) -> str:
    """-log p(hidden | visible) of the truth x [N, ...] in words, in the order that completions are drawn in: the mean and its
    standard error, or the value of one example."""
    nats = -np.asarray(conditional_log_prob(model, params, x, mask, order=order, cond=cond, counted=counted), np.float64)
    summed = np.broadcast_to(~mask, (len(x), *mask.shape)) if counted is None else counted & ~mask
    dims = summed.reshape(len(x), -1).sum(axis=1) * (model.num_dims // model.num_sites)
    error = f" ± {nats.std(ddof=1) / math.sqrt(len(x)):.3f}" if len(x) > 1 else ""
    bits = bits_per_dim(float(nats.mean()), float(dims.mean()))
    knows = [*(["label"] if model.cond.classes else []), *model.cond.features(model.site_shape)]
    name = unit(data)
    return (
        f"-log p({', '.join(['hidden | visible', *knows])}) of the truth: {nats.mean():.3f}{error} nats per example = {bits:.4f} "
        f"bits per hidden {name}, {dims.mean():.4g} of them"
    )


def spread(count: int | None, default: int, examples: int) -> np.ndarray:
    """[count]: places evenly spaced among the examples; where a split is in the order of its classes, the first are all of one.
    None: as many as by default, or all there are. InputError if there are fewer."""
    count = min(default, examples) if count is None else count
    if count > examples:
        raise InputError(f"--examples {count} is more than the {examples} of the test split; choose fewer")
    return np.arange(count) * examples // count


def chosen(model, data, split, places: np.ndarray, seed: int) -> tuple[np.ndarray, Cond, dict]:
    """Of the examples at these places: what the model knows them as [N, ...], their condition, and the batch they were."""
    batch = gather(split, places)
    return np.asarray(data.values(jax.random.key(seed), batch["x"])), cond_of(model, batch), batch


def own_cond(model, run: str, flag: str, label: int | None) -> Cond:
    """The condition of one example of the user's own, given by `flag`. InputError where the model wants features, which only test
    examples have, or where the label is not what it wants."""
    if features := model.cond.features(model.site_shape):
        raise InputError(f"{flag}: {run} is given {' and '.join(features)} features, which test examples have; leave it out")
    classes = model.cond.classes
    if classes is None and label is not None:
        raise InputError(f"--label {label}: {run} knows no classes; leave it out")
    if classes is not None and label is None:
        raise InputError(f"{flag}: {run} is given the class of what it completes; name it with --label, 0..{classes - 1}")
    if label is not None and not 0 <= label < classes:
        raise InputError(f"--label {label}: label must be in 0..{classes - 1}; choose one that is")
    return Cond(None if label is None else np.array([label], np.int32))
