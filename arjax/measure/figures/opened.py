"""A trained run whose figure is drawn: at one example of its test split, and perhaps at one site."""

from typing import NamedTuple

import jax
import numpy as np

from arjax.data.batches import gather
from arjax.errors import InputError
from arjax.protocol import Cond, Model
from arjax.runs.load import Trained
from arjax.training.conditions import check_fits, cond_of


class Opened(NamedTuple):
    """A run: its directory, what it trained, the example and the site that were chosen (None: none was)."""

    run: str
    trained: Trained
    example: int = 0
    site: tuple[int, ...] | None = None


class Example(NamedTuple):
    """A model with its parameters, and an example x [1, *site_shape, *E] with its condition and its text ("" if it is none)."""

    model: Model
    params: dict
    x: np.ndarray
    cond: Cond
    text: str


def example_of(opened: Opened) -> Example:
    """Reads the example from the run's data. InputError if the run's model has no probabilities, or if there is no such
    example."""
    experiment, params, _ = opened.trained
    model, data = experiment.model, experiment.data
    if not isinstance(model, Model):
        raise InputError(f"{opened.run} has a {type(model).__name__}, which has no probabilities; choose an arjax.Model")
    splits = data.load()
    check_fits(data.title, model, splits)
    batch = gather(splits.test, np.array([checked(opened.example, len(splits.test.x))]))
    x = np.asarray(data.values(jax.random.key(0), batch["x"]))
    return Example(model, params, x, cond_of(model, batch), "".join(data.medium.exhibit(x).texts))


def checked(example: int, count: int) -> int:
    """The number of the example. InputError if the test split has none of this number."""
    if not 0 <= example < count:
        raise InputError(f"--example {example} is not in 0..{count - 1}, the test split; choose one that is")
    return example


def site_in(model: Model, site: tuple[int, ...] | None) -> tuple[int, ...]:
    """The site to draw, by default in the centre. InputError for one outside the data."""
    site = tuple(size // 2 for size in model.site_shape) if site is None else site
    if len(site) != len(model.site_shape) or not all(0 <= i < size for i, size in zip(site, model.site_shape, strict=True)):
        raise InputError(f"--site {site} is outside the data of shape {model.site_shape}; choose one inside")
    return site
