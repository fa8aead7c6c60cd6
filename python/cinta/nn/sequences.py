"""Sequences of different lengths in one padded batch: masks, and losses over what counts. True takes part."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, arange, asarray, cross_entropy, maximum, where
from cinta._core import any as any_
from cinta._core import softmax as softmax_
from cinta._core import sum as sum_

_REDUCTIONS = ("mean", "sum", "none", "sequence")


def sequence_mask(lengths: Any, maxlen: int | None = None) -> Tensor:
    """Says which places of a padded batch hold a sequence and which hold padding.

    y[..., t] = t < lengths[...], lengths [...] of integers, y [..., maxlen] of bool

    maxlen: the largest length where left out, which reads the lengths: inside `ct.compile` give it.
    Errors: TypeError where lengths are no integers.

    Example:
        >>> nn.functional.sequence_mask([1, 3]).tolist()
        [[True, False, False], [True, True, True]]
    """
    lengths = asarray(lengths)
    if lengths.dtype.is_floating or str(lengths.dtype) == "bool":
        raise TypeError(f"[sequence_mask] lengths have dtype {lengths.dtype}, expected an integer one")
    if maxlen is None:
        maxlen = int(lengths.max()) if lengths.size else 0
    return arange(maxlen) < lengths[..., None]


def masked_softmax(scores: Tensor, mask: Any = None, axis: int = -1) -> Tensor:
    """Softmax over what a mask leaves; where it leaves nothing the result is 0, not NaN.

    y_i = m_i e^x_i / sum_j m_j e^x_j, scores x [...], mask m of bool broadcasting to them

    Example:
        >>> nn.functional.masked_softmax(ct.zeros((2, 2)), ct.tensor([[True, True], [False, False]])).tolist()
        [[0.5, 0.5], [0.0, 0.0]]
    """
    if mask is None:
        return softmax_(scores, axis)
    mask = _checked(asarray(mask), "masked_softmax")
    some = any_(mask, axis, keepdims=True)
    # Where nothing is left the scores are taken as they are: finite, and without a part in the result.
    return where(mask & some, softmax_(where(mask | ~some, scores, -float("inf")), axis), 0.0)


def masked_mean(x: Tensor, mask: Any, axis: int | None = None) -> Tensor:
    """Mean of what a mask leaves, 0 where it leaves nothing; padding is not read, NaN in it does no harm.

    y = sum(m x) / max(sum(m), 1) along `axis` or over everything; x [...], mask m of bool broadcasting to it

    Example:
        >>> nn.functional.masked_mean(ct.tensor([[1.0, 3.0, 9.0]]), nn.functional.sequence_mask([2], 3)).item()
        2.0
    """
    mask = _checked(asarray(mask), "masked_mean")
    count = sum_(mask.broadcast_to(x.shape).astype(x.dtype), axis)
    return sum_(where(mask, x, 0.0), axis) / maximum(count, 1.0)


def sequence_cross_entropy(
    x: Tensor,
    target: Any,
    mask: Any = None,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    length_power: float = 0.0,
) -> Tensor:
    """Cross entropy of a batch of sequences: by token, by sequence, or by sequence and length.

    l_bt = -w[y] log softmax(x_bt)[y], y = target[b,t], 0 where the mask is False or y is ignore_index
    'none': l [B, T]; 'sum': sum l; 'mean': sum l / tokens that count, whose exponential is the perplexity;
    'sequence': (1/B) sum_b (sum_t l_bt) / n_b^length_power, n_b the tokens of b that count: with 0 the mean negative
    log likelihood of a sequence, with 1 a short sequence weighs as much as a long one
    x [B, T, V] of scores, target [B, T] of integers, mask [B, T] of bool as `sequence_mask` makes it

    weight, ignore_index and label_smoothing are as in `cross_entropy`; 'mean' divides by the weights that count.
    Errors: ValueError where shapes disagree or the reduction is none of these.
    Source of the exponent: Wu et al., "Google's Neural Machine Translation System", 2016, section 7.

    Example:
        >>> x, target = ct.zeros((2, 3, 10)), ct.zeros((2, 3), dtype=ct.int64)
        >>> mask = nn.functional.sequence_mask([3, 1], 3)
        >>> for reduction in ("mean", "sum", "sequence"):
        ...     loss = nn.functional.sequence_cross_entropy(x, target, mask, reduction=reduction)
        ...     print(round(loss.item(), 3))
        2.303
        9.21
        4.605
    """
    name, target = "sequence_cross_entropy", asarray(target)
    if reduction not in _REDUCTIONS:
        raise ValueError(f"[{name}] reduction got {reduction!r}, expected one of {_REDUCTIONS}")
    if length_power and reduction != "sequence":
        raise ValueError(f"[{name}] length_power got {length_power} with reduction {reduction!r}, expected 'sequence'")
    if x.ndim != 3 or target.shape != x.shape[:2]:
        raise ValueError(
            f"[{name}] scores have shape {list(x.shape)} and targets {list(target.shape)}, expected [B,T,V] and [B,T]"
        )
    if mask is not None:
        mask = _checked(asarray(mask), name)
        if mask.shape != target.shape:
            raise ValueError(f"[{name}] mask has shape {list(mask.shape)}, expected {list(target.shape)}")
        target = where(mask, target, ignore_index)
    batch, steps, classes = x.shape
    whole = reduction if reduction in ("mean", "sum") else "none"
    loss = cross_entropy(x.reshape(-1, classes), target.reshape(-1), weight, ignore_index, whole, label_smoothing)
    if whole != "none":
        return loss
    loss = loss.reshape(batch, steps)
    if reduction == "none":
        return loss
    sums = sum_(loss, 1)
    if length_power:
        counts = sum_((target != ignore_index).astype(loss.dtype), 1)
        sums = sums / maximum(counts, 1.0) ** length_power
    return sum_(sums) / max(batch, 1)


def _checked(mask: Tensor, name: str) -> Tensor:
    if str(mask.dtype) != "bool":
        raise TypeError(f"[{name}] mask has dtype {mask.dtype}, expected bool: True takes part")
    return mask
