"""A Transformer on your own text.

Command: python train.py configs/my_text.py --data.path PATH
Hardware and time: 2 CPU cores, 272 seconds of processor time on a busy machine, for the 148,481 characters of alice29.txt of the
Canterbury corpus
Result: test -log p(x) = 1.5204 nats per character = 2.194 bits per byte with seed 0, at the last of 1500 steps; a first-order
Markov table needs 3.561, a histogram 4.532. With --data.symbols bpe (742 tokens) it needs 2.249 bits per byte, best at step 600,
and then overfits
"""

from arjax.data import TextFiles
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment, ModelFor

experiment = Experiment(
    data=TextFiles(),
    model=ModelFor(net=Transformer(width=128, layers=4, heads=4, tied=True, bos=-1)),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1, b2=0.99, clip=64.0),
    batch_size=12,
    steps=1500,
    ema=0.99,
    eval_every=300,
    eval_batch_size=64,
    samples=4,
)
