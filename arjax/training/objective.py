"""What a run is for: what it minimises, what it measures, and what makes its result.

The trainer uses this protocol only. Likelihood and Autoencoding are its two instances; an objective of a user's own works as
they do, and runs/report.py shows its numbers by their names.
"""

from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from arjax.protocol import Model, NetCapabilities


class Score(NamedTuple):
    """What a split scored.

    loss: what validation chooses by, the lower the better. record: numbers by name for metrics.jsonl, the loss among them under
    the objective's `measure`. examples: how many there were. seconds: what scoring them took. result: of a test by likelihood
    the Evaluation, which has every example's own.
    """

    loss: float
    record: dict[str, Any]
    examples: int
    seconds: float
    result: Any = None


class Objective(Protocol):
    """A frozen dataclass. `experiment` is an Experiment, over tokens where it has a tokenizer; of it an objective reads `model`,
    `data` and what else it needs. `params` and `state` are what `init` makes, or training of it."""

    measure: ClassVar[str]
    """The name of the loss of a split in metrics.jsonl."""

    def check(self, experiment) -> None:
        """Raises InputError unless the experiment's parts fit together. Called when the experiment is made."""
        ...

    def check_data(self, experiment, splits) -> None:
        """Raises InputError unless the data, as they were loaded, fit the model."""
        ...

    def init(self, experiment, key: jax.Array) -> tuple[Any, Any]:
        """Draws (params, state). `state` holds what changes in training but is not learned by gradient: a tree, often empty."""
        ...

    def loss(self, experiment, params, state, batch: dict, key: jax.Array) -> tuple[jax.Array, tuple[Any, dict]]:
        """Computes (loss [], (state, metrics)) of a raw batch {"x": [B, ...], ...}. Pure, and differentiable in `params`;
        metrics are scalars by name."""
        ...

    def record(self, metrics: dict[str, float]) -> dict[str, float]:
        """Returns what metrics.jsonl keeps of an update: of `loss` and the metrics of `loss()`."""
        ...

    def validate(self, experiment, params, state, split, *, batch_size: int, key: jax.Array, place=jnp.asarray) -> Score:
        """Scores a split at the price of one pass.

        key: draws what is random. place: brings an array [B, ...] to the devices, and may append fillers to it.
        """
        ...

    def test(
        self, experiment, params, state, splits, which: str = "test", *, batch_size: int, key: jax.Array, place=jnp.asarray
    ) -> Score:
        """Scores the split `which` as a result is published, with what it is held beside. The rest as in `validate`."""
        ...

    def learned(self, experiment, params, state) -> Any:
        """Returns what `arjax.load` gives beside the model."""
        ...


def declared(model) -> NetCapabilities:
    """Returns what an arjax.Model's net declares; what another objective fits declares it as a net does."""
    return model.capabilities if isinstance(model, Model) else NetCapabilities.of(model)
