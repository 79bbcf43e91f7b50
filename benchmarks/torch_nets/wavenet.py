"""WaveNet in PyTorch, with the weights of arjax's: 3 stacks of 10 layers, 64 residual and 128 skip
channels, 256 symbols, 4000 samples, batch 2.

    h = conv(e(x one step late)),   d = 1, 2, 4 ... 512 in each stack
    z = tanh(f) sigmoid(g),   [f, g] = conv_d(h),   h <- h + conv_1x1(z)
    theta = A relu(B relu(sum over the layers of S z))

Every convolution but those of 1 tap has 2, and is padded on the left by its dilation. Maps are
[B, C, T] (arjax: [B, T, C]), and kernels [G, C, taps] (arjax: the reverse). The skip connections of
all layers are one product, as in arjax.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import arjax
from arjax.heads import Categorical
from arjax.models import WaveNet

BATCH, LENGTH, VOCAB, STACKS, LAYERS = 2, 4000, 256, 3, 10
MODEL = arjax.Model(WaveNet(stacks=STACKS, layers=LAYERS, width=64, skip=128, readout=128), Categorical(VOCAB), (LENGTH,))
ROWS = (("WaveNet, 30 layers of 64, 4000 samples", MODEL, BATCH),)


def conv1d(w, b, dilation=1):
    """A convolution with w [taps, C, G] and b [G]; who calls it pads."""
    taps, inputs, outputs = w.shape
    conv = nn.Conv1d(inputs, outputs, taps, dilation=dilation)
    conv.weight.data = torch.tensor(np.asarray(w)).permute(2, 1, 0).contiguous()
    conv.bias.data = torch.tensor(np.asarray(b))
    return conv


class Net(nn.Module):
    def __init__(self, model, params):
        super().__init__()
        depth, table = STACKS * LAYERS, torch.tensor(np.asarray(params["w_in"][0]))
        self.embedding = nn.Embedding.from_pretrained(table, freeze=False)
        self.first = conv1d(params["w_first"], params["b_first"])
        self.gates = nn.ModuleList(conv1d(params[f"w{i}"], params[f"b{i}"], 2 ** (i % LAYERS)) for i in range(depth))
        self.residuals = nn.ModuleList(conv1d(params[f"r{i}"][None], params[f"r_b{i}"]) for i in range(depth - 1))
        self.readout = nn.ModuleList(conv1d(params[f"v{i}"][None], params[f"c{i}"]) for i in range(3))

    def forward(self, x):
        """[B, T] symbols -> theta [B, T, V]"""
        h = self.embedding(x).transpose(1, 2)
        h = self.first(F.pad(h, (2, -1)))  # one for the second tap, one for the step that symbols are late
        gated = []
        for i, conv in enumerate(self.gates):
            f, g = conv(F.pad(h, (conv.dilation[0], 0))).chunk(2, dim=1)
            gated.append(torch.tanh(f) * torch.sigmoid(g))
            if i < len(self.residuals):
                h = h + self.residuals[i](gated[-1])
        h = torch.cat(gated, dim=1)
        for i, conv in enumerate(self.readout):
            h = conv(F.relu(h) if i else h)
        return h.transpose(1, 2)


def loss(theta, x):
    """-log p(x) in nats, the mean over the batch."""
    return F.cross_entropy(theta.flatten(0, 1), x.flatten(), reduction="sum") / len(x)
