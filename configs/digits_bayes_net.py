"""A Bayes net with tables on scikit-learn's 8x8 digits, binarized.

A pixel's parents are the six nearest of those generated before it.

Command: python train.py configs/digits_bayes_net.py
Hardware and time: not trained to the end; 20 seconds on 2 busy CPU cores for the table of README
Result: 20.81 +- 0.42 nats per example (0.469 bits/dim) on the test split after 23375 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import BayesNet
from arjax.orders import Topological
from arjax.training import Adam, Experiment

# The nearest of the pixels that come before in raster order: rows down, columns to the right.
NEAR = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
EDGES = tuple(
    ((row + down) * 8 + column + right, row * 8 + column)
    for row in range(8)
    for column in range(8)
    for down, right in NEAR
    if row + down >= 0 and 0 <= column + right < 8
)

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=BayesNet(EDGES),
        head=Bernoulli(),
        site_shape=(8, 8),
        order=Topological(EDGES),
    ),
    optimizer=Adam(learning_rate=0.03),
    batch_size=100,
    steps=1000,
    eval_every=250,
)
