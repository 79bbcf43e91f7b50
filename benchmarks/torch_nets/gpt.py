"""GPT (Radford et al. 2019) in PyTorch over 65 symbols, in the two sizes of nanoGPT's Shakespeare.

    h_t = e(x_{t-1}) + p_t,   theta = norm(h) E^T, with in every block
    h <- h + attention(norm(h)),   h <- h + W' gelu(W norm(h))

4 layers, 4 heads, 128 wide, 64 symbols, batch 12; and 6 layers, 6 heads, 384 wide, 256 symbols,
batch 16. One product gives queries, keys and values; gelu is the exact one. `Linear` keeps its
matrix transposed. The vector of the start is one more row of the table; arjax keeps it apart.
`image_gpt.py` has the same blocks.
"""

import numpy as np
import torch
import torch.nn.functional as F

import arjax
from arjax.heads import Categorical
from arjax.models import Transformer


def row(layers, heads, width, length, batch):
    net = Transformer(layers=layers, heads=heads, width=width, tied=True)
    return f"GPT {layers}/{heads}/{width}, context {length}", arjax.Model(net, Categorical(65), (length,)), batch


ROWS = (row(4, 4, 128, 64, 12), row(6, 6, 384, 256, 16))


class Net(torch.nn.Module):
    """A matrix `v` among the params gives theta; without one, the table does."""

    def __init__(self, model, params):
        super().__init__()
        self.start = model.head.vocab
        self.table = parameter(np.concatenate([params["table"][0], params["start"][None]]))
        self.positions = parameter(params["next"]["table"])
        self.blocks = torch.nn.Sequential(*(Block(model.net.heads, params[f"blocks_{i}"]) for i in range(model.net.layers)))
        self.norm = layer_norm(params["last_norm"])
        self.v = parameter(params["v"].T) if "v" in params else None

    def forward(self, x):
        """x int64 [B, T] -> theta [B, T, P]."""
        known = F.pad(x[:, :-1], (1, 0), value=self.start)
        h = self.norm(self.blocks(F.embedding(known, self.table) + self.positions))
        return F.linear(h, self.table[: self.start] if self.v is None else self.v)


class Block(torch.nn.Module):
    def __init__(self, heads, params):
        super().__init__()
        attention, self.heads = params["attention"], heads
        self.norm_attention, self.norm_mlp = layer_norm(params["norm_self"]), layer_norm(params["norm_mlp"])
        self.qkv, self.out = linear(attention["w_in"], attention["b_in"]), linear(attention["w_out"], attention["b_out"])
        self.up, self.down = linear(params["w_up"], params["b_up"]), linear(params["w_down"], params["b_down"])

    def forward(self, h):
        h = h + self.attention(self.norm_attention(h))
        return h + self.down(F.gelu(self.up(self.norm_mlp(h))))

    def attention(self, h):
        batch, length, width = h.shape
        qkv = self.qkv(h).split(width, dim=-1)
        q, k, v = (part.view(batch, length, self.heads, width // self.heads).transpose(1, 2) for part in qkv)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


def linear(w, b):
    """The layer h -> h w + b."""
    layer = torch.nn.Linear(*w.shape)
    layer.weight, layer.bias = parameter(w.T), parameter(b)
    return layer


def layer_norm(params):
    layer = torch.nn.LayerNorm(len(params["scale"]), eps=1e-5)
    layer.weight, layer.bias = parameter(params["scale"]), parameter(params["bias"])
    return layer


def parameter(value):
    return torch.nn.Parameter(torch.tensor(np.ascontiguousarray(value)))


def loss(theta, x):
    """-log p(x), nats per sequence, the mean over the batch."""
    return F.cross_entropy(theta.flatten(0, 1), x.flatten(), reduction="sum") / len(x)
