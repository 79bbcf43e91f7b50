"""A transformer over the pixels of fixed binarized MNIST in any order, each image of a minibatch in a random one of its own.

Command: python train.py configs/mnist_igpt_any_order.py
Hardware and time: not measured yet
Result: not measured yet

One network for 784! orders costs likelihood, and buys completion of any region: python -m arjax complete RUN --mask centre.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.orders import AnyOrder
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=Transformer(width=64, layers=4, heads=4, positions="axial", any_order=True),
        head=Bernoulli(),
        site_shape=(28, 28),
        order=AnyOrder(),
    ),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=200), weight_decay=0.05, b2=0.99),
    batch_size=32,
    steps=10000,
    eval_every=1000,
    eval_batch_size=100,
    ensemble=8,
)
