"""Every pixel on its own: the histogram of scikit-learn's 8x8 digits, binarized.

Command: python train.py configs/digits_histogram.py
Hardware and time: not measured yet
Result: not measured yet; made to be held beside the other families: python -m arjax compare
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
