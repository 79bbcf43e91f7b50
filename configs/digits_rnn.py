"""An LSTM on scikit-learn's 8x8 digits, binarized, given the label and each pixel's coordinates.

Command: python train.py configs/digits_rnn.py
Hardware and time: 2 CPU cores, 98 seconds of processor time on a busy machine
Result: test -log p(x | label) = 13.89 nats per example (0.313 bits/dim) with seed 0, chosen on validation at step 750 of 1000;
independent Bernoulli given the label 18.40
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import RNN
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=RNN(cell="lstm", width=128, coordinates=True, dropout=0.5),
        head=Bernoulli(),
        site_shape=(8, 8),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.2),
    batch_size=100,
    steps=1000,
    eval_every=250,
    samples=100,
)
