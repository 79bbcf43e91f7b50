"""A run directory may come from anyone: what is in it is read as data."""

import dataclasses
import importlib
import json
import pkgutil
import sys

import pytest
from trained import write_run_of_random_parameters

import arjax
from arjax.data import Digits
from arjax.description import rebuild
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import MAX_SITES, Model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_run_of_random_parameters(folder, Digits(), Model(MADE(hidden=(3,)), Bernoulli(), (8, 8)))
    return folder


# Modules of the standard library that say something when they are imported: nothing imports them by itself.
@pytest.mark.parametrize("name", ["this:Zen", "antigravity.fly"])
def test_a_checkpoint_that_names_a_class_imports_nothing(name, run):
    [metadata] = run.glob("checkpoints/1/**/_METADATA")
    before = metadata.read_text()
    assert '"jax.Array"' in before
    metadata.write_text(before.replace('"jax.Array"', json.dumps(name)))
    try:
        with pytest.raises(ValueError, match="can be read"):
            arjax.load(run)
    finally:
        metadata.write_text(before)
    assert not {"this", "antigravity"} & sys.modules.keys()
    arjax.load(run)


@pytest.mark.parametrize(
    "module", ["arjax.", "arjax..os", "arjax.data.", "arjax.data/../../x", "arjax.\0", "arjax.a b", ".arjax"]
)
def test_a_description_names_modules_by_their_full_names(module):
    with pytest.raises(ValueError, match="none of this package's"):
        rebuild({"class": f"{module}:X"})


def dataclasses_of_the_package() -> list[type]:
    """All that a description may name. Their modules are imported."""
    names = [module.name for module in pkgutil.walk_packages(arjax.__path__, "arjax.")]
    modules = [importlib.import_module(name) for name in names if "__" not in name and not name.startswith("arjax.commands")]
    found = [(module, value) for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [cls for module, cls in found if dataclasses.is_dataclass(cls) and cls.__module__ == module.__name__]


_watching, _seen = [], []


def _watch(event, arguments):
    # A library may import more of itself at its first use, or ask for its own version.
    imports = event == "os.listdir" or (event == "open" and str(arguments[0]).startswith((sys.prefix, sys.base_prefix)))
    if _watching and not imports and event.split(".")[0] in ("open", "os", "shutil", "socket", "subprocess", "urllib", "pickle"):
        _seen.append((event, str(arguments)[:80]))


def test_no_constructor_opens_starts_or_fetches_anything(tmp_path):
    (tmp_path / "there.json").write_text("{}")
    classes = dataclasses_of_the_package()
    sys.addaudithook(_watch)  # it cannot be taken away again
    built = set()
    for cls in classes:
        named = {"class": f"{cls.__module__}:{cls.__qualname__}"}
        for value in (str(tmp_path / "there.json"), 3, 0.5, [3, 3], None, {"class": "arjax.data.values:Levels", "count": 2}):
            fields = [field for field in dataclasses.fields(cls) if field.init and field.name not in ("spec", "parent", "name")]
            lacking = [field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING]
            for given in ([], lacking, [field.name for field in fields]):
                _watching.append(True)
                try:
                    rebuild(named | dict.fromkeys(given, value))
                    built.add(cls)
                except ValueError:
                    pass
                finally:
                    _watching.clear()
    assert not _seen
    assert len(built) > len(classes) / 2
    _watching.append(True)
    (tmp_path / "file").write_text("")
    _watching.clear()
    assert _seen  # so it can see


def test_a_constructor_that_stumbles_is_one_line():
    with pytest.raises(ValueError, match=r"\A[^\n]*Experiment cannot be built: [^\n]*; mend the description\Z"):
        rebuild({"class": "arjax.training.experiment:Experiment", "data": 3, "model": 4, "steps": 1, "eval_every": 1})


def test_a_model_has_a_bounded_number_of_sites():
    with pytest.raises(ValueError, match=rf"more than {MAX_SITES} sites; choose fewer"):
        Model(MADE(), Bernoulli(), (MAX_SITES, 2))
