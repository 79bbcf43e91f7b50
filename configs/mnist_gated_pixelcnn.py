"""Gated PixelCNN on fixed binarized MNIST (Larochelle and Murray).

Command: python train.py configs/mnist_gated_pixelcnn.py
Hardware and time: not measured yet
Result: not measured yet
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import GatedPixelCNN
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=GatedPixelCNN(width=32, layers=6, head=(64,), coordinates=True, dropout=0.1),
        head=Bernoulli(),
        site_shape=(28, 28),
    ),
    optimizer=Adam(learning_rate=2e-3, warmup=200, b2=0.99, clip=1.0),
    batch_size=32,
    steps=6000,
    eval_every=1000,
)
