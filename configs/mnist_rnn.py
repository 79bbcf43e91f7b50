"""A GRU over the pixels of fixed binarized MNIST (Larochelle and Murray), row by row.

Command: python train.py configs/mnist_rnn.py
Hardware and time: not trained to the end; 120 seconds on 2 busy CPU cores for the table of README
Result: 119.84 +- 0.83 nats per example (0.221 bits/dim) on 1000 test images after 241 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import RNN
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=RNN("gru", width=128, coordinates=True),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), clip=1.0),
    batch_size=32,
    steps=2000,
    eval_every=500,
)
