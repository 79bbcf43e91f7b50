"""A small PixelCNN++ on Fashion-MNIST, all 256 values, given the label.

Command: python train.py configs/fashion_pixelcnnpp.py
Result: not measured yet, nor how long it takes
"""

import arjax
from arjax.data import FashionMNIST, Levels
from arjax.heads import DiscretizedMixtureOfLogistics
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=FashionMNIST(values=Levels(256)),
    model=arjax.Model(
        net=PixelCNNPP(width=24, resnets=1, levels=3, dropout=0.0),
        head=DiscretizedMixtureOfLogistics(256, 5),
        site_shape=(28, 28),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), b2=0.99),
    batch_size=32,
    steps=6000,
    eval_every=2000,
)
