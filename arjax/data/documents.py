"""The documents of a user's own text: each file of text is one, or each row of a file of rows (.jsonl, .arrow, .parquet).

A text is UTF-8. A byte-order mark is left out, and \\r\\n becomes \\n. Bytes are left as they are.
"""

import glob
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from arjax import files
from arjax.data.characters import decoded, with_line_feeds
from arjax.data.parts import draw_parts, named_part
from arjax.data.sources import data_root, files_in, kinds_of, locate
from arjax.data.splits import Parts, cut, each
from arjax.errors import InputError, brief

# The endings that are read of a folder; a file that the path or a glob names is text whatever its ending.
ENDINGS = (".txt", ".md", ".jsonl", ".arrow", ".parquet")
# All documents together lie in memory.
MAX_BYTES = 2**31
_MANY = f"{{}}: the text is more than {MAX_BYTES} bytes in all, the most that is kept in memory; make tokens of it, for TokenFile"
# Ends a document of characters. U+FFFF is no character, so that no text has it.
END = "\uffff"
# Files that `datasets` writes beside the rows, and its caches.
_OWN = re.compile(r"(state|dataset_info|dataset_dict)\.json|cache-.*\.arrow")
HeldOut = Literal["named", "documents", "place"]


class Documents(NamedTuple):
    """Documents of a user's files in their order, strings or bytes; the split of each, "" if no name gives it; where they come
    from; notes on what was left out or changed."""

    texts: list[str] | list[bytes]
    part: list[str]
    where: str
    notes: tuple[str, ...]


def read_documents(path: str | None, root: str | None, field: str, raw: bool = False) -> Documents:
    """Reads all documents. InputError if there are none, if a file is no text, or if a row lacks the field.

    path: of a file, a folder, or a glob as "books/**/*.txt"; as given or relative to the data root.
    field: the name of the text in a row.
    raw: are documents bytes, UTF-8 or not?
    """
    found, where, notes = find_files(path, root, ENDINGS, "text")
    texts, part, empty, line_ends, left = [], [], 0, 0, MAX_BYTES
    for file, name in found:
        for text in _read(file, field, raw, left):
            left -= len(text)
            if not raw and "\r" in text:
                text, line_ends = with_line_feeds(text), line_ends + 1
            empty += not text
            if text:
                texts.append(text)
                part.append(name)
        if left < 0:
            raise InputError(_MANY.format(where))
    if not texts:
        raise InputError(f"{where} holds empty documents alone; give a file that holds something")
    if empty:
        notes += (f"{empty} empty document{'s are' if empty > 1 else ' is'} left out",)
    if line_ends:
        notes += (f"lines end in \\r\\n or \\r in {line_ends} of {len(texts)} documents, and are read as ending in \\n",)
    return Documents(texts, part, where, notes)


def parts_of(documents: Documents, held_out: HeldOut | None, valid: float, test: float, seed: int) -> tuple[Parts, HeldOut]:
    """Divides documents: (the texts of each split, how). InputError if there are too few.

    held_out: "named", as folders or files named train, valid and test say; "documents", whole ones that the seed draws; "place",
      the end of each. None is the first of these that applies.
    valid, test: the fractions held out. A named split that is missing is drawn from the training documents.
    """
    texts, part = documents.texts, np.array(documents.part)
    if held_out == "named" or (held_out is None and any(documents.part)):
        train, held, last = ([texts[i] for i in np.flatnonzero(part == name)] for name in ("train", "valid", "test"))
        if not train:
            raise InputError(f"{documents.where} has no files or folder named train; leave out --data.held-out named")
        if not held:
            train, held, _ = _divided(train, None, valid, 0, seed, documents.where)[0]
        return Parts(train, held, last or held), "named"
    return _divided(texts, held_out, valid, test, seed, documents.where)


def _divided(texts, held_out, valid, test, seed, where) -> tuple[Parts, HeldOut]:
    least = min(valid, test or valid)
    if held_out == "documents" or (held_out is None and len(texts) * least >= 1):
        places = draw_parts(np.zeros(len(texts), int), valid, test, seed, where)
        return each(lambda some: [texts[i] for i in some], places), "documents"
    pieces = [cut(text, valid, test) for text in texts]
    train, held, last = ([piece for piece in some if piece] for some in zip(*pieces, strict=True))
    return Parts(train, held, last if test else held), "place"


class Found(NamedTuple):
    """Files with the split of each, "" if no name gives it; where they lie; notes on what was left out."""

    files: list[tuple[Path, str]]
    where: str
    notes: tuple[str, ...]


