"""Stops: a continuation ends after the first of several sequences of symbols, or of several strings that symbols spell.

One automaton finds all of them (Aho and Corasick 1975). Its state is the longest suffix of the drawn symbols that is a prefix of
a stop; a table holds the next state for each state and symbol, so that the sampler reads one number at each step. Strings are
found across tokens: the step of a token is that of its bytes, one after the other.
"""

import dataclasses
from collections import deque
from collections.abc import Sequence

import numpy as np

from arjax.arguments import check_count, check_table
from arjax.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Stops:
    """table: int32 [N, V], the next of N states for each state and symbol; N where a stop ends."""

    table: np.ndarray


def check_stop(stop, vocab: int) -> Stops:
    """Returns the Stops for `stop` of `generate`: a symbol, sequences of symbols, or Stops; None never ends. InputError if it is
    none of these, if a sequence is empty, or if a symbol is not in 0..vocab-1."""
    if stop is None:
        return Stops(np.zeros((1, vocab), np.int32))
    if isinstance(stop, Stops):
        if stop.table.shape[1] != vocab:
            raise InputError(f"stop is of {stop.table.shape[1]} symbols, the model of {vocab}; make it of the model's spelling")
        return stop
    if not isinstance(stop, tuple | list):
        stop = [[check_count("stop", stop, least=0)]]
    words = [np.asarray(sequence) for sequence in stop]
    for word in words:
        if word.ndim != 1 or not word.size or word.dtype.kind not in "iu":
            raise InputError(f"stop={word.tolist()!r} is no sequence of symbols; give whole numbers, at least one, as [3, 1]")
        outside = word[(word < 0) | (word >= vocab)]
        if outside.size:
            raise InputError(f"stop={outside[0]} is no symbol of the model's; choose one of 0..{vocab - 1}, or None")
    return Stops(_automaton([word.tolist() for word in words], vocab))


def stop_strings(strings: Sequence[str], spelling: Sequence[bytes | None]) -> Stops:
    """Returns Stops that end after the symbol in which the first of several strings ends. InputError if a string is empty or the
    symbols cannot spell it.

    strings: of any length; they may end inside a symbol, such as a token of several characters.
    spelling: the UTF-8 bytes of each symbol, as `BPE.spelling(learned)` or a medium's `spelling()` returns them; None for a
      symbol that ends a text itself.
    """
    spelled = [symbol or b"" for symbol in spelling]
    letters, words = set().union(*spelled), []
    for string in strings:
        if not string:
            raise InputError("a stop is empty; give at least one character")
        try:
            words.append(list(string.encode(errors="surrogateescape")))
        except UnicodeEncodeError:  # half of a character, which nothing spells
            words.append([-1])
        if not letters.issuperset(words[-1]):
            raise InputError(f"the stop {string!r} cannot be made of the model's symbols; choose characters that its texts have")
    table = _over(_automaton(words, 256), spelled)
    table[:, [symbol is None for symbol in spelling]] = len(table)
    return Stops(table)


def _automaton(words: list[list[int]], letters: int) -> np.ndarray:
    """[N, letters] int32: Aho and Corasick's, without what follows the end of a word."""
    check_table("the stops", sum(map(len, words)) + 1, letters)
    children, ends = [{}], set()
    for word in words:
        state = 0
        for letter in word:
            if letter not in children[state]:
                children[state][letter] = len(children)
                children.append({})
            state = children[state][letter]
        ends.add(state)
    table, shorter, waiting = np.zeros((len(children), letters), np.int32), [0] * len(children), deque([0])
    while waiting:
        state = waiting.popleft()
        # Where no word continues, the next state is that of the next shorter suffix, which was visited before.
        table[state] = table[shorter[state]] if state else 0
        for letter, child in children[state].items():
            shorter[child] = int(table[state, letter])
            table[state, letter] = child
            if shorter[child] in ends:
                ends.add(child)
            waiting.append(child)
    going = [state for state in range(len(children)) if state not in ends]
    number = np.full(len(children), len(going), np.int32)
    number[going] = np.arange(len(going))
    return number[table[going]]


def _over(table: np.ndarray, spelling: Sequence[bytes]) -> np.ndarray:
    """[N, V]: the automaton of table [N, 256] that reads symbols by their bytes."""
    states, found = np.arange(len(table), dtype=np.int32), len(table)
    check_table("the stops", len(table), len(spelling))
    table = np.vstack([table, np.full((1, table.shape[1]), found, np.int32)])
    spelled, sizes = np.frombuffer(b"".join(spelling), np.uint8), np.array([len(symbol) for symbol in spelling])
    starts, reached = np.cumsum(sizes) - sizes, np.repeat(states[:, None], len(spelling), axis=1)
    for i in range(sizes.max(initial=0)):
        longer = np.flatnonzero(sizes > i)
        reached[:, longer] = table[reached[:, longer], spelled[starts[longer] + i][None]]
    return reached
