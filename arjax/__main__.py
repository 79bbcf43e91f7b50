"""`python -m arjax COMMAND`. Only the command that is named is imported, so that the list of them costs nothing."""

import difflib
import pkgutil
import sys
from typing import NamedTuple

from arjax.allocator import keep_freed_memory
from arjax.errors import InputError, one_line_errors, show
from arjax.runs import cache_compilations


class Command(NamedTuple):
    """A dataclass of arjax/commands/ whose fields are the flags, or a function of the arguments, as "module:name"; what it does,
    in a line; do further flags edit a config? Does it keep what JAX compiles for the next start?"""

    found: str
    summary: str
    edits: bool = False
    caches: bool = True


COMMANDS = {
    "data": Command("data:Data", "show what arjax reads of data: splits, classes, values, examples", edits=True),
    "train": Command("train:main", "fit the model of a config, as train.py does"),
    # It says how long programs take to compile.
    "bench": Command("bench:Bench", "time training, scoring and sampling of a config", edits=True, caches=False),
    "compare": Command("compare:Compare", "fit several configs for the same time and compare them", edits=True),
    "evaluate": Command("evaluate:Evaluate", "score a trained run on one of its splits"),
    "runs": Command("runs:Runs", "compare runs in a table", caches=False),
    "curves": Command("curves:Curves", "draw the training of several runs in one picture", caches=False),
    "score": Command("score:Score", "score texts of any length: perplexity, bits per byte, each symbol"),
    "sample": Command("sample:Sample", "draw from a trained run, or continue a text"),
    "complete": Command("complete:Complete", "hide a part of examples and draw it anew"),
    "compress": Command("compress:Compress", "compress files without loss by a run's probabilities"),
    "decompress": Command("compress:Decompress", "write these files again"),
    "export": Command("export:Export", "write the transformer of a run as a Hugging Face folder"),
    "import": Command("export:Import", "make a run of a GPT-2 in a Hugging Face folder"),
    "figures": Command("figures:Figures", "draw what explains the models; without a name, list the figures"),
}


def main(argv: list[str] | None = None) -> int | None:
    """Runs the command that `argv` names, by default the program's own arguments, and returns its exit status; None is 0.

    SystemExit with status 2 after one line on stderr where the user's input is wrong, see arjax/errors.py, or after the message
    of tyro where a flag is.
    """
    with one_line_errors():
        name, *rest = (sys.argv[1:] if argv is None else argv) or [""]
        if name in ("-h", "--help"):
            show(usage())
            return 0
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=2)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise InputError(f"there is no command {name!r}; {meant}choose {', '.join(COMMANDS)}")
        keep_freed_memory()
        chosen = COMMANDS[name]
        if chosen.caches and not {"-h", "--help"} & set(rest):
            cache_compilations()
        found = pkgutil.resolve_name(f"arjax.commands.{chosen.found}")
        if not isinstance(found, type):
            return found(rest)
        from arjax.commands.flags import run

        return run(found, name, rest, chosen.edits)


def usage() -> str:
    """Lists the commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: python -m arjax COMMAND ...", "", *lines, "", "Its flags: python -m arjax COMMAND --help"])


if __name__ == "__main__":
    sys.exit(main())
