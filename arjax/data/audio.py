"""Recordings as windows of samples: spoken digits, and any folder of .wav files.

Recordings of many lengths become windows of one length, in which every sample of every recording is counted exactly once. A
model generates sound of one window's length.

    recording   0 1 2 3 4 5 6 7 8 9         length 6, context 2; what counts is in brackets
    window 0   [0 1 2 3 4 5]                 begins where the recording begins, and counts everything
    window 1            4 5[6 7 8 9]         begins with samples that were counted before: their true context

The last window is moved back to end where its recording ends, so that it has more context, not padding. Only a recording that is
shorter than a window is padded, at its end, and what is padded never counts. (A recording is never too long or too short.)

For a net that looks at no more than the last `context` samples, the log-probabilities of the windows sum to exactly that of the
whole recordings, each from its first sample to its last: no window is scored against silence that was not there. A net that
looks further is given less than it could use, and its result is that of a model which takes windows as independent given their
context.

These same windows, in a new order every epoch, are the crops to train on: each epoch a net learns from every sample once, given
its true context.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.media import Sound
from arjax.data.sources import Source, files_in, read
from arjax.data.splits import Split, Splits, check_fractions, check_splits, cut, each
from arjax.data.waveforms import Audible, MuLaw, read_wav
from arjax.description import check_types
from arjax.errors import InputError
from arjax.files import sha256_of

Label = Literal["digit", "speaker", "both"]


def _check(data) -> None:
    check_types(data)
    check_context(data.length, data.context)
    if not isinstance(data.values, Audible):
        raise InputError(f"values={data.values} cannot become sound again; choose MuLaw(256) or Linear(256)")


@dataclasses.dataclass(frozen=True)
class SpokenDigits:
    """The Free Spoken Digit Dataset (Jackson et al. 2018): 3000 recordings, 6 speakers saying ten digits 50 times each, 8 kHz.

    The official test split is takes 0-4 of every digit and speaker; of the rest, takes 5-9 are for validation. label: the digit
    (10 classes), the speaker (6), or both (60: 6 digit + speaker). There is no such file to download: `fsdd.npz` is to lie under
    the data root, made of the recordings of github.com/Jakobovski/free-spoken-digit-dataset in the order of their names: `audio`
    int16, one after the other, `offsets` int64 [3001], where each begins, and `digit`, `speaker` (in alphabetical order), `take`.
    """

    length: int = 4096
    context: int = 1024
    label: Label = "digit"
    values: Any = MuLaw(256)
    root: str | None = dataclasses.field(default=None, compare=False)

    sample_rate: ClassVar[int] = 8000
    medium = property(lambda self: Sound(self.values, self.sample_rate))

    def __post_init__(self):
        if self.label not in get_args(Label):
            raise InputError(f"label={self.label!r} is none of {', '.join(get_args(Label))}; choose one of them")
        _check(self)

    @property
    def title(self) -> str:
        return (
            f"spoken digits (FSDD), 8000 Hz, {_title(self)}; train takes 10-49 / valid takes 5-9 / test takes 0-4, the official "
            "test split"
        )

    def load(self) -> Splits:
        audio, offsets, digit, speaker, take = _fsdd(self.root)
        recordings = np.split(audio, offsets[1:-1])
        label = {"digit": digit, "speaker": speaker, "both": 6 * digit + speaker}[self.label]
        chosen = (take >= 10, (take >= 5) & (take < 10), take < 5)
        splits = (_split(self, [recordings[i] for i in np.flatnonzero(some)], label[some]) for some in chosen)
        return check_splits(Splits(*splits), self.values, "spoken digits")


FSDD = Source("fsdd.npz", None)
# The sha256 of its samples: who makes the file anew need not pack it in the same way.
FSDD_AUDIO = "6f643a7422de89763625dfc9aa79427e69f7a690223a5bc5752a2f56db5af465"


def _fsdd(root) -> tuple[np.ndarray, ...]:
    """audio, offsets, digit, speaker, take. InputError unless the samples are those of the published recordings."""
    names = {"audio": np.int16, "offsets": np.int64, "digit": np.int32, "speaker": np.int32, "take": np.int32}
    there = read_arrays(read(FSDD, root), "fsdd.npz", names)
    if not all(name in there and there[name].ndim == 1 and there[name].dtype.kind in "iu" for name in names):
        raise InputError(f"fsdd.npz does not hold rows of whole numbers {', '.join(names)}; make it anew, with these")
    arrays = tuple(there[name].astype(dtype) for name, dtype in names.items())
    if not sha256_of(arrays[0]).endswith(FSDD_AUDIO) or {len(array) for array in arrays[2:]} != {3000}:
        raise InputError("fsdd.npz holds other samples than the 3000 published recordings; make it anew, in their names' order")
    return arrays


@dataclasses.dataclass(frozen=True)
class WavFolder:
    """The .wav files in the folder `path` and the folders in it; `path` may be relative to the data root.

    Every file must have one channel and `sample_rate` samples a second. The files are taken in the order of their paths, and the
    last of them are held out: fractions valid and test of their number, in this order, each rounded to at least one file; with
    test=0 the validation part serves as the test as well. So no recording is in two splits; where names begin with the speaker,
    few speakers are.
    """

    path: str
    sample_rate: int
    length: int = 4096
    context: int = 1024
    values: Any = MuLaw(256)
    valid: float = 0.05
    test: float = 0.05
    root: str | None = dataclasses.field(default=None, compare=False)

    medium = property(lambda self: Sound(self.values, self.sample_rate))

    def __post_init__(self):
        _check(self)
        check_fractions(self.valid, self.test)
        if self.sample_rate < 1:
            raise InputError(f"sample_rate={self.sample_rate} is in samples a second; give that of the files, as 16000")

    @property
    def title(self) -> str:
        held_out = f"valid {self.valid:.4g}, " + (f"test the last {self.test:.4g}" if self.test else "test = valid")
        parts = f"train the first {1 - self.valid - self.test:.4g} of the files, then {held_out}"
        return f"{Path(self.path).name}, {self.sample_rate} Hz, {_title(self)}; {parts}"

    def load(self) -> Splits:
        folder, files = files_in(self.path, self.root, (".wav",))
        parts = cut(files, self.valid, self.test, f"{folder} has {len(files)} .wav files")
        splits = each(lambda part: _split(self, [read_wav(file, self.sample_rate) for file in part]), parts)
        return check_splits(Splits(*splits), self.values, str(folder))


def _split(data, recordings: Sequence[np.ndarray], label: np.ndarray | None = None) -> Split:
    windows = tile(recordings, data.length, data.context)
    return Split(windows.x, None if label is None else label[windows.recording], counted=windows.counted)


def _title(data) -> str:
    return f"{data.values.title}, windows of {data.length} with {data.context} of context"


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
