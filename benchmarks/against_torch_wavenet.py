"""Sampling a WaveNet: arjax's rings in one scan beside PyTorch with queues, stepped from Python; one process, the same weights.

    pip install -e ".[peers]"
    python benchmarks/against_torch_wavenet.py

10 layers x 3 stacks of kernel 2, 32 residual channels, 1024 skip, 512 before the output, 256 symbols: the shape of a well-known
PyTorch implementation. Two peers: `Conv1d`, which calls the modules that it would be trained with on two samples at a time, as
such implementations do; and `linear`, which was written to be fast from Python: one product a layer for both taps. First they are
shown to compute the same as arjax; then each draws `LENGTH` samples, in turn. Printed: the median rate of `RUNS` turns and the
median of the ratios.
"""

import itertools
import statistics
import time

import jax
import numpy as np
import torch

import arjax
from arjax.heads import Categorical
from arjax.models import WaveNet

STACKS, LAYERS, WIDTH, SKIP, READOUT, VOCAB = 3, 10, 32, 1024, 512, 256
DILATIONS = [2**layer for layer in range(LAYERS)] * STACKS
LENGTH, RUNS = 1000, 5
NET = WaveNet(stacks=STACKS, layers=LAYERS, width=WIDTH, skip=SKIP, readout=READOUT)


def as_tensor(value):
    return torch.tensor(np.asarray(value))


class Queue:
    """The last `lag` vectors [B, D] of a sequence, zeros before its start."""

    def __init__(self, lag: int, batch: int):
        self.slots, self.t = torch.zeros(lag, batch, WIDTH), 0

    def exchange(self, h):
        """What was put in `lag` calls ago, for h."""
        slot = self.t % len(self.slots)
        old = self.slots[slot].clone()
        self.slots[slot] = h
        self.t += 1
        return old


class Linear:
    """Products of [B, D] with weights laid side by side."""

    def __init__(self, params):
        self.first = (as_tensor(params["w_first"]).reshape(2 * WIDTH, WIDTH), as_tensor(params["b_first"]))
        depth = len(DILATIONS)
        self.gate = [(as_tensor(params[f"w{i}"]).reshape(2 * WIDTH, -1), as_tensor(params[f"b{i}"])) for i in range(depth)]
        self.residual = [(as_tensor(params[f"r{i}"]), as_tensor(params[f"r_b{i}"])) for i in range(depth - 1)]
        self.skip = as_tensor(params["v0"]).reshape(depth, WIDTH, SKIP)
        self.read = [(as_tensor(params[f"v{i}"]), as_tensor(params[f"c{i}"])) for i in (1, 2)]
        self.skip_bias = as_tensor(params["c0"])
        self.table = as_tensor(params["w_in"])[0]

    def enter(self, old, h):
        w, b = self.first
        return torch.addmm(b, torch.cat([old, h], dim=1), w)

    def layer(self, i, old, h):
        """-> (z S, h + z R)"""
        w, b = self.gate[i]
        f, g = torch.addmm(b, torch.cat([old, h], dim=1), w).chunk(2, dim=1)
        z = torch.tanh(f) * torch.sigmoid(g)
        if i == len(DILATIONS) - 1:
            return z @ self.skip[i], h
        w, b = self.residual[i]
        return z @ self.skip[i], h + torch.addmm(b, z, w)

    def out(self, total):
        for w, b in self.read:
            total = torch.addmm(b, torch.relu(total), w)
        return total


