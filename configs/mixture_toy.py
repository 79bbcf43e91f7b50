"""A mixture of three discretized logistics, fitted by gradient to 200 examples of a 1-D toy law: the data of histogram_toy.py.

Command: python train.py configs/mixture_toy.py
Hardware and time: 2 CPU cores, 8 seconds of training and validation
Result: test -log p(x) = 4.130 nats with seed 0; the histogram 4.318, the law that the data was drawn from 4.104

Nine numbers, each learnt from many symbols, against the histogram's hundred.
"""

import arjax
from arjax.data import Bimodal
from arjax.heads import DiscretizedMixtureOfLogistics
from arjax.models import Histogram
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Bimodal(train=200),
    model=arjax.Model(net=Histogram(), head=DiscretizedMixtureOfLogistics(100, 3), site_shape=(1,)),
    optimizer=Adam(learning_rate=0.05),
    batch_size=100,
    steps=2000,
    eval_every=200,
)
