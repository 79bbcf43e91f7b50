"""LMConv on scikit-learn's 8x8 digits, binarized, in the eight S-curves.

Command: python train.py configs/digits_lmconv.py
Hardware and time: not trained to the end; 20 seconds on 2 busy CPU cores for the table of README
Result: 20.62 +- 0.23 nats per example (0.465 bits/dim) on the test split after 334 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import LMConv
from arjax.orders import AnyOrder, Snake, s_curves
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=LMConv(width=16, blocks=3, coordinates=True),
        head=Bernoulli(),
        site_shape=(8, 8),
        order=AnyOrder(Snake(), s_curves()),
    ),
    optimizer=Adam(learning_rate=3e-3, schedule=Cosine(warmup=50), clip=1.0),
    batch_size=50,
    steps=1000,
    eval_every=250,
)
