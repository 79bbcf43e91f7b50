"""Files in the place of those of named data sets, and the real ones."""

import dataclasses
import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest


def put(folder, source, content):
    """Writes the content and returns the source with its checksum, and no way to download it."""
    (folder / source.file).write_bytes(gzip.compress(content) if source.file.endswith(".gz") else content)
    return dataclasses.replace(source, sha256=hashlib.sha256(content).hexdigest(), url=None)


def real(file):
    """The folder of the real files; skips the test where the one that it needs is not there."""
    root = os.environ.get("ARJAX_DATA")
    if not root or not (Path(root) / file).exists():
        pytest.skip(f"$ARJAX_DATA has no {file}")
    return root


def bernoulli_nats(splits):
    """Mean nats of the test split under independent Bernoullis, Laplace +1, fitted on train and valid."""
    fitted = np.concatenate([splits.train.x, splits.valid.x]).reshape(-1, splits.train.x[0].size)
    p = (fitted.sum(0, dtype=np.int64) + 1) / (len(fitted) + 2)
    test = splits.test.x.reshape(len(splits.test.x), -1)
    return -(test @ np.log(p) + (1 - test.astype(np.int8)) @ np.log1p(-p)).mean()
