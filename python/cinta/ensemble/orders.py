"""In which order each member sees the samples."""

from __future__ import annotations

import numpy as np


def orders(samples: int, members: int, seed: int = 0, epoch: int = 0, bootstrap: bool = False) -> np.ndarray:
    """An epoch's order for each member, each member its own: indices [members, samples].

    Row n depends on seed + n and the epoch alone, so a member trained by itself with that seed sees the same.
    With `bootstrap` each member has a sample of its own, drawn with replacement once for all epochs (bagging): some
    37 % of the data are left out of each, other ones for each.

    Errors: ValueError for a count below 1 or a negative seed or epoch.
    Source: Breiman, "Bagging Predictors", 1996.

    Example:
        >>> rows = ct.ensemble.orders(100, members=10)
        >>> rows.shape, sorted(rows[3].tolist()) == list(range(100)), bool((rows[3] == rows[4]).all())
        ((10, 100), True, False)
        >>> batches = [rows[:, start : start + 32] for start in range(0, 100, 32)]  # x[batch] is [10, 32, ...]
    """
    given = {"samples": samples, "members": members, "seed": seed, "epoch": epoch}
    for name, value in given.items():
        least = 1 if name in ("samples", "members") else 0
        if value < least:
            raise ValueError(f"[orders] {name} got {value}, expected at least {least}")
    rows = []
    for n in range(members):
        order = np.random.default_rng([seed + n, epoch]).permutation(samples)
        if bootstrap:
            order = np.random.default_rng(seed + n).integers(0, samples, samples)[order]
        rows.append(order)
    return np.stack(rows)
