"""How a command ends when something is wrong: one line and an exit status; a traceback only for a fault of the program itself.

2    what the user gave is wrong: a ValueError raised by arjax's own code or by a config's, or a file that cannot be used
1    the run itself failed: FloatingPointError, raised where numbers stopped being finite; or of several processes another was
     lost; or, without a word, nobody reads the output any more, as after `| head -1`
130  interrupted (Ctrl-C)
"""

import contextlib
import errno
import logging
import os
import sys
import traceback
from pathlib import Path

import jax

from arjax.data.sources import printable
from arjax.training.experiment import Experiment

_PACKAGE = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def one_line_errors():
    """Inside, user errors end the program with `error: ...` on stderr. Any other exception passes through."""
    try:
        with _explained():
            yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try to write what is left once more as it ends, and complain. (rich ends in the same way.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


@contextlib.contextmanager
def written_to(run: Path):
    """Inside, a file that cannot be written, of which the system does not say which one it is, is said to be in `run`."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            error.filename = str(run)
        raise


@contextlib.contextmanager
def _explained():
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
    except BrokenPipeError:
        raise
    except OSError as error:
        # Raised by the standard library wherever a path cannot be used; without one it is no fault of the user's.
        if error.filename is None and error.errno is None:
            raise
        where = f": {error.filename}" if error.filename else ""
        # What else could not be written is for the same reason: threads that are still at it shall not tell.
        logging.disable()
        _exit(2, f"{error.strerror or error}{where}; check the path, its permissions and the free space")
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except Exception as error:
        if not jax.distributed.is_initialized():
            raise
        # Another process was lost, or is about to be: waiting for it as Python ends would end in a stack trace of JAX's.
        if isinstance(error, jax.errors.JaxRuntimeError):
            print("error:", " ".join(str(error).split()), file=sys.stderr, flush=True)
        else:
            traceback.print_exc()
        os._exit(1)


def _is_ours(error: BaseException) -> bool:
    """Was it raised by a line of this package, of the script that was started or of a config, rather than in a library?"""
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    file = Path(last.tb_frame.f_code.co_filename).resolve()
    is_config = isinstance(last.tb_frame.f_globals.get("experiment"), Experiment)
    return is_config or file.is_relative_to(_PACKAGE) or file == Path(sys.argv[0]).resolve()


def _exit(status: int, error) -> None:
    print("error:", printable(" ".join(str(error).split())), file=sys.stderr)
    raise SystemExit(status)
