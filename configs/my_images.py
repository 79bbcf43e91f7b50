"""A small PixelCNN++ on a folder of your own images, gray or in colour; folders in it are classes.

Command: python train.py configs/my_images.py --data.path FOLDER
Hardware and time: 2 CPU cores, 350 seconds of processor time (20 minutes on a busy machine)
Result: 2.92 bits/dim (1584.6 +- 55.5 nats per example) on 60 test images with seed 0; independent pixels need 5.45 bits/dim. The
    data are 600 PNGs of Fashion-MNIST in 10 folders of 60
"""

from arjax.data import ImageFolder
from arjax.models import PixelCNNPP
from arjax.training import Adam, Cosine, Experiment, ModelFor

experiment = Experiment(
    data=ImageFolder(),
    model=ModelFor(net=PixelCNNPP(width=24, resnets=1, levels=3, dropout=0.1, coordinates=True)),
    optimizer=Adam(learning_rate=2e-3, schedule=Cosine(warmup=100), clip=1.0),
    batch_size=16,
    steps=1200,
    ema=0.99,
    eval_every=300,
    eval_batch_size=100,
    samples=40,
)
