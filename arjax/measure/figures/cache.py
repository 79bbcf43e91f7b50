"""The figure of what a cache saves, measured: the time to sample against the length."""

import functools

import jax

from arjax.heads import Categorical
from arjax.measure.figures.style import FAINT, SEEN, Drawn, finish, sheet
from arjax.measure.timing import timed
from arjax.models import Transformer
from arjax.protocol import Model
from arjax.sampling import ancestral, naive
from arjax.testing import lively_params

_LENGTHS = (32, 128, 512)


def draw_cache() -> Drawn:
    """Draws how long a small transformer takes to sample texts of several lengths, with its cache and without."""
    times: dict[str, list[float]] = {"with": [], "without": []}
    for length in _LENGTHS:
        model = Model(Transformer(64, 1, 2), Categorical(64), (length,))
        params = lively_params(model, jax.random.key(0))
        for name, sampler, runs in (("with", ancestral, 20), ("without", naive, 1)):
            sample = functools.partial(sampler, model, params, jax.random.key(1), 1)
            times[name].append(timed(sample, runs)[1])
    ratio = times["without"][-1] / times["with"][-1]
    figure, ((axes,),) = sheet(f"A cache: {_LENGTHS[-1]} symbols are sampled {ratio:.0f} times faster", height=4.6)
    for name, color, said in (
        ("without", FAINT, "without a cache:\na pass over all symbols\nfor each symbol"),
        ("with", SEEN, "with a cache:\na pass over one symbol"),
    ):
        milliseconds = [1000 * seconds for seconds in times[name]]
        axes.plot(_LENGTHS, milliseconds, "o-", color=color)
        axes.text(_LENGTHS[-1] * 1.08, milliseconds[-1], said, color=color, va="top" if color == FAINT else "center")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="symbols",
        ylabel="milliseconds to sample one text",
        xlim=(_LENGTHS[0] * 0.9, _LENGTHS[-1] * 2.6),
    )
    axes.set_xticks(_LENGTHS, map(str, _LENGTHS))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("A transformer of width 64 and one layer, one text at a time; measured on this machine", loc="left")
    return finish(figure, f"with a cache {ratio:.0f} times faster at {_LENGTHS[-1]} symbols")
