"""A transformer on six megabytes of English Wikipedia in MediaWiki's XML, as 1024 byte-pair tokens.

Command: python train.py configs/wikipedia_bpe_gpt.py
Hardware and time: 2 CPU cores, 250 seconds in all on a busy machine (160 seconds of processor time)
Result: test -log p(tokens) = 3.8885 nats per token = 2.5482 bits per byte of the original with seed 0, at the last of 1500 steps
(validation 2.4905, and falling); a first-order Markov table of tokens needs 2.7782, a histogram 3.9671. With a learned start,
which GPT-2's format lacks, it needs 2.5448. This is not enwik8.
"""

import arjax
from arjax.data import WikipediaSample
from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.tokenizers import BPE
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 64  # tokens
START = 198  # the newline, as in every BPE whose bytes are numbered as GPT-2's

experiment = Experiment(
    data=WikipediaSample(length=LENGTH),
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
    eval_every=500,
    eval_batch_size=64,
    samples=4,
)
