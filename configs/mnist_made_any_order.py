"""MADE with two hidden layers on fixed binarized MNIST, trained under a new order every minibatch.

Command: python train.py configs/mnist_made_any_order.py
Hardware and time: 2 CPU cores, 29 minutes, on a machine that was busy with other work throughout
Result: test -log p(x) = 96.74 +- 0.24 nats per example (0.178 bits/dim) with seed 0, as a mixture of 32 orders; one random order
gives 105.02 on validation

It underfits (training reads 102 nats): one network for 784! orders costs likelihood, and buys completion of any region.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.orders import AnyOrder
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(net=MADE(hidden=(2000, 2000), direct=True), head=Bernoulli(), site_shape=(28, 28), order=AnyOrder()),
    optimizer=Adam(learning_rate=1e-3, schedule=Cosine(warmup=200), b2=0.99, clip=10.0),
    batch_size=100,
    steps=20000,
    eval_every=1000,
    ensemble=32,
)
