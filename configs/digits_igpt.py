"""A transformer over the pixels of scikit-learn's 8x8 digits, binarized, given the label: a small Image GPT (Chen et al. 2020).

Command: python train.py configs/digits_igpt.py
Hardware and time: not measured yet
Result: not measured yet
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=Transformer(width=64, layers=3, heads=4, positions="axial", dropout=0.2),
        head=Bernoulli(),
        site_shape=(8, 8),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=100,
    steps=800,
    ema=0.99,
    eval_every=100,
    samples=100,
)
