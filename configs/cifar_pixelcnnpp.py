"""PixelCNN++ of the size of its paper (Salimans et al. 2017): 53.6 million parameters, RGB 32x32, ten mixture components.

Command: python train.py configs/cifar_pixelcnnpp.py
Result: not measured yet; this takes accelerators

The data named here are the 4000 images of CIFAR-10 that this library knows how to read, too few for this network: to train it
on all of CIFAR-10, save the three splits as one file and set data=Npz("cifar10.npz", Levels(256)). The paper's learning rate
falls by a constant factor a step, where this one falls along half a cosine.
"""

import arjax
from arjax.data import Cifar10Subset
from arjax.heads import CoupledDiscretizedMixtureOfLogistics
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Cifar10Subset(),
    model=arjax.Model(
        net=PixelCNNPP(width=160, resnets=5, levels=3, dropout=0.5),
        head=CoupledDiscretizedMixtureOfLogistics(256, 10),
        site_shape=(32, 32),
    ),
    optimizer=Adam(learning_rate=1e-3, schedule=Cosine(warmup=1000), b1=0.95, b2=0.9995),
    ema=0.9995,
    batch_size=64,
    steps=200_000,
    eval_every=5000,
    eval_batch_size=100,
    samples=16,
)
