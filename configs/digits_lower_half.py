"""The lower half of scikit-learn's 8x8 digits, binarized, given the upper half: a memory that a transformer attends to.

Command: python train.py configs/digits_lower_half.py
Hardware and time: 2 CPU cores, 147 seconds of processor time on a busy machine
Result: test -log p(lower | upper) = 8.38 +- 0.20 nats per example (0.378 bits/dim) with seed 0, chosen on validation (7.92) at
step 500 of 800; independent Bernoulli 13.06

Beside it: a transformer over the whole digit with the same fields, optimizer and steps, but without an encoder, a memory or a
label (configs/digits_igpt.py without `cond`), needs 8.44 +- 0.18 for the same halves (8.11 on validation): the sum over sites
t >= 32, row by row, of its -log p(x_t | x_<t). Image by image the difference is 0.07 +- 0.12 (0.20 +- 0.11 on validation), so
that the memory is about as good as having the upper half in the sequence, and the cache half as long. What it holds is used:
given the memory of another digit, a lower half costs 14.42.
"""

import arjax
from arjax.data import Digits, LowerHalf, Threshold
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=LowerHalf(Digits(values=Threshold(7)), patch=2),
    model=arjax.Model(
        net=Transformer(width=64, layers=3, heads=4, positions="axial", encoder_layers=1, dropout=0.2),
        head=Bernoulli(),
        site_shape=(4, 8),
        cond=arjax.CondSpec(memory=(8, 4)),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=100,
    steps=800,
    ema=0.99,
    eval_every=100,
    samples=64,
)
