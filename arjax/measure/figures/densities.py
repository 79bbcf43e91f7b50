"""Figures of one variable: a histogram sampled by the inverse of its CDF, and mixtures, of densities and of bins."""

import jax
import jax.numpy as jnp
import numpy as np

from arjax.data.arrays import Arrays
from arjax.heads import DiscretizedMixtureOfLogistics, MixtureOfGaussians, Ordinal
from arjax.heads.mixture import read_components
from arjax.measure.figures.fitting import fitted
from arjax.measure.figures.style import HIDDEN, INK, PREDICTED, SEEN, Drawn, finish, key, sheet
from arjax.models import Histogram
from arjax.models.histogram import fit
from arjax.protocol import Model
from arjax.sampling import ancestral


def draw_inverse_cdf() -> Drawn:
    """Draws a histogram that was fitted by counting, three uniforms that its CDF turns into symbols, and 1000 samples."""
    vocab, rng = 8, np.random.default_rng(0)
    data = np.clip(np.where(rng.random(200) < 0.6, rng.normal(1.6, 0.8, 200), rng.normal(5.4, 0.9, 200)).round(), 0, vocab - 1)
    x = data.astype(np.int32)[:, None]
    model, params = Model(Histogram(), Ordinal(vocab), (1,)), fit(x, vocab)
    probs = np.asarray(jax.nn.softmax(params["theta"][0]))
    total, samples = probs.cumsum(), np.asarray(ancestral(model, params, jax.random.key(0), 1000))
    figure, ((left, middle, right),) = sheet(
        "Sampling a histogram: a uniform number, through the inverse of the CDF", 1, 3, height=3.9, width_ratios=[1, 1.5, 1]
    )
    left.bar(range(vocab), probs, color=SEEN, width=0.9)
    left.set_title("p(x): 200 values, counted")
    middle.stairs(total, np.arange(vocab + 1) - 0.5, color=SEEN, linewidth=2.5, baseline=None)
    middle.set_title("P(X ≤ x), and three uniform numbers u")
    for u in (0.12, 0.58, 0.9):
        symbol = int(np.searchsorted(total, u))
        middle.plot([-0.5, symbol], [u, u], color=PREDICTED, linewidth=1.4)
        middle.annotate("", (symbol, 0), (symbol, u), arrowprops={"arrowstyle": "-|>", "color": PREDICTED, "linewidth": 1.4})
        middle.text(-0.42, u + 0.015, f"u = {u}", color=PREDICTED, fontsize=9)
    middle.set(ylim=(0, 1.02), xlim=(-0.5, vocab - 0.5))
    share = np.bincount(samples.ravel(), minlength=vocab) / len(samples)
    right.bar(range(vocab), share, color=PREDICTED, width=0.9)
    right.plot(range(vocab), probs, "_", color=INK, markersize=15, markeredgewidth=2)
    right.set_title("1000 samples; marks: p(x)")
    for axes in (left, middle, right):
        axes.set(xticks=range(vocab), xlabel="x")
    return finish(figure, "a histogram of 8 symbols, three uniform numbers and 1000 samples")


def draw_mixture() -> Drawn:
    """Draws two mixtures fitted to the same values: one of Gaussians, a density, and one of logistics, in bins."""
    levels, rng = 16, np.random.default_rng(1)
    drawn = (rng.normal(-1.3, 0.45, 450), rng.normal(1.7, 0.75, 550))
    values = np.concatenate(drawn)
    values = rng.permutation(values).astype(np.float32)[:, None]
    bins = np.clip(np.round((values / 3 + 1) / 2 * (levels - 1)), 0, levels - 1).astype(np.int32)
    figure, ((left, right),) = sheet("Mixtures fitted to the same 1000 values by gradient", 1, 2, height=4.2)

    model, params = _fitted(MixtureOfGaussians(2), values)
    at, theta = np.linspace(-3.5, 4.2, 300, dtype=np.float32), params["theta"][0]
    left.hist(values[:, 0], 56, range=(-3.5, 4.2), density=True, color=HIDDEN)
    weight, mean, scale = (np.asarray(part) for part in _parts(theta))
    for each in zip(weight, mean, scale, strict=True):
        bump = each[0] * np.exp(-0.5 * ((at - each[1]) / each[2]) ** 2) / (each[2] * np.sqrt(2 * np.pi))
        left.plot(at, bump, "--", color=SEEN, linewidth=1.4, zorder=3)
        left.annotate(
            f"weight {each[0]:.2f}",
            (at[bump.argmax()], bump.max()),
            (0, 12),
            textcoords="offset points",
            ha="center",
            color=SEEN,
            fontsize=9,
        )
    density = np.exp(np.asarray(model.head.log_prob(jnp.broadcast_to(theta, (len(at), *theta.shape)), at)))
    left.plot(at, density, color=PREDICTED)
    left.set(title="two Gaussians:\na density", xlabel="x", yticks=[], ylim=(0, 1.25 * density.max()))
    left.spines.left.set_visible(False)

    model, params = _fitted(DiscretizedMixtureOfLogistics(levels, 2), bins)
    theta = params["theta"][0]
    symbols = np.arange(levels)
    probs = np.exp(np.asarray(model.head.log_prob(jnp.broadcast_to(theta, (levels, *theta.shape)), symbols)))
    right.bar(symbols, np.bincount(bins.ravel(), minlength=levels) / len(bins), color=HIDDEN, width=0.95)
    weight, mean, scale = (np.asarray(part) for part in _parts(theta))
    fine = np.linspace(-1.2, 1.2, 400)
    for each in zip(weight, mean, scale, strict=True):
        z = np.abs(fine - each[1]) / each[2]
        bump = each[0] * np.exp(-z) / (each[2] * (1 + np.exp(-z)) ** 2) * 2 / (levels - 1)
        right.plot((fine + 1) / 2 * (levels - 1), bump, color=SEEN, linewidth=1.4)
    right.bar(symbols, probs, width=0.95, facecolor="none", edgecolor=PREDICTED, linewidth=1.8)
    right.set(title=f"two logistics in {levels} bins: probabilities,\nthe end bins take the tails", xlabel="symbol", yticks=[])
    right.spines.left.set_visible(False)
    right.set_xlim(-0.9, levels - 0.1)
    key(figure, {"data": HIDDEN, "components": SEEN, "their mixture": PREDICTED})
    return finish(figure, "two Gaussians, and two logistics in bins, fitted to 1000 values")


def _fitted(head, values):
    model = Model(Histogram(), head, (1,))
    found = fitted(model, Arrays(values, values[:100]), 500, rate=0.03, batch_size=250)
    return model, found.params


def _parts(theta):
    """[3 M] -> weights, means and scales, each [M]."""
    parts = read_components(theta)
    return jnp.exp(parts.log_weight), parts.mean, jnp.exp(parts.log_scale)
