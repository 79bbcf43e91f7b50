"""PixelCNN++ on scikit-learn's 8x8 digits, binarized.

Command: python train.py configs/digits_pixelcnnpp.py
Hardware and time: not measured yet
Result: not measured yet; made to be held beside the other families: python -m arjax compare
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import PixelCNNPP
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=PixelCNNPP(width=16, resnets=1, levels=2, coordinates=True),
        head=Bernoulli(),
        site_shape=(8, 8),
    ),
    optimizer=Adam(learning_rate=3e-3, warmup=50, clip=1.0),
    batch_size=50,
    steps=1000,
    eval_every=250,
)
