"""A transformer over the pixels of MNIST in 16 shades of gray that k-means chose: a small Image GPT (Chen et al. 2020).

Command: python train.py configs/mnist_palette_igpt.py
Hardware and time: 2 CPU cores, 906 seconds of processor time on a busy machine
Result: test -log p(tokens | label) = 339.112 nats per image = 0.4325 nats per token with seed 0, still falling at the last of 600
steps; independent tokens given the label 501.354. These are nats of tokens, which lose 0.00005 mean squared error: never to be
put beside a likelihood of the images.
"""

import arjax
from arjax.data import MNIST, Levels
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.tokenizers import Palette
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=MNIST(values=Levels(256)),
    tokenizer=Palette(16),
    model=arjax.Model(
        net=Transformer(width=64, layers=3, heads=2, positions="axial"),
        head=Categorical(16),
        site_shape=(28, 28),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=50), weight_decay=0.1),
    batch_size=8,
    steps=600,
    ema=0.99,
    eval_every=300,
    eval_batch_size=50,
    samples=40,
)
