"""A histogram of 100 symbols, fitted by gradient to 200 examples of a 1-D toy law.

Command: python train.py configs/histogram_toy.py
Hardware and time: 2 CPU cores, 9 seconds of training and validation
Result: test -log p(x) = 4.318 nats with seed 0, at the validation's choice of step 200: it stops before the counts are reached
(validation 4.353 nats there, 4.487 at step 2000)

Everything it learns of one symbol it learns of that symbol alone: mixture_toy.py reaches 4.130 on the same data, and the law
itself 4.104. Counting without smoothing gives 9.38 (symbols never seen cost 104 nats each), with Laplace's 4.289. The table's
"independent categorical" is that one.
"""

import arjax
from arjax.data import Bimodal
from arjax.heads import Ordinal
from arjax.models import Histogram
from arjax.training import Adam, Experiment

experiment = Experiment(
    data=Bimodal(train=200),
    model=arjax.Model(net=Histogram(), head=Ordinal(100), site_shape=(1,)),
    optimizer=Adam(learning_rate=0.05),
    batch_size=100,
    steps=2000,
    eval_every=200,
)
