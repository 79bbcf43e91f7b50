"""Gated PixelCNN on fixed binarized MNIST (Larochelle and Murray).

Command: python train.py configs/mnist_gated_pixelcnn.py
Hardware and time: 2 CPU cores busy with other work throughout, 99 minutes in all (about 0.37 seconds a step where it is alone:
37 minutes)
Result: test -log p(x) = 84.31 +- 0.20 nats per example (0.155 bits/dim) with seed 0, at the last step, which was best on
validation (84.77); independent Bernoulli 205.79

145,505 parameters. Training reads 85.4 nats with dropout, so that it underfits; the PixelCNN of the paper is at 81.30.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import GatedPixelCNN
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=GatedPixelCNN(width=32, layers=6, head=(64,), coordinates=True, dropout=0.1),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=200), b2=0.99, clip=1.0),
    batch_size=32,
    steps=6000,
    eval_every=1000,
)
