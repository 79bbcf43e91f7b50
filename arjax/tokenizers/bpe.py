"""Byte-pair encoding of bytes: text as tokens of one or more bytes each, every byte string given back as it was.

Sennrich et al. 2016 (https://arxiv.org/abs/1508.07909): starting from single symbols, the pair of neighbours that is most
frequent in the training text becomes a symbol of its own, again and again. Radford et al. 2019, section 2.2 (GPT-2): the symbols
to start from are the 256 bytes, and no pair reaches across the words that an expression splits the text into. The work is done by
Hugging Face's `tokenizers`, and the tokens are those it gives for the same file. It takes strings; bytes that are no UTF-8 become
the tokens of single bytes here.
"""

import dataclasses
import itertools
import sys
from typing import ClassVar

import numpy as np

from arjax.data.characters import END_OF_TEXT, LETTERS
from arjax.data.dataset import DataCapabilities
from arjax.data.medium import MediumCapabilities
from arjax.data.sources import read_file
from arjax.description import check_types
from arjax.errors import InputError, require
from arjax.tokenizers.byte_level import Vocabulary, pieces, read_vocabulary
from arjax.tokenizers.text import TokenizedText
from arjax.tokenizers.tokenizer import Learned, check_range


@dataclasses.dataclass(frozen=True)
class BPE:
    """Tokenizer of text.

    It learns a tokenizer.json: {"json": uint8 [its bytes]}. An added token such as "<|endoftext|>" that a text spells out is one
    token, and is decoded to its spelling. "<|endoftext|>" ends the documents of data whose medium `ends`.
    """

    vocab: int
    """The number of tokens."""
    file: str | None = None
    """A tokenizer.json, such as GPT-2's, as given or under the data root; by default the tokens are learned."""

    lossless: ClassVar[bool] = True

    def __post_init__(self):
        check_types(self)
        if self.vocab < 256:
            raise InputError(f"vocab={self.vocab} is fewer than the 256 bytes; choose at least 256 tokens")

    @property
    def title(self) -> str:
        return f"BPE of {self.vocab} tokens"

    def token_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the same: the length of a window counts tokens, each of which is as many bytes as it is."""
        if len(shape) != 1:
            raise InputError(f"BPE encodes text, not examples of shape {shape}; choose a data set of text")
        return shape

    def fit(self, data) -> Learned:
        """Reads the file, or learns from the training split of the data set's texts: pairs seen twice or more, the same ones each
        time. InputError if there are not `vocab` tokens.

        A word of more than 1000 bytes is learned from in parts, because the library's time grows with the square of its length.
        Its encoding is that of the whole word. A terminal shows the progress."""
        if self.file is not None:
            return self._read(data.root)
        _check_text(data)
        library = require("tokenizers", extra="tokens")
        learner = library.Tokenizer(library.models.BPE())
        words = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        bounded = library.pre_tokenizers.Split(library.Regex(".{1,1000}"), "isolated")
        learner.pre_tokenizer = library.pre_tokenizers.Sequence([words, bounded])
        learner.decoder = library.decoders.ByteLevel()
        ends = MediumCapabilities.of(data.medium).ends
        trainer = library.trainers.BpeTrainer(
            vocab_size=self.vocab - ends,
            min_frequency=2,
            initial_alphabet=LETTERS,
            special_tokens=[],
            show_progress=sys.stderr.isatty(),
        )
        strings = (piece for text in _documents(data.texts().train) for piece in pieces(text) if isinstance(piece, str))
        learner.train_from_iterator(strings, trainer)
        learner.pre_tokenizer = words
        if ends:  # the last of them, as GPT-2 has it
            learner.add_special_tokens([END_OF_TEXT])
        if learner.get_vocab_size() != self.vocab:
            raise InputError(f"the text gives only {_set_to(learner.get_vocab_size())}")
        return {"json": np.frombuffer(learner.to_str().encode(), np.uint8)}

    def check(self, learned: Learned) -> None:
        self._vocabulary(learned)

    def encode(self, learned: Learned, x) -> np.ndarray:
        """Turns bytes, integers [N], into tokens, int32 [n]. Valid UTF-8 gets the library's tokens, any other byte a token of its
        own. 256 ends a document, and becomes the token END_OF_TEXT."""
        vocabulary = self._vocabulary(learned)
        first, *others = _documents(_row("byte", x, 257))
        if others and vocabulary.end is None:
            raise InputError(
                f"the tokenizer.json has no added token {END_OF_TEXT!r}, which ends documents; add it, or set --data.across"
            )
        # Written out, and so a string of its own, it is that token.
        parts = [*pieces(first, vocabulary.literals)]
        for text in others:
            parts += [END_OF_TEXT, *pieces(text, vocabulary.literals)]
        tokens = [np.zeros(0, np.int32)]
        for start in range(0, len(parts), 1000):  # as many as keep all cores busy
            group = parts[start : start + 1000]
            strings = [piece for piece in group if isinstance(piece, str)]
            encoded = iter(vocabulary.library.encode_batch_fast(strings, add_special_tokens=False))
            tokens += [
                np.array(next(encoded).ids, np.int32)
                if isinstance(piece, str)
                else vocabulary.byte_tokens[np.frombuffer(piece, np.uint8)]
                for piece in group
            ]
        return np.concatenate(tokens)

    def decode(self, learned: Learned, tokens) -> np.ndarray:
        """Turns tokens [n] into bytes, uint8 [N]."""
        vocabulary, tokens = self._vocabulary(learned), _row("token", tokens, self.vocab).astype(np.int32)
        parts = range(0, len(tokens), 2**18)  # in bounded memory
        return np.concatenate([np.zeros(0, np.uint8), *(vocabulary.bytes_of(tokens[start : start + 2**18]) for start in parts)])

    def bytes_per_symbol(self, learned: Learned) -> np.ndarray:
        """Returns how many bytes each token stands for, integers [vocab]."""
        return self._vocabulary(learned).size

    def spelling(self, learned: Learned) -> tuple[bytes, ...]:
        """Returns the bytes that each token stands for."""
        vocabulary = self._vocabulary(learned)
        ends = np.cumsum(vocabulary.size)
        spelled = vocabulary.spelled.tobytes()
        return tuple(spelled[end - size : end] for end, size in zip(ends.tolist(), vocabulary.size.tolist(), strict=True))

    def end(self, learned: Learned) -> int | None:
        """Returns the token that ends a document, if there is one."""
        return self._vocabulary(learned).end

    def tokenizer_json(self, learned: Learned) -> str:
        """Returns the learned tokenizer.json as text."""
        return learned["json"].tobytes().decode()

    def over(self, data, learned: Learned) -> TokenizedText:
        _check_text(data)
        self.check(learned)
        return TokenizedText(data, self, learned)

    def _vocabulary(self, learned: Learned) -> Vocabulary:
        content = np.asarray(learned.get("json"))
        if set(learned) != {"json"} or content.dtype != np.uint8 or content.ndim != 1:
            raise InputError(f"BPE learns a uint8 array named json, not {sorted(learned)}; give what BPE.fit returned")
        vocabulary = read_vocabulary(content.tobytes())
        if len(vocabulary.size) != self.vocab:
            raise InputError(f"vocab={self.vocab}, but the tokenizer.json has {_set_to(len(vocabulary.size))}")
        return vocabulary

    def _read(self, root) -> Learned:
        where, content = read_file(self.file, root)
        learned = {"json": np.frombuffer(content, np.uint8)}
        try:
            self.check(learned)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return learned


def _documents(x: np.ndarray) -> list[bytes]:
    """The bytes between the symbols 256; behind the last of them, too."""
    if x.dtype == np.uint8:
        return [x.tobytes()]
    ends, content = np.flatnonzero(x == 256), x.astype(np.uint8).tobytes()
    return [content[start + 1 : end] for start, end in itertools.pairwise([-1, *ends.tolist(), len(content)])]


def _set_to(count) -> str:
    return f"{count} tokens; set --data.vocab {count}, or --tokenizer.vocab {count} and the head's to match"


def _check_text(data):
    if "text" not in data.medium.flags and not DataCapabilities.of(data).tokens:
        raise InputError(f"BPE encodes text, and {type(data).__name__} consists of {data.medium.noun}; choose a data set of text")


def _row(kind, x, count) -> np.ndarray:
    """[N] integers 0..count-1, as they are."""
    x = np.asarray(x)
    if x.ndim != 1 or (x.size and x.dtype.kind not in "iu"):
        raise InputError(f"{kind}s are one row of whole numbers, not {x.dtype} of shape {x.shape}; give one text at a time")
    check_range(kind, x, count)
    return x
