"""What arjax does on an accelerator, in ten minutes at most; prints Markdown for docs/benchmarks.md.

    make gpu                                                  # all parts that are not done yet, into runs/accelerator
    python -m benchmarks.accelerator --parts gpt2 mnist       # these
    python -m benchmarks.accelerator --tiny                   # a dry run on the CPU, at tiny sizes

Every part has a process of its own and a limit, so that no part takes time from the others. The same command continues where
the time ran out; remove the JSON of a part to run the part again. Exit status: 0 all is done; 1 a part is not; 2 there is no
accelerator.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from arjax.errors import InputError, one_line_errors, say, show
from arjax.files import write_whole
from benchmarks.accelerator import contract, part, speed, trained
from benchmarks.accelerator.part import Part, Setting

# In the order in which they are needed most.
PARTS = (
    Part("ceilings", speed.ceilings, speed.report_ceilings, 40),
    Part("contract", contract.rows, contract.report, 150, workers=8),
    Part("gpt2", speed.gpt2, speed.report_gpt2, 120),
    Part("shakespeare", trained.shakespeare, trained.report, trained.LIMIT),
    Part("families", speed.families, speed.report_families, 150),
    Part("mnist", trained.mnist, trained.report, trained.LIMIT),
)


def main(argv: list[str] | None = None, parts: tuple[Part, ...] = PARTS) -> int:
    names = [part.name for part in parts]
    flags = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__.splitlines()[0])
    flags.add_argument("--parts", nargs="+", choices=names, default=names, help="what is done; by default everything")
    flags.add_argument("--tiny", action="store_true", help="a dry run on the CPU, at tiny sizes")
    flags.add_argument("--out", type=Path, default=Path("runs/accelerator"), help="the folder of JSON and Markdown")
    flags.add_argument("--limit", type=float, default=600, help="seconds for all parts together")
    chosen = flags.parse_args(argv)
    began = time.monotonic()
    platform = "cpu" if chosen.tiny else backend()
    if platform == "cpu" and not chosen.tiny:
        say("no accelerator: JAX finds a CPU only; pip install '.[cuda]' or '.[tpu]' where there is one, or try --tiny")
        return 2
    setting, results = Setting(chosen.tiny, chosen.out, platform), {}
    for each in (each for each in parts if each.name in chosen.parts):
        results[each] = part.result(each, setting)
        seconds = min(each.limit, chosen.limit - (time.monotonic() - began))
        if results[each] is None and seconds > 0:
            say(f"{each.name}, {seconds:.0f} s at most")
            results[each] = part.run(each, setting, seconds)
            say(f"{each.name}: {_state(results[each])}")
    text = document(results)
    write_whole(setting.path("report.md"), text)
    show(text)
    say(f"JSON and Markdown: {setting.path('*')}")
    return 0 if all(result is not None and result["state"] == part.DONE for result in results.values()) else 1


def backend() -> str:
    """Returns JAX's name of the back-end that a process of its own finds: this one must not hold the device."""
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()
    except subprocess.TimeoutExpired as error:
        raise InputError("JAX did not find its devices within 120 s; free the accelerator, or try --tiny") from error
    except subprocess.CalledProcessError as error:
        show(error.stderr, end="", file=sys.stderr)
        raise InputError("JAX does not start; mend its installation, or try --tiny") from error


def document(results: dict[Part, dict | None]) -> str:
    """Writes the results in Markdown: of each part its state, its table, and what is wrong."""
    sections = []
    for each, result in results.items():
        rows = result["rows"] if result else {}
        words = [f"- {name}: {row[why]}" for name, row in rows.items() for why in ("error", "skipped") if why in row]
        tables = [each.report(rows), ""] if rows else []
        sections.append("\n".join([f"### {each.name}", "", f"{_state(result)}.", "", *tables, *words]).rstrip() + "\n")
    return "\n".join(sections)


def _state(result: dict | None) -> str:
    """Says what became of a part."""
    if result is None:
        return "not done yet: the time ran out; the same command continues"
    return f"{result['state']}; {result['seconds']:.0f} s on {result['platform']}"


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
