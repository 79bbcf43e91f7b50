"""Text with characters hidden: infilling by a net that takes any order, continuing by any net."""

import itertools

import numpy as np

from arjax.commands.completions import chosen, cost, draw, order_for, own_cond, spread
from arjax.commands.masks import read_mask
from arjax.data.splits import encoded
from arjax.errors import InputError
from arjax.runs.report import rule_between, write_texts
from arjax.training.conditions import check_fits


def complete_text(flags, model, params, data) -> None:
    """Print the completions and what the truth costs, and write them where `flags`, a Complete, say. InputError where they do not
    fit."""
    if len(flags.blank) != 1:
        raise InputError(f"--blank {flags.blank!r} is {len(flags.blank)} characters; choose one")
    if flags.text is None and flags.truth is not None:
        raise InputError("--truth belongs to --text; give one, or leave it out")
    if flags.text is not None and flags.mask is not None:
        raise InputError(f"--mask {flags.mask}: --text marks what is hidden by {flags.blank!r}; leave it out")
    sites = np.arange(model.num_sites)
    if flags.text is not None:
        x, hidden, given = _own(flags, model, data)
        cond, name, known = own_cond(model, flags.run, "--text", flags.label), "text", flags.truth is not None
    else:
        name = flags.mask or "right"
        hidden = read_mask(name, 1, model.num_sites, flags.seed)[0]
        splits = data.load()
        check_fits(data.title, model, splits)
        x, cond, _ = chosen(model, data, splits.test, spread(flags.examples, 3, len(splits.test.x)), flags.seed)
        given, known = model.num_sites, True
    mask = ~hidden & (sites < given)
    order = _text_first(model, order_for(model, mask), given)
    inside = np.broadcast_to(sites < given, x.shape)
    told = cost(model, params, data, x, mask, cond, order, inside) if known else None
    drawn = draw(model, params, flags.key, x, mask, flags.completions or 3, cond, order)
    texts = []
    for row, completions in zip(x, drawn, strict=True):
        texts += [_with_blanks(data, row[:given], hidden[:given], flags.blank), *data.show(completions[:, :given])]
    path = flags.stem(name).with_suffix(".txt")
    write_texts(path, texts)
    print(rule_between(texts))
    what = "the text" if flags.text is not None else f"{len(x)} texts, each"
    print(f"{what} with {drawn.shape[1]} completions behind it in {path}")
    if told is not None:
        print(told)


def _own(flags, model, data) -> tuple[np.ndarray, np.ndarray, int]:
    """(--text, or --truth, as symbols [1, T], zero where unknown; what of it is hidden [T]; how many symbols it has)."""
    if hasattr(data, "tokenizer") or not hasattr(data, "read"):
        raise InputError(f"--text: {flags.run} is of symbols that are no characters; choose a run of characters or bytes")
    # What stands before a blank and behind it is read apart: a blank is no symbol.
    parts = [encoded(data, part) for part in flags.text.split(flags.blank)]
    symbols = np.concatenate([parts[0], *(piece for part in parts[1:] for piece in (np.zeros(1, int), part))]).astype(np.int32)
    marked = np.concatenate([np.zeros(len(parts[0]), bool), *(np.arange(len(part) + 1) == 0 for part in parts[1:])])
    if not len(symbols):
        raise InputError("--text is empty; give one with something hidden in it")
    if not marked.any():
        raise InputError(f"--text has nothing hidden; mark every character to be drawn by {flags.blank!r}, or choose --blank")
    if marked.all():
        raise InputError("--text hides everything; sample without it, by `python -m arjax sample`")
    if len(symbols) > model.num_sites:
        raise InputError(f"--text has {len(symbols)} characters, the model's windows {model.num_sites}; shorten it")
    if (
        len(symbols) < model.num_sites
        and not model.capabilities.any_order
        and (model.permutation != np.arange(model.num_sites)).any()
    ):
        raise InputError(
            f"--text has {len(symbols)} characters, and a net that generates in {model.order} only needs all {model.num_sites} "
            "of a window; give as many"
        )
    if flags.truth is not None:
        true = encoded(data, flags.truth).astype(np.int32)
        if len(true) != len(symbols) or (true != symbols)[~marked].any():
            raise InputError(
                f"--truth has {len(true)} characters, --text {len(symbols)}, and where nothing is hidden they must be the same; "
                "correct one of them"
            )
        symbols = true
    x, hidden = np.zeros((1, model.num_sites), np.int32), np.zeros(model.num_sites, bool)
    x[0, : len(symbols)], hidden[: len(symbols)] = symbols, marked
    return x, hidden, len(symbols)


def _text_first(model, order, given: int):
    """The order, the first `given` sites before all others: what stands behind the text is then no part of anything's condition,
    so that a shorter text is completed, and scored, exactly as the start of a window."""
    if given == model.num_sites or not model.capabilities.any_order:
        return order
    order = model.permutation if order is None else order
    return order[np.argsort(order >= given, kind="stable")]


def _with_blanks(data, row, hidden, blank: str) -> str:
    """What is visible of the symbols [n], and a blank for each of the others."""
    ends = [*(np.flatnonzero(hidden[1:] != hidden[:-1]) + 1), len(row)]
    stretches = [slice(start, end) for start, end in itertools.pairwise([0, *ends])]
    return "".join(blank * len(row[part]) if hidden[part.start] else data.show(row[None, part])[0] for part in stretches)
