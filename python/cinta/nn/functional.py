"""Layers without state: PyTorch's names, NumPy's `axis`.

Most are the core's operations under their own names; `help(nn.functional.conv2d)` shows formula and shapes.
"""

from __future__ import annotations

from typing import Any

from cinta._core import (
    Tensor,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    asarray,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cross_entropy,
    ctc_loss,
    dropout,
    elu,
    embedding,
    fold,
    fractional_max_pool2d,
    gelu,
    group_norm,
    hinge_loss,
    huber_loss,
    is_recording,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    linear,
    local_response_norm,
    locally_connected1d,
    locally_connected2d,
    log_softmax,
    max_pool1d,
    max_pool2d,
    maximum,
    mse_loss,
    nll_loss,
    one_hot,
    relu,
    scaled_dot_product_attention,
    sigmoid,
    silu,
    smooth_l1_loss,
    softmax,
    softplus,
    sqrt,
    square,
    tanh,
    unfold,
    where,
)
from cinta._core import sum as sum_
from cinta.autodiff.tree import leaves, rebuild
from cinta.nn.layers.positional import sinusoidal_positions
from cinta.nn.pooling import lp_pool1d, lp_pool2d, max_unpool1d, max_unpool2d
from cinta.nn.rectifiers import prelu
from cinta.nn.resizing import interpolate, pixel_shuffle, pixel_unshuffle
from cinta.nn.sequences import masked_mean, masked_softmax, sequence_cross_entropy, sequence_mask

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "detach_states",
    "dropout",
    "elu",
    "embedding",
    "fold",
    "fractional_max_pool2d",
    "gelu",
    "group_norm",
    "hinge_loss",
    "huber_loss",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "locally_connected1d",
    "locally_connected2d",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "masked_mean",
    "masked_softmax",
    "max_pool1d",
    "max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "relu",
    "scaled_dot_product_attention",
    "sequence_cross_entropy",
    "sequence_mask",
    "sigmoid",
    "silu",
    "sinusoidal_positions",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "unfold",
]


def logsigmoid(x: Tensor) -> Tensor:
    """Logarithm of the logistic function, without its overflow.

    y = -log(1 + e^-x), x, y [...]

    Example:
        >>> round(nn.functional.logsigmoid(ct.tensor([0.0])).item(), 4)
        -0.6931
    """
    return -softplus(-x)


def normalize(x: Tensor, axis: Any = 1, eps: float = 1e-12) -> Tensor:
    """Scales vectors along `axis` to length 1.

    y = x / max(sqrt(sum x^2), eps), x, y [...]

    Example:
        >>> nn.functional.normalize(ct.tensor([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    # The floor stands inside the root, whose slope at zero would be infinite.
    return x / sqrt(maximum(sum_(square(x), axis, keepdims=True), eps * eps))


def cosine_similarity(a: Tensor, b: Tensor, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors along `axis`.

    y = sum(a b) / (max(|a|, eps) max(|b|, eps)), a and b [...] broadcasting, y without `axis`

    Example:
        >>> nn.functional.cosine_similarity(ct.tensor([[1.0, 0.0]]), ct.tensor([[0.0, 2.0]])).tolist()
        [0.0]
    """
    return sum_(normalize(a, axis, eps) * normalize(b, axis, eps), axis)


def multi_margin_loss(
    x: Tensor, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Multi-class hinge loss: how far other classes' scores come within a margin of the right one's.

    l_n = sum_{j != t} w[t] max(0, margin - x[n, t] + x[n, j])^p / C, t = target[n]; x [N, C] or [C], target [N] or []
    of integers, weight w [C], l [N] or []

    Errors: IndexError where a target is outside 0 .. C-1; ValueError for p other than 1 and 2, shapes that disagree.
    Source: Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.

    Example:
        >>> round(nn.functional.multi_margin_loss(ct.tensor([[0.5, 1.0, -2.0]]), [1]).item(), 4)
        0.1667
    """
    x, target = asarray(x), asarray(target)
    if p not in (1, 2):
        raise ValueError(f"[multi_margin_loss] p got {p!r}, expected 1 or 2")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"[multi_margin_loss] reduction got {reduction!r}, expected 'mean', 'sum' or 'none'")
    if not x.dtype.is_floating:
        raise TypeError(f"[multi_margin_loss] x has dtype {x.dtype}, expected a floating one")
    if x.ndim not in (1, 2) or target.shape != x.shape[:-1]:
        got = f"x {list(x.shape)} and target {list(target.shape)}"
        raise ValueError(f"[multi_margin_loss] got {got}, expected [N, C] and [N], or [C] and []")
    classes = x.shape[-1]
    if target.size and not is_recording() and (target.min().item() < 0 or target.max().item() >= classes):
        got = f"targets from {target.min().item()} to {target.max().item()}"
        raise IndexError(f"[multi_margin_loss] got {got}, expected 0 to {classes - 1}")
    own = one_hot(target, classes).astype("bool")
    right = sum_(where(own, x, 0.0), -1, keepdims=True)
    loss = relu(margin - right + x)
    loss = where(own, 0.0, loss if p == 1 else square(loss))
    if weight is not None:
        weight = asarray(weight)
        if weight.shape != (classes,):
            raise ValueError(f"[multi_margin_loss] weight has shape {list(weight.shape)}, expected [{classes}]")
        loss = loss * weight.astype(x.dtype).take(target)[..., None]
    loss = sum_(loss, -1) / classes
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()


def detach_states(states: Any) -> Any:
    """States without their history: what truncated backpropagation through time hands from piece to piece.

    Tensors in nested tuples, lists and dicts, as `nn.LSTM` gives and takes them; None stays None.

    Example:
        >>> lstm, states = nn.LSTM(3, 4), None
        >>> for piece in ct.ones((2, 7, 5, 3)):  # gradients reach back to the beginning of a piece
        ...     y, states = lstm(piece, nn.functional.detach_states(states))
        ...     y.sum().backward()
        >>> states[0].shape
        (1, 5, 4)
    """
    return rebuild(states, [state.detach() for state in leaves(states)])
