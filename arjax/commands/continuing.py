"""How `sample` continues texts: it reads prompts, continues each until it is long enough or stops, and prints or writes them."""

import dataclasses
import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from arjax.data.characters import decoded
from arjax.data.exhibit import Exhibit
from arjax.data.medium import MediumCapabilities
from arjax.errors import InputError, brief, say, show
from arjax.files import read_input
from arjax.protocol import Cond
from arjax.sampling import Generated, Stops, stop_strings, stream
from arjax.sliding import check_keep

# Rows that are drawn at once, and symbols of them until the first is shown again.
_ROWS, _EVERY = 64, 8
# Symbols of a continuation without --tokens, unless the model has fewer sites.
_TOKENS = 200


class Continuation(NamedTuple):
    """A text with its prompt; the drawn part, and its number of symbols; the stop that it ends with, or None; and whether it
    ended, with a stop or with the symbol that ends a text."""

    whole: str
    text: str
    tokens: int
    stop: str | None
    ended: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Writer:
    """Continues texts: the model and the medium of a run, and how symbols are drawn.

    cond: makes the condition of so many rows.
    tokens: symbols to draw after each prompt; None for as many as the model has sites left, at most 200.
    keep: as `generate` has it.
    stops: strings; a text ends after the first that it draws.
    """

    model: Any
    params: Any
    medium: Any
    cond: Callable[[int], Cond]
    transforms: tuple
    tokens: int | None = None
    keep: int | None = None
    stops: tuple[str, ...] = ()

    def encode(self, prompts: list[str]) -> tuple[list[np.ndarray], int]:
        """Returns the symbols of each prompt, and the number of tokens to draw after them. InputError if a prompt is empty, or
        if the text goes past the model and the data are not streams."""
        symbols = [self.medium.encode(prompt) for prompt in prompts]
        longest, sites = max(map(len, symbols)), self.model.num_sites
        tokens = self.tokens or (min(sites - longest, _TOKENS) if longest < sites else _TOKENS)
        if longest + tokens > sites and not self.medium.stream:
            raise InputError(
                f"{longest} symbols and --tokens {tokens} are more than the model's {sites}, and its {self.medium.noun} are no "
                "parts of longer ones; choose fewer"
            )
        return symbols, tokens

    def slides(self, symbols: list[np.ndarray], tokens: int) -> str | None:
        """Says that the window slides, if it does. InputError where it cannot."""
        sites, length = self.model.num_sites, max(map(len, symbols)) + tokens
        if length <= sites:
            return None
        keep, unit = check_keep(self.model, self.keep, length, "--keep"), self.medium.unit
        return (
            f"the window of {sites} {unit}s slides along {length}: beyond it each {unit} is drawn given {keep} to {sites - 1} "
            "before it (--keep)"
        )

    def draw(
        self, key, symbols: list[np.ndarray], tokens: int, cond: Cond, stop: Stops | None
    ) -> Iterator[tuple[list[Continuation], Generated]]:
        """Yields the continuation of each prompt, and the symbols, as far as it has got; first without any. stop: `self.stop`."""
        lengths = np.array([len(prompt) for prompt in symbols], np.int32)
        begun = np.zeros((len(symbols), lengths.max()), np.int32)
        for row, prompt in zip(begun, symbols, strict=True):
            row[: len(prompt)] = prompt
        given = {"cond": cond, "transforms": self.transforms, "stop": stop, "keep": self.keep}
        drawn = stream(self.model, self.params, key, symbols, tokens=tokens, every=_EVERY, **given)
        for generated in itertools.chain([Generated(begun, lengths)], drawn):
            rows = zip(generated.x, lengths, generated.length, strict=True)
            yield [self._continuation(row[:end], start) for row, start, end in rows], generated

    @functools.cached_property
    def _spelling(self) -> tuple[bytes | None, ...]:
        spelling = MediumCapabilities.of(self.medium).spelling
        return spelling() if spelling else (b"",) * self.model.head.vocab

    @functools.cached_property
    def stop(self) -> Stops | None:
        """What the stops are to the sampler. InputError where the medium has no texts, or one is none of them."""
        self.medium.encode("")
        for stop in self.stops:
            try:
                self.medium.encode(stop)
            except InputError as error:
                raise InputError(f"--stop {stop!r}: {error}") from None
        return stop_strings(self.stops, self._spelling) if self.stops or None in self._spelling else None

    def _continuation(self, row: np.ndarray, start: int) -> Continuation:
        whole, text = (self.medium.exhibit(part[None]).texts[0] for part in (row, row[start:]))
        ends = [(text.find(stop) + len(stop), stop) for stop in self.stops if stop in text]
        end, stop = min(ends, default=(len(text), None))
        ended = stop is not None or (len(row) > start and self._spelling[row[-1]] is None)
        return Continuation(whole[: len(whole) - len(text) + end], text[:end], len(row) - int(start), stop, ended)


def unescaped(stop: str) -> str:
    r"""Returns a --stop as it is meant: \n, \t and \\ are a line end, a tab and one backslash."""
    return "\\".join(part.replace("\\n", "\n").replace("\\t", "\t") for part in stop.split("\\\\"))


