"""A PixelCNN on scikit-learn's 8x8 digits, binarized, given the label and each pixel's coordinates.

Command: python train.py configs/digits_pixelcnn.py
Hardware and time: 2 CPU cores, 108 seconds in all on a busy machine (83 seconds of processor time)
Result: test -log p(x | label) = 14.37 nats per example (0.324 bits/dim) with seed 0, chosen on validation at step 750 of 1500;
independent Bernoulli given the label 18.40
"""

import arjax
from arjax.data import Digits, Threshold
from arjax.heads import Bernoulli
from arjax.models import PixelCNN
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Threshold(7)),
    model=arjax.Model(
        net=PixelCNN(width=32, blocks=4, kernel=5, coordinates=True, dropout=0.5),
        head=Bernoulli(),
        site_shape=(8, 8),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=100,
    steps=1500,
    eval_every=250,
    samples=100,
)
