"""What a run is for. The trainer knows this protocol and nothing of what stands behind it: estimating a density, whose loss is a
likelihood, is one task; an autoencoder, whose loss is a reconstruction, is another."""

from typing import Any, ClassVar, NamedTuple, Protocol

import jax

from arjax.training.objective import Objective


class Score(NamedTuple):
    """What a split scored. `loss`: what validation chooses by, the lower the better; `record`: numbers by name for metrics.jsonl,
    the loss among them; `examples`: how many there were; `seconds`: what scoring them took; `result`: of a test by likelihood
    the Evaluation, which has every example's own."""

    loss: float
    record: dict[str, Any]
    examples: int
    seconds: float
    result: Any = None


class Task(Protocol):
    """A frozen dataclass. In every method `experiment` is an Experiment, over tokens where it has a tokenizer, `splits` are its
    data, and (params, state) what its objective's `init` makes. `scoring` are batch_size, key (draws what is random) and place
    (brings an array [B, ...] to the devices, and may append fillers)."""

    measure: ClassVar[str]  # the name of the loss in metrics.jsonl

    def check(self, experiment) -> None:
        """InputError unless the experiment's parts fit together, called when it is made."""
        ...

    def check_data(self, experiment, splits) -> None:
        """InputError unless the data, as they were loaded, fit the model."""
        ...

    def objective(self, experiment) -> Objective:
        """What is minimised."""
        ...

    def record(self, metrics: dict[str, float]) -> dict[str, float]:
        """Of an update's metrics, `loss` and the objective's own, what metrics.jsonl keeps."""
        ...

    def validate(self, experiment, params, state, split, **scoring) -> Score:
        """A split's score, at the price of one pass."""
        ...

    def test(self, experiment, params, state, splits, which: str, **scoring) -> Score:
        """The score of the split `which`, as a result is published, with what it is held beside."""
        ...

    def show(self, experiment, params, state, splits, key: jax.Array, step: int, journal) -> None:
        """Leave something to look at, read or hear in the run's Journal."""
        ...

    def words(self, experiment, record: dict) -> str:
        """A record of metrics.jsonl in a few words."""
        ...

    def rows(self, experiment, split: str, record: dict) -> dict[str, str]:
        """The result of a split, and all that gives it its meaning: the rows of a table."""
        ...

    def learned(self, model, params, state):
        """What `arjax.load` gives beside the model."""
        ...
