"""The command line of train.py: `python train.py configs/NAME.py [flags]` -> an Experiment and the directory of its run.

A config is a Python file that builds the object `experiment`; flags edit the fields of that object, at any depth. The class
of a part is chosen by the file, its fields by flags.
"""

import contextlib
import dataclasses
import difflib
import functools
import io
import re
import sys
import traceback
import typing
from pathlib import Path
from typing import Annotated, Any

from arjax.description import fields_of
from arjax.errors import KEPT, InputError, printable, say, show
from arjax.runs.help import field_help, hints, listed
from arjax.runs.hosts import Hosts, meet
from arjax.runs.modules import execute
from arjax.runs.start import settled
from arjax.training.experiment import Experiment

USAGE = "python train.py configs/NAME.py [flags]"


def parse(argv: list[str]) -> tuple[Experiment, Path]:
    """Reads the arguments after `train.py`: (experiment, run directory).

    The directory is runs/<config's name> unless --run says otherwise. InputError for a wrong config; SystemExit where tyro has
    printed what is wrong with a flag (2), or the help (0).
    """
    if argv[:1] in (["-h"], ["--help"]):
        show(f"usage: {USAGE}\n\n{_listing(Path('configs'))}\n\nThe flags of a config: python train.py configs/NAME.py --help")
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        given = argv[0] if argv else "nothing"
        raise InputError(f"the config must come first, not {given}; use: {USAGE}; {_LISTED}")
    config, *flags = argv
    # Before the config is executed, which may compute something.
    flags = _join(flags, f"python train.py {config}")
    return edit(load_config(config), flags, f"runs/{Path(config).stem}", f"python train.py {config}")


def is_config(name: str) -> bool:
    """Does a name stand for a config: a Python file, or the bare name of one of those in configs/?"""
    return Path(name).suffix == ".py" or _find(Path(name)) != Path(name)


