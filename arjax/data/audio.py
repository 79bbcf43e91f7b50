"""Spoken digits: a public data set of recordings, in windows of samples (see windows.py)."""

import dataclasses
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from arjax.data.archive import read_arrays
from arjax.data.media import Sound
from arjax.data.sources import Source, read
from arjax.data.splits import Splits, check_splits
from arjax.data.waveforms import MuLaw
from arjax.data.windows import check_windowed, windowed, windowed_title
from arjax.errors import InputError
from arjax.files import sha256_of

Label = Literal["digit", "speaker", "both"]


@dataclasses.dataclass(frozen=True)
class SpokenDigits:
    """The Free Spoken Digit Dataset (Jackson et al. 2018): 3000 recordings, 6 speakers saying ten digits 50 times each, 8 kHz.

    The official test split is takes 0-4 of every digit and speaker; takes 5-9 are for validation, the rest for training. Nothing
    is downloaded: `fsdd.npz` must lie under the data root. It is made of the recordings of
    github.com/Jakobovski/free-spoken-digit-dataset in the order of their names: `audio` int16, one after the other, `offsets`
    int64 [3001], where each begins, and `digit`, `speaker` (in alphabetical order), `take`.
    """

    length: int = 4096
    """Samples in a window, which is what the model generates."""
    context: int = 1024
    """Samples that a window repeats of the window before it; at least the receptive field of the net."""
    label: Label = "digit"
    """What a label says: the digit (10 classes), the speaker (6), or both (60: 6 digit + speaker)."""
    values: Any = MuLaw(256)
    """What a sample becomes: MuLaw or Linear."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder of the file, if not $ARJAX_DATA or ~/.cache/arjax."""

    sample_rate: ClassVar[int] = 8000
    medium = property(lambda self: Sound(self.values, self.sample_rate))

    def __post_init__(self):
        if self.label not in get_args(Label):
            raise InputError(f"label={self.label!r} is none of {', '.join(get_args(Label))}; choose one of them")
        check_windowed(self)

    @property
    def classes(self) -> tuple[str, ...]:
        both = tuple(f"{digit} {speaker}" for digit in _DIGITS for speaker in _SPEAKERS)
        return {"digit": _DIGITS, "speaker": _SPEAKERS, "both": both}[self.label]

    @property
    def title(self) -> str:
        return (
            f"spoken digits (FSDD), 8000 Hz, {windowed_title(self)}; train takes 10-49 / valid takes 5-9 / test takes 0-4, the "
            "official test split"
        )

    def load(self) -> Splits:
        audio, offsets, digit, speaker, take = _fsdd(self.root)
        recordings = np.split(audio, offsets[1:-1])
        label = {"digit": digit, "speaker": speaker, "both": 6 * digit + speaker}[self.label]
        chosen = (take >= 10, (take >= 5) & (take < 10), take < 5)
        splits = (windowed(self, [recordings[i] for i in np.flatnonzero(some)], label[some]) for some in chosen)
        return check_splits(Splits(*splits), self.values, "spoken digits")


_DIGITS, _SPEAKERS = tuple("0123456789"), ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
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
