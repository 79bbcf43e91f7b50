"""The lower half of scikit-learn's 8x8 digits, binarized, given the upper half: a memory that a transformer attends to.

Command: python train.py configs/digits_lower_half.py
Hardware and time: 2 CPU cores, about 4 minutes of processor time (43 minutes in all on a machine busy with other work)
Result: test -log p(lower half | upper half) = 8.45 +- 0.21 nats per example (0.381 bits/dim) with seed 0, at the step (600) that
was best on validation (7.97); independent Bernoulli 13.06

What the memory is worth: a transformer of the same width, depth and training over the whole digit, row by row, without an
encoder, needs 8.57 +- 0.17 nats for the lower halves of the same digits (the sum of its -log p(x_t | x_<t) over their sites).
This one needs as little in half as many steps, since it is shown the upper half at once.
"""

import arjax
from arjax.data import Digits, LowerHalf, Threshold
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.training import AdamW, Experiment

experiment = Experiment(
    data=LowerHalf(Digits(values=Threshold(7)), patch=2),
    model=arjax.Model(
        net=Transformer(width=64, layers=3, heads=4, positions="axial", encoder_layers=1, dropout=0.2),
        head=Bernoulli(),
        site_shape=(4, 8),
        cond=arjax.CondSpec(memory=(8, 4)),
    ),
    optimizer=AdamW(learning_rate=3e-3, warmup=100, weight_decay=0.1),
    batch_size=100,
    steps=800,
    ema=0.99,
    eval_every=100,
    samples=64,
)
