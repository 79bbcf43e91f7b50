"""`python -m arjax compress RUN FILES -o X.arj` and `python -m arjax decompress RUN X.arj`."""

import collections
import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from arjax.coding import compress, decompress
from arjax.commands.contents import contents_of, file_of, note_of, read_content
from arjax.commands.flags import Run, require_model, require_positive, require_suffix, run
from arjax.data.splits import unit
from arjax.errors import InputError
from arjax.runs.load import open_run


@dataclasses.dataclass(frozen=True)
class Compress:
    """Compress files without loss, by a trained run's own probabilities: any files for runs of text, else .npy arrays of symbols
    or images."""

    run: Run
    """The directory that train.py wrote."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILES")]
    """What to compress."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where to write the stream, a file X.arj."""
    batch: int = 256
    """Examples that go through the network at once, here and when they are decompressed."""
    raw: bool = False
    """The parameters as trained, not their moving average; decompress needs the same."""
    root: str | None = None
    """Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self) -> None:
        require_positive(batch=self.batch)
        require_suffix(".arj", out=self.out)
        if not self.files:
            raise InputError("there is nothing to compress; name at least one file")
        name, count = collections.Counter(path.name for path in self.files).most_common(1)[0]
        if count > 1:
            raise InputError(f"{count} of the files are called {name}, and could not be told apart; rename all but one")
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, data = require_model(self.run, experiment), experiment.data
        contents = [read_content(path, model, data) for path in self.files]
        x = np.concatenate([content.x for content in contents])
        lengths = [length for content in contents for length in content.lengths]
        notes = note_of([path.name for path in self.files], contents)
        whole = all(length == model.num_sites for length in lengths)
        stream = compress(model, params, x, lengths=() if whole else lengths, batch=self.batch, note=notes)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_bytes(stream)
        values = sum(lengths) * model.num_dims // model.num_sites
        rate = f", {8 * len(stream) / values:.4f} bits/{unit(data)}" if values else ""
        before = sum(path.stat().st_size for path in self.files)
        print(f"{len(self.files)} files of {before:,} bytes in {self.out} of {len(stream):,}{rate}")


@dataclasses.dataclass(frozen=True)
class Decompress:
    """Write the files that a stream was made of again, with the same run. Another run, another platform or a damaged stream are
    refused."""

    run: Run
    """The directory that train.py wrote."""
    stream: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="X.arj")]
    """What compress wrote."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path(".")
    """The folder to write the files into; none of them may be there."""
    raw: bool = False
    """The parameters as trained, if these were used."""
    root: str | None = None
    """Where the data lie, if not in $ARJAX_DATA or ~/.cache/arjax."""
    modules: tuple[str, ...] = ()
    """Modules, besides arjax, whose classes the run may name; they are imported."""

    def __call__(self) -> None:
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, data = require_model(self.run, experiment), experiment.data
        if not self.stream.is_file():
            raise InputError(f"there is no file {self.stream}; give one that arjax compress wrote")
        if not next(parent for parent in (self.out, *self.out.parents) if parent.exists()).is_dir():
            raise InputError(f"--out {self.out} is no folder; choose another")
        try:
            found = decompress(model, params, self.stream.read_bytes())
            files = [(name, file_of(name, content, model, data)) for name, content in contents_of(model, found)]
        except ValueError as error:
            raise InputError(f"{self.stream}: {error}") from error
        for name, _ in files:
            if (self.out / name).exists():
                raise InputError(f"{self.out / name} is there already; choose another folder with --out")
        self.out.mkdir(parents=True, exist_ok=True)
        for name, content in files:
            (self.out / name).write_bytes(content)
        print(f"{len(files)} files in {self.out}: {', '.join(name for name, _ in files[:8])}{', ...' * (len(files) > 8)}")


def main(argv: list[str]) -> None:
    """Runs it."""
    run(Compress, "compress", argv)


def decompress_main(argv: list[str]) -> None:
    """Runs it."""
    run(Decompress, "decompress", argv)
