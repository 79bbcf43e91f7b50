"""Layers by loops over every place and tap, in float64."""

import numpy as np


def conv_by_loops(h, w, b, stride=1):
    """[B, H, W, C] in float64, tap by tap."""
    h, w, b = (np.asarray(part, np.float64) for part in (h, w, b))
    batch, height, width, _ = h.shape
    rows, kernel = w.shape[:2]
    out = np.zeros((batch, height // stride, width // stride, len(b))) + b
    for i, j, r, e in np.ndindex(height // stride, width // stride, rows, kernel):
        y, z = stride * i + r - (rows - 1), stride * j + e - 1
        if y >= 0 and 0 <= z < width:
            out[:, i, j] += h[:, y, z] @ w[r, e]
    return out


def transpose_by_loops(h, w, b):
    """[B, H, W, C] -> [B, 2H, 2W, G] in float64: every value is handed out to the pixels that its kernel covers."""
    h, w, b = (np.asarray(part, np.float64) for part in (h, w, b))
    batch, height, width, _ = h.shape
    kernel = w.shape[1]
    out = np.zeros((batch, 2 * height, 2 * width, len(b))) + b
    for i, j, r, e in np.ndindex(height, width, 2, kernel):
        y, z = 2 * i + r, 2 * j + e - (kernel == 3)
        if z >= 0:
            out[:, y, z] += h[:, i, j] @ w[r, e]
    return out
