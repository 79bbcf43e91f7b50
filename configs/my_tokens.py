"""A Transformer on tokens that you have made, such as nanoGPT's train.bin and val.bin.

Command: python train.py configs/my_tokens.py --data.path FOLDER
"""

from arjax.data import TokenFile
from arjax.models import Transformer
from arjax.training import AdamW, Cosine, Experiment, ModelFor

experiment = Experiment(
    data=TokenFile(length=64),
    model=ModelFor(net=Transformer(width=128, layers=4, heads=4, tied=True, bos=-1)),
    optimizer=AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1, b2=0.99, clip=64.0),
    batch_size=12,
    steps=1500,
    ema=0.99,
    eval_every=300,
    eval_batch_size=64,
    samples=4,
)
