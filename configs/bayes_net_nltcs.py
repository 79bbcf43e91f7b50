"""A Bayes net with a small network for each node on nltcs (16 binary variables), every earlier variable a parent.

Command: python train.py configs/bayes_net_nltcs.py
Hardware and time: 2 CPU cores, 7 seconds in all
Result: test -log p(x) = 5.995 nats per example (0.5406 bits/dim) with seed 0; the Chow-Liu tree of chow_liu_nltcs.py 6.760,
independent Bernoulli 9.234

ORDER is the topological order of that tree, Topological(edges).permutation((16,)): a variable comes after one that tells much
of it.
"""

import arjax
from arjax.data import BinaryDensity
from arjax.heads import Bernoulli
from arjax.models import NeuralBayesNet
from arjax.orders import Topological
from arjax.training import AdamW, Cosine, Experiment

ORDER = (0, 2, 6, 1, 7, 5, 3, 8, 9, 12, 14, 10, 11, 13, 4, 15)
EDGES = tuple((parent, child) for i, child in enumerate(ORDER) for parent in ORDER[:i])

experiment = Experiment(
    data=BinaryDensity("nltcs"),
    model=arjax.Model(net=NeuralBayesNet(EDGES, hidden=(32,)), head=Bernoulli(), site_shape=(16,), order=Topological(EDGES)),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=100,
    steps=6000,
    eval_every=500,
)
