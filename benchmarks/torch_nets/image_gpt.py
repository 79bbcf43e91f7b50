"""Image GPT (Chen et al. 2020) in PyTorch: 8 layers, 2 heads, 64 wide, 784 bits, batch 64.

    h_t = e(x_{t-1}) + p_t,   h <- block(h) for every block,   theta_t = norm(h_t) v

The blocks and their layouts are those of `gpt.py`; a matrix v of its own gives the logit of a bit.
"""

import torch.nn.functional as F

import arjax
from arjax.heads import Bernoulli
from arjax.models import Transformer

from . import gpt

MODEL = arjax.Model(Transformer(layers=8, heads=2, width=64), Bernoulli(), (28, 28))
BATCH = 64
ROWS = (("Image GPT 8/2/64, 784 pixels", MODEL, BATCH),)


class Net(gpt.Net):
    def __init__(self, model, params):
        super().__init__(model, params)

    def forward(self, x):
        """x int64 [B, 28, 28] -> theta [B, 784, 1]."""
        return super().forward(x.flatten(1))


def loss(theta, x):
    """-log p(x), nats per image, the mean over the batch."""
    return F.binary_cross_entropy_with_logits(theta[..., 0], x.flatten(1).float(), reduction="sum") / len(x)
