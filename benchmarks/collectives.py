"""What the devices of a mesh send each other in one run of a compiled program, read from the program's text.

Every collective is counted as a ring does it, which is the least there is: of W bytes over n devices each device receives

    all-gather, reduce-scatter, all-to-all   W (n - 1) / n       W: the whole of what is gathered, scattered or exchanged
    all-reduce                               2 W (n - 1) / n     a reduce-scatter and an all-gather
    collective-permute                       W

What is inside a loop counts as often as the loop runs, of a conditional every branch. Only programs for CPU are understood: those
for other back-ends start a collective in one place and end it in another.
"""

import collections
import math
import re

import jax

_BITS = {"pred": 8, "s8": 8, "u8": 8, "s16": 16, "u16": 16, "bf16": 16, "f16": 16, "s32": 32, "u32": 32, "f32": 32, "s64": 64}
_BITS |= {"u64": 64, "f64": 64}

_HEAD = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\) -> .* \{$")
_COLLECTIVE = re.compile(
    r"^\s+(?:ROOT )?%?[\w.-]+ = (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(-start)?\("
)
_CALLED = re.compile(r"(?:body|to_apply|calls)=%?([\w.-]+)|(?:branch_computations)=\{([^}]*)\}")
_TIMES = re.compile(r'"?known_trip_count"?:\{"?n"?:"?(\d+)')


def received(compiled: jax.stages.Compiled) -> dict[str, float]:
    """The bytes that each device receives from others, by the kind of collective; kinds that do not occur are left out."""
    return received_by(compiled.as_text())


def received_by(text: str) -> dict[str, float]:
    """The same of the text of an optimized program. ValueError for one that is not understood."""
    computations, entry = _computations(text)
    devices = int((re.search(r"num_partitions=(\d+)", text) or (0, 1))[1])

    def total(name, times):
        for line in computations[name]:
            if found := _COLLECTIVE.match(line):
                shapes, kind, start = found.groups()
                if start:
                    raise ValueError(f"{kind}-start is an asynchronous collective; compile for CPU")
                counted[kind] += times * _share(kind, _bytes(shapes), _group(line, devices))
            loop = _TIMES.search(line) if " while(" in line else None
            for one, several in _CALLED.findall(line):
                for called in [one] if one else re.findall(r"[\w.-]+", several):
                    before = sum(counted.values())
                    total(called, times * int(loop[1]) if loop else times)
                    if " while(" in line and not loop and sum(counted.values()) > before:
                        raise ValueError(f"{called} is a loop of unknown length with collectives inside; choose a fixed length")

    counted = collections.Counter()
    total(entry, 1)
    return dict(counted)


def _computations(text):
    """(the lines of every computation by its name, the name of the one that is run)."""
    computations, entry, lines = {}, None, None
    for line in text.splitlines():
        if head := _HEAD.match(line):
            lines = computations[head[2]] = []
            entry = head[2] if head[1] else entry
        elif lines is not None:
            lines.append(line)
    if entry is None:
        raise ValueError("the text has no ENTRY computation; choose that of an optimized program")
    return computations, entry


def _bytes(shapes: str) -> int:
    return sum(_BITS[kind] // 8 * math.prod(int(n) for n in sizes.split(",") if n) for kind, sizes in _arrays(shapes))


def _arrays(shapes):
    return re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", shapes)


def _group(line: str, devices: int) -> int:
    """How many devices take part together."""
    if "source_target_pairs=" in line:
        return devices
    if groups := re.search(r"replica_groups=\[(\d+),(\d+)\]", line):
        return int(groups[2])
    if groups := re.search(r"replica_groups=mesh\[([^\]]*)\][^{]*\{([^}]*)\}", line):
        sizes = {name: int(size) for name, size in re.findall(r"'([^']*)'=(\d+)", groups[1])}
        # An axis, or a part of one: 'a':(4)2 is of size 2.
        axes = re.findall(r"'([^']*)'(?::\(\d+\)(\d+))?", groups[2])
        return math.prod(int(part) if part else sizes[name] for name, part in axes)
    if groups := re.search(r"replica_groups=\{\{([^}]*)\}", line):
        return len(groups[1].split(","))
    if "replica_groups={}" in line:
        return devices
    raise ValueError(f"{line.strip()[:200]} names its groups in an unknown way; teach _group")


def _share(kind: str, size: int, group: int) -> float:
    """The bytes that a device receives, from those of the result."""
    match kind:
        case "all-gather" | "all-to-all":
            return size * (group - 1) / group
        case "all-reduce":
            return 2 * size * (group - 1) / group
        case "reduce-scatter":
            return size * (group - 1)
    return size
