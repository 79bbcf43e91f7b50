"""The figures that explain the library, each drawn from the code that it explains. `FIGURES` lists them."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A figure. Its functions are named as "module:name" and imported when they are called; each returns `style.Drawn`.

    summary: what it shows, in a line.
    found: the function that draws it without a run. None: there is no such figure.
    of_run: the function of a `opened.Opened` that draws it for a run. None: there is no such figure.
    sized: does `found` take the height and width of a grid of sites?
    """

    summary: str
    found: str | None = None
    of_run: str | None = None
    sized: bool = False


FIGURES = {
    "inverse-cdf": Figure("a histogram sampled by the inverse of its CDF", "densities:draw_inverse_cdf"),
    "mixture": Figure("a mixture of Gaussians, and one of logistics in bins", "densities:draw_mixture"),
    "bayes-net": Figure("a joint distribution by the chain rule and as a Bayes net", "graphs:draw_bayes_net"),
    "orders": Figure("generation orders as numbered grids", "grids:draw_orders", sized=True),
    "made-masks": Figure("the connections that MADE keeps, in three orders", "made_masks:draw_made_masks"),
    "coordinates": Figure("what shared weights predict with and without coordinates", "sharing:draw_coordinates"),
    "dilation": Figure("the tree of WaveNet's dilated convolutions", "graphs:draw_dilation"),
    "rnn": Figure("an RNN unrolled, and how far back it remembers", "sharing:draw_rnn", "sharing:draw_memory_of_run"),
    "masks": Figure("the masks of PixelCNN's convolutions", "grids:draw_masks", sized=True),
    "receptive-field": Figure(
        "what theta of one pixel depends on: the blind spot and its cures",
        "dependence:draw_receptive_fields",
        "dependence:draw_receptive_field_of_run",
        sized=True,
    ),
    "dependence": Figure("what theta of every site depends on", of_run="dependence:draw_dependence_of_run"),
    "attention": Figure(
        "what attention sees in several orders and under several masks; of a run, its weights",
        "dependence:draw_attention",
        "attention:draw_attention_of_run",
        sized=True,
    ),
    "tokens": Figure("a text in coloured byte-pair tokens", "tokens:draw_tokens", "tokens:draw_tokens_of_run"),
    "codebook": Figure(
        "the codes of a discrete autoencoder, and where they are used", "codebook:draw_codebook", "codebook:draw_codebook_of_run"
    ),
    "cache": Figure("time to sample against length, with and without a cache, measured", "cache:draw_cache"),
    "loss": Figure("the loss in training and on data held out", "loss:draw_loss", "loss:draw_loss_of_run"),
}


def listed() -> str:
    """Lists the figures, a line each."""
    width = max(map(len, FIGURES))
    lines = [
        f"  {name:{width}}  {each.summary}{_OF_RUN[each.found is not None] if each.of_run else ''}"
        for name, each in FIGURES.items()
    ]
    return "\n".join(["usage: python -m arjax figures NAME [--run RUN] [--png FILE]", "", *lines])


# By whether there is a figure without a run, too.
_OF_RUN = {True: " (or of --run)", False: " (of --run)"}
