"""Arrays of symbols to streams, and back."""

import zlib
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int32, Shaped

from arjax.arguments import check_cond, check_count, check_order, check_values, check_x, native
from arjax.coding.conditionals import walk
from arjax.coding.fingerprint import digest_of_model, digest_of_params, digest_of_platform, platform_here
from arjax.coding.stream import MAX_BATCH, MAX_VALUES, Header, read, runs_of, write
from arjax.errors import InputError, require
from arjax.likelihood import log_prob
from arjax.orders import arrange, restore
from arjax.protocol import Cond, Model


class Decompressed(NamedTuple):
    """x int32 [N, *site_shape, *E], zero where nothing was written; label int32 [N] or None; lengths as they were given, none for
    all sites; note."""

    x: Int32[np.ndarray, "N *data"]
    label: Int32[np.ndarray, " N"] | None
    lengths: tuple[int, ...]
    note: bytes


def compress(
    model: Model, params, x: Shaped[np.ndarray, "N *data"], *, order=None, label=None, lengths=(), batch=256, note: bytes = b""
) -> bytes:
    """Writes x [N, *site_shape, *E], N >= 0, as a stream of about -log2 p(x) bits and some 60 bytes.

    order: [T], or None for the model's own. label: integers [N] for a model that knows classes; they are written as well, in
    log2(classes) bits each. None takes for each example the one under which it is most probable. lengths: N integers, how many of
    its sites, the first ones in generation order, are written of each example; none for all of all. batch: how many examples go
    through `step` at once, at most 4096. note: any bytes, kept as they are.

    InputError for a model of real values, one that needs features besides labels, or symbols outside the support.
    """
    order, x = _check(model, order), native(np.asarray(x))
    _check_values(model, x)
    lengths = tuple(int(length) for length in lengths)
    if check_count("batch", batch) > MAX_BATCH:
        raise InputError(f"batch={batch} examples at once must be in 1..{MAX_BATCH}; choose a number that is")
    if lengths and (len(lengths) != len(x) or not all(0 <= length <= model.num_sites for length in lengths)):
        raise InputError(
            f"{len(lengths)} lengths for {len(x)} examples; give each example one of 0..{model.num_sites} sites, or no lengths"
        )
    batch = max(1, min(batch, len(x)))
    label = _labels(model, params, x, order, label, batch)
    queue, family, uniform = _range_coding()
    coder, contents = queue.RangeEncoder(), 0
    for rows, counts in _chunks(model, len(x), lengths, batch):
        chunk = arrange(_padded(x[rows], batch), order, model.site_shape)
        chunk = np.where(_within(chunk, counts), chunk, 0).astype(np.int32)
        values, contents = chunk.reshape(batch, model.num_sites, -1), zlib.crc32(chunk.tobytes(), contents)
        if label is not None and model.cond.classes > 1:
            coder.encode(label[rows], uniform(model.cond.classes))

        def encode(t, c, rows, probabilities, values=values):
            symbols = values[rows, t, c]
            coder.encode(symbols, family, probabilities)
            return symbols

        walk(model, params, order, _cond(label, rows, batch), counts, encode)
    digests = digest_of_model(model, order), digest_of_params(params), digest_of_platform()
    return write(Header(*digests, platform_here(), contents, x.shape, batch, runs_of(lengths), note), coder.get_compressed())


def decompress(model: Model, params, stream: bytes, *, order=None) -> Decompressed:
    """Returns what `compress` was given, bit for bit. Arguments as there.

    InputError if `stream` is none, is damaged, or was written with another model, other parameters, another version of JAX or on
    another platform; and if what comes out is not what was written, whatever the reason.
    """
    header, words = read(stream)
    order = _check(model, order)
    _check_written_here(model, params, order, header)
    x = np.zeros((header.shape[0], model.num_sites, *model.head.event_shape), np.int32)
    label = None if model.cond.classes is None else np.zeros(len(x), np.int32)
    queue, family, uniform = _range_coding()
    coder, contents, lengths = queue.RangeDecoder(words), 0, header.lengths
    for rows, counts in _chunks(model, len(x), lengths, header.batch):
        chunk = np.zeros((header.batch, *x.shape[1:]), np.int32)
        values = chunk.reshape(header.batch, model.num_sites, -1)
        if label is not None and model.cond.classes > 1:
            label[rows] = _decoded(coder, uniform(model.cond.classes), len(label[rows]))

        def decode(t, c, rows, probabilities, values=values):
            values[rows, t, c] = symbols = _decoded(coder, family, probabilities)
            return symbols

        walk(model, params, order, _cond(label, rows, header.batch), counts, decode)
        x[rows], contents = chunk[: len(x[rows])], zlib.crc32(chunk.tobytes(), contents)
    if contents != header.contents:
        raise InputError(
            "what was decoded is not what was written: the arithmetic differs from that of the writer; decompress where it was "
            "compressed, with the same devices"
        )
    return Decompressed(np.asarray(restore(x, order, model.site_shape)), label, lengths, header.note)


