"""A Bayes net with tables on nltcs (16 binary variables), on the Chow-Liu tree of its training split, by gradient.

Command: python train.py configs/chow_liu_nltcs.py
Hardware and time: 2 CPU cores, 7 seconds in all, 4 of them training, validation and test
Result: test -log p(x) = 6.760 nats per example (0.6095 bits/dim) with seed 0; independent Bernoulli 9.234

The edges are what chow_liu(x, 2) of arjax.models gives for the training split. Counting the same tables
(arjax.models.bayes_net.fit) reaches 6.759 at once: docs/bayes_nets.md.
"""

import arjax
from arjax.data import BinaryDensity
from arjax.heads import Bernoulli
from arjax.models import BayesNet
from arjax.orders import Topological
from arjax.training import Adam, Experiment

EDGES = (
    (6, 1), (0, 2), (5, 3), (13, 4), (7, 5), (2, 6), (6, 7), (6, 8),
    (7, 9), (14, 10), (10, 11), (8, 12), (14, 13), (12, 14), (12, 15),
)  # fmt: skip

experiment = Experiment(
    data=BinaryDensity("nltcs"),
    model=arjax.Model(net=BayesNet(EDGES), head=Bernoulli(), site_shape=(16,), order=Topological(EDGES)),
    optimizer=Adam(learning_rate=0.03),
    batch_size=500,
    steps=1000,
    eval_every=250,
)
