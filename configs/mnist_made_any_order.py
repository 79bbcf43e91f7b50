"""MADE with two hidden layers on fixed binarized MNIST, trained under a new order every minibatch.

Command: python train.py configs/mnist_made_any_order.py
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.orders import AnyOrder
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(net=MADE(hidden=(2000, 2000), direct=True), head=Bernoulli(), site_shape=(28, 28), order=AnyOrder()),
    optimizer=Adam(learning_rate=1e-3, warmup=200, b2=0.99, clip=10.0),
    batch_size=100,
    steps=20000,
    eval_every=1000,
    ensemble=32,
)
