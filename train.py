"""Train a model and leave behind a directory that describes itself:

    python train.py configs/digits_made.py
    python train.py configs/mnist_made.py --model.net.hidden 500 500 --optimizer.learning-rate 1e-3 --run runs/wide

A config (a file in configs/) builds the experiment; flags edit its fields; `python train.py CONFIG --help` lists them. The same
command again continues a run that was interrupted, exactly. On several hosts each runs the same command (docs/clusters.md).
Exit status: 0 finished; 1 the numbers did not stay finite; 2 the command or the data is wrong; 130 or 143 interrupted and saved.
"""

import shlex
import sys

from arjax.allocator import keep_freed_memory
from arjax.errors import one_line_errors
from arjax.runs import cache_compilations, config
from arjax.runs.loop import train


def main(argv: list[str], program: str = "python train.py") -> int:
    keep_freed_memory()
    cache_compilations()
    experiment, run = config.parse(argv)
    return train(experiment, run, again=f"{program} {shlex.join(argv)}")


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main(sys.argv[1:]))
