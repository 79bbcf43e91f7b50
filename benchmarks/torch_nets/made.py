"""MADE (Germain, Gregor, Murray, Larochelle 2015) in PyTorch: 500 hidden units, 784 bits, batch 64.

    h = relu(b + (W * M) x),   theta = c + (V * M') h

The degrees m of the hidden units are spread evenly over 0..T-2. M lets a unit see the bits t <= m,
M' lets the output of bit t see the units m < t; both multiply the weights in every forward pass.
V and c lack the axis of head parameters that they have in arjax.
"""

import numpy as np
import torch
import torch.nn.functional as F

import arjax
from arjax.heads import Bernoulli
from arjax.models import MADE

HIDDEN = 500
MODEL = arjax.Model(MADE(hidden=(HIDDEN,)), Bernoulli(), (28, 28))
BATCH = 64
ROWS = (("MADE 784-500", MODEL, BATCH),)


class Net(torch.nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.w, self.b = parameter(params["w0"]), parameter(params["b0"])
        self.v, self.c = parameter(params["v"][:, 0]), parameter(params["c"][:, 0])
        sites = torch.arange(model.num_sites)
        degrees = torch.arange(HIDDEN) * (model.num_sites - 1) // HIDDEN
        self.register_buffer("w_mask", (sites <= degrees[:, None]).float())
        self.register_buffer("v_mask", (degrees < sites[:, None]).float())

    def forward(self, x):
        """x int64 [B, 28, 28] -> theta [B, 784, 1]."""
        h = F.relu(F.linear(x.flatten(1).float(), self.w * self.w_mask, self.b))
        return F.linear(h, self.v * self.v_mask, self.c)[..., None]


def parameter(value):
    return torch.nn.Parameter(torch.tensor(np.asarray(value)))


def loss(theta, x):
    """-log p(x), nats per image, the mean over the batch."""
    return F.binary_cross_entropy_with_logits(theta[..., 0], x.flatten(1).float(), reduction="sum") / len(x)
