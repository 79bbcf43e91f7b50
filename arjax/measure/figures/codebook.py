"""The figure of a discrete autoencoder: images as maps of codes, and where each code is used."""

import jax
import numpy as np

from arjax.data import Digits, Scaled
from arjax.errors import InputError
from arjax.measure.figures.fitting import fitted
from arjax.measure.figures.opened import Opened, checked
from arjax.measure.figures.style import INK, SEEN, Drawn, bare, finish, shades, sheet
from arjax.tokenizers import VQVAE, EMACodebook
from arjax.training import Autoencoding

# How many images are shown, how many codes (those used most), and how many images are counted.
_IMAGES, _CODES, _COUNTED = 3, 16, 1000


def draw_codebook() -> Drawn:
    """Draws the codes of a small autoencoder, fitted for some seconds to 8x8 digits."""
    model = VQVAE(shape=(8, 8), strides=(2,), width=32, residual_width=16, blocks=1, quantizer=EMACodebook(16, 8))
    data, steps = Digits(values=Scaled(16)), 200
    found = fitted(model, data, steps, rate=3e-3, batch_size=32, task=Autoencoding(variance=0.14))
    title = f"A discrete autoencoder of digits: {model.vocab} codes, fitted in {steps} steps"
    return _draw(title, model, found.params, found.state, np.asarray(data.values(jax.random.key(0), data.load().test.x)))


def draw_codebook_of_run(opened: Opened) -> Drawn:
    """Draws the codes of a trained autoencoder. InputError for a run of something else."""
    experiment, params, state = opened.trained
    if not isinstance(experiment.task, Autoencoding):
        raise InputError(f"{opened.run} trained no autoencoder; choose a run that did, as of configs/digits_vqvae.py")
    if opened.site is not None:
        raise InputError(f"--site {opened.site}: a codebook is drawn of whole images; leave it out")
    raw = experiment.data.load().test.x
    raw = raw[checked(opened.example, len(raw)) :][:_COUNTED]
    title = f"A discrete autoencoder: {experiment.model.vocab} codes"
    return _draw(title, experiment.model, params, state, np.asarray(experiment.data.values(jax.random.key(0), raw)))


def _draw(title, model, params, state, x) -> Drawn:
    tokens = np.asarray(jax.jit(model.tokens)(params, state, x))
    shown = min(_IMAGES, len(x))
    restored = np.asarray(jax.jit(model.restored)(params, state, tokens[:shown]))
    counts = np.bincount(tokens.ravel(), minlength=model.vocab)
    codes = np.argsort(-counts, kind="stable")[: min(_CODES, model.vocab)]
    figure, _ = sheet(title, height=5.6)
    figure.clf()
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.9])
    panels = above.subplots(1, 3 * shown, squeeze=False)[0]
    for i in range(shown):
        original, coded, given = panels[3 * i : 3 * i + 3]
        bare(original).imshow(x[i], cmap="gray_r", vmin=0, vmax=1)
        bare(given).imshow(restored[i], cmap="gray_r", vmin=0, vmax=1)
        bare(coded).imshow(np.ones_like(tokens[i]), cmap="gray", vmin=0, vmax=1)
        if tokens[i].size <= 16:
            for (row, column), token in np.ndenumerate(tokens[i]):
                coded.text(column, row, token, ha="center", va="center", fontsize=9, color=SEEN)
        else:
            coded.imshow(tokens[i], cmap="Blues", vmin=0, vmax=model.vocab)
        for axes, name in ((original, "image"), (coded, "codes"), (given, "restored")):
            axes.set_title(name, fontsize=9)
    columns = 8
    maps = below.subplots(-(-len(codes) // columns), columns, squeeze=False)
    for axes in maps.flat:
        bare(axes)
    share = [(tokens == code).mean(axis=0) for code in codes]
    for axes, code, where in zip(maps.flat, codes, share, strict=False):
        axes.imshow(where, cmap=shades(SEEN), vmin=0, vmax=max(each.max() for each in share))
        axes.set_title(f"code {code}: {counts[code] / counts.sum():.0%}", fontsize=9, color=INK)
    used = np.count_nonzero(counts)
    below.suptitle(
        f"Where each code is used, the darker the more often; {used} of {model.vocab} are used in {len(x)} images", fontsize=10.5
    )
    return finish(figure, f"{used} of {model.vocab} codes, used in {len(x)} images")