def _range_coding():
    """The module of the range coder, and its models of a symbol: of any probabilities, and of equal ones."""
    stream = require("constriction", extra="compress").stream
    # Probabilities are rounded to 24 bits, of which each symbol gets at least one unit: all in the support can be written.
    return stream.queue, stream.model.Categorical(perfect=False), stream.model.Uniform


def _decoded(coder, *of) -> np.ndarray:
    try:
        return coder.decode(*of)
    except AssertionError as error:  # from the library: no word of a stream stands for a symbol of this probability
        raise InputError("the stream's payload is none that this model writes; restore it") from error


def _check(model, order) -> np.ndarray:
    """The order [T]. InputError unless the model's data can be written, and its order is one for all."""
    if model.head.vocab is None:
        raise InputError(f"{model.head} models real values, which have no end of digits; compress symbols")
    if model.head.event_shape and model.head_capabilities.log_conditionals is None:
        raise InputError(f"{type(model.head).__name__} has no log_conditionals, one for each value of a symbol; add them")
    if features := model.cond.features(model.site_shape):
        raise InputError(f"the model needs {' and '.join(features)} features, which a stream does not hold; choose another model")
    if np.ndim(order) == 2:
        raise InputError(f"order has shape {np.shape(order)}; a stream is written in one order [T]")
    return np.asarray(check_order(model, order, 1))


def _check_values(model, x) -> None:
    check_x(model, x[:0])  # shape and type; all of x may be more than a device holds
    if x.size > MAX_VALUES:
        raise InputError(f"x holds {x.size} values, more than the {MAX_VALUES} of one stream; compress it in parts")
    check_values(model, x, "x")


def _check_written_here(model, params, order, header: Header) -> None:
    if header.model != digest_of_model(model, order):
        raise InputError("the stream was written with another model or in another order; give the run that it was written with")
    if header.params != digest_of_params(params):
        raise InputError(
            "the stream was written with other parameters of this model (trained on since, or raw instead of averaged); give "
            "those that it was written with"
        )
    if header.where != platform_here():
        raise InputError(
            f"the stream was written on {header.where}, this is {platform_here()}, which may round otherwise; use that"
        )
    if header.platform != digest_of_platform():
        raise InputError(
            f"the stream was written on {header.where}, as here, but on another processor, with another number of its cores or "
            "other options of XLA, which may round otherwise; decompress it there"
        )
    if header.shape[1:] != (*model.site_shape, *model.head.event_shape):
        raise InputError(f"the stream holds examples of shape {header.shape[1:]}, which are not the model's; restore it")
    if any(length > model.num_sites for _, length in header.runs):
        raise InputError(f"the stream's lengths go beyond the {model.num_sites} sites of the model; restore it")


def _labels(model, params, x, order, label, batch) -> np.ndarray | None:
    """[N] int32, the most probable ones where none are given; None if the model knows none."""
    if label is not None or model.cond.classes is None:
        given = Cond() if label is None else Cond(label=np.asarray(label))
        return None if label is None else np.asarray(check_cond(model, given, len(x)).label)
    if not len(x):
        return np.zeros(0, np.int32)
    order = order if model.capabilities.any_order else None
    parts = []
    for rows, _ in _chunks(model, len(x), (), batch):
        padded = _padded(x[rows], batch)
        each = [
            log_prob(model, params, padded, order=order, cond=Cond(label=np.full(batch, v, np.int32)))
            for v in range(model.cond.classes)
        ]
        parts.append(np.argmax(np.stack(jax.device_get(each)), axis=0)[: len(x[rows])])
    return np.concatenate(parts).astype(np.int32)


def _cond(label, rows, batch) -> Cond:
    return Cond() if label is None else Cond(label=_padded(label[rows], batch))


def _chunks(model, examples, lengths, batch):
    """(slice of at most `batch` examples, [batch] how many sites of each are written, none of fillers)."""
    for begin in range(0, examples, batch):
        rows = slice(begin, min(begin + batch, examples))
        counts = np.asarray(lengths[rows] or [model.num_sites] * (rows.stop - begin))
        yield rows, _padded(counts, batch)


def _padded(x, batch) -> np.ndarray:
    """x [n, ...] with zeros behind it, [batch, ...]."""
    return np.concatenate([x, np.zeros((batch - len(x), *x.shape[1:]), x.dtype)])


def _within(chunk, counts) -> np.ndarray:
    """True at the sites [B, T, ...] that are written."""
    return (np.arange(chunk.shape[1]) < counts[:, None]).reshape(*chunk.shape[:2], *[1] * (chunk.ndim - 2))
