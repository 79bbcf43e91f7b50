"""A transformer on Shakespeare's plays as byte-pair tokens: 1024 of them, learned from the first 90 % of the text.

Command: python train.py configs/shakespeare_bpe_gpt.py
Hardware and time: 2 CPU cores, 155 seconds of processor time on a busy machine
Result: test -log p(tokens) = 3.7784 nats per token = 2.4152 bits per byte of the original with seed 0, on the same text as it was
chosen on, at the last of 1500 steps; a first-order Markov table of tokens needs 2.8913, a histogram 3.6492. The same network on
characters, `shakespeare_gpt_cpu`, needs 2.690 in windows of less than half as many bytes: see docs/tokenizers.md.
"""

import arjax
from arjax.data import TinyShakespeare
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.tokenizers import BPE
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 64  # tokens
START = 198  # the newline, as in every BPE whose bytes are numbered as GPT-2's

experiment = Experiment(
    data=TinyShakespeare(length=LENGTH),
    tokenizer=BPE(1024),
    model=arjax.Model(
        net=Transformer(width=128, layers=4, heads=4, tied=True, bos=START),
        head=Categorical(1024),
        site_shape=(LENGTH,),
    ),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1, b2=0.99, clip=64.0),
    batch_size=12,
    steps=1500,
    ema=0.99,
    eval_every=300,
    eval_batch_size=64,
    samples=4,
)
