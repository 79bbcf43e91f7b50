"""`python -m arjax compress RUN FILES -o X.arj` and `python -m arjax decompress RUN X.arj`."""

import collections
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from arjax.commands.flags import (
    Modules,
    Overwrite,
    Root,
    Run,
    data_files,
    require_model,
    require_outputs,
    require_positive,
    require_suffix,
)
from arjax.data.contents import Packed
from arjax.data.image_files import check_same
from arjax.errors import InputError, one_line, require, say
from arjax.files import check_file, read_file, write_all
from arjax.runs.load import open_run


@dataclasses.dataclass(frozen=True)
class Compress:
    """Compress files without loss, by a trained run's own probabilities: any files for runs of text, else .npy arrays of symbols
    or images. What is to come back is held against each file: its bytes, or of an image the level of every pixel. A file that
    says more, as one of two pages or with transparency, is refused; an image's texts, dates and resolution are left out."""

    run: Run
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILES")]
    """What to compress."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where to write the stream, a file X.arj."""
    overwrite: Overwrite = False
    batch: int = 256
    """Examples that go through the network at once, here and when they are decompressed; at most 4096."""
    raw: bool = False
    """The parameters as trained, not their moving average; decompress needs the same."""
    root: Root = None
    modules: Modules = ()

    def __call__(self) -> None:
        from arjax.coding import compress
        from arjax.coding.codec import Decompressed

        require_positive(batch=self.batch)
        require_suffix(".arj", out=self.out)
        require_outputs(self.overwrite, *self.files, out=self.out)
        for path in self.files:
            check_file(path)
        if not self.files:
            raise InputError("there is nothing to compress; name at least one file")
        name, count = collections.Counter(path.name for path in self.files).most_common(1)[0]
        if count > 1:
            raise InputError(f"{count} of the files are called {name}, and could not be told apart; rename all but one")
        if not all(path.name.isprintable() for path in self.files):
            raise InputError(f"{[path.name for path in self.files]}: a stream keeps no name with control characters; rename it")
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, medium = require_model(self.run, experiment), experiment.data.medium
        if model.head.vocab is None:
            raise InputError(f"{self.run} models real values, of which no file can be written exactly; choose a run of symbols")
        contents = [read_file(path) for path in self.files]
        packed = [medium.pack(str(path), content, model) for path, content in zip(self.files, contents, strict=True)]
        x, lengths = np.concatenate([file.x for file in packed]), [length for file in packed for length in file.lengths]
        note = _note([path.name for path in self.files], packed)
        again = packed_files(model, Decompressed(x, None, tuple(lengths), note))
        for path, content, (name, file) in zip(self.files, contents, again, strict=True):
            check_same(str(path), content, unpacked(medium, name, file, model))
        whole = all(length == model.num_sites for length in lengths)
        stream = compress(model, params, x, lengths=() if whole else lengths, batch=self.batch, note=note)
        write_all({self.out: stream}, overwrite=self.overwrite)
        values = sum(lengths) * model.num_dims // model.num_sites
        rate = f", {8 * len(stream) / values:.4f} bits/{medium.unit}" if values else ""
        before = sum(map(len, contents))
        what = self.files[0].name if len(self.files) == 1 else f"{len(self.files)} files"
        say(f"{what} of {before:,} bytes in {self.out} of {len(stream):,}{rate}")


@dataclasses.dataclass(frozen=True)
class Decompress:
    """Write the files that a stream was made of again, with the same run. Another run, another platform or a damaged stream are
    refused."""

    run: Run
    stream: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="X.arj")]
    """What compress wrote."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path(".")
    """The folder to write the files into."""
    overwrite: Overwrite = False
    raw: bool = False
    """The parameters as trained, if these were used."""
    root: Root = None
    modules: Modules = ()

    def __call__(self) -> None:
        from arjax.coding import decompress

        stream = read_file(self.stream)
        if not next(parent for parent in (self.out, *self.out.parents) if os.path.lexists(parent)).is_dir():
            raise InputError(f"--out {self.out} is no folder; choose another")
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, medium = require_model(self.run, experiment), experiment.data.medium
        try:
            found = decompress(model, params, stream)
            files = [(name, unpacked(medium, name, packed, model)) for name, packed in packed_files(model, found)]
        except ValueError as error:
            raise InputError(f"{self.stream}: {error}") from error
        # The stream is read, and so are the run and its data, which another stream may need.
        run = (path for path in Path(self.run).rglob("*") if path.is_file())
        read = (self.stream, *run, *data_files(self.run, self.root, self.modules))
        for name, _ in files:
            require_outputs(self.overwrite, *read, out=self.out / name)
        write_all({self.out / name: content for name, content in files}, overwrite=self.overwrite)
        say(f"written to {self.out}: {', '.join(name for name, _ in files[:8])}{', ...' * (len(files) > 8)}")


def _note(names: list[str], files: list[Packed]) -> bytes:
    """What a stream of these files says of them."""
    msgpack = require("msgpack", extra="compress")
    return msgpack.packb([[name, len(file.x), file.note] for name, file in zip(names, files, strict=True)])


def packed_files(model, found) -> Iterator[tuple[str, Packed]]:
    """Yields (name, examples) of each file. InputError unless the note is one of `_note`, and no name leaves its folder."""
    msgpack = require("msgpack", extra="compress")
    lengths = list(found.lengths) or [model.num_sites] * len(found.x)
    try:
        notes = msgpack.unpackb(found.note)
        ends = np.cumsum([count for _, count, _ in notes])
        if list(ends[-1:]) != [len(found.x)] or any(count < 0 for _, count, _ in notes):
            raise InputError("counts")
        if len({name for name, _, _ in notes}) < len(notes):
            raise InputError("two files of one name")
        for (name, count, note), end in zip(notes, ends, strict=True):
            if Path(name).name != name or name in ("", "..") or not name.isprintable() or not isinstance(note, dict):
                raise InputError("name")
            yield name, Packed(found.x[end - count : end], lengths[end - count : end], note)
    except (ValueError, TypeError, AttributeError, OverflowError, msgpack.UnpackException) as error:
        raise InputError("the stream does not say which files it holds; it was not written by arjax compress") from error


def unpacked(medium, name: str, packed: Packed, model) -> bytes:
    try:
        return medium.unpack(name, packed, model)
    except (KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        raise InputError(f"the stream does not say how to write {name} again ({one_line(error)}); restore the stream") from error
