"""How a person sees examples: a picture, texts and sounds, and the files that keep them."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arjax import pictures
from arjax.data.sound_files import wav
from arjax.files import free_stem, write_all


class Exhibit(NamedTuple):
    """Examples as a person sees, reads or hears them; fields that a medium does not have are empty.

    picture: uint8 [h, w, 3], one picture of all examples, or None.
    texts: strings.
    rule: the separator between texts.
    header: the first line of their file.
    suffix: the ending of their file.
    waveforms: float32 arrays [T] in [-1, 1], of `sample_rate` samples a second.
    names: a name for the file of each waveform; none for their numbers.
    """

    picture: np.ndarray | None = None
    texts: tuple[str, ...] = ()
    rule: str = f"\n{'-' * 40}\n"
    header: str = ""
    suffix: str = ".txt"
    waveforms: tuple[np.ndarray, ...] = ()
    sample_rate: int = 0
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The texts in one string, with the rule between them and the header above."""
        return f"{self.header}\n" * bool(self.header) + self.rule.join(self.texts)

    def save(
        self, stem: Path, png: Path | None = None, *, also: Mapping[Path, bytes] | None = None, overwrite: bool = False
    ) -> str:
        """Writes STEM.png, STEM.txt (or .csv) and STEM_NAME.wav, as far as there are such, and returns in words where they lie.

        png: another file for the picture.
        also: other files, with their content, to write at the same time.
        overwrite: replace existing files? Without it STEM becomes STEM-2, STEM-3, ..., and other names that exist are refused.
        """
        sounds = [f"_{name}.wav" for name in self.names or range(len(self.waveforms))]
        contents = {self.suffix: self.text + "\n"} if self.texts else {}
        contents |= {ending: wav(each, self.sample_rate) for ending, each in zip(sounds, self.waveforms, strict=True)}
        contents |= {".png": pictures.png(self.picture)} if self.picture is not None else {}
        named = {".png": png} if png else {}
        stem = stem if overwrite else free_stem(stem, contents.keys() - named.keys())
        path = {ending: stem.with_name(stem.name + ending) for ending in contents} | named
        write_all({path[ending]: content for ending, content in contents.items()} | (also or {}), overwrite=overwrite)
        written = [str(path[self.suffix])] if self.texts else []
        if sounds:
            written.append(str(path[sounds[0]]) + (f" to {path[sounds[-1]].name}" if len(sounds) > 1 else ""))
        if self.picture is not None:
            which = f"the first {pictures.SOUNDS} drawn in " if len(sounds) > pictures.SOUNDS else "drawn in " if sounds else ""
            written.append(f"{which}{path['.png']}")
        return ", ".join(written)


def completed_texts(show, x, hidden, drawn, inside, blank: str) -> tuple[str, ...]:
    """Returns for each example its visible symbols, with a blank for each hidden symbol, and its completions: see `Medium`.

    show: makes symbols [n] a string.
    """
    texts = []
    for row, completions, there in zip(x, drawn, inside, strict=True):
        row, covered = row[there], hidden[there]
        ends = [*(np.flatnonzero(covered[1:] != covered[:-1]) + 1), len(row)]
        stretches = [slice(start, end) for start, end in itertools.pairwise([0, *ends])]
        texts.append("".join(blank * len(row[part]) if covered[part.start] else show(row[part]) for part in stretches))
        texts += [show(completion[there]) for completion in completions]
    return tuple(texts)
