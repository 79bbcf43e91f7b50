"""A WaveNet on a folder of your own recordings; folders in it are classes.

Command: python train.py configs/my_sounds.py --data.path FOLDER
Hardware and time: 2 CPU cores, 4 minutes of processor time (12 minutes on a busy machine)
Result, with seed 0, on 1200 spoken digits of six speakers (8 kHz, 9 minutes, a folder for each digit): test -log p(x | label) =
5.090 bits per sample; a first-order Markov table needs 5.796, a histogram 7.295, both given the digit. Validation 4.760, still
falling at the last step

The model generates a quarter of a second: --data.length samples. For better results train longer and wider, as
configs/spoken_digits_wavenet.py does.
"""

from arjax.data import SoundFolder
from arjax.models import WaveNet
from arjax.training import AdamW, Cosine, Experiment, ModelFor

NET = WaveNet(stacks=2, layers=8, width=32, skip=64, readout=64)

experiment = Experiment(
    data=SoundFolder(length=2048, context=NET.receptive_field),
    model=ModelFor(net=NET),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.01, schedule=Cosine(warmup=50)),
    batch_size=8,
    steps=600,
    ema=0.99,
    eval_every=200,
    eval_batch_size=16,
    samples=10,
)
