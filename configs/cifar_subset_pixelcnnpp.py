"""A small PixelCNN++ on 3200 images of CIFAR-10: to see it train on colour, for no published figure is of this set.

Command: python train.py configs/cifar_subset_pixelcnnpp.py
Result: not measured yet, nor how long it takes
"""

import arjax
from arjax.data import Cifar10Subset
from arjax.heads import CoupledDiscretizedMixtureOfLogistics
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Cifar10Subset(),
    model=arjax.Model(
        net=PixelCNNPP(width=24, resnets=1, levels=3, dropout=0.2),
        head=CoupledDiscretizedMixtureOfLogistics(256, 5),
        site_shape=(32, 32),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), b2=0.99),
    batch_size=32,
    steps=3000,
    eval_every=1000,
    eval_batch_size=100,
    samples=16,
)
