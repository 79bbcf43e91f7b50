"""A Bayes net with tables on fixed binarized MNIST (Larochelle and Murray).

A pixel's parents are the twelve nearest of those generated before it.

Command: python train.py configs/mnist_bayes_net.py
Hardware and time: not trained to the end; 120 seconds on 2 busy CPU cores for the table of README
Result: 97.86 +- 0.72 nats per example (0.180 bits/dim) on 1000 test images after 4124 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import BayesNet
from arjax.orders import Topological
from arjax.training import Adam, Experiment

# The nearest of the pixels that come before in raster order: rows down, columns to the right.
NEAR = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2), (-2, -1), (-2, 1), (0, -3), (-3, 0))
EDGES = tuple(
    ((row + down) * 28 + column + right, row * 28 + column)
    for row in range(28)
    for column in range(28)
    for down, right in NEAR
    if row + down >= 0 and 0 <= column + right < 28
)

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=BayesNet(EDGES),
        head=Bernoulli(),
        site_shape=(28, 28),
        order=Topological(EDGES),
    ),
    optimizer=Adam(learning_rate=0.03),
    batch_size=100,
    steps=1000,
    eval_every=250,
)
