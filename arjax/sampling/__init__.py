"""Exact samplers on one key.

    ancestral      one loop over `step` with a fixed-size cache: about the arithmetic of one parallel pass
    naive          a full parallel pass for every site: the oracle
    fixed_point    full passes over all sites at once until all are settled: T at most, and often a few
                   (Song et al. 2021, algorithm 1; Wiggers and Hoogeboom 2020)
    decoded        tokens as `ancestral` draws them, and the images they stand for, in one program
    generate       continues sequences of several lengths, as `ancestral` would, until they end, also beyond
                   the model's sites; `stream` yields them as they are drawn

Site t draws its noise from `fold_in(key, t)`, so they return the same samples, whatever the key's implementation (on
accelerators whose matrix products round to fewer bits by default, under `jax.default_matmul_precision("highest")`).
`observed` and `mask` complete data: the observed sites come first in the order and are forced, so what follows is drawn
from the exact conditional.
"""

from arjax.sampling.ancestral import ancestral
from arjax.sampling.decoded import Decoded, decoded
from arjax.sampling.fixed_point import fixed_point
from arjax.sampling.generate import Generated, generate, stream
from arjax.sampling.naive import naive
from arjax.sampling.stops import Stops, stop_strings
from arjax.sampling.transforms import MinP, Temperature, TopK, TopP

__all__ = [
    "Decoded",
    "Generated",
    "MinP",
    "Stops",
    "Temperature",
    "TopK",
    "TopP",
    "ancestral",
    "decoded",
    "fixed_point",
    "generate",
    "naive",
    "stop_strings",
    "stream",
]
