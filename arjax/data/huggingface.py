"""Rows of .arrow and .parquet files: data sets that Hugging Face's `datasets` saved on disk, and files as its hub has them.

`save_to_disk` writes a folder for each split, train/data-00000-of-00001.arrow; the hub has files train-00000-of-00001.parquet.
In both, the metadata of the schema name the column of images and the classes. `pyarrow` reads them; no code of a data set is
executed.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from arjax.data.documents import find_files
from arjax.data.labelled_files import LabelledFiles
from arjax.errors import InputError, brief, one_line, require
from arjax.files import check_file, read_file

ENDINGS = (".arrow", ".parquet")
# Of all rows together, because they lie in memory.
_MAX_BYTES = 2**31


def batches(file: Path) -> Iterator[Any]:
    """Yields the rows of a file in record batches of bounded size. InputError if it cannot be read."""
    arrow = require("pyarrow", extra="huggingface")
    try:
        for batch in (_parquet if file.suffix.lower() == ".parquet" else _arrow)(arrow, check_file(file)):
            batch.validate(full=True)  # a damaged one would have its strings anywhere in memory
            names = batch.schema.names  # which may be no text, too
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise InputError(f"{file} has two columns named {brief(twice)}; give each a name of its own")
            yield batch
    except (arrow.ArrowException, OSError, UnicodeError) as error:
        raise InputError(f"{file} cannot be read ({one_line(error)}); save it again, by `datasets` or pyarrow") from error


def _parquet(arrow, file):
    opened = require("pyarrow.parquet", extra="huggingface").ParquetFile(file)
    groups = range(opened.metadata.num_row_groups)
    if sum(opened.metadata.row_group(i).total_byte_size for i in groups) > _MAX_BYTES:
        raise InputError(f"{file} unpacks to more than {_MAX_BYTES} bytes, the most that is kept in memory; give fewer rows")
    yield from opened.iter_batches(1000)


def _arrow(arrow, file):
    with arrow.memory_map(str(file)) as source:
        try:
            yield from arrow.ipc.open_stream(source)
        except arrow.ArrowInvalid:  # a file of the other kind, with an index at its end
            reader = arrow.ipc.open_file(source)
            yield from map(reader.get_batch, range(reader.num_record_batches))


def text_column(file: Path, field: str) -> Iterator[str]:
    """Yields the texts of a column, "" for a missing one. InputError if the file has no such column of text."""
    for batch in batches(file):
        types = {name: str(kind) for name, kind in zip(batch.schema.names, batch.schema.types, strict=True)}
        if types.get(field) not in ("string", "large_string", "string_view"):
            has = ", ".join(f"{brief(name)} ({brief(kind)[1:-1]})" for name, kind in types.items())
            raise InputError(
                f"{file} has no text named {field!r}: its columns are {has}; choose one by --data.field, or for images my_images"
            )
        yield from (text or "" for text in batch.column(field).to_pylist())


@dataclasses.dataclass(frozen=True)
class Row:
    """An encoded image: row `number` of a file, which was last changed at `changed`."""

    file: Path
    number: int
    changed: int
    content: bytes = dataclasses.field(compare=False, repr=False)

    def __str__(self):
        return f"row {self.number} of {self.file.name}"


def content_of(file: Path | Row) -> bytes:
    """Returns the bytes of an image in a file of its own, or in a row."""
    return file.content if isinstance(file, Row) else read_file(file)


def image_rows(path: str | None, root: str | None, classes: tuple[str, ...] | None) -> LabelledFiles | None:
    """Lists the images in the rows of a user's files as `list_files` does those of a folder; None if there are no such files.

    classes: as in `list_files`. By default they are as the metadata name them; else the values of a column "label".
    """
    listed = find_files(path, root, ENDINGS, None)
    if not listed.files:
        return None
    rows, labels, part, names, size = [], [], [], None, 0
    for file, name in listed.files:
        number = 0
        for batch in batches(file):
            image, label, named = _columns(file, batch.schema)
            names = named or names
            for encoded in batch.column(image).to_pylist():
                content = encoded.get("bytes") if isinstance(encoded, dict) else encoded
                if not isinstance(content, bytes) or not content:
                    raise InputError(f"row {number} of {file} has no image in it; save the data set with embedded images")
                rows.append(Row(file, number, file.stat().st_mtime_ns, content))
                number, size = number + 1, size + len(content)
            if size > _MAX_BYTES:
                raise InputError(
                    f"{listed.where} has more than {_MAX_BYTES} bytes of images, the most that is kept in memory; save fewer"
                )
            values = [None] * batch.num_rows if label is None else batch.column(label).to_pylist()
            labels += [None if value == -1 else value for value in values]  # -1 is an unknown class
            part += [name] * batch.num_rows
    if not rows:
        raise InputError(f"{listed.where} has no rows; give a data set that has some")
    labels, names = _numbered(labels, names, classes, listed.where)
    return LabelledFiles(Path(listed.where), tuple(rows), labels, tuple(part), names, listed.notes)


def _columns(file, schema) -> tuple[str, str | None, tuple[str, ...] | None]:
    """(the column of images, that of labels, the names of the classes), of each the first."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except (ValueError, AttributeError, RecursionError):
        features = {}
    kinds = {name: kind for name, kind in features.items() if isinstance(kind, dict)} if isinstance(features, dict) else {}
    images = [name for name in schema.names if kinds.get(name, {}).get("_type") == "Image"]
    images += [name for name in ("image", "img") if name in schema.names]
    if not images:
        has = ", ".join(map(brief, schema.names))
        raise InputError(f"{file} has no column of images: its columns are {has}; name that of the images 'image'")
    labels = [name for name in schema.names if kinds.get(name, {}).get("_type") == "ClassLabel"]
    labels += [name for name in ("label",) if name in schema.names and not schema.field(name).type.num_fields]
    names = kinds.get(labels[0], {}).get("names") if labels else None
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return images[0], labels[0] if labels else None, tuple(names) if known else None


def _numbered(labels, names, classes, where) -> tuple[np.ndarray, tuple[str, ...]]:
    """(the class of each row, the names of the classes)."""
    without = None in labels
    if classes == () or (classes is None and (without or len(set(labels)) < 2)):
        return np.zeros(len(labels), np.int32), ()
    if names is not None:
        names_of = [names[label] if isinstance(label, int) and 0 <= label < len(names) else label for label in labels]
    else:
        names, names_of = tuple(map(str, sorted(set(labels)))) if not without else (), list(map(str, labels))
    number = {name: i for i, name in enumerate(classes or names)}
    unknown = next((name for name in names_of if name not in number), None)
    if unknown is not None or without:
        raise InputError(
            f"{where} has rows of class {brief(unknown)}, which is none of {brief(classes or names)}; begin a new run"
        )
    return np.array([number[name] for name in names_of], np.int32), classes or names
