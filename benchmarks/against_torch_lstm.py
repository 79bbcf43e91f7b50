"""Sampling an LSTM: arjax's scan beside PyTorch's LSTMCell stepped from Python, one process, the same weights.

    pip install -e ".[peers]"
    python benchmarks/against_torch_lstm.py

Embedding 512, one LSTM of 512, 65 symbols, float32, both on the CPU with all its cores. First the two are shown to compute the
same: the greatest difference of their logits over a sequence. Then each draws 256 symbols, in turn; what is printed is the
median rate of `RUNS` turns and the median of their ratios.
"""

import statistics
import time

import jax
import numpy as np
import torch

import arjax
from arjax.heads import Categorical
from arjax.models import RNN

WIDTH, VOCAB, LENGTH, RUNS = 512, 65, 256, 9
MODEL = arjax.Model(RNN("lstm", width=WIDTH, embedding=WIDTH), Categorical(VOCAB), (LENGTH,))


class Peer(torch.nn.Module):
    """The same network, as one writes it in PyTorch."""

    def __init__(self, params):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCAB, WIDTH)
        self.cell = torch.nn.LSTMCell(WIDTH, WIDTH)
        self.head = torch.nn.Linear(WIDTH, VOCAB)
        weights = {
            self.embedding.weight: params["table"],
            self.cell.weight_ih: params["w0"][0].T,
            self.cell.weight_hh: params["u0"].T,
            self.cell.bias_ih: params["b0"],
            self.cell.bias_hh: np.zeros(4 * WIDTH),
            self.head.weight: params["v"].T,
            self.head.bias: params["c"],
        }
        with torch.no_grad():
            for parameter, value in weights.items():
                parameter.copy_(torch.tensor(np.asarray(value)))

    def step(self, embedded, state):
        h, c = self.cell(embedded, state)
        return self.head(h), (h, c)

    @torch.no_grad()
    def logits(self, x):
        """[B, T] -> [B, T, V]; the first symbol is preceded by zeros, as in arjax."""
        embedded, state, out = torch.zeros(len(x), WIDTH), None, []
        for t in range(x.shape[1]):
            logits, state = self.step(embedded, state)
            embedded = self.embedding(x[:, t])
            out.append(logits)
        return torch.stack(out, dim=1)

    @torch.no_grad()
    def sample(self, batch):
        """[B, T] symbols."""
        embedded, state, out = torch.zeros(batch, WIDTH), None, []
        for _ in range(LENGTH):
            logits, state = self.step(embedded, state)
            symbol = torch.multinomial(torch.softmax(logits, dim=-1), 1)[:, 0]
            embedded = self.embedding(symbol)
            out.append(symbol)
        return torch.stack(out, dim=1)


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    params, key = arjax.init(MODEL, jax.random.key(0)), jax.random.key(1)
    peer = Peer(params)
    x = np.asarray(arjax.sample(MODEL, params, key, batch=2))
    difference = np.abs(peer.logits(torch.tensor(x).long()).numpy() - np.asarray(arjax.theta(MODEL, params, x))).max()
    print(f"JAX {jax.__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"logits differ by {difference:.1e}")
    print("batch  arjax, tokens/s  LSTMCell, tokens/s  ratio")
    for batch in (1, 16, 64):

        def ours(batch=batch):
            jax.block_until_ready(arjax.sample(MODEL, params, key, batch=batch))

        def theirs(batch=batch):
            peer.sample(batch)

        ours(), theirs()  # compile and warm up
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
        our, their = (batch * LENGTH / statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{batch:5}  {our:15,.0f}  {their:18,.0f}  {ratio:5.2f}")


if __name__ == "__main__":
    main()
