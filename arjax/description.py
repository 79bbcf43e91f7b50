"""An experiment as plain JSON data, and back without executing anything; and the fields in which experiments differ.

    MADE(hidden=(500,))   <->   {"class": "arjax.models.made:MADE", "hidden": [500], ...}

JSON holds None, booleans, numbers of 64 bits, strings, tuples (as lists) and dataclasses. A description may name dataclasses of
this package, and of modules that the caller trusts, and nothing else.
"""

import dataclasses
import functools
import importlib
import math
import numbers
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn

from arjax.errors import InputError, brief, one_line, printable

# No experiment comes near it.
DEPTH = 50
# The most characters of a value in words.
_LONGEST = 60


def describe(value, defaults: bool = True) -> Any:
    """Returns `value` as JSON data. InputError for anything but the kinds named above.

    defaults: False leaves out the fields that are as their class has them, so that a description stays what it is when a class
    gains a field with a default.
    """
    if value is None or isinstance(value, bool | str) or (isinstance(value, int | float) and _is_number(value)):
        return value
    if isinstance(value, tuple):
        return [describe(item, defaults) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        values = {field: getattr(value, field.name) for field in fields_of(cls)}
        fields = {f.name: describe(v, defaults) for f, v in values.items() if defaults or v != f.default}
        return {"class": f"{cls.__module__}:{cls.__qualname__}"} | fields
    raise InputError(
        f"{value!r} ({type(value).__name__}) cannot be described as data; use None, booleans, finite numbers of 64 bits, "
        "strings, tuples and frozen dataclasses of these"
    )


def rebuild(data, trusted: tuple[str, ...] = ()) -> Any:
    """Returns the object that `describe` turned into `data`, equal to it.

    trusted: names of modules, besides arjax, whose dataclasses may be built. InputError if `data` names any other class or a
    field it does not have, gives a field a value of the wrong type, or nests deeper than DEPTH.
    """
    return _rebuild(data, trusted, DEPTH)


def _rebuild(data, trusted, depth) -> Any:
    if not isinstance(data, list | dict):
        if isinstance(data, int | float) and not _is_number(data):
            raise InputError(f"the description holds {brief(data)}, which is no finite number of 64 bits; mend it")
        return data
    if not depth:
        raise InputError(f"the description nests deeper than {DEPTH} lists and classes; mend it")
    if isinstance(data, list):
        return tuple(_rebuild(item, trusted, depth - 1) for item in data)
    cls = _find_class(data.get("class"), trusted)
    values = {name: _rebuild(value, trusted, depth - 1) for name, value in data.items() if name != "class"}
    hints = _hints(cls)
    known = {field.name for field in fields_of(cls)}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{data['class']} has no field {brief(name)}; it was written by another version of its module")
        if not _fits(value, hints[name]):
            raise InputError(
                f"{data['class']} wants {hints[name]} for {name!r}, but is given {brief(value)}; mend the description"
            )
    try:
        return cls(**values)
    except Exception as error:  # fields typed Any may hold what no constructor expects, so they may stumble over anything
        if type(error) in (ValueError, InputError) and "\n" not in str(error) and len(str(error)) < 500:
            raise InputError(str(error)) from error  # as ours, wherever it was raised
        raise InputError(f"{data['class']} cannot be built: {one_line(error)}; mend the description") from error


def check_types(part) -> None:
    """Raises InputError unless every field of a dataclass is of the type that it is annotated with."""
    hints = _hints(type(part))
    for field in fields_of(type(part)):
        value, hint = getattr(part, field.name), hints[field.name]
        if not _fits(value, hint):
            wanted = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
            raise InputError(
                f"{field.name}={brief(value)} of {type(part).__name__} is of the type {type(value).__name__}; give {wanted}"
            )


@functools.cache
def _hints(cls) -> dict:
    return typing.get_type_hints(cls)


def _is_number(value: int | float) -> bool:
    """Is it finite, and if an integer one of 64 bits?"""
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63


def differences(values: Sequence) -> list[dict[str, str]]:
    """Returns, for objects described as data, the fields that differ, by their dotted names. Fields that do not compare are left
    out; parts of different classes are one value each."""
    found: list[dict[str, str]] = [{} for _ in values]
    _differ(values, "", found)
    return found


def _differ(values, path, found, inside=False) -> None:
    # inside: also of tuples of described values, and of long texts from shortly before they differ
    if all(value == values[0] for value in values):
        return
    kinds = {type(value) for value in values}
    if inside and kinds == {tuple} and len({len(value) for value in values}) == 1 and dataclasses.is_dataclass(values[0][0]):
        for i, parts in enumerate(zip(*values, strict=True)):
            _differ(parts, f"{path}[{i}]", found, inside)
        return
    if inside and kinds in ({str}, {tuple}):
        texts = [value if isinstance(value, str) else " ".join(map(in_words, value)) for value in values]
        equal = next((i for i, each in enumerate(zip(*texts, strict=False)) if len(set(each)) > 1), min(map(len, texts)))
        values = [f"...{text[equal - 20 :]}" for text in texts] if equal > 40 else values
    if len({type(value) for value in values}) > 1 or not dataclasses.is_dataclass(values[0]):
        for value, names in zip(values, found, strict=True):
            names[path] = in_words(value)
        return
    for field in fields_of(type(values[0])):
        if field.compare:
            _differ([getattr(value, field.name) for value in values], f"{path}.{field.name}".removeprefix("."), found, inside)


def difference(there, here) -> str | None:
    """Describes where two described values first differ; None if they are equal."""
    found: list[dict[str, str]] = [{}, {}]
    _differ([there, here], "", found, inside=True)
    one, other = found
    return next((f"{name}: {one[name]} there, {other[name]} here".removeprefix(": ") for name in one), None)


def in_words(value) -> str:
    """Writes a value of a config on one line: for an object its class, and the fields that are not at their defaults."""
    if dataclasses.is_dataclass(value):
        given = {field.name: in_words(getattr(value, field.name)) for field in fields_of(type(value))
                 if getattr(value, field.name) != field.default}  # fmt: skip
        text = f"{type(value).__name__}({', '.join(f'{name}={part}' for name, part in given.items())})"
    else:
        text = (" ".join(map(in_words, value)) or "()") if isinstance(value, tuple) else str(value)
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def modules_of(value) -> tuple[str, ...]:
    """Returns the modules of all classes that describe an object."""
    return tuple(_modules_in(describe(value)))


def _modules_in(data) -> set[str]:
    if isinstance(data, list):
        return set().union(*map(_modules_in, data))
    if not isinstance(data, dict):
        return set()
    return {data["class"].partition(":")[0]}.union(*map(_modules_in, data.values()))


def fields_of(cls: type) -> list[dataclasses.Field]:
    """Lists the fields of a dataclass that describe its objects."""
    # Linen gives every module two fields of its own, and Model fills in `spec`.
    hidden = ("spec", "parent", "name") if issubclass(cls, nn.Module) else ()
    fields = [field for field in dataclasses.fields(cls) if field.init and field.name not in hidden]
    # Arrays in memory say so: their data set describes them by a digest.
    return [field for field in fields if field.metadata.get("described", True)]


def _find_class(path, trusted):
    module, _, qualname = path.partition(":") if isinstance(path, str) else ("", "", "")
    # Commands are flags of a person, not parts of an experiment.
    ours = module.startswith("arjax.") and "__" not in module and not module.startswith("arjax.commands.")
    ours = ours and all(name.isidentifier() for name in module.split("."))
    if module not in trusted and not ours:
        raise InputError(
            f"the description names the class {brief(path)}, which is none of this package's; if you trust its module, name it: "
            f"modules=({brief(module)},), or on the command line --modules {printable(module[:120])}, or in $ARJAX_MODULES"
        )
    try:
        found = importlib.import_module(module)
    except (ImportError, ValueError) as error:  # no name at all is a ValueError
        remedy = "was its version another?" if ours else "put its folder on PYTHONPATH, or name its file: --modules FILE.py"
        raise InputError(f"the description names the class {brief(path)}, but {one_line(error)}; {remedy}") from error
    for name in qualname.split("."):
        found = getattr(found, name, None)
    # Only where it was defined: what a module merely imports is not its own.
    if not (
        isinstance(found, type)
        and dataclasses.is_dataclass(found)
        and (found.__module__, found.__qualname__) == (module, qualname)
    ):
        raise InputError(f"the description names {brief(path)}, which is no dataclass; was its module's version another?")
    return found


def _fits(value, hint) -> bool:
    """Is `value` of the annotated type? Only the kinds of annotation that fields of data can have."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        items = (arguments[0],) * len(value) if arguments[-1:] == (...,) and isinstance(value, tuple) else arguments
        return isinstance(value, tuple) and len(value) == len(items) and all(map(_fits, value, items))
    if hint in (None, type(None)):
        return value is None
    if hint in (int, float):  # NumPy's scalars are such numbers, too
        return isinstance(value, numbers.Integral if hint is int else numbers.Real) and not isinstance(value, bool)
    # Any or a Protocol says nothing that can be checked here; the constructors check the rest.
    return isinstance(value, hint) if hint in (bool, str) or dataclasses.is_dataclass(hint) else True
