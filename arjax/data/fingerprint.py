"""What identifies the data a run was trained on: the contents of its arrays, not where they lie."""

import hashlib
import math

import numpy as np

_CHUNK = 2**24  # bytes hashed at once: what is laid out otherwise than its hash wants is copied by that much only


def fingerprint(splits) -> dict[str, str]:
    """For every array of the three splits its shape and dtype, and the sha256 of its values in C order, by name."""
    return {
        f"{name}.{field}": mark for name, split in splits._asdict().items() for field, mark in split_fingerprint(split).items()
    }


def split_fingerprint(split) -> dict[str, str]:
    """The same of one split, by the names of its arrays."""
    arrays = {field: array for field, array in split._asdict().items() if array is not None}
    return {field: f"{array.dtype}{list(array.shape)} sha256:{_sha256(array)}" for field, array in arrays.items()}


def _sha256(array: np.ndarray) -> str:
    digest = hashlib.sha256()
    rows = max(1, _CHUNK // max(1, array.itemsize * math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[start : start + rows]).data)
    return digest.hexdigest()
