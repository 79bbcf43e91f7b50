"""A run directory may come from anyone: what is in it is read as data."""

import dataclasses
import functools
import importlib
import json
import operator
import pkgutil
import shutil
import subprocess
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


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, -(10**30), "1e400", "-1e400", "NaN"])
@pytest.mark.parametrize("place", [("steps",), ("seed",), ("ema",), ("model", "net", "hidden", 0), ("model", "site_shape", 1)])
def test_rebuild_refuses_a_number_that_is_none_of_64_bits(run, place, number):
    data = json.loads((run / "run.json").read_text())["experiment"]
    *above, last = place
    functools.reduce(operator.getitem, above, data)[last] = "NUMBER"
    with pytest.raises(ValueError, match=r"\A[^\n]*no finite number of 64 bits; mend it\Z"):
        rebuild(json.loads(json.dumps(data).replace('"NUMBER"', str(number))))


# What is described, and what is said of it: a table on the host is never made, an array is compared with the checkpoint's shape.
MADE_IN = "models.made:MADE"
GREEDY = (
    (MADE_IN, {"hidden": [10**6]}, {}, "b0 is float32[3] there, float32[1000000] here"),
    (MADE_IN, {"hidden": [10**9]}, {}, "hidden units' degrees has 1 x 1000000000 entries"),
    (MADE_IN, {"hidden": [3]}, {"cond": {"class": "arjax.protocol:CondSpec", "members": 10**9}}, "degrees has 1000000000 x 3"),
    (MADE_IN, {"hidden": [3]}, {"cond": {"class": "arjax.protocol:CondSpec", "classes": 10**12}}, "that no memory holds"),
    (MADE_IN, {"hidden": [3], "embedding": 10**9}, {}, "does not match the model"),
    (
        MADE_IN,
        {"hidden": [3]},
        {"head": {"class": "arjax.heads.categorical:Categorical", "vocab": 10**9}},
        "0..999999999",
    ),
    (MADE_IN, {"hidden": [3]}, {"site_shape": [2**22]}, "does not match the model"),
    ("models.rnn:RNN", {"depth": 10**6}, {}, "depth=1000000 make more than 1024 layers"),
    ("models.wavenet:WaveNet", {"layers": 10**6, "stacks": 1}, {}, "make more than 1024 layers"),
    ("models.wavenet:WaveNet", {"kernel": 10**9}, {}, "more than 63 taps"),
    ("models.pixelcnn:PixelCNN", {"width": 10**6}, {}, "a convolution's mask has"),
    ("models.pixelcnn:PixelCNN", {"kernel": 10**9 + 1}, {}, "more than 63 pixels"),
    ("models.transformer:Transformer", {}, {"site_shape": [2**17]}, "attends to has 131072 x 131072 entries"),
    ("models.transformer:Transformer", {"positions": "sinusoidal", "width": 2**24}, {}, "the table of positions has"),
    ("models.rnn:RNN", {"coordinates": True}, {"site_shape": [2**22, *(500 * [1])]}, "the table of coordinates has"),
)
LIMITED = """
import json, resource, sys
import arjax
from arjax.errors import InputError
run, rows = sys.argv[1], json.loads(sys.argv[2])
arjax.load(run)  # imports, and what JAX compiles
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**30, held + 2**30))
before = open(run + "/run.json").read()
for net, fields, others in rows:
    described = json.loads(before)
    described["experiment"]["model"] |= {"net": {"class": "arjax." + net} | fields} | others
    open(run + "/run.json", "w").write(json.dumps(described))
    try:
        arjax.load(run)
        print("was loaded")
    except InputError as error:
        print(str(error).replace(chr(10), "TWO LINES"))
"""


def test_a_description_takes_no_memory_for_what_the_checkpoint_does_not_hold(run, tmp_path):
    """In a process that may take 1 GiB more than it holds. 6 s: it starts, and traces each model."""
    there = shutil.copytree(run, tmp_path / "run")
    rows = json.dumps([row[:3] for row in GREEDY])
    done = subprocess.run([sys.executable, "-c", LIMITED, there, rows], capture_output=True, text=True, timeout=240, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == len(GREEDY), done.stderr
    assert [(row, line) for row, line in zip(GREEDY, lines, strict=True) if row[-1] not in line] == []


def test_a_model_has_a_bounded_number_of_sites():
    with pytest.raises(ValueError, match=rf"more than {MAX_SITES} sites; choose fewer"):
        Model(MADE(), Bernoulli(), (MAX_SITES, 2))
