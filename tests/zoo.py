"""The zoo: a tiny model of every kind. A new model is one row here, and the whole conformance kit runs on it."""

from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE
from arjax.orders import AnyOrder, Hilbert, Random, Spiral
from arjax.protocol import CondSpec, Model

ZOO = {
    "made": Model(MADE(hidden=(12,)), Bernoulli(), (2, 4)),
    "made_deep_direct": Model(MADE(hidden=(9, 16, 5), direct=True, activation="tanh"), Bernoulli(), (3, 3), Spiral()),
    "made_random_degrees": Model(MADE(hidden=(16, 16), degrees="random"), Bernoulli(), (7,), Random(3)),
    "made_any_order": Model(MADE(hidden=(12, 12)), Bernoulli(), (2, 4), AnyOrder()),
    "made_members": Model(MADE(hidden=(12, 8), degrees="random"), Bernoulli(), (2, 3), AnyOrder(), CondSpec(members=3)),
    "made_labels": Model(MADE(hidden=(10, 10), direct=True), Bernoulli(), (2, 3), cond=CondSpec(classes=4)),
    "made_categorical": Model(MADE(hidden=(12,), direct=True), Categorical(3), (2, 2, 1), Hilbert()),
    "made_embedding": Model(MADE(hidden=(12,), embedding=2), Categorical(5), (4,), AnyOrder()),
    "made_many_values": Model(MADE(hidden=(12,), embedding=3), Categorical(256), (3, 2)),
    "made_one_site": Model(MADE(hidden=(3,)), Categorical(4), (1,)),
}