def load_config(path: str | Path) -> Experiment:
    """Returns the `experiment` that the Python file at `path` builds. The file is executed.

    path: of the file; or a bare NAME, which stands for configs/NAME.py here or else among those that came with the package.
    InputError if there is no such file (naming those whose names come near), if it fails, or if it has no `experiment`.
    """
    path = _find(Path(path))
    if not path.is_file():
        # Of those that came with the package the bare name will do.
        names = {name: name for name in _own()} | {p.stem: str(p) for p in _configs(path.parent)}
        near = [names[name] for name in difflib.get_close_matches(path.stem, names, n=3, cutoff=0.5)]
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"there is no config {path}; {meant}{_LISTED}")
    if path.suffix != ".py":
        raise InputError(f"the config {path} is no Python file; give one whose name ends in .py")
    try:
        module = execute(path)
    except ModuleNotFoundError as error:
        raise InputError(
            f"the config {path} fails{_where(error, path)}: {error}; install it, put it beside the config, or put its folder on "
            "PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the user's code raises, it is theirs to mend
        raise InputError(
            f"the config {path} fails{_where(error, path)}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    experiment = getattr(module, "experiment", None)
    if not isinstance(experiment, Experiment):
        has = "none" if experiment is None else f"a {type(experiment).__name__}"
        raise InputError(f"the config {path} must name an Experiment `experiment`, but has {has}; see configs/digits_made.py")
    return experiment


def edit(experiment: Experiment, flags: list[str], run: str, program: str) -> tuple[Experiment, Path]:
    """Applies `flags` to `experiment`, and settles the fields that its data decide: (experiment, run directory). The directory is
    `run` unless the flag --run names another."""
    import tyro

    @dataclasses.dataclass(frozen=True)
    class Command:
        experiment: Annotated[Any, tyro.conf.arg(name="")]
        run: str
        """Directory of the run: parameters, metrics, samples. The same command again continues what it holds."""

    command = read_flags(
        tyro.conf.AvoidSubcommands[Command],
        flags,
        program,
        description=f"Train {experiment.data.title}. Flags edit the experiment that the config builds; those of --hosts are in "
        "docs/clusters.md: --hosts.join, or --hosts.coordinator HOST:PORT --hosts.processes N --hosts.process I.",
        default=Command(experiment, run),
    )
    run = Path(command.run)
    return settled(command.experiment, run), run


def read_flags(form, flags: list[str], program: str, **options):
    """Returns `tyro.cli(form, ...)`. SystemExit after --help (0), and where tyro has printed what is wrong (2)."""
    import tyro

    call = functools.partial(tyro.cli, form, args=flags, prog=program, registry=_rules(), **options)
    # tyro repeats what it was given. Beside that its own colours could not be told apart: without a terminal it uses none.
    plain = all(given == printable(given, KEPT) for given in (program, *flags))
    said, kept = io.StringIO(), contextlib.ExitStack()
    if not plain:
        kept.enter_context(contextlib.redirect_stdout(said))
        kept.enter_context(contextlib.redirect_stderr(said))
    try:
        with kept:
            return call()
    except SystemExit as end:
        show(said.getvalue(), end="", file=sys.stderr)
        if end.code:
            with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
                tyro.cli(form, args=["--help"], registry=_rules(), **options)
            for hint in hints(flags, set(re.findall(r"--[\w.-]+", text.getvalue()))):
                say(f"hint: {hint}", file=sys.stderr)
        raise


def _join(flags: list[str], program: str) -> list[str]:
    """Meets the processes that the flags --hosts.* name; returns the other flags."""

    @dataclasses.dataclass(frozen=True)
    class Form:
        hosts: Hosts = Hosts()

    form, rest = read_flags(Form, flags, program, return_unknown_args=True, add_help=False)
    meet(form.hosts)
    return rest


def _rules():
    """tyro's reading of a dataclass: the fields that describe it, of a Linen module without the one that Model fills in, with the
    help that stands below each."""
    import tyro

    registry = tyro.constructors.ConstructorRegistry()

    @registry.struct_rule
    def of_dataclass(info):
        if not (isinstance(info.type, type) and dataclasses.is_dataclass(info.type)):
            return None
        # A field's own type is a string where its module postpones the evaluation of annotations.
        hints = typing.get_type_hints(info.type, include_extras=True)
        given = isinstance(info.default, info.type)
        fields = tuple(
            tyro.constructors.StructFieldSpec(
                field.name,
                hints[field.name],
                getattr(info.default, field.name) if given else _default(field),
                lambda name=field.name: field_help(info.type).get(name),
            )
            for field in fields_of(info.type)
        )
        return tyro.constructors.StructConstructorSpec(instantiate=info.type, fields=fields)

    return registry


def _default(field: dataclasses.Field) -> Any:
    import tyro

    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return tyro.MISSING if field.default is dataclasses.MISSING else field.default


def _where(error: Exception, path: Path) -> str:
    """ " in line N" of the file at `path`, the deepest one that the error came through; "" if it came through none."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == path.resolve():
        lines.append(error.lineno)
    return f" in line {lines[-1]}" if lines else ""


def _find(path: Path) -> Path:
    bare = path.name == str(path) and not path.suffix
    return next((file for folder in _folders() if bare and (file := folder / f"{path}.py").is_file()), path)


def _folders() -> tuple[Path, ...]:
    """Where configs lie: here, inside an installed package, at the root of a checkout."""
    package = Path(__file__).parents[1]
    return Path("configs"), package / "configs", package.parent / "configs"


def _configs(folder: Path) -> list[Path]:
    # At the root of the repository lies train.py itself.
    return sorted(p for place in {folder, Path("configs")} for p in place.glob("*.py") if p.name != Path(sys.argv[0]).name)


def _listing(folder: Path) -> str:
    if configs := _configs(folder):
        return f"configs in {folder}/, with their measured time, model and data:\n{listed(configs)}"
    return f"{folder} holds no configs; name one that came with the package:\n{listed(_own().values())}"


def _own() -> dict[str, Path]:
    """The configs by their names, those of the current folder and those that came with the package."""
    return dict(sorted((path.stem, path) for place in reversed(_folders()) for path in place.glob("*.py")))


_LISTED = "`arjax train --help` lists the configs"
