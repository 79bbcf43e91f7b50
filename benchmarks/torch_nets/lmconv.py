"""LMConv in PyTorch, with the weights of arjax's: 5 gated blocks of width 16, coordinates, 28 x 28 bits, raster order, batch 32.

    h = conv(x, 1) + coordinates,   u = layer_norm(conv(celu(h))) [+ celu(h of the mirrored block) W],   celu(h) = elu([h, -h])
    h <- h + a sigmoid(b),   [a, b] = conv(celu(u)),   theta = elu(h) w

A convolution (5 x 5 first, then 3 x 3) is one product of weights with the windows of all pixels (F.unfold), masked at every pixel
by what was generated before it: the order is data, as in arjax, and no mask of weights. Maps are [B, C, H, W], and a window's
features lie channel by channel (arjax: [B, H, W, C], tap by tap); windows are kept for the gradient (arjax makes them again).
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


def local_mask(order, kernel, *, strict):
    """[1, 1, taps, T]: 1 where a tap of the window around a pixel was generated before it (or with it, unless strict)."""
    rank = torch.empty(SIDE * SIDE)
    rank[order] = torch.arange(SIDE * SIDE, dtype=torch.float32)
    rank = F.pad(rank.reshape(1, 1, SIDE, SIDE), [kernel // 2] * 4, value=SIDE * SIDE)
    around = F.unfold(rank, kernel)[0]
    centre = around[len(around) // 2]
    return (around < centre if strict else around <= centre).float()[None, None]


class LocalConv(nn.Module):
    """w [kernel, kernel, C, G], b [G]"""

    def __init__(self, w, b):
        super().__init__()
        self.kernel = len(w)
        self.weight = parameter(np.asarray(w).transpose(3, 2, 0, 1).reshape(w.shape[-1], -1).copy())
        self.bias = parameter(b)

    def forward(self, h, mask):
        """[B, C, H, W] -> [B, G, H, W]"""
        windows = F.unfold(h, self.kernel, padding=self.kernel // 2)
        windows = (windows.unflatten(1, (h.shape[1], -1)) * mask).flatten(1, 2)
        return (self.weight @ windows + self.bias[:, None]).unflatten(2, h.shape[2:])


def concat_elu(h):
    return F.elu(torch.cat([h, -h], dim=1), inplace=True)


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.convs = nn.ModuleList(LocalConv(params[f"w{i}"], params[f"b{i}"]) for i in range(2 * BLOCKS + 1))
        self.scale, self.shift = parameter(params["scale"]), parameter(params["shift"])
        self.skips = nn.ParameterList(parameter(np.asarray(params[f"w_skip{i}"]).T.copy()) for i in range(BLOCKS // 2))
        self.place = parameter(params["w_place"])
        self.w_out, self.b_out = parameter(params["w_out"]), parameter(params["b_out"])
        order, kernels = torch.tensor(model.permutation).long(), [self.convs[0].kernel, self.convs[1].kernel]
        for name, kernel, strict in zip(("strict", "mask"), kernels, (True, False), strict=True):
            self.register_buffer(name, local_mask(order, kernel, strict=strict))
        axis = torch.linspace(-1, 1, SIDE)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(axis, axis, indexing="ij")))

    def forward(self, x):
        """[B, H, W] bits -> theta [B, T, 1]"""
        x = 2 * x[:, None].float() - 1
        h, mirrored = self.convs[0](torch.cat([x, torch.ones_like(x)], dim=1), self.strict), []
        h = h + torch.einsum("ahw,ad->dhw", self.coordinates, self.place)
        for block in range(BLOCKS):
            inside = self.convs[2 * block + 1](concat_elu(h), self.mask).permute(0, 2, 3, 1)
            inside = F.layer_norm(inside, (WIDTH,), self.scale[block], self.shift[block]).permute(0, 3, 1, 2)
            if block >= (BLOCKS + 1) // 2:
                inside = inside + F.conv2d(concat_elu(mirrored.pop()), self.skips[BLOCKS - 1 - block][..., None, None])
            value, opening = self.convs[2 * block + 2](concat_elu(inside), self.mask).chunk(2, dim=1)
            h = h + value * torch.sigmoid(opening)
            if block < BLOCKS // 2:
                mirrored.append(h)
        return F.elu(h).flatten(2).transpose(1, 2) @ self.w_out + self.b_out


def loss(theta, x):
    """-log p(x) in nats, the mean over the batch."""
    x = x.reshape(theta.shape).to(theta.dtype)
    return F.binary_cross_entropy_with_logits(theta, x, reduction="sum") / len(x)
