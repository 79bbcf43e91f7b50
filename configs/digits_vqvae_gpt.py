"""A transformer over the tokens of `digits_vqvae`, given the label: the second half of a demo of two stages.

Command: python train.py configs/digits_vqvae.py && python train.py configs/digits_vqvae_gpt.py
Hardware and time: 2 CPU cores, 68 seconds in all for the second command, on a busy machine (52 seconds of processor time)
Result: test -log p(tokens | label) = 34.814 nats per image = 2.1759 nats per token with seed 0; independent tokens given the
label 44.878. These are nats of tokens, which lose 0.00553 mean squared error: never to be put beside a likelihood of the images.
"""

import arjax
from arjax.data import Digits, Scaled
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.tokenizers import VQVAE, EMACodebook
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Scaled(16)),
    tokenizer=VQVAE(shape=(8, 8), strides=(2,), width=64, residual_width=32, blocks=1, quantizer=EMACodebook(64, 16)),
    tokenizer_from="runs/digits_vqvae",
    model=arjax.Model(
        net=Transformer(width=64, layers=3, heads=4, positions="axial", dropout=0.2),
        head=Categorical(64),
        site_shape=(4, 4),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=100,
    steps=800,
    ema=0.99,
    eval_every=100,
    samples=100,
)
