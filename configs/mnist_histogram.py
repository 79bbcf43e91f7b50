"""Every pixel on its own: the histogram of fixed binarized MNIST (Larochelle and Murray).

Command: python train.py configs/mnist_histogram.py
Hardware and time: not trained to the end; 120 seconds on 2 busy CPU cores for the table of README
Result: 204.80 +- 1.41 nats per example (0.377 bits/dim) on 1000 test images after 33068 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import Histogram
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=Histogram(),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=0.05),
    batch_size=100,
    steps=1000,
    eval_every=250,
)
