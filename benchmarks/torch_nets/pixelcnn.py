"""PixelCNN in PyTorch, with the weights of arjax's: 15 residual blocks of width 16, head 32, 28 x 28
bits, batch 64.

    h = conv_A(2 x - 1),   h <- h + conv_1x1(relu(conv_B(relu(conv_1x1(relu(h))))))
    theta = conv_1x1(relu(conv_1x1(relu(h))))

conv_A is 7 x 7 without its lower rows, conv_B 3 x 3; both multiply their weights by a mask. The
stream is 32 wide. Maps are [B, C, H, W] in the memory format channels_last (arjax: [B, H, W, C]) and
kernels [G, C, rows, columns] (arjax: the reverse).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import arjax
from arjax.heads import Bernoulli
from arjax.models import PixelCNN

BATCH, SIDE, BLOCKS = 64, 28, 15
MODEL = arjax.Model(PixelCNN(width=16, blocks=BLOCKS, head=(32,), kernel=7), Bernoulli(), (SIDE, SIDE))
ROWS = (("PixelCNN, 15 blocks of 16", MODEL, BATCH),)


class MaskedConv2d(nn.Conv2d):
    """A convolution of the rows above a pixel and of its own up to the pixel, or (strict) to the one left of it."""

    def __init__(self, w, b, *, strict=False):
        rows, kernel, inputs, outputs = w.shape
        super().__init__(inputs, outputs, (rows, kernel))
        self.weight.data = torch.tensor(np.asarray(w)).permute(3, 2, 0, 1).contiguous()
        self.bias.data = torch.tensor(np.asarray(b))
        mask = torch.ones_like(self.weight)
        mask[:, :, -1, kernel // 2 + (not strict) :] = 0
        self.register_buffer("mask", mask if kernel > 1 else None)

    def forward(self, h):
        rows, kernel = self.kernel_size
        if kernel == 1:
            return super().forward(h)
        h = F.pad(h, (kernel // 2, kernel // 2, rows - 1, 0))
        return F.conv2d(h, self.weight * self.mask, self.bias)


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        convs = [MaskedConv2d(params[f"w{i}"], params[f"b{i}"], strict=i == 0) for i in range(3 * BLOCKS + 3)]
        self.first, self.head = convs[0], nn.Sequential(nn.ReLU(), convs[-2], nn.ReLU(inplace=True), convs[-1])
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), convs[i], nn.ReLU(inplace=True), convs[i + 1], nn.ReLU(inplace=True), convs[i + 2])
            for i in range(1, 3 * BLOCKS, 3)
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        """[B, H, W] bits -> theta [B, T, 1]"""
        # One channel has no format, and what its convolution gives is not channels_last by itself.
        h = self.first(2 * x[:, None].float() - 1).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            h = h + block(h)
        return self.head(h).reshape(len(x), SIDE * SIDE, 1)


def loss(theta, x):
    """-log p(x) in nats, the mean over the batch."""
    x = x.reshape(theta.shape).to(theta.dtype)
    return F.binary_cross_entropy_with_logits(theta, x, reduction="sum") / len(x)
