"""A PixelCNN on fixed binarized MNIST (Larochelle and Murray), given the label and each pixel's coordinates.

Command: python train.py configs/mnist_pixelcnn.py
Hardware and time: not measured yet
Result: not measured yet

The set is published without labels; those that it is given here were found by matching every image to the one it was drawn from,
and come with `binarized_mnist.npz` only.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import PixelCNN
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=PixelCNN(width=32, blocks=7, head=(64,), kernel=7, coordinates=True, dropout=0.1),
        head=Bernoulli(),
        site_shape=(28, 28),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=200), b2=0.99, clip=1.0),
    batch_size=32,
    steps=1500,
    eval_every=500,
    samples=100,
)
