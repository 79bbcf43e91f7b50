"""Arguments of another type or out of range: a call each, and how the message begins. `python odd_arguments.py` makes the calls
as a user does, since under pytest jaxtyping looks at every argument first, and prints what is not as it should be."""

import jax
import numpy as np

import arjax
from arjax import Arrays, Cond, CondSpec, Model, coding, sampling
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

KEY, PARAMS = jax.random.key(0), arjax.init(MODEL, jax.random.key(0))
LABELS = Model(MADE(hidden=(4,)), Categorical(2), (3,), cond=CondSpec(classes=4))
LABELS_PARAMS, REAL = arjax.init(LABELS, KEY), Model(MADE(hidden=(4,)), MixtureOfLogistics(1), (3,))
REAL_PARAMS = arjax.init(REAL, KEY)


def labelled(label):
    return arjax.log_prob(LABELS, LABELS_PARAMS, X, cond=Cond(label))


def continued(**given):
    return sampling.generate(MODEL, PARAMS, KEY, [[1]], **{"tokens": 1} | given)


CALLS = [
    *(
        (lambda draw=draw, batch=batch: draw(MODEL, PARAMS, KEY, batch), f"batch={batch!r} is no whole number of at least 0")
        for draw in (arjax.sample, sampling.naive, sampling.fixed_point)
        for batch in (-1, 2.5, True, "2", None)
    ),
    *(
        (lambda draw=draw, key=key: draw(MODEL, PARAMS, key, 2), f"key={key!r} is no random key; give one, as jax.random.key(0)")
        for draw in (arjax.sample, sampling.naive, sampling.fixed_point)
        for key in (None, 0, "key")
    ),
    (lambda: arjax.sample(MODEL, PARAMS, np.zeros(3), 2), "key is float64 of shape (3,), no random key"),
    (lambda: arjax.init(MODEL, 0), "key is int32 of shape (), no random key; give one, as jax.random.key(0)"),
    (lambda: arjax.init(MODEL, None), "key=None is no random key; give one, as jax.random.key(0)"),
    (lambda: arjax.log_prob(MODEL, PARAMS, X, key=0), "key is int32 of shape (), no random key"),
    *(
        (lambda tokens=tokens: continued(tokens=tokens), f"tokens={tokens!r} is no whole number of at least 1")
        for tokens in (2.7, -1, 0, True, "1")
    ),
    (lambda: continued(stop=0.5), "stop=0.5 is no whole number of at least 0"),
    (lambda: continued(stop=2), "stop=2 is no symbol of the model's"),
    (lambda: sampling.stream(MODEL, PARAMS, KEY, [[1]], tokens=1, every=1.5), "every=1.5 is no whole number of at least 1"),
    (lambda: sampling.Temperature("1"), "Temperature(1) must be finite and not below 0; choose 1"),
    (lambda: sampling.Temperature(np.ones(2)), "Temperature([1. 1.]) must be finite"),
    (lambda: sampling.TopP(None), "TopP(None) is not in (0, 1]"),
    (lambda: sampling.TopK(2.5), "k=2.5 of TopK is of the type float; give int"),
    *(
        (
            lambda given=given: arjax.sample(MODEL, PARAMS, KEY, 2, transforms=given),
            f"transforms={given!r} is no tuple of",
        )
        for given in (sampling.Temperature(0.5), len, (3,), 2)
    ),
    (lambda: coding.compress(MODEL, PARAMS, X, batch=2.5), "batch=2.5 is no whole number of at least 1"),
    (lambda: labelled([0.0, 1.0]), "label is float64 of shape (2,); give integers of shape (2,)"),
    (lambda: labelled(np.zeros(2, bool)), "label is bool of shape (2,); give integers of shape (2,)"),
    (lambda: labelled([0, 7]), "label must be in 0..3, but goes from 0 to 7"),
    (lambda: labelled(["a", "b"]), "label "),
    (lambda: arjax.log_prob(MODEL, PARAMS, X + 0j), "x is complex128, but Bernoulli wants integer symbols 0..1; convert it"),
    (lambda: arjax.log_prob(MODEL, PARAMS, X.astype(str)), "x "),
    (lambda: arjax.log_prob(REAL, REAL_PARAMS, X + 0j), "x is complex128, but MixtureOfLogistics wants real numbers; convert it"),
    (lambda: arjax.log_prob(REAL, REAL_PARAMS, X.astype(str)), "x "),
    (lambda: arjax.log_prob(MODEL, PARAMS, [[1], [2, 3]]), "x is no array: its rows differ in length; make them equal"),
    (lambda: arjax.log_prob(MODEL, PARAMS, 3), "x "),
    (lambda: arjax.log_prob(MODEL, PARAMS, None), "x "),
    (lambda: arjax.theta(MODEL, PARAMS, "abc"), "x "),
    (lambda: arjax.fit(MODEL, Arrays(X, X, X, Levels(2)), steps="10"), "steps='10' is no whole number of at least 1"),
    (lambda: arjax.fit(MODEL, Arrays(X, X, X, Levels(2)), steps=1, batch_size=2.5), "batch_size=2.5 of Experiment"),
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
    for call, begins in TYPES + CALLS:
        if not (said := refusal(call)).startswith(begins) or "\n" in said:
            print(f"{begins!r} is wanted, not {said}")
    # NumPy's scalars are numbers like Python's.
    assert (labelled([0, 3]) == labelled((0, 3))).all()
    assert MADE(hidden=(np.int64(64),), dropout=np.float32(0.5)).hidden == (64,)
