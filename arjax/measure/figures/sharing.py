"""Figures of nets that share their weights over the sites: what coordinates change, and what an RNN remembers."""

import dataclasses

import jax
import numpy as np

from arjax.data import Digits
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.likelihood import theta
from arjax.measure.figures.dependence import check_sites
from arjax.measure.figures.fitting import fitted
from arjax.measure.figures.opened import Opened, example_of
from arjax.measure.figures.style import INK, PREDICTED, SEEN, Drawn, arrow, bare, finish, node, shades, sheet, words
from arjax.models import RNN, WaveNet
from arjax.orders import inverse
from arjax.protocol import Model, init
from arjax.testing import influences

_SIDE = 8


def draw_coordinates() -> Drawn:
    """Draws what two nets with shared weights say at each pixel of a digit where nothing was drawn so far: one is given the
    coordinates of the pixel, the other is not. Both are fitted for some seconds."""
    data = Digits()
    plain = Model(WaveNet(stacks=1, layers=2, width=16, skip=16, readout=16), Bernoulli(), (_SIDE, _SIDE))
    coded = dataclasses.replace(plain, net=dataclasses.replace(plain.net, coordinates=True))
    blank = np.zeros((1, _SIDE, _SIDE), np.int32)
    figure, (panels,) = sheet("Shared weights: coordinates say which pixel is predicted", 1, 3, height=4.1)
    shown = [
        ("how often each pixel is ink,\nin the training data", data.values(jax.random.key(0), data.load().train.x).mean(axis=0))
    ]
    for name, model in (("without coordinates", plain), ("with coordinates", coded)):
        found = fitted(model, data, 150, batch_size=32)
        ink = jax.nn.sigmoid(theta(model, found.params, blank)).reshape(_SIDE, _SIDE)
        shown.append((f"p(ink | all pixels before are blank),\n{name}", np.asarray(ink)))
    for axes, (name, ink) in zip(panels, shown, strict=True):
        bare(axes).imshow(ink, cmap=shades(SEEN), vmin=0, vmax=1)
        axes.set_title(name)
        for (row, column), value in np.ndenumerate(ink):
            axes.text(
                column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color="white" if value > 0.5 else INK
            )
    figure.supxlabel("per cent; WaveNets of 8-by-8 digits, each fitted in 150 steps", fontsize=10)
    return finish(figure, "two nets fitted in 150 steps")


def draw_rnn() -> Drawn:
    """Draws an RNN unrolled, and how far back a small one remembers, before and after 250 steps on pixels in raster order."""
    model = Model(RNN(cell="lstm", width=32), Bernoulli(), (_SIDE, _SIDE))
    data = Digits()
    found = fitted(model, data, 250, batch_size=50)
    x = np.asarray(data.values(jax.random.key(0), data.load().test.x[:1]))
    start = init(model, jax.random.key(0))
    before, after = (remembered(influences(model, params, x), model.permutation) for params in (start, found.params))
    figure, ((above,), (below,)) = sheet("An RNN passes a state from symbol to symbol", 2, 1, height=6.0, height_ratios=[1, 1.15])
    _unroll(bare(above))
    _bars(below, after, "LSTM of 32 units, fitted in 250 steps to 8-by-8 digits in raster order")
    below.plot(np.arange(1, len(before) + 1), before, "o", color=INK, markersize=4)
    below.text(0.98, 0.75, "bars: fitted; dots: before training", transform=below.transAxes, ha="right")
    below.annotate(
        "the pixel above",
        (_SIDE, after[_SIDE - 1]),
        (_SIDE + 2, 0.8 * after.max()),
        color=SEEN,
        arrowprops={"arrowstyle": "-", "color": SEEN},
    )
    return finish(figure, "an LSTM fitted in 250 steps")


def draw_memory_of_run(opened: Opened) -> Drawn:
    """Draws how far back a trained net remembers, of whatever kind it is. InputError where a site is chosen."""
    model, params, x, cond, _ = example_of(opened)
    if opened.site is not None:
        raise InputError(f"--site {opened.site}: rnn is drawn of all sites at once; leave it out")
    check_sites(model)
    far = remembered(influences(model, params, x, cond), model.permutation)
    figure, ((axes,),) = sheet("What a trained net remembers", height=4.2)
    _bars(axes, far, f"{type(model.net).__name__}, {words(model.order)} order, at test example {opened.example}")
    return finish(figure, f"at test example {opened.example}, {model.num_sites} sites")


def remembered(moved, permutation) -> np.ndarray:
    """How far theta moves, on average over sites, as the symbol generated d = 1, ..., T-1 sites before becomes another; moved
    [T, T] as `influences` returns it."""
    rank = inverse(np.asarray(permutation))
    behind = rank[:, None] - rank[None]
    return np.array([moved[behind == d].mean() for d in range(1, len(moved))])


def _bars(axes, far, title):
    axes.bar(np.arange(1, len(far) + 1), far, color=SEEN, width=0.8)
    axes.set(title=title, xlabel="symbols back", ylabel="how far theta moves", xlim=(0.3, min(len(far), 64) + 0.7))


def _unroll(axes):
    """Four steps of an RNN, with what enters each and what it gives."""
    for t in range(4):
        x = 2 * t
        node(axes, x, 0, "start" if t == 0 else f"$x_{t}$", SEEN, 0.33, size=9 if t == 0 else 11)
        node(axes, x, 1.15, f"$h_{t + 1}$", "white", 0.33, size=11)
        node(axes, x, 2.3, f"$\\theta_{t + 1}$", PREDICTED, 0.33, size=11)
        arrow(axes, (x, 0), (x, 1.15), gap=0.36)
        arrow(axes, (x, 1.15), (x, 2.3), gap=0.36)
        arrow(axes, (x, 1.15), (x + 2, 1.15), gap=0.36, width=2)
    axes.text(8, 1.15, "...", ha="center", va="center", fontsize=14)
    for y, name in (
        (0, "the symbol before"),
        (1.15, "state: the same cell,\nthe same weights"),
        (2.3, "distribution of the\nnext symbol"),
    ):
        axes.text(-0.6, y, name, ha="right", va="center", fontsize=10)
    for text in axes.texts:
        text.set_parse_math(True)
    axes.set(xlim=(-3.6, 8.5), ylim=(-0.5, 2.8), aspect="equal")
