"""Scores of texts of any length under a model: each symbol once, in a window that slides (arjax/sliding.py).

perplexity         exp(-log p(x) / N), of N symbols
bits per symbol    -log2 p(x) / N
bits per byte      -log2 p(x) / the bytes of the text; compares models of different symbols
"""

import math
from typing import Any, NamedTuple

import numpy as np

from arjax.errors import InputError
from arjax.protocol import Cond, Model
from arjax.sliding import sliding_log_probs


class ScoredText(NamedTuple):
    """A text, or several one after the other: its symbols [N], the log-probability of each [N] in nats, and its bytes."""

    symbols: np.ndarray
    log_probs: np.ndarray
    bytes: int

    @property
    def nats(self) -> float:
        """-log p of the whole text."""
        return -float(self.log_probs.sum(dtype=np.float64))

    @property
    def nats_per_symbol(self) -> float:
        """The mean of -log p."""
        return self.nats / len(self.symbols)

    @property
    def bits_per_symbol(self) -> float:
        """The same in bits."""
        return self.nats_per_symbol / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits for each byte of the text in UTF-8."""
        return self.nats / math.log(2) / self.bytes

    @property
    def perplexity(self) -> float:
        """The number of equally likely symbols with the same uncertainty."""
        return math.exp(min(self.nats_per_symbol, 700.0)) if self.nats_per_symbol < math.inf else math.inf


def score_text(
    model: Model, params, medium: Any, text: str | bytes, *, context: int | None = None, cond: Cond | None = None
) -> ScoredText:
    """Scores a text of any length.

    medium: of the data that the model was trained on, `open_run(run).experiment.data.medium`.
    text: a string, or what a file holds.
    context: the least number of symbols before it that each symbol is given, except near the beginning; None for half of the
      model's sites.
    cond: of the text, of batch size 1.

    InputError if the text is empty or has symbols that the model lacks, or if it is longer than the model's sites and the data
    are not streams.
    """
    # A model of bytes takes bytes that are no UTF-8.
    text = text.decode(errors="surrogateescape") if isinstance(text, bytes) else text
    symbols = medium.encode(text)
    if not len(symbols):
        raise InputError("there is no symbol to score; give a text that is not empty")
    if len(symbols) > model.num_sites and not medium.stream:
        raise InputError(
            f"{len(symbols)} {medium.unit}s are more than the model's {model.num_sites}, and its {medium.noun} are no parts of "
            "longer ones; give a shorter text"
        )
    log_probs = sliding_log_probs(model, params, symbols, context=context, cond=cond)
    return ScoredText(symbols, log_probs, int(medium.original_bytes(symbols[None])[0]))


def together(texts: list[ScoredText]) -> ScoredText:
    """Returns several texts as one."""
    symbols, log_probs = (np.concatenate([text[i] for text in texts]) for i in (0, 1))
    return ScoredText(symbols, log_probs, sum(text.bytes for text in texts))
