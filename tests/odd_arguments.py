"""Arguments of another type or out of range: a call each, and how the message begins. `python odd_arguments.py` makes the calls
as a user does, since under pytest jaxtyping looks at every argument first, and prints what is not as it should be."""

import numpy as np

from arjax import Arrays, CondSpec, Model
from arjax.data.values import Levels
from arjax.errors import InputError
from arjax.heads import Bernoulli, Categorical, MixtureOfLogistics, Ordinal
from arjax.layers.attention_mask import Window
from arjax.models import MADE, RNN, Transformer
from arjax.orders import Random
from arjax.tokenizers import BPE, FSQ, VQVAE, Palette
from arjax.training import Adam, AdamW, Experiment, Mesh

X = np.zeros((2, 3), int)
MODEL = Model(MADE(hidden=(4,)), Bernoulli(), (3,))


def experiment(**fields):
    return Experiment(model=MODEL, data=Arrays(X, X, X, Levels(2)), **{"steps": 1, "eval_every": 1} | fields)


TYPES = [
    (lambda: MADE(hidden=2.5), "hidden=2.5 of MADE is of the type float; give tuple[int, ...]"),
    (lambda: MADE(hidden=[64]), "hidden=[64] of MADE is of the type list; give tuple[int, ...]"),
    (lambda: MADE(dropout="0.1"), "dropout='0.1' of MADE is of the type str; give float"),
    (lambda: RNN(width=True), "width=True of RNN is of the type bool; give int"),
    (lambda: Transformer(8.0), "width=8.0 of Transformer is of the type float; give int"),
    (lambda: Window("2"), "size='2' of Window is of the type str; give int"),
    (lambda: Categorical(2.0), "vocab=2.0 of Categorical is of the type float; give int"),
    (lambda: Ordinal("5"), "vocab='5' of Categorical is of the type str; give int"),
    (lambda: MixtureOfLogistics(None), "components=None of MixtureOfLogistics is of the type NoneType; give int"),
    (lambda: Random("3"), "seed='3' of Random is of the type str; give int"),
    (lambda: CondSpec(classes=2.5), "classes=2.5 of CondSpec is of the type float; give int | None"),
    (lambda: BPE("300"), "vocab='300' of BPE is of the type str; give int"),
    (lambda: FSQ(8), "levels=8 of FSQ is of the type int; give tuple[int, ...]"),
    (lambda: Palette(2.5), "colours=2.5 of Palette is of the type float; give int"),
    (lambda: VQVAE(shape=[28, 28]), "shape=[28, 28] of VQVAE is of the type list; give tuple[int, ...]"),
    (lambda: Levels("2"), "count='2' of Levels is of the type str; give int"),
    (lambda: Adam("1e-3"), "learning_rate='1e-3' of Adam is of the type str; give float"),
    (lambda: AdamW(clip="1"), "clip='1' of AdamW is of the type str; give float | None"),
    (lambda: Mesh(data=2.0), "data=2.0 of Mesh is of the type float; give int"),
    (lambda: experiment(steps="10"), "steps='10' of Experiment is of the type str; give int"),
    (lambda: experiment(batch_size=2.5), "batch_size=2.5 of Experiment is of the type float; give int"),
    (lambda: experiment(samples=True), "samples=True of Experiment is of the type bool; give int"),
    (lambda: experiment(mesh=None), "mesh=None of Experiment is of the type NoneType; give Mesh"),
]


def refusal(call) -> str:
    """The message with which a call is refused in one line; what else happens, in brackets."""
    try:
        return f"[returned {call()!r}]"
    except InputError as error:
        return str(error)
    except Exception as error:
        return f"[{type(error).__name__}: {error}]"


if __name__ == "__main__":
    for call, begins in TYPES:
        if not (said := refusal(call)).startswith(begins) or "\n" in said:
            print(f"{begins!r} is wanted, not {said}")
    # NumPy's scalars are numbers like Python's.
    assert MADE(hidden=(np.int64(64),), dropout=np.float32(0.5)).hidden == (64,)