class Conv1d:
    """The modules it would be trained with, called on the two samples that a kernel covers."""

    def __init__(self, params):
        def conv(w, b=None):
            w = as_tensor(w)
            w = w if w.ndim == 3 else w[None]
            module = torch.nn.Conv1d(w.shape[1], w.shape[2], w.shape[0], bias=b is not None)
            module.weight.data = w.permute(2, 1, 0).contiguous()
            if b is not None:
                module.bias.data = as_tensor(b)
            return module

        depth = len(DILATIONS)
        halves = [(np.split(np.asarray(params[f"w{i}"]), 2, -1), np.split(np.asarray(params[f"b{i}"]), 2)) for i in range(depth)]
        self.first = conv(params["w_first"], params["b_first"])
        self.filter = [conv(w[0], b[0]) for w, b in halves]
        self.gate = [conv(w[1], b[1]) for w, b in halves]
        self.residual = [conv(params[f"r{i}"], params[f"r_b{i}"]) for i in range(depth - 1)]
        self.skip = [conv(w) for w in np.asarray(params["v0"]).reshape(depth, WIDTH, SKIP)]
        self.read = [conv(params[f"v{i}"], params[f"c{i}"]) for i in (1, 2)]
        self.skip_bias = as_tensor(params["c0"])
        self.table = as_tensor(params["w_in"])[0]

    def enter(self, old, h):
        return self.first(torch.stack([old, h], dim=2))[..., 0]

    def layer(self, i, old, h):
        both = torch.stack([old, h], dim=2)
        z = torch.tanh(self.filter[i](both)) * torch.sigmoid(self.gate[i](both))
        skip = self.skip[i](z)[..., 0]
        return (skip, h) if i == len(DILATIONS) - 1 else (skip, h + self.residual[i](z)[..., 0])

    def out(self, total):
        for module in self.read:
            total = module(torch.relu(total)[..., None])[..., 0]
        return total


@torch.no_grad()
def run(net, batch: int, choose) -> torch.Tensor:
    """[B, n]: from the start, the symbols that `choose(t, logits)` returns until it returns None."""
    h, out = torch.zeros(batch, WIDTH), []
    queues = [Queue(lag, batch) for lag in [1, *DILATIONS]]
    for t in itertools.count():
        h = net.enter(queues[0].exchange(h), h)
        total = net.skip_bias
        for i, queue in enumerate(queues[1:]):
            skip, h = net.layer(i, queue.exchange(h), h)
            total = total + skip
        symbol = choose(t, net.out(total))
        if symbol is None:
            return torch.stack(out, dim=1) if out else None
        out.append(symbol)
        h = net.table[symbol]


def sample(net, batch: int):
    """[B, LENGTH] symbols."""

    def draw(t, logits):
        return None if t == LENGTH else torch.multinomial(torch.softmax(logits, dim=1), 1)[:, 0]

    return run(net, batch, draw)


def logits_of(net, x):
    """[B, T] -> [B, T, V]"""
    seen = []

    def follow(t, logits):
        seen.append(logits)
        return x[:, t] if t + 1 < x.shape[1] else None

    run(net, len(x), follow)
    return torch.stack(seen, dim=1)


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    model, key = arjax.Model(NET, Categorical(VOCAB), (LENGTH,)), jax.random.key(1)
    params = arjax.init(model, jax.random.key(0))
    peers = {"Conv1d": Conv1d(params), "linear": Linear(params)}
    print(f"JAX {jax.__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {LENGTH} samples a turn")
    x = np.asarray(arjax.sample(model, params, key, batch=2))
    expected = np.asarray(arjax.theta(model, params, x))
    for name, peer in peers.items():
        difference = np.abs(logits_of(peer, torch.tensor(x).long()).numpy() - expected).max()
        print(f"{name}: logits differ from arjax's by {difference:.1e}")
    print("batch  peer    arjax, samples/s  peer, samples/s  ratio")
    for batch, (name, peer) in itertools.product((1, 16), peers.items()):

        def ours(batch=batch):
            jax.block_until_ready(arjax.sample(model, params, key, batch=batch))

        def theirs(batch=batch, peer=peer):
            sample(peer, batch)

        ours(), theirs()  # compile and warm up
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
        our, their = (batch * LENGTH / statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"{batch:5}  {name:6}  {our:16,.0f}  {their:15,.0f}  {statistics.median(b / a for a, b in pairs):5.1f}")


if __name__ == "__main__":
    main()
