"""A transformer on the characters of Shakespeare's plays, of the size and for the steps of nanoGPT's for a GPU: the first 90 % to
train, the last 10 % to validate.

Command: python train.py configs/shakespeare_gpt.py
Hardware and time: not measured
Result: not measured: it takes an accelerator. nanoGPT's README gives 1.4697 on random windows of the same characters

What is printed is nats per character of windows of 256 characters, each scored without what stood before it.
"""

import arjax
from arjax.data import TinyShakespeare
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 256
START = TinyShakespeare.alphabet.index(" ")  # which stands before most windows

experiment = Experiment(
    data=TinyShakespeare(length=LENGTH),
    model=arjax.Model(
        net=Transformer(width=384, layers=6, heads=6, tied=True, dropout=0.2, bos=START),
        head=Categorical(65),
        site_shape=(LENGTH,),
    ),
    optimizer=AdamW(learning_rate=1e-3, schedule=Cosine(warmup=100, final=0.1), weight_decay=0.1, b2=0.99),
    batch_size=64,
    steps=5000,
    ema=0.99,
    eval_every=250,
    eval_batch_size=64,
    samples=4,
)
