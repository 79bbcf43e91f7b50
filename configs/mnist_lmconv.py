"""LMConv on fixed binarized MNIST (Larochelle and Murray), in the eight S-curves.

Command: python train.py configs/mnist_lmconv.py
Hardware and time: about an hour on 2 CPU cores, as far as the 0.74 CPU seconds of a step tell
Result: not measured yet

Every minibatch is generated along one of the eight curves; the test averages the probabilities of all eight. Jain et al. (2020)
give 77.56 nats on binarized MNIST for a far larger network that was trained in this way.
"""

import arjax
from arjax.data import BinarizedMNIST
from arjax.heads import Bernoulli
from arjax.models import LMConv
from arjax.orders import AnyOrder, Snake, s_curves
from arjax.training import Adam, Cosine, Experiment

experiment = Experiment(
    data=BinarizedMNIST(),
    model=arjax.Model(
        net=LMConv(width=16, blocks=5, coordinates=True),
        head=Bernoulli(),
        site_shape=(28, 28),
        order=AnyOrder(Snake(), s_curves()),
    ),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=200), b2=0.99, clip=10.0),
    batch_size=32,
    steps=9000,
    eval_every=1500,
    eval_batch_size=100,
    ensemble=8,
)
