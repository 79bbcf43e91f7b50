"""Every pixel on its own: the histogram of scikit-learn's 8x8 digits, binarized.

Command: python train.py configs/digits_histogram.py
Hardware and time: not trained to the end; 20 seconds on 2 busy CPU cores for the table of README
Result: 25.39 +- 0.23 nats per example (0.572 bits/dim) on the test split after 14245 steps of those seconds, with seed 0
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import Histogram
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=Histogram(),
        head=Bernoulli(),
        site_shape=(8, 8),
    ),
    optimizer=Adam(learning_rate=0.05),
    batch_size=100,
    steps=1000,
    eval_every=250,
)
