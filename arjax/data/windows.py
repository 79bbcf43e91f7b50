"""Recordings as windows of samples.

Recordings of many lengths become windows of one length, in which every sample of every recording is counted exactly once. A
model generates sound of one window's length.

    recording   0 1 2 3 4 5 6 7 8 9         length 6, context 2; what counts is in brackets
    window 0   [0 1 2 3 4 5]                 begins where the recording begins, and counts everything
    window 1            4 5[6 7 8 9]         begins with samples that were counted before: their true context

The last window is moved back to end where its recording ends, so that it has more context instead of padding. Only a recording
shorter than a window is padded, at its end, and padding never counts. A recording may have any length.

For a net whose receptive field is at most `context` samples, the log-probabilities of the windows sum to exactly that of the
whole recordings: no window is scored after silence that the recording does not have. A net with a larger receptive field is
given less than it could use, and its result is that of a model which takes windows as independent given their context.

Training uses the same windows, in a new order every epoch: each epoch a net learns from every sample once, given its true
context.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arjax.data.splits import Split
from arjax.data.waveforms import Audible
from arjax.description import check_types
from arjax.errors import InputError
from arjax.heads import Categorical
from arjax.protocol import CondSpec, Model


def check_windowed(data) -> None:
    """Raises InputError unless the fields of a data set of sound are of their types, its `length` and `context` make windows, and
    its `values` can be heard."""
    check_types(data)
    check_context(data.length, data.context)
    if not isinstance(data.values, Audible):
        raise InputError(f"values={data.values} cannot become sound again; choose MuLaw(256) or Linear(256)")


def windowed(data, recordings: Sequence[np.ndarray], label: np.ndarray | None = None) -> Split:
    """Cuts recordings into windows as a data set's `length` and `context` say; label [N] is that of each recording."""
    windows = tile(recordings, data.length, data.context)
    return Split(windows.x, None if label is None else label[windows.recording], counted=windows.counted)


def windowed_title(data) -> str:
    """Says what the windows of a data set of sound hold."""
    return f"{data.values.title}, windows of {data.length} with {data.context} of context"


def model_of_windows(self, net, *, head=None, order, classes=None) -> Model:
    """Stands for DataCapabilities.model of symbols in windows."""
    return Model(net, head or Categorical(self.values.vocab), (self.length,), order, CondSpec(classes=classes))


class Windows(NamedTuple):
    """x [N, length], of the recordings' dtype; counted, bool [N, length]; recording [N] int64: which one each was cut from."""

    x: np.ndarray
    counted: np.ndarray
    recording: np.ndarray


def check_context(length: int, context: int) -> None:
    """Raises InputError unless a window of `length` samples has room for more than its context."""
    if not 0 <= context < length:
        raise InputError(
            f"context={context} must be in 0..length - 1, and length={length}: a window has to count something; choose a shorter "
            "context or a longer window"
        )


def tile(recordings: Sequence[np.ndarray], length: int, context: int) -> Windows:
    """Cuts recordings [T_i] into windows, in their order. InputError where context >= length, there is no recording, or one is
    empty or of another dtype than the first."""
    check_context(length, context)
    if not len(recordings):
        raise InputError("there are no recordings to cut into windows; give at least one")
    dtype = recordings[0].dtype
    for i, recording in enumerate(recordings):
        if recording.ndim != 1 or not len(recording) or recording.dtype != dtype:
            raise InputError(
                f"recording {i} is {recording.dtype} of shape {recording.shape}; give at least one sample on one axis, all "
                f"recordings of one dtype (the first is {dtype})"
            )
    starts = [_starts(len(recording), length, context) for recording in recordings]
    source = np.repeat(np.arange(len(recordings)), [len(each) for each in starts])
    x = np.zeros((len(source), length), dtype)
    counted = np.zeros(x.shape, bool)
    window = 0
    for recording, begins in zip(recordings, starts, strict=True):
        done = 0  # this many of the recording's samples are counted
        for begin in begins:
            piece = recording[begin : begin + length]
            x[window, : len(piece)] = piece
            counted[window, done - begin : len(piece)] = True
            done, window = begin + len(piece), window + 1
    return Windows(x, counted, source)


def _starts(num, length, context):
    further = max(0, -(-(num - length) // (length - context)))  # windows after the first
    return [min(i * (length - context), max(0, num - length)) for i in range(further + 1)]
