"""Figures of graphs: a Bayes net beside the chain rule, and the tree of WaveNet's dilated convolutions."""

import itertools
import math

import jax
import numpy as np

from arjax.heads import Bernoulli, MixtureOfGaussians
from arjax.measure.figures.style import FAINT, HIDDEN, PREDICTED, SEEN, Drawn, arrow, bare, finish, key, node, sheet
from arjax.models import BayesNet, WaveNet
from arjax.orders import Topological
from arjax.protocol import Model, init
from arjax.testing import dependence, lively_params

# Pearl's alarm (1988): burglary, earthquake, alarm, John calls, Mary calls.
_NAMES = ("burglary", "earthquake", "alarm", "John\ncalls", "Mary\ncalls")
# On a circle, so that no arrow crosses a node.
_PLACES = [(1.75 * math.cos(math.radians(angle)), 1.45 * math.sin(math.radians(angle))) for angle in (126, 54, -18, 198, -90)]
_EDGES = ((0, 2), (1, 2), (2, 3), (2, 4))


def draw_bayes_net() -> Drawn:
    """Draws a joint distribution of five bits twice, by the chain rule and as a Bayes net, and counts the numbers of each."""
    every = tuple(itertools.combinations(range(len(_NAMES)), 2))
    figure, (panels,) = sheet("A joint distribution is a product; a Bayes net leaves arrows out", 1, 2, height=5.0)
    for axes, edges, name in zip(
        panels, (every, _EDGES), ("Chain rule, all that came before", "Bayes net, parents alone"), strict=True
    ):
        model = Model(BayesNet(edges), Bernoulli(), (len(_NAMES),), Topological(edges))
        numbers = sum(
            leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda key, model=model: init(model, key), jax.random.key(0)))
        )
        parents = {child: [parent for parent, to in edges if to == child] for child in range(len(_NAMES))}
        for parent, child in edges:
            own = (parent, child) in _EDGES
            arrow(
                axes,
                _PLACES[parent],
                _PLACES[child],
                color=SEEN if own else FAINT,
                gap=0.44,
                width=2 if own else 1.2,
            )
        for site in np.argsort(model.permutation):
            x, y = _PLACES[site]
            node(axes, x, y, _NAMES[site], radius=0.43, size=9)
            rows = 2 ** len(parents[site])
            axes.text(
                x, y + math.copysign(0.55, y), f"{rows} number{'s' * (rows > 1)}", ha="center", va="center", color=PREDICTED
            )
        initials = "BEAJM"
        factors = [
            f"p({initials[c]} | {', '.join(initials[p] for p in parents[c])})" if parents[c] else f"p({initials[c]})"
            for c in parents
        ]
        half = 3
        axes.text(0, -2.25, " ".join(factors[:half]) + "\n" + " ".join(factors[half:]), ha="center", va="top", fontsize=10)
        bare(axes).set(xlim=(-2.3, 2.3), ylim=(-2.9, 1.9), aspect="equal")
        axes.set_title(f"{name}: {numbers} numbers", fontsize=11)
    return finish(figure, f"{len(every)} arrows and {len(_EDGES)}")


def draw_dilation() -> Drawn:
    """Draws the layers of a WaveNet over time, and the connections that lead to one theta; below, by the Jacobian, the
    symbols that this theta depends on."""
    net, length = WaveNet(stacks=1, layers=4, width=8, skip=8, readout=8), 20
    model = Model(net, MixtureOfGaussians(1), (length,))
    seen = dependence(model, lively_params(model, jax.random.key(0)), (length - 1,), jax.random.key(1)) > 0
    dilations = [2**layer for layer in range(net.layers)]
    names = ["symbols, one step late", "first convolution", *(f"dilation {dilation}" for dilation in dilations), "theta"]
    figure, ((axes,),) = sheet(f"WaveNet: {net.layers} dilated layers see {net.receptive_field} symbols", height=4.8)
    top = len(dilations) + 2
    lit = {(top, length - 1)}
    for level in range(top, 0, -1):
        gap = 0 if level == top else 1 if level == 1 else dilations[level - 2]
        for t in range(length):
            for source in {t, t - gap}:
                if source < 0:
                    continue
                on = (level, t) in lit
                if on:
                    lit.add((level - 1, source))
                axes.plot(
                    [source, t],
                    [level - 1, level],
                    color=SEEN if on else HIDDEN,
                    linewidth=1.8 if on else 0.7,
                    zorder=1.5 if on else 1,
                )
    for level, t in itertools.product(range(top + 1), range(length)):
        on = seen[t - 1] if level == 0 and t else (level, t) in lit
        color = PREDICTED if (level, t) == (top, length - 1) else SEEN if on and (level or t) else HIDDEN
        axes.plot(t, level, "o", color=color, markersize=9, zorder=3)
    bare(axes).set(xlim=(-0.7, length - 0.3), ylim=(-0.9, top + 0.5))
    axes.set_yticks(range(top + 1), names)
    axes.tick_params(length=0)
    for t in (0, 1, length // 2, length - 1):
        axes.text(t, -0.45, f"$x_{{{t - 1}}}$" if t else "start", ha="center", va="top", fontsize=9, parse_math=True)
    axes.text(length - 1, top + 0.3, f"$\\theta_{{{length - 1}}}$", ha="center", fontsize=11, color=PREDICTED, parse_math=True)
    key(figure, {"predicted": PREDICTED, "leads to it; below, measured by the Jacobian": SEEN, "does not": HIDDEN})
    return finish(figure, f"{int(seen.sum())} symbols that theta depends on through {net.layers} layers")
