"""PixelCNN++ on scikit-learn's 8x8 digits, binarized.

Command: python train.py configs/digits_pixelcnnpp.py
Hardware and time: not trained to the end; 20 seconds on 2 busy CPU cores for the table of README
Result: 17.97 +- 0.25 nats per example (0.405 bits/dim) on the test split after 222 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=PixelCNNPP(width=16, resnets=1, levels=2, coordinates=True),
        head=Bernoulli(),
        site_shape=(8, 8),
    ),
    optimizer=Adam(learning_rate=3e-3, schedule=Cosine(warmup=50), clip=1.0),
    batch_size=50,
    steps=1000,
    eval_every=250,
)