def find_files(path: str | None, root: str | None, endings: tuple[str, ...], noun: str | None) -> Found:
    """Finds a user's file, the files of a folder, or those of a glob. InputError if there are none.

    endings: how files of a folder end, in lower case, but for a .gz behind it; others are left out.
    noun: what such files hold, for messages. None: files of other endings are passed over wherever they are, and there may be
      none.
    """
    if path and glob.has_magic(path) and not os.path.exists(os.path.expanduser(path)):
        pattern = os.path.expanduser(path)
        named = glob.glob(pattern, recursive=True) or glob.glob(str(data_root(root) / pattern), recursive=True)
        found = sorted(Path(name) for name in named if os.path.isfile(name) and (noun or _ending(Path(name)) in endings))
        if noun and not found:
            raise InputError(f"no file is named as {path}, neither here nor in {data_root(root)}; check the pattern")
        listed, notes = _with_parts(found, [(file.parent.name, file.name) for file in found])
        return Found(listed, path, notes)
    place = locate(path, root, f"file or folder of {noun}" if noun else "folder")
    if not place.is_dir():
        return Found([(place, "")] if noun or _ending(place) in endings else [], str(place), ())
    inside = [file for file in files_in(place) if not _OWN.fullmatch(file.name)]
    found = [file for file in inside if _ending(file) in endings]
    kinds = kinds_of(_ending(file) for file in inside if _ending(file) not in endings)
    if noun and not found:
        held = f"its files are {kinds}" if kinds else "it holds no files"
        raise InputError(
            f"{place} has no {noun} ({', '.join(endings)}): {held}; name what is {noun} by a glob, as '{place}/**/*.py'"
        )
    listed, notes = _with_parts([place / file for file in found], [(file.parts[0], file.name) for file in found])
    left_out = (f"files of {place} that do not end as {noun} are left out: {kinds}",) if noun and kinds else ()
    return Found(listed, str(place), left_out + notes)


def _with_parts(found, names) -> tuple[list[tuple[Path, str]], tuple[str, ...]]:
    """Files with the split that a folder names, or else the file itself, as "train-00000-of-00002.parquet" does."""
    own = [re.sub(r"(-\d+-of-\d+)?\..*", "", name) for _, name in names]
    part = [named_part(above) or named_part(name) or "" for (above, _), name in zip(names, own, strict=True)]
    if "train" not in part or len(set(part) - {""}) < 2:
        return [(file, "") for file in found], ()
    inside = [(file, name) for file, name in zip(found, part, strict=True) if name]
    left_out = len(found) - len(inside)
    note = f"{left_out} of {len(found)} files belong to none of train, valid and test, and are left out"
    return inside, (note,) if left_out else ()


def _ending(file: Path) -> str:
    return Path(file.name.lower().removesuffix(".gz")).suffix


def _read(file: Path, field: str, raw: bool, left: int) -> Iterator[str] | Iterator[bytes]:
    """The documents of one file."""
    ending = _ending(file)
    if ending in (".arrow", ".parquet"):
        from arjax.data.huggingface import text_column  # which finds its files as these are found

        yield from (text.encode() if raw else text for text in text_column(files.check_file(file), field))
        return
    content = files.read_packed(file, left)
    if len(content) > left:
        raise InputError(_MANY.format(file))
    if ending != ".jsonl":
        yield content if raw else _decoded(content, str(file))
        return
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if line.strip():
            text = _of_row(line, field, f"{file} line {number}")
            yield text.encode() if raw else text


def _decoded(content: bytes, where: str) -> str:
    try:
        text = decoded(content, where)
    except InputError as error:
        raise InputError(f"{error}, or model its bytes by --data.symbols bytes") from error
    return _checked(text, where)


def _checked(text: str, where: str) -> str:
    if END in text:
        raise InputError(f"{where} has U+FFFF, which is no character and ends documents here; leave it out")
    return text


def _of_row(line: bytes, field: str, where: str) -> str:
    """The text of a line of JSON."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        start = brief(line[:60].decode(errors="replace"))
        raise InputError(f"{where} is no JSON: {start}; mend it, or name the file .txt") from error
    if not isinstance(row, dict) or not isinstance(row.get(field), str):
        if isinstance(row, dict) and field in row:
            raise InputError(f"{where} has {brief(row[field])} as {field!r}, no text; correct it, or choose another --data.field")
        has = f"has the fields {', '.join(map(brief, row))}" if isinstance(row, dict) else "is no object"
        raise InputError(f"{where} has no text named {field!r}: it {has}; choose one by --data.field")
    # Unpaired surrogates, which JSON can write and UTF-8 cannot.
    return _checked(row[field].encode(errors="replace").decode(), where)
