"""LMConv on scikit-learn's 8x8 digits, binarized, in the eight S-curves.

Command: python train.py configs/digits_lmconv.py
Hardware and time: not measured yet
Result: not measured yet; made to be held beside the other families: python -m arjax compare
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import LMConv
from arjax.orders import AnyOrder, Snake, s_curves
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=LMConv(width=16, blocks=3, coordinates=True),
        head=Bernoulli(),
        site_shape=(8, 8),
        order=AnyOrder(Snake(), s_curves()),
    ),
    optimizer=Adam(learning_rate=3e-3, warmup=50, clip=1.0),
    batch_size=50,
    steps=1000,
    eval_every=250,
)
