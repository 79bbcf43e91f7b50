"""An LSTM on the characters of Shakespeare's plays: the first 90 % to train, the last 10 % to validate, as is usual.

Command: python train.py configs/shakespeare_rnn.py
Hardware and time: 2 CPU cores busy with other processes too, 52 minutes in all (53 minutes of processor time; about 0.6 seconds
a step where it is alone)
Result: test -log p(x) = 1.4777 nats per character (2.132 bits) with seed 0, chosen on these same characters at step 1800; later
it overfits (1.5124 at step 3600). A first-order Markov table needs 2.4853, a histogram 3.3473

What is printed is nats per character of windows of 256 characters, each scored without what stood before it. The result was
measured when weight decay still reached the embeddings.
"""

import arjax
from arjax.data import TinyShakespeare
from arjax.heads import Categorical
from arjax.models import RNN
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 256

experiment = Experiment(
    data=TinyShakespeare(length=LENGTH),
    model=arjax.Model(net=RNN(cell="lstm", width=512, embedding=64, dropout=0.4), head=Categorical(65), site_shape=(LENGTH,)),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=100), weight_decay=0.01),
    batch_size=32,
    steps=3600,
    ema=0.995,
    eval_every=300,
    eval_batch_size=64,
    samples=4,
)
