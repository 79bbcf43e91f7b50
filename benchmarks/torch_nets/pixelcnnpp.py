"""PixelCNN++ (Salimans, Karpathy, Chen, Kingma 2017) in PyTorch: two streams of shifted convolutions, u and ul.

    c = conv(f(h)) + W f(skip) + W' f(u),   h <- h + glu(conv(f(c))),   f(h) = elu([h, -h]),   theta = W elu(ul)

Each stream is 32 channels wide. It has 2 blocks at each of 3 levels (28x28, 14x14, 7x7) on the way down, and 3, 3 and 2 on the
way up. Kernels are 2x3 in u and 2x2 in ul. The head has one logit for each binary pixel.

Layouts: maps are [B, C, H, W] in channels_last, where arjax has [B, H, W, C]; weights are [G, C, rows, columns], and
[C, G, rows, columns] in transposed convolutions, where arjax has [rows, columns, C, G]. A shifted convolution pads on both sides
and drops what lies beyond the map, which is faster here than padding on one side. f(h) is computed once for all its readers.
"""

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import arjax
from arjax.heads import Bernoulli
from arjax.models import PixelCNNPP

WIDTH, RESNETS, LEVELS = 32, 2, 3
MODEL = arjax.Model(PixelCNNPP(width=WIDTH, resnets=RESNETS, levels=LEVELS, dropout=0.0), Bernoulli(), (28, 28))
BATCH = 16
ROWS = (("PixelCNN++ 32 wide, 2 resnets, 3 levels", MODEL, BATCH),)


def concat_elu(h):
    return F.elu(torch.cat([h, -h], dim=1), inplace=True)


def filled(layer, w, b=None):
    """Returns the layer after copying w, in the layer's own layout, and the bias b if there is one."""
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.asarray(w)))
        if b is not None:
            layer.bias.copy_(torch.tensor(np.asarray(b)))
    return layer


def matrix(w, b=None):
    """Returns the 1x1 convolution with weights w [C, G]."""
    w = np.asarray(w)
    return filled(nn.Conv2d(*w.shape, 1, bias=b is not None), w.T[..., None, None], b)


class ShiftedConv(nn.Module):
    """A convolution of a map moved down by `down` rows. It reads its own row and the row above; with 3 columns its own column
    and both neighbours, with 2 its own and the left one."""

    def __init__(self, params, stride=1, down=0):
        super().__init__()
        w = np.asarray(params["w"])
        rows, columns, inputs, outputs = w.shape
        layer = nn.Conv2d(inputs, outputs, (rows, columns), stride, padding=(rows - 1 + down, 1))
        self.conv, self.stride = filled(layer, w.transpose(3, 2, 0, 1), params["b"]), stride

    def forward(self, h):
        rows, columns = (size // self.stride for size in h.shape[2:])
        return self.conv(h)[:, :, :rows, :columns]


def shifted_transpose(params):
    """Returns the transposed convolution of stride 2. Each pixel reaches the 4 pixels at its position, and with 3 columns also
    the 2 pixels left of them."""
    w = np.asarray(params["w"])
    more = w.shape[1] - 2
    layer = nn.ConvTranspose2d(WIDTH, WIDTH, w.shape[:2], stride=2, padding=(0, more), output_padding=(0, more))
    return filled(layer, w.transpose(2, 3, 0, 1), params["b"])


class Block(nn.Module):
    def __init__(self, params):
        super().__init__()
        self.conv_in, self.conv_out = ShiftedConv(params["conv_in"]), ShiftedConv(params["conv_out"])
        self.skip, self.project = (matrix(params[name]) if name in params else None for name in ("w_skip", "w_tell"))

    def forward(self, h, f, skip=None, other=None):
        """Returns (h, f(h), its projection for the other stream or None) after the block, from maps h, f(h) and f(skip)."""
        inside = self.conv_in(f)
        if skip is not None:
            inside = inside + self.skip(skip)
        if other is not None:
            inside = inside + other
        h = h + F.glu(self.conv_out(concat_elu(inside)), dim=1)
        f = concat_elu(h)
        return h, f, self.project and self.project(f)


class Level(nn.Module):
    """A stream at one resolution and at the coarser ones below it."""

    def __init__(self, params):
        super().__init__()
        self.coarser = None
        if "coarser" in params:
            self.downsample = ShiftedConv(params["halve"], stride=2)
            self.coarser = Level(params["coarser"])
            self.upsample = shifted_transpose(params["double"])
        num = 2 * RESNETS + (self.coarser is not None)
        self.blocks = nn.ModuleList(Block(params[f"blocks_{k}"]) for k in range(num))

    def forward(self, h, others):
        """Returns (h, the projections of all blocks in the order they run). others: an iterator over the other stream's."""
        f = concat_elu(h)
        skips, projections = [f], []
        for block in self.blocks[:RESNETS]:
            h, f, projection = block(h, f, other=next(others))
            skips.append(f)
            projections.append(projection)
        if self.coarser:
            h, more = self.coarser(self.downsample(h), others)
            h = self.upsample(h)
            f = concat_elu(h)
            projections += more
        else:
            skips.pop()
        for block in self.blocks[RESNETS:]:
            h, f, projection = block(h, f, skips.pop(), next(others))
            projections.append(projection)
        return h, projections


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.first, self.above = ShiftedConv(params["first"], down=1), ShiftedConv(params["above"], down=1)
        self.left, self.theta = matrix(params["w_left"]), matrix(params["w_theta"], params["b_theta"])
        self.u, self.ul = Level(params["u"]), Level(params["ul"])
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        """x [B, H, W] -> theta [B, H W, 1]."""
        x = 2 * x[:, None].float() - 1
        x = torch.cat([x, torch.ones_like(x)], dim=1).contiguous(memory_format=torch.channels_last)
        _, projections = self.u(self.first(x), itertools.repeat(None))
        h, _ = self.ul(self.above(x) + self.left(F.pad(x, (1, -1))), iter(projections))
        return self.theta(F.elu(h)).flatten(1)[..., None]


def loss(theta, x):
    return F.binary_cross_entropy_with_logits(theta.flatten(1), x.flatten(1).float(), reduction="sum") / len(x)
