"""A transformer on the characters of Shakespeare's plays, of the size and for the steps of nanoGPT's preset for a CPU: the first
90 % to train, the last 10 % to validate.

Command: python train.py configs/shakespeare_gpt_cpu.py
Hardware and time: not measured yet
Result: not measured yet

What is printed is nats per character of windows of 64 characters, each scored without what stood before it.
"""

import arjax
from arjax.data import TinyShakespeare
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.training import AdamW, Experiment

LENGTH = 64

experiment = Experiment(
    data=TinyShakespeare(length=LENGTH),
    model=arjax.Model(net=Transformer(width=128, layers=4, heads=4, tied=True), head=Categorical(65), site_shape=(LENGTH,)),
    optimizer=AdamW(learning_rate=3e-3, warmup=100, weight_decay=0.1, b2=0.99, clip=64.0),
    batch_size=12,
    steps=1400,
    ema=0.99,
    eval_every=700,
    eval_batch_size=256,
    samples=4,
)
