"""Your own table: MADE over the columns of a CSV or Parquet file, in any order, so that it draws rows and fills in any cells.

Command: python train.py configs/my_table.py --data.path table.csv
"""

from arjax.data import TableFile
from arjax.models import MADE, Columns
from arjax.orders import AnyOrder
from arjax.training import AdamW, Experiment, ModelFor

experiment = Experiment(
    data=TableFile(),
    model=ModelFor(net=Columns(MADE(hidden=(256, 256), activation="silu", dropout=0.2)), order=AnyOrder()),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.01),
    batch_size=128,
    steps=3000,
    eval_every=300,
)
