"""A WaveNet on a folder of your own recordings, given the names of its folders where these are classes.

Command: python train.py configs/my_sounds.py --data.path FOLDER
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
