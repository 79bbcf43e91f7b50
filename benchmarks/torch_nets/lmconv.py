"""LMConv in PyTorch, with the weights of arjax's: 5 gated blocks of width 16, coordinates, 28 x 28
bits, raster order, batch 32.

    h = conv(x, 1) + coordinates,   celu(h) = elu([h, -h])
    u = layer_norm(conv(celu(h))) [+ celu(h of the mirrored block) W]
    h <- h + a sigmoid(b),   [a, b] = conv(celu(u)),   theta = elu(h) w

A convolution (5 x 5 first, then 3 x 3) is a sum over its taps: the shifted map, masked at every pixel
by what was generated before it, times the tap's weights. The order is data, as in arjax, and no mask
of weights. On a CPU this takes half the time of F.unfold, whose windows nine times as large as the
map have to be written and read. Maps are [B, H, W, C] and kernels [rows, columns, C, G], as in arjax,
which makes one product of all taps instead.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import arjax
from arjax.heads import Bernoulli
from arjax.models import LMConv

BATCH, SIDE, WIDTH, BLOCKS = 32, 28, 16, 5
MODEL = arjax.Model(LMConv(width=WIDTH, blocks=BLOCKS, coordinates=True), Bernoulli(), (SIDE, SIDE))
ROWS = (("LMConv, 5 blocks of 16", MODEL, BATCH),)


def parameter(value):
    return nn.Parameter(torch.tensor(np.asarray(value)))


def shifts(h, kernel, outside=0.0):
    """[B, H, W, C] as every tap sees it, row by row."""
    margin, (height, width) = kernel // 2, h.shape[1:3]
    padded = F.pad(h, (0, 0, margin, margin, margin, margin), value=outside)
    return [padded[:, r : r + height, s : s + width] for r in range(kernel) for s in range(kernel)]


def local_mask(order, kernel, *, strict):
    """[taps, H, W, 1]: 1 where what a tap sees was generated before the pixel (or is it, unless strict)."""
    rank = torch.empty(SIDE * SIDE)
    rank[order] = torch.arange(SIDE * SIDE, dtype=torch.float32)
    rank = rank.reshape(1, SIDE, SIDE, 1)
    around = torch.cat(shifts(rank, kernel, outside=SIDE * SIDE))
    return (around < rank if strict else around <= rank).float()


class LocalConv(nn.Module):
    """w [kernel, kernel, C, G], b [G]"""

    def __init__(self, w, b):
        super().__init__()
        self.kernel = len(w)
        self.weight, self.bias = parameter(w), parameter(b)

    def forward(self, h, mask):
        """[B, H, W, C] -> [B, H, W, G]"""
        y = self.bias
        for tap, seen, w in zip(shifts(h, self.kernel), mask, self.weight.flatten(0, 1), strict=True):
            y = y + (tap * seen) @ w
        return y


def concat_elu(h):
    return F.elu(torch.cat([h, -h], dim=-1), inplace=True)


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.convs = nn.ModuleList(LocalConv(params[f"w{i}"], params[f"b{i}"]) for i in range(2 * BLOCKS + 1))
        self.scale, self.shift = parameter(params["scale"]), parameter(params["shift"])
        self.skips = nn.ParameterList(parameter(params[f"w_skip{i}"]) for i in range(BLOCKS // 2))
        self.place = parameter(params["w_place"])
        self.w_out, self.b_out = parameter(params["w_out"]), parameter(params["b_out"])
        order = torch.tensor(model.permutation).long()
        self.register_buffer("strict", local_mask(order, self.convs[0].kernel, strict=True))
        self.register_buffer("mask", local_mask(order, self.convs[1].kernel, strict=False))
        axis = torch.linspace(-1, 1, SIDE)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1))

    def forward(self, x):
        """[B, H, W] bits -> theta [B, T, 1]"""
        x = 2 * x[..., None].float() - 1
        h, mirrored = self.convs[0](torch.cat([x, torch.ones_like(x)], dim=-1), self.strict), []
        h = h + self.coordinates @ self.place
        for block in range(BLOCKS):
            inside = self.convs[2 * block + 1](concat_elu(h), self.mask)
            inside = F.layer_norm(inside, (WIDTH,), self.scale[block], self.shift[block])
            if block >= (BLOCKS + 1) // 2:
                inside = inside + concat_elu(mirrored.pop()) @ self.skips[BLOCKS - 1 - block]
            value, opening = self.convs[2 * block + 2](concat_elu(inside), self.mask).chunk(2, dim=-1)
            h = h + value * torch.sigmoid(opening)
            if block < BLOCKS // 2:
                mirrored.append(h)
        return (F.elu(h) @ self.w_out + self.b_out).flatten(1, 2)


def loss(theta, x):
    """-log p(x) in nats, the mean over the batch."""
    x = x.reshape(theta.shape).to(theta.dtype)
    return F.binary_cross_entropy_with_logits(theta, x, reduction="sum") / len(x)
