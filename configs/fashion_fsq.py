"""A discrete autoencoder of Fashion-MNIST: 7x7 tokens of 512 codes for 28x28 pixels, by finite scalar quantization.

Command: python train.py configs/fashion_fsq.py
Hardware and time: 2 CPU cores, 614 seconds in all
Result: test mean squared error 0.00440 of pixels in [0, 1] with seed 0, all 512 codes in use, perplexity 317; the codebook of
`fashion_vqvae` gives 0.00414
"""

from arjax.data import FashionMNIST, Scaled
from arjax.tokenizers import FSQ, VQVAE
from arjax.training import AdamW, Autoencoding, Cosine, Experiment

experiment = Experiment(
    data=FashionMNIST(values=Scaled()),
    model=VQVAE(
        shape=(28, 28),
        strides=(2, 2),
        width=64,
        residual_width=32,
        blocks=2,
        quantizer=FSQ((8, 8, 8)),
    ),
    task=Autoencoding(variance=0.1),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=100), weight_decay=1e-4),
    batch_size=128,
    steps=4000,
    ema=0,
    eval_every=1000,
    samples=50,
)
