"""The other commands: `python -m arjax bench | compare | evaluate | sample | complete | compress | decompress | figures`.

Training is train.py's.
"""

import functools
import operator
import sys

from arjax.commands.bench import Bench
from arjax.commands.compare import Compare
from arjax.commands.complete import Complete
from arjax.commands.compress import Compress, Decompress
from arjax.commands.evaluate import Evaluate
from arjax.commands.figures import Figures
from arjax.commands.sample import Sample
from arjax.errors import InputError, one_line_errors
from arjax.runs.config import read_flags

COMMANDS = (Bench, Compare, Evaluate, Sample, Complete, Compress, Decompress, Figures)


def main(argv: list[str]) -> None:
    """Run the command that `argv` names. User errors end it with one line and status 2."""
    with one_line_errors():
        names = [command.__name__.lower() for command in COMMANDS]
        if not argv or argv[0] not in (*names, "-h", "--help"):
            raise InputError(f"there is no command {argv[0] if argv else ''!r}; choose {', '.join(names)}")
        command, rest = read_flags(functools.reduce(operator.or_, COMMANDS), argv, "python -m arjax", return_unknown_args=True)
        if rest and not isinstance(command, Bench | Compare):
            raise InputError(f"unrecognized arguments: {' '.join(rest)} (list the flags with: python -m arjax {argv[0]} --help)")
        command(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
