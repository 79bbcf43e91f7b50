"""The tokenizer of a run: learned or taken from another run, kept in the directory, and an experiment over the tokens.

What a tokenizer learned lies in tokenizer.safetensors, and its sha256 in run.json: one that was changed is found when it is read.
"""

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from arjax.errors import InputError, one_line
from arjax.tokenizers.tokenizer import Learned

FILE = "tokenizer.safetensors"


def over_tokens(experiment, learned: Learned | None):
    """The same experiment over the tokens of its data; one without a tokenizer stays as it is."""
    if experiment.tokenizer is None:
        return experiment
    data = experiment.tokenizer.over(experiment.data, learned)
    return dataclasses.replace(experiment, data=data, tokenizer=None, tokenizer_from=None)


def digest(learned: Learned) -> str:
    """The sha256 of all arrays, their names, dtypes and shapes."""
    hashed = hashlib.sha256()
    for name in sorted(learned):
        array = np.asarray(learned[name], order="C")
        hashed.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()


def save_learned(run: Path, learned: Learned) -> None:
    """Write what a tokenizer learned into the run directory."""
    # Written beside and renamed, as run.json is.
    beside = run / f".{FILE}"
    beside.write_bytes(safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in learned.items()}))
    os.replace(beside, run / FILE)


def read_learned(run: Path, tokenizer, sha256: str) -> Learned:
    """What is kept in the run directory. InputError if it cannot be read, has another sha256 than this, or is not what
    `tokenizer` learns."""
    path = run / FILE
    try:
        learned = safetensors.numpy.load_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; restore it, or train again elsewhere") from error
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error)}); restore it, or train again elsewhere") from error
    if digest(learned) != sha256:
        raise InputError(
            f"{path} is not the tokenizer that this run was trained with (sha256 {digest(learned)[:12]}, expected "
            f"{sha256[:12]}); restore it, or train again elsewhere"
        )
    try:
        tokenizer.check(learned)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return learned