def read_prompts(name: str) -> list[dict]:
    """Reads prompts from a file, or "-" for standard input. A .jsonl file, or standard input that begins with an object, has an
    object with a string "prompt" on each line; anything else is one prompt, without its last line end. InputError if it is
    neither."""
    where = "standard input" if name == "-" else name
    text = decoded(read_input(name), where)
    if not (name.endswith(".jsonl") or (name == "-" and text.lstrip().startswith("{"))):
        return [{"prompt": text.removesuffix("\n").removesuffix("\r")}]
    prompts = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("prompt"), str):
            raise InputError(f'{where} line {number} is {brief(line)}; give objects as {{"prompt": "..."}}, one a line')
        prompts.append(record)
    if not prompts:
        raise InputError(f"{where} holds no prompt; give at least one line")
    return prompts


class Drawn(NamedTuple):
    """The continuations of prompts, some of each, in the order of the prompts; their symbols and their condition."""

    texts: list[Continuation]
    symbols: Generated
    cond: Cond


def continue_prompts(writer: Writer, key, prompts: list[str], batch: int) -> Drawn:
    """Draws `batch` continuations of each prompt, and prints them, the first of one prompt as it is drawn. Prompts of about the
    same length are continued together, 64 rows at once."""
    symbols, tokens = writer.encode(prompts)
    stop = writer.stop  # what is wrong with it is said before anything else
    if said := writer.slides(symbols, tokens):
        say(said, file=sys.stderr)
    cond, size = writer.cond(len(prompts) * batch), max(1, _ROWS // batch)
    order = np.argsort([len(prompt) for prompt in symbols], kind="stable")
    texts, x = [None] * len(prompts) * batch, np.zeros((len(prompts) * batch, max(map(len, symbols)) + tokens), np.int32)
    length, printed = np.zeros(len(x), np.int32), 0
    for i, start in enumerate(range(0, len(order), size)):
        group = order[start : start + size]
        rows = (group[:, None] * batch + np.arange(batch)).ravel()
        # The last ones are not fewer, which would be another program.
        at_once = np.resize(rows, min(size, len(order)) * batch)
        several = [symbols[row // batch] for row in at_once]
        for done, drawn in writer.draw(nth_key(key, i), several, tokens, _of_rows(cond, at_once), stop):  # noqa: B007
            if len(prompts) == 1:
                printed = show_more(done[0].whole, printed)
        for j, row in enumerate(rows):
            texts[row], length[row] = done[j], drawn.length[j]
            x[row, : drawn.x.shape[1]] = drawn.x[j]
    show(Exhibit(texts=(texts[0].whole[printed:], *(text.whole for text in texts[1:]))).text)
    return Drawn(texts, Generated(x, length), cond)


def _of_rows(cond: Cond, rows: np.ndarray) -> Cond:
    return jax.tree.map(lambda part: part[rows], cond)


def converse(writer: Writer, key) -> None:
    """Continues each line of standard input, until it ends or Ctrl-C is pressed. A line without symbols gets one line of
    answer."""
    stop = writer.stop  # what is wrong with it is said before anything else
    terminal, said = sys.stdin.isatty(), False
    if terminal:
        say("each line is a prompt, and an empty line starts a text; Ctrl-D ends", file=sys.stderr)
    try:
        for i in itertools.count():
            prompt, printed = input("> " if terminal else ""), 0
            try:
                symbols, tokens = writer.encode([prompt])
            except InputError as error:
                say(f"error: {error}", file=sys.stderr)
                continue
            if not said and (slides := writer.slides(symbols, tokens)):
                say(slides, file=sys.stderr)
                said = True
            for (text,), _ in writer.draw(nth_key(key, i), symbols, tokens, writer.cond(1), stop):
                printed = show_more(text.whole, printed)
            show(text.whole[printed:])
    except (EOFError, KeyboardInterrupt):
        if terminal:
            show("")


def show_more(text: str, printed: int) -> int:
    """Prints the part of a text that is new, and returns how much is printed now. A character of several bytes waits until all of
    them are drawn."""
    settled = text.rstrip("\N{REPLACEMENT CHARACTER}")
    show(settled[printed:], end="")
    return max(printed, len(settled))


def nth_key(key, i: int):
    """The key of the i-th texts that are drawn: the first ones' is the key itself; the others' is no symbol's."""
    return key if i == 0 else jax.random.fold_in(key, 2**32 - i)


def as_jsonl(records: list[dict], texts: list[Continuation]) -> bytes:
    """Returns a line for each text, several for each record: the fields of the record, among them the prompt; the text after the
    prompt, and its number of symbols; the stop that it ends with, or null; whether it ended, or --tokens cut it off; and the
    number of the sample."""
    batch = len(texts) // len(records)
    lines = (
        records[i // batch]
        | {"text": text.text, "tokens": text.tokens, "stop": text.stop, "ended": text.ended, "sample": i % batch}
        for i, text in enumerate(texts)
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(errors="backslashreplace")
