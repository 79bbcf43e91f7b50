"""A WaveNet on spoken digits, 8 kHz, mu-law coded in 256 levels, given the digit.

Command: python train.py configs/spoken_digits_wavenet.py
Hardware and time: 2 CPU cores, 29 minutes in all on a busy machine (26 minutes of processor time)
Result: test -log p(x | digit) = 4.269 bits per sample (8115.9 nats per window) on the official test split, with seed 0; a
first-order Markov table needs 5.464, a histogram 7.146, both given the digit (without it, the table needs 5.449). Validation
4.204, still falling at the last step

Its receptive field of 1024 samples, an eighth of a second, is the context of every window: each sample is scored given all that
the net can see of its recording. Its samples have the bursts of speech and the slope of its spectrum; formants that would make
them words are hardly to be seen in their spectrograms.
"""

import arjax
from arjax.data import SpokenDigits
from arjax.heads import Categorical
from arjax.models import WaveNet
from arjax.training import AdamW, Cosine, Experiment

LENGTH = 4096
NET = WaveNet(stacks=2, layers=9, width=48, skip=128, readout=128)

experiment = Experiment(
    data=SpokenDigits(length=LENGTH, context=NET.receptive_field),
    model=arjax.Model(net=NET, head=Categorical(256), site_shape=(LENGTH,), cond=arjax.CondSpec(classes=10)),
    optimizer=AdamW(learning_rate=2e-3, schedule=Cosine(warmup=100), weight_decay=0.01),
    batch_size=8,
    steps=1200,
    ema=0.995,
    eval_every=400,
    eval_batch_size=16,
    samples=10,
)
