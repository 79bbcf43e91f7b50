"""Chow-Liu trees: of all trees, the one of maximum likelihood (Chow and Liu 1968).

    log-likelihood of a tree / N = sum over its edges of I(x_u; x_v) - sum_v H(x_v)

with the empirical mutual informations I, so the best tree is a maximum spanning tree over them. Its tables are then counted:
bayes_net.fit. Any root gives the same law.
"""

import numpy as np

from arjax.errors import InputError
from arjax.models.counting import check_smoothing, check_symbols


def chow_liu(x, vocab: int, *, root: int = 0, smoothing: float = 0.0) -> tuple[tuple[int, int], ...]:
    """The edges (parent, child) of the Chow-Liu tree of the symbols x [N, *site_shape], away from `root`, sorted by child.

    smoothing: added to the count of each pair of symbols of each pair of sites. InputError where x is no array of symbols
    0..vocab-1, or the root no site.
    """
    from scipy.sparse import coo_array  # takes longer to import than the nets of this package together
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    sites = check_symbols(x, vocab)
    num_sites = sites.shape[1]
    if not (isinstance(root, int) and 0 <= root < num_sites):
        raise InputError(f"root={root} is no site; choose one of 0..{num_sites - 1}")
    u, v = np.triu_indices(num_sites, 1)
    # The library takes a weight of zero for no edge, and breaks ties as its sort does. Ranks are never zero and never tie.
    ranks = np.empty(len(u))
    ranks[np.argsort(-mutual_information(sites, vocab, smoothing)[u, v], kind="stable")] = np.arange(1, len(u) + 1)
    tree = minimum_spanning_tree(coo_array((ranks, (u, v)), shape=(num_sites, num_sites)).tocsr())
    _, parents = breadth_first_order(tree, root, directed=False)
    return tuple((int(parents[child]), child) for child in range(num_sites) if child != root)


def mutual_information(x, vocab: int, smoothing: float = 0.0, block: int = 2**24) -> np.ndarray:
    """[T, T] float64, nats: that of every two sites of the symbols x [N, *site_shape]; on its diagonal, without smoothing, the
    entropies. Beside the one-hot symbols, N T V numbers, about `block` counts are held at once."""
    from scipy.special import xlogy

    sites, smoothing = check_symbols(x, vocab), check_smoothing(smoothing)
    num, num_sites = sites.shape
    one_hot = (sites[..., None] == np.arange(vocab)).astype(np.float64).reshape(num, -1)
    total = num + smoothing * vocab**2
    marginals = (one_hot.sum(axis=0).reshape(num_sites, vocab) + smoothing * vocab) / total
    entropies = -xlogy(marginals, marginals).sum(axis=1)
    negentropies = np.empty((num_sites, num_sites))
    rows = max(1, block // (num_sites * vocab**2))
    for first in range(0, num_sites, rows):
        here = slice(first, first + rows)
        joint = one_hot.reshape(num, num_sites, vocab)[:, here].reshape(num, -1).T @ one_hot
        joint = (joint.reshape(-1, vocab, num_sites, vocab) + smoothing) / total
        negentropies[here] = xlogy(joint, joint).sum(axis=(1, 3))
    return entropies[:, None] + entropies + negentropies
