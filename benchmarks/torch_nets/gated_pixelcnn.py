"""Gated PixelCNN in PyTorch, with the weights of arjax's: 10 gated layers of width 128 after the
first, head 32, 28 x 28 bits, batch 16.

    v_0 = conv(rows above),   v_k = conv(gate(v_k-1)),   gate([a, b]) = tanh(a) sigmoid(b)
    [residual, skip] = conv_1x1(gate(conv(h_k-1) + link(v_k))),   h_k = h_k-1 + residual
    theta = conv_1x1(relu(conv_1x1(relu(sum of the skips))))

Layer 0 reads 2 x - 1 with 3 x 7 taps above and 3 to the left, and the others have 2 x 3 and 2. Maps
are [B, C, H, W] in the memory format channels_last (arjax: [B, H, W, C]) and kernels
[G, C, rows, columns] (arjax: the reverse).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import arjax
from arjax.heads import Bernoulli
from arjax.models import GatedPixelCNN

BATCH, SIDE, LAYERS = 16, 28, 10
MODEL = arjax.Model(GatedPixelCNN(width=128, layers=LAYERS, head=(32,), kernel=7), Bernoulli(), (SIDE, SIDE))
ROWS = (("gated PixelCNN, 10 layers of 128", MODEL, BATCH),)


def conv2d(w, b=None):
    """A convolution with w [rows, columns, C, G] and b [G]; who calls it pads."""
    rows, columns, inputs, outputs = w.shape
    conv = nn.Conv2d(inputs, outputs, (rows, columns), bias=b is not None)
    conv.weight.data = torch.tensor(np.asarray(w)).permute(3, 2, 0, 1).contiguous()
    if b is not None:
        conv.bias.data = torch.tensor(np.asarray(b))
    return conv


def gate(h):
    value, opening = h.chunk(2, dim=1)
    return torch.tanh(value) * torch.sigmoid(opening)


class Layer(nn.Module):
    """Layer k of both stacks."""

    def __init__(self, params, k):
        super().__init__()
        self.first = k == 0
        self.vertical = conv2d(params[f"v{k}"], params[f"v_b{k}"])
        self.link = conv2d(params[f"link{k}"][None, None])
        self.horizontal = conv2d(params[f"w{2 * k}"][None], params[f"b{2 * k}"])
        self.out = conv2d(params[f"w{2 * k + 1}"][None], params[f"b{2 * k + 1}"])
        mask = torch.ones_like(self.horizontal.weight)
        mask[..., -1] = 0  # a pixel itself
        self.register_buffer("mask", mask if self.first else None)

    def forward(self, v, h):
        """What the layer before gave -> v and [residual, skip] (the last layer's residual is empty)."""
        rows, columns = self.vertical.kernel_size
        margin, left = columns // 2, self.horizontal.kernel_size[1] - 1
        if self.first:
            v = self.vertical(F.pad(v, (margin, margin, rows, -1)))
            a = F.conv2d(F.pad(h, (left, 0)), self.horizontal.weight * self.mask, self.horizontal.bias)
            # One channel has no format, and what its convolutions give is not channels_last by itself.
            v, a = (maps.contiguous(memory_format=torch.channels_last) for maps in (v, a))
        else:
            v = self.vertical(F.pad(gate(v), (margin, margin, rows - 1, 0)))
            a = self.horizontal(F.pad(h, (left, 0)))
        return v, self.out(gate(a + self.link(v)))


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.layers = nn.ModuleList(Layer(params, k) for k in range(LAYERS + 1))
        head = [conv2d(params[f"w{i}"][None], params[f"b{i}"]) for i in (2 * LAYERS + 2, 2 * LAYERS + 3)]
        self.head = nn.Sequential(nn.ReLU(), head[0], nn.ReLU(inplace=True), head[1])
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        """[B, H, W] bits -> theta [B, T, 1]"""
        x = 2 * x[:, None].float() - 1
        v, out = self.layers[0](x, x)
        h, skips = out.chunk(2, dim=1)
        for layer in self.layers[1:-1]:
            v, out = layer(v, h)
            residual, skip = out.chunk(2, dim=1)
            h, skips = h + residual, skips + skip
        _, skip = self.layers[-1](v, h)
        return self.head(skips + skip).reshape(len(x), SIDE * SIDE, 1)


def loss(theta, x):
    """-log p(x) in nats, the mean over the batch."""
    x = x.reshape(theta.shape).to(theta.dtype)
    return F.binary_cross_entropy_with_logits(theta, x, reduction="sum") / len(x)
