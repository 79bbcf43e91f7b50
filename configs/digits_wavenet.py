"""A WaveNet on scikit-learn's 8x8 digits, binarized, given the label and each pixel's coordinates.

Command: python train.py configs/digits_wavenet.py
Hardware and time: 2 CPU cores, 159 seconds in all on a busy machine (105 seconds of processor time)
Result: test -log p(x | label) = 14.09 nats per example (0.318 bits/dim) with seed 0; independent Bernoulli given the label 18.40

Its receptive field of 64 symbols covers every pixel before the one it generates.
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import WaveNet
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=WaveNet(stacks=2, layers=5, width=32, skip=128, readout=128, coordinates=True, dropout=0.5),
        head=Bernoulli(),
        site_shape=(8, 8),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.2),
    batch_size=100,
    steps=1000,
    eval_every=100,
    samples=100,
)
