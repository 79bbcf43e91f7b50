"""MADE with one hidden layer on fixed binarized MNIST.

Command: python train.py configs/mnist_made.py
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(net=MADE(hidden=(8000,), direct=True, dropout=0.5), head=Bernoulli(), site_shape=(28, 28)),
    optimizer=Adam(learning_rate=1e-3, warmup=200, b2=0.99, clip=10.0),
    batch_size=100,
    steps=12000,
    eval_every=1000,
)
