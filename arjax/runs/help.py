"""Help for the command line: the purpose of fields, a line for each config, and suggestions for mistyped flags."""

import ast
import functools
import inspect
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

# Names in other libraries of the fields that end so.
SYNONYMS = {
    "lr": "learning-rate",
    "wd": "weight-decay",
    "bs": "batch-size",
    "epochs": "steps",
    "iterations": "steps",
    "max-steps": "steps",
    "hidden-size": "width",
    "n-layers": "layers",
    "num-layers": "layers",
    "n-heads": "heads",
    "num-heads": "heads",
    "output": "out",
    "n": "samples",
}


@functools.cache
def field_help(cls: type) -> Mapping[str, str]:
    """Returns the string below each field of a class, by the field's name; none if the source of the class is missing."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body
    except (OSError, TypeError):
        return {}
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


def listed(configs: Iterable[Path]) -> str:
    """Lists configs, a line each: name, measured time, model and data. They are read and not executed."""
    rows = [(path.stem, *_about(path)) for path in configs]
    names, times = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    width = max(40, shutil.get_terminal_size((130, 24)).columns - names - times - 6)
    return "\n".join(
        f"  {name:{names}}  {time:{times}}  {textwrap.shorten(what, width, placeholder=' ...')}" for name, time, what in rows
    )


_TIME = re.compile(r"(\d[\d.,]*|an?) (second|minute|hour|day)s?\b")


def _about(path: Path) -> tuple[str, str]:
    """(the measured time in its docstring, if there is one; the first paragraph of the docstring)."""
    try:
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
    except (OSError, SyntaxError, ValueError):
        return "", "cannot be read"
    line = next((line for line in said.splitlines() if line.startswith("Hardware and time:")), "")
    found = None if ": not " in line else _TIME.search(line)
    return found[0] if found else "", said.partition("\n\n")[0]


def hints(given: list[str], known: Iterable[str]) -> list[str]:
    """Returns what was probably meant by flags of other libraries by values with commas between them and by switches with one, a
    sentence each. (Names that are merely mistyped tyro corrects.)

    given: what was typed.
    known: the flags that there are, as "--optimizer.learning-rate".
    """
    known, said = sorted(known), []
    for i, word in enumerate(given):
        flag, _, value = word.partition("=")
        if not flag.startswith("--"):
            continue
        flag = flag.replace("_", "-")
        if flag in known:
            value = value or (given[i + 1] if i + 1 < len(given) else "")
            numbers, (part, _, name) = value.split(","), flag[2:].rpartition(".")
            off = f"--{part}.no-{name}" if part else f"--no-{name}"
            if value.lower() in ("true", "false") and off in known:
                said.append(f"a switch takes no value: {flag if value.lower() == 'true' else off}")
            if len(numbers) > 1 and all(re.fullmatch(r"[-+\d.e]+", number) for number in numbers):
                said.append(f"several values are given with spaces between them: {flag} {' '.join(numbers)}")
            continue
        last = SYNONYMS.get(flag[2:].rpartition(".")[2])
        if meant := [name for name in known if name[2:].rpartition(".")[2] == last]:
            said.append(f"{flag}: did you mean {' or '.join(meant[:3])}?")
    return said
