"""Rows of attention. The reference makes all weights, one query at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from op_row import FLOATS, Op, Sample, sample


def attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if enable_gqa:
        key, value = (np.repeat(x, query.shape[-3] // x.shape[-3], axis=-3) for x in (key, value))
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    query, key, value = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (query, key, value))
    queries, keys = query.shape[-2], key.shape[-2]
    allowed = np.tri(queries, keys, dtype=bool) if is_causal else np.ones((queries, keys), bool)
    added = np.zeros(())
    if attn_mask is not None and attn_mask.dtype == bool:
        allowed = allowed & attn_mask
    elif attn_mask is not None:
        added = attn_mask
    shape = (*batch, queries, keys)
    allowed, added = np.broadcast_to(allowed, shape), np.broadcast_to(added, shape)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    y = np.zeros((*batch, queries, value.shape[-1]))
    for place in np.ndindex(*batch, queries):
        seen = np.nonzero(allowed[place])[0]
        if len(seen):
            scores = key[place[:-1]][seen] @ query[place] * scale + added[place][seen]
            weights = np.exp(scores - scores.max())
            y[place] = weights / weights.sum() @ value[place[:-1]][seen]
    return y


def samples(rng: np.random.Generator) -> Iterable[Sample]:
    def one(*shapes: tuple[int, ...], **options: Any) -> Sample:
        return sample(*(rng.normal(size=shape) for shape in shapes), **options)

    some = rng.random((3, 1, 5, 6)) < 0.6
    some[1, :, 2] = False  # a query that sees nothing
    return [
        one((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)),
        one((5, 4), (6, 4), (6, 3), scale=0.3),
        one((3, 5, 4), (3, 5, 4), (3, 5, 4), is_causal=True),
        one((3, 2, 5, 4), (1, 2, 6, 4), (6, 2), attn_mask=some),
        one((2, 4, 5, 3), (2, 2, 6, 3), (2, 2, 6, 3), enable_gqa=True, is_causal=True),
        sample(*(rng.normal(size=(2, 2, n, 3)) for n in (4, 6, 6)), attn_mask=rng.normal(size=(4, 6))),
        one((0, 2, 5, 4), (0, 2, 6, 4), (0, 2, 6, 4)),
        one((2, 1, 3, 4), (2, 1, 0, 4), (2, 1, 0, 2)),
        one((2, 140, 5), (2, 135, 5), (2, 135, 3), is_causal=True),
    ]


ROWS = [Op("scaled_dot_product_attention", attention, samples, tolerance=16, dtypes=FLOATS, method=False)]
