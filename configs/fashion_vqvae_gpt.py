"""A transformer over the 7x7 tokens of `fashion_vqvae`, given the kind of garment: Fashion-MNIST in two stages.

Command: python train.py configs/fashion_vqvae.py && python train.py configs/fashion_vqvae_gpt.py
Hardware and time: 2 CPU cores, 1464 seconds in all for the second command, on a busy machine
Result: test -log p(tokens | label) = 125.376 nats per image = 2.5587 nats per token with seed 0, measured when weight decay
still reached the embeddings; independent tokens given the label, counted on the training and validation splits,
208.184. These are nats of tokens, which lose 0.00414 mean squared error: never to be put beside a likelihood of the images.
"""

import arjax
from arjax.data import FashionMNIST, Scaled
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.tokenizers import VQVAE, EMACodebook
from arjax.training import AdamW, Cosine, Experiment

experiment = Experiment(
    data=FashionMNIST(values=Scaled()),
    tokenizer=VQVAE(
        shape=(28, 28),
        strides=(2, 2),
        width=64,
        residual_width=32,
        blocks=2,
        quantizer=EMACodebook(512, 64, decay=0.97, revive=0.1),
    ),
    tokenizer_from="runs/fashion_vqvae",
    model=arjax.Model(
        net=Transformer(width=128, layers=4, heads=4, positions="axial", dropout=0.1),
        head=Categorical(512),
        site_shape=(7, 7),
        cond=arjax.CondSpec(classes=10),
    ),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=100), weight_decay=0.1),
    batch_size=64,
    steps=3000,
    ema=0.99,
    eval_every=500,
    samples=100,
)
