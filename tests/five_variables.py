"""A graph of five variables, of which each has two or three symbols, for the tests of Bayes nets and of counting."""

import itertools

import numpy as np

from arjax import Model
from arjax.heads import Categorical
from arjax.orders import Topological

EDGES = ((4, 1), (4, 0), (1, 2), (0, 2), (4, 2), (2, 3))
PARENTS = {0: (4,), 1: (4,), 2: (1, 0, 4), 3: (2,), 4: ()}
ARITIES = (3, 2, 3, 2, 3)
POSSIBLE = np.array(list(itertools.product(*map(range, ARITIES))), np.int32)


def model_of(net, head=None, **fields):
    """A model of them."""
    return Model(net, head or Categorical(3), (5,), Topological(EDGES), **fields)
