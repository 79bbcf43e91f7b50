"""A folder of a user's own recordings, whose folders are classes."""

import collections
import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from arjax.data.dataset import Examined
from arjax.data.labelled_files import LabelledFiles, list_files, parts_of
from arjax.data.media import Sound
from arjax.data.sound_files import ENDINGS, Header, read_header, read_sound
from arjax.data.splits import Splits, check_fractions, check_splits, each, fractions
from arjax.data.waveforms import MuLaw
from arjax.data.windows import check_windowed, model_of_windows, windowed, windowed_title
from arjax.errors import InputError, require

# 18 hours of 16 kHz, all files together.
_MOST_SAMPLES = 2**30


@dataclasses.dataclass(frozen=True)
class SoundFolder:
    """Recordings in a folder and the folders in it: WAV, and with the extra `audio` FLAC, Ogg and MP3, mixed into one channel.

    Folders are classes; folders train, valid and test are splits. A seed draws a split that has no folder, the same fraction of
    each class, so that no recording is in two splits. See windows.py for how recordings become examples.
    """

    path: str | None = None
    """The folder of the recordings."""
    sample_rate: int | None = None
    """Samples a second of all recordings after resampling; by default the rate of most files."""
    resample: bool = True
    """Resample files of another rate; otherwise such a file is refused."""
    length: int = 4096
    """Samples in a window, which is what the model generates."""
    context: int = 1024
    """Samples that a window repeats of the window before it; at least the receptive field of the net."""
    values: Any = MuLaw(256)
    """What a sample becomes: MuLaw or Linear."""
    valid: float = 0.05
    """Fraction of each class to validate with."""
    test: float = 0.05
    """Fraction of each class to test with; with 0 the test is on the validation recordings."""
    seed: int = 0
    """Seed that draws the recordings to hold out."""
    classes: tuple[str, ...] | None = None
    """Names of the classes; by default those of the folders."""
    root: str | None = dataclasses.field(default=None, compare=False)
    """The folder that the path is relative to, if not $ARJAX_DATA or ~/.cache/arjax."""

    shared: ClassVar[tuple[str, ...]] = ("sample_rate",)
    medium = property(lambda self: Sound(self.values, self.sample_rate))
    model = model_of_windows
    open = property(lambda self: self.sample_rate is None or self.classes is None)

    def __post_init__(self):
        check_windowed(self)
        check_fractions(self.valid, self.test, self.seed)
        if self.sample_rate is not None and not 1 <= self.sample_rate <= 768_000:
            raise InputError(f"sample_rate={self.sample_rate} is not in 1..768000 samples a second; choose one that is, as 16000")

    @property
    def title(self) -> str:
        name = Path(self.path).name if self.path else "a folder of recordings"
        if self.open:
            return name
        parts = f"splits by folders, or else by seed {self.seed}: {fractions(self)}"
        return f"{name}, {self.sample_rate} Hz, {windowed_title(self)}; {parts}"

    def examined(self) -> Examined:
        """Fills in the sample rate and the classes. Notes list what is mixed, resampled and left out."""
        listed, headers, notes = self._usable()
        rates = collections.Counter(header.sample_rate for header in headers)
        sample_rate, total = self.sample_rate or rates.most_common(1)[0][0], len(headers)
        if mixed := sum(header.channels > 1 for header in headers):
            notes += (f"{mixed} of {total} recordings have several channels, which are mixed into one",)
        others = {rate: count for rate, count in rates.items() if rate != sample_rate}
        if others and self.resample:
            said = ", ".join(f"{count} of {rate} Hz" for rate, count in sorted(others.items()))
            notes += (f"{sum(others.values())} of {total} recordings are resampled to {sample_rate} Hz: {said}",)
        return Examined(dataclasses.replace(self, sample_rate=sample_rate, classes=listed.classes), notes)

    def load(self) -> Splits:
        if self.open:
            return self.examined().data.load()
        listed, headers, _ = self._usable()
        samples = sum(header.length * self.sample_rate / header.sample_rate for header in headers)
        if samples > _MOST_SAMPLES:
            raise InputError(
                f"{listed.folder} has {samples:.3g} samples at {self.sample_rate} a second, more than {_MOST_SAMPLES}; choose a "
                "lower sample_rate, or fewer files"
            )
        parts = each(lambda places: self._split(listed.some(places)), parts_of(listed, self.valid, self.test, self.seed))
        return check_splits(Splits(*parts), self.values, str(listed.folder))

    def _usable(self) -> tuple[LabelledFiles, list[Header], tuple[str, ...]]:
        """The files of the folder that can be read, their headers, and notes on what was left out."""
        listed = list_files(self.path, self.root, ENDINGS, "recordings", self.classes)
        if any(file.suffix.lower() != ".wav" for file in listed.files):
            require("soundfile", extra="audio")
        headers, refused = {}, []
        for i, file in enumerate(listed.files):
            try:
                headers[i] = read_header(file)
            except InputError as error:
                refused.append(str(error))
        if not headers:
            raise InputError(f"{listed.folder} has no recording that can be read; the first: {refused[0]}")
        notes = listed.notes
        if refused:
            notes += (f"{len(refused)} of {len(listed.files)} recordings are left out; the first: {refused[0]}",)
        return listed.some(headers), list(headers.values()), notes

    def _split(self, listed: LabelledFiles):
        recordings = [read_sound(file, self.sample_rate, self.resample) for file in listed.files]
        return windowed(self, recordings, np.asarray(listed.label) if self.classes else None)
