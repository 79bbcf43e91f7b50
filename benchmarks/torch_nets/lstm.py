"""An LSTM in PyTorch: embedding 512, one LSTM of 512, 65 symbols, sequences of 256, batch 16.

    h_t, c_t = LSTM(e(x_{t-1}), h_{t-1}, c_{t-1}),   theta_t = V h_t + c

`nn.LSTM` runs over the whole sequence, time first, with the gates in arjax's order. The start is a
symbol of its own, whose row of the table stays zero. Matrices are transposed. `nn.LSTM` has two
biases and arjax has one: the second is zero and not trained. arjax applies the LSTM's input weights
to the table rather than to every symbol of the batch, which `nn.LSTM` cannot.
"""

import numpy as np
import torch
import torch.nn.functional as F

import arjax
from arjax.heads import Categorical
from arjax.models import RNN

WIDTH, VOCAB, LENGTH = 512, 65, 256
MODEL = arjax.Model(RNN("lstm", width=WIDTH, embedding=WIDTH), Categorical(VOCAB), (LENGTH,))
BATCH = 16
ROWS = (("LSTM 512, 256 symbols", MODEL, BATCH),)


class Net(torch.nn.Module):
    def __init__(self, model, params):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCAB + 1, WIDTH, padding_idx=VOCAB)
        self.lstm = torch.nn.LSTM(WIDTH, WIDTH)
        self.head = torch.nn.Linear(WIDTH, VOCAB)
        weights = {
            self.embedding.weight: np.pad(params["table"], ((0, 1), (0, 0))),
            self.lstm.weight_ih_l0: params["w0"][0].T,
            self.lstm.weight_hh_l0: params["u0"].T,
            self.lstm.bias_ih_l0: params["b0"],
            self.lstm.bias_hh_l0: np.zeros(4 * WIDTH),
            self.head.weight: params["v"].T,
            self.head.bias: params["c"],
        }
        with torch.no_grad():
            for parameter, value in weights.items():
                parameter.copy_(torch.tensor(np.asarray(value)))
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        """x int64 [B, T] -> theta [B, T, V]."""
        known = F.pad(x.T[:-1], (0, 0, 1, 0), value=VOCAB)
        h, _ = self.lstm(self.embedding(known))
        return self.head(h).transpose(0, 1)


def loss(theta, x):
    """-log p(x), nats per sequence, the mean over the batch."""
    return F.cross_entropy(theta.flatten(0, 1), x.flatten(), reduction="sum") / len(x)
