"""The lower half of scikit-learn's 8x8 digits, binarized, given the upper half: a memory that a transformer attends to.

Command: python train.py configs/digits_lower_half.py
Hardware and time: not measured yet
Result: not measured yet
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
