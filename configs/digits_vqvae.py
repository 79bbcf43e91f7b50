"""A discrete autoencoder of scikit-learn's 8x8 digits: 4x4 tokens of 64 codes. The first half of a demo of two stages.

Command: python train.py configs/digits_vqvae.py
Hardware and time: 2 CPU cores, 32 seconds in all on a busy machine (16 seconds of processor time)
Result: test mean squared error 0.00553 of pixels in [0, 1] with seed 0, all 64 codes in use, perplexity 61; of the mean image
0.07437
"""

from arjax.data import Digits, Scaled
from arjax.tokenizers import VQVAE, EMACodebook
from arjax.training import AdamW, Autoencoding, Cosine, Experiment

experiment = Experiment(
    data=Digits(values=Scaled(16)),
    model=VQVAE(shape=(8, 8), strides=(2,), width=64, residual_width=32, blocks=1, quantizer=EMACodebook(64, 16)),
    task=Autoencoding(variance=0.14),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=50)),
    batch_size=100,
    steps=1000,
    ema=0,
    eval_every=250,
    samples=40,
)
