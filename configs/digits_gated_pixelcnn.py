"""Gated PixelCNN on scikit-learn's 8x8 digits, binarized.

Command: python train.py configs/digits_gated_pixelcnn.py
Hardware and time: not trained to the end; 20 seconds on 2 busy CPU cores for the table of README
Result: 18.53 +- 0.22 nats per example (0.418 bits/dim) on the test split after 397 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import GatedPixelCNN
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=GatedPixelCNN(width=24, layers=4, coordinates=True, dropout=0.3),
        head=Bernoulli(),
        site_shape=(8, 8),
    ),
    optimizer=Adam(learning_rate=3e-3, schedule=Cosine(warmup=50), clip=1.0),
    batch_size=50,
    steps=1000,
    eval_every=250,
)
