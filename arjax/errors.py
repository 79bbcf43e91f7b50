"""What is wrong with what a user gave, how a command ends (one line and an exit status), and how anything is printed.

All that this package prints goes through `say` and `show` (rich's tables and bars through `printable`), which write out whatever
would steer a terminal: a name, a text or a message may come from anyone.

2    an InputError, raised where input is checked, or a file that cannot be used
1    the run itself failed: numbers stopped being finite, memory was not enough, or nobody reads the output any more, as after
     `| head -1`
130  interrupted (Ctrl-C)

Any other exception is a fault of the program and shows its traceback. ARJAX_TRACEBACK=1 shows that of every error.
"""

import contextlib
import errno
import importlib
import io
import os
import reprlib
import sys
import textwrap
import traceback
import types


class InputError(ValueError):
    """Something that a user gave is wrong. The message is one line: the rule, the value, the remedy."""


def require(module: str, *, extra: str) -> types.ModuleType:
    """Returns a module of a package that `pip install arjax` alone does not bring. InputError, with the remedy, without it.

    extra: the extra of pyproject.toml that brings it, as "compress".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there but lacks another one is a fault of the installation: its traceback says more.
        package = module.partition(".")[0]
        if error.name not in (package, module):
            raise
        raise InputError(f"{package} is not installed; pip install 'arjax[{extra}]'") from error


@contextlib.contextmanager
def any_encoding():
    """Lets stdout escape what its encoding has no character for, where Python would stop."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper):  # a notebook's takes everything
        yield
        return
    before = stdout.errors
    stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it writes what is left, perhaps to nobody
            stdout.reconfigure(errors=before)


@contextlib.contextmanager
def one_line_errors():
    """Ends the program with `error: ...` on stderr where the user, a file or the run failed. Other exceptions pass."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _show_traceback
    with any_encoding():
        try:
            yield
            print(end="", flush=True)  # nowhere, where stdout is closed
        except BrokenPipeError:
            # Python would try to write what is left once more as it ends, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (InputError, FloatingPointError, OSError, MemoryError, RuntimeError, KeyboardInterrupt) as error:
            # The standard library raises an OSError with a file's name wherever a path cannot be used, and without one where an
            # open file cannot be written.
            unknown = isinstance(error, OSError) and error.filename is None and error.errno not in _FULL
            # JAX raises a RuntimeError for whatever fails on a device, also where its memory is full.
            unknown |= isinstance(error, RuntimeError) and not str(error).startswith("RESOURCE_EXHAUSTED")
            if os.environ.get("ARJAX_TRACEBACK") or unknown:
                raise
            status, text = _ending(error)
            say(f"error: {' '.join(text.split())}", file=sys.stderr)
            raise SystemExit(status) from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _ending(error) -> tuple[int, str]:
    match error:
        case InputError():
            return 2, str(error)
        case FloatingPointError():
            return 1, str(error)
        case MemoryError() | RuntimeError():
            return 1, f"there is not enough memory ({textwrap.shorten(str(error), 300)}); choose less at once"
        case OSError():
            file = error.filename or "a file that was being written"
            return 2, f"{error.strerror or error}: {file}; check the path, its permissions and the free space"
    return 130, "interrupted"


def one_line(error: Exception) -> str:
    """Shortens an error of another library to one line."""
    return printable(textwrap.shorten(f"{type(error).__name__}: {error}", 300))


def brief(value) -> str:
    """Shows a value out of a file on one line; of what is long or deep, its ends."""
    return printable(_REPR.repr(value))


def printable(text: str, keep: str = "") -> str:
    """Writes out what would not print, but for the characters `keep`: the content of a file must not steer a terminal."""
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def say(line: str, file=None) -> None:
    """Prints one line, by default to stdout, at once. A line break in a name is written out, too."""
    print(printable(line), file=file, flush=True)


def show(text: str, end: str = "\n", file=None) -> None:
    """Prints a text, by default to stdout, at once. Its lines and tabs stay."""
    print(printable(text, KEPT), end=end, file=file, flush=True)


# Of a text: line breaks, tabs, spaces that are wide or hold together, and what joins or parts the letters of a script.
KEPT = "\n\t\xa0\u202f\u3000\u200c\u200d"


def _show_traceback(kind, error, trace):
    show("".join(traceback.format_exception(kind, error, trace)), end="", file=sys.stderr)


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 120
