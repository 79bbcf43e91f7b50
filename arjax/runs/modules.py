"""Modules of a user's own: a config or a file of nets is executed as a script is, and a run directory may name the classes of
those that its reader trusts.

One rule holds for train.py, `arjax` and `python -m arjax`: what lies beside the executed file can be imported, and so can what
lies in the current directory.
"""

import importlib.util
import itertools
import os
import sys
import types
from importlib.machinery import PathFinder
from pathlib import Path

from arjax.errors import InputError
from arjax.files import check_file

VARIABLE = "ARJAX_MODULES"


def execute(path: Path) -> types.ModuleType:
    """Executes the file at `path`, whose name ends in .py, and returns it as the module FOLDER.NAME, under which its classes are
    described. What it raises passes."""
    name = _name(path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    sys.modules[name] = module
    _reach(str(path.resolve().parent), first=True)
    _reach(str(Path.cwd()), first=False)
    # Not by its loader, which would leave bytecode beside the file, and takes it for a file changed within the second.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def trusted(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of modules whose classes a run directory may name: those given, and those in $ARJAX_MODULES, with commas
    between them.

    modules: names as `import` takes them, or Python files, which are executed unless they were. InputError if a file fails.
    """
    _reach(str(Path.cwd()), first=False)
    given = (*modules, *filter(None, os.environ.get(VARIABLE, "").split(",")))
    named = (_names(check_file(Path(module))) if module.endswith(".py") else (module,) for module in given)
    return tuple(itertools.chain.from_iterable(named))


def _names(path: Path) -> tuple[str, ...]:
    """The names under which runs know the classes of a file: as it is executed, and as files beside it import it."""
    executed, there = _executed(path), sys.modules.get(path.stem)
    found = PathFinder.find_spec(path.stem) if there is None else there.__spec__
    beside = found is not None and found.origin == str(path.resolve())
    return (executed, path.stem) if beside else (executed,)


def _executed(path: Path) -> str:
    there = sys.modules.get(_name(path))
    if there is not None and there.__spec__ is not None and there.__spec__.origin == str(path):
        return _name(path)
    try:
        return execute(path).__name__
    except Exception as error:  # whatever the user's code raises, it is theirs to mend
        raise InputError(f"the module {path} fails: {type(error).__name__}: {' '.join(str(error).split())}; mend it") from error


def _name(path: Path) -> str:
    return f"{path.resolve().parent.name}.{path.stem}"


def _reach(folder: str, first: bool) -> None:
    if folder not in sys.path:
        sys.path.insert(0 if first else len(sys.path), folder)
