"""MADE with one hidden layer on fixed binarized MNIST (Larochelle and Murray), one mask.

Command: python train.py configs/mnist_made.py
Hardware and time: 2 CPU cores, 31 minutes, on a machine that was busy with other work for half of them
Result: test -log p(x) = 87.71 +- 0.23 nats per example (0.161 bits/dim) with seed 0, at the step (8000) that was best on
validation (88.47); the paper gives 88.40 for one hidden layer and one mask, 88.04 for 32 masks

Width is what generalises: with the other settings alike, 10000 steps gave 88.63 at 4000 units. Half of the units are dropped.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(net=MADE(hidden=(8000,), direct=True, dropout=0.5), head=Bernoulli(), site_shape=(28, 28)),
    optimizer=Adam(learning_rate=1e-3, schedule=Cosine(warmup=200), b2=0.99, clip=10.0),
    batch_size=100,
    steps=12000,
    eval_every=1000,
)
