"""A WaveNet over the pixels of fixed binarized MNIST (Larochelle and Murray), row by row.

Command: python train.py configs/mnist_wavenet.py
Hardware and time: not trained to the end; 120 seconds on 2 busy CPU cores for the table of README
Result: 92.70 +- 0.67 nats per example (0.171 bits/dim) on 1000 test images after 303 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import WaveNet
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=WaveNet(stacks=1, layers=9, width=32, skip=64, readout=64, coordinates=True),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), clip=1.0),
    batch_size=32,
    steps=2000,
    eval_every=500,
)
