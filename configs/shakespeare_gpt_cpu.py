"""A transformer on the characters of Shakespeare's plays, of the size of nanoGPT's preset for a CPU: the first 90 % to train, the
last 10 % to validate.

Command: python train.py configs/shakespeare_gpt_cpu.py
Hardware and time: 2 CPU cores, 129 seconds of processor time on a busy machine
Result: test -log p(x) = 1.8644 nats per character (2.690 bits) with seed 0, on the same characters as it was chosen on, at the
last of 1500 steps; a first-order Markov table needs 2.4948, a histogram 3.3473. With a learned start, which GPT-2's format lacks,
it needs 1.8636, and with a newline as the start 1.8785; with seed 1 these two need 1.8665 and 1.8662

On the same machine nanoGPT's 2000 steps took 114 seconds (220 of processor time) to 1.886, its estimate on random windows. With
its learning rate, 1e-3 falling to 1e-4, and clip=1, this network was at 1.902 after 2000 steps, when weight decay still reached
the position embeddings. What is printed is nats per character of windows of 64 characters, each scored without what stood before
it.
"""

import arjax
from arjax.data import TinyShakespeare
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 64
START = TinyShakespeare.alphabet.index(" ")  # the symbol before most windows

experiment = Experiment(
    data=TinyShakespeare(length=LENGTH),
    model=arjax.Model(
        net=Transformer(width=128, layers=4, heads=4, tied=True, bos=START),
        head=Categorical(65),
        site_shape=(LENGTH,),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1, b2=0.99, clip=64.0),
    batch_size=12,
    steps=1500,
    ema=0.99,
    eval_every=750,
    eval_batch_size=256,
    samples=4,
)
