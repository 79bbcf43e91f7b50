"""How a command ends when something is wrong: one line and an exit status; a traceback only for a fault of the program itself.

2    what the user gave is wrong: a ValueError raised by arjax's own code, or a file or directory that cannot be used
1    the run itself failed: FloatingPointError, raised where numbers stopped being finite
130  interrupted (Ctrl-C)
"""

import contextlib
import sys
import traceback
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def one_line_errors():
    """Inside, user errors end the program with `error: ...` on stderr. Any other exception passes through."""
    try:
        yield
    except FloatingPointError as error:
        if not _is_ours(error):
            raise
        _exit(1, error)
    except ValueError as error:
        if not _is_ours(error):
            raise
        _exit(2, error)
    except OSError as error:
        # Raised by the standard library wherever a path cannot be used; without one it is no fault of the user's.
        if error.filename is None and error.errno is None:
            raise
        where = f": {error.filename}" if error.filename else ""
        _exit(2, f"{error.strerror or error}{where}; check the path, its permissions and the free space")
    except KeyboardInterrupt:
        _exit(130, "interrupted")


def _is_ours(error: BaseException) -> bool:
    """Was it raised by a line of this package, or of the script that was started, rather than in a library?"""
    file = Path(traceback.extract_tb(error.__traceback__)[-1].filename).resolve()
    return file.is_relative_to(_PACKAGE) or file == Path(sys.argv[0]).resolve()


def _exit(status: int, error) -> None:
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    raise SystemExit(status)
