"""The figure of byte-pair encoding: a text in coloured tokens."""

import ast
import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

import arjax
from arjax.data.media import Text
from arjax.data.medium import MediumCapabilities
from arjax.data.splits import Parts
from arjax.errors import InputError
from arjax.measure.figures.opened import Opened, example_of
from arjax.measure.figures.style import FAINT, INK, TINTS, Drawn, bare, finish, sheet
from arjax.tokenizers import BPE

_TEXT = (
    "Autoregressive models predict one symbol after the other. Each prediction is a function of the symbols "
    "before it, and of nothing else: the probability of a text is the product of its conditionals."
)
_COLUMNS, _SIZE = 86, 12


def draw_tokens() -> Drawn:
    """Draws a text in the tokens of three vocabularies, learned by byte-pair encoding from the docstrings of this package."""
    data, text = _Docstrings(), np.frombuffer(_TEXT.encode(), np.uint8)
    parts = []
    for vocab in (256, 400, 1024):
        tokenizer = BPE(vocab)
        learned = tokenizer.fit(data)
        spelled = tokenizer.spelling(learned)
        tokens = tokenizer.encode(learned, text)
        name = "the bytes alone" if vocab == 256 else f"256 bytes and {vocab - 256} merges"
        parts.append((f"{name}: {len(tokens)} tokens", [spelled[token] for token in tokens]))
    return _draw("Byte-pair encoding: frequent neighbours become one token", parts, "the same text in three vocabularies")


def draw_tokens_of_run(opened: Opened) -> Drawn:
    """Draws a test example of a run in the symbols that it models. InputError for a run that models no text."""
    example, medium = example_of(opened), opened.trained.experiment.data.medium
    spelling = MediumCapabilities.of(medium).spelling
    if spelling is None:
        raise InputError(f"{opened.run} models {medium.noun}, no text; choose a run of text")
    if opened.site is not None:
        raise InputError(f"--site {opened.site}: tokens are drawn of the whole example; leave it out")
    spelled = spelling()
    symbols = [spelled[symbol] or b"" for symbol in example.x.ravel()]
    size = sum(map(len, symbols))
    name = f"test example {opened.example}: {len(symbols)} symbols for {size} bytes"
    title = f"What the run reads: symbols of a vocabulary of {len(spelled)}"
    return _draw(title, [(name, symbols)], f"at test example {opened.example}, {len(symbols)} symbols")


@dataclasses.dataclass(frozen=True)
class _Docstrings:
    """The docstrings of this package as a text to learn tokens from."""

    medium: ClassVar[Text] = Text()

    def texts(self) -> Parts:
        files = sorted(Path(arjax.__file__).parent.rglob("*.py"))
        nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        text = "\n".join(ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds))
        return Parts(*3 * [np.frombuffer(text.encode(), np.uint8)])


def _draw(title, parts, said) -> Drawn:
    """For every (name, tokens as bytes) the tokens one after the other, neighbours in different colours."""
    from matplotlib.patches import FancyBboxPatch

    lines = [_lines(tokens) for _, tokens in parts]
    count = sum(len(each) + 1.9 for each in lines)
    figure, ((axes,),) = sheet(title, height=0.75 + 0.29 * max(count, 5))
    bare(axes).set(xlim=(-0.5, _COLUMNS + 0.5), ylim=(max(count, 5), -0.6))
    at = 0.0
    for (name, _), each in zip(parts, lines, strict=True):
        axes.text(0, at, name, fontsize=11, va="center")
        at += 1.25
        for line in each:
            column = 0
            for number, shown in line:
                axes.add_patch(
                    FancyBboxPatch(
                        (column + 0.12, at - 0.4),
                        len(shown) - 0.24,
                        0.8,
                        "round,pad=0,rounding_size=0.15",
                        color=TINTS[number % len(TINTS)],
                    )
                )
                for letter, character in enumerate(shown):
                    faint = character in "\N{MIDDLE DOT}\N{RETURN SYMBOL}"
                    axes.text(
                        column + letter + 0.5, at, character, ha="center", va="center", family="monospace", fontsize=_SIZE - 1,
                        color=FAINT if faint else INK,
                    )  # fmt: skip
                column += len(shown)
            at += 1
        at += 0.65
    return finish(figure, said)


def _lines(tokens) -> list[list[tuple[int, str]]]:
    """The tokens, each with its number, in lines of so many columns."""
    lines: list[list[tuple[int, str]]] = [[]]
    for number, token in enumerate(tokens):
        shown = token.decode("utf-8", "backslashreplace").replace(" ", "\N{MIDDLE DOT}").replace("\n", "\N{RETURN SYMBOL}")
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)[:_COLUMNS]
        if sum(len(other) for _, other in lines[-1]) + len(shown) > _COLUMNS:
            lines.append([])
        lines[-1].append((number, shown))
    return lines
