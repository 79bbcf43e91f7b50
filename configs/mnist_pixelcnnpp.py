"""PixelCNN++ on fixed binarized MNIST (Larochelle and Murray).

Command: python train.py configs/mnist_pixelcnnpp.py
Hardware and time: not trained to the end; 120 seconds on 2 busy CPU cores for the table of README
Result: 92.35 +- 0.65 nats per example (0.170 bits/dim) on 1000 test images after 292 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=PixelCNNPP(width=16, resnets=1, levels=2, coordinates=True),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), clip=1.0),
    batch_size=32,
    steps=2000,
    eval_every=500,
)
