"""Losses: what training makes small. `reduction` is 'mean', 'sum' or 'none' throughout."""

from __future__ import annotations

from typing import Any

from cinta._core import (
    Tensor,
    asarray,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    ctc_loss,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from cinta.nn.functional import multi_margin_loss
from cinta.nn.module import Module


class _Loss(Module):
    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in self.reductions:
            raise ValueError(f"[{type(self).__name__}] reduction got {reduction!r}, expected one of {self.reductions}")
        self.reduction = reduction

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(self, weight: Tensor | None, reduction: str) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else asarray(weight))


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy of scores against classes.

    l_n = -w[t_n] log softmax(x_n)[t_n], or -sum_c w[c] t[n,c] log softmax(x_n)[c] for probabilities t;
    label_smoothing s puts (1 - s) t + s/C in t's place; the mean divides by the sum of weights met
    x [N, C] or [N, C, d1, ...], target [N, d1, ...] of integers or x's shape of probabilities, weight w [C]

    Targets equal to `ignore_index` count for nothing.
    Errors: IndexError where a target is outside 0 .. C-1, ValueError where shapes disagree.

    Example:
        >>> loss = nn.CrossEntropyLoss()(ct.zeros((2, 10)), ct.tensor([3, 7]))
        >>> round(loss.item(), 4)
        2.3026
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"[CrossEntropyLoss] label_smoothing got {label_smoothing}, expected a share in [0, 1]")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return cross_entropy(x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(_WeightedLoss):
    """Negative log likelihood of classes, from log probabilities.

    l_n = -w[t_n] x[n, t_n]; the mean divides by the sum of weights met
    x [N, C] or [N, C, d1, ...] of log probabilities, target [N, d1, ...] of integers, weight w [C]

    Targets equal to `ignore_index` count for nothing.
    Errors: IndexError where a target is outside 0 .. C-1.

    Example:
        >>> nn.NLLLoss()(ct.tensor([[-1.0, -2.0]]), ct.tensor([1])).item()
        2.0
    """

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(_Loss):
    """Mean squared error.

    l = (x - t)^2, x and target t [...]

    Example:
        >>> nn.MSELoss()(ct.tensor([1.0, 2.0]), ct.tensor([0.0, 0.0])).item()
        2.5
    """

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return mse_loss(x, target, self.reduction)


class L1Loss(_Loss):
    """Mean absolute error.

    l = |x - t|, x and target t [...]

    Example:
        >>> nn.L1Loss()(ct.tensor([1.0, -2.0]), ct.tensor([0.0, 0.0])).item()
        1.5
    """

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return l1_loss(x, target, self.reduction)


class HuberLoss(_Loss):
    """Squared near zero, absolute far away.

    l = d^2 / 2 for |d| <= delta, delta (|d| - delta/2) otherwise, d = x - t, x and target t [...]
    Source: Huber, "Robust Estimation of a Location Parameter", 1964.

    Example:
        >>> nn.HuberLoss()(ct.tensor([3.0]), ct.tensor([0.0])).item()
        2.5
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"[HuberLoss] delta got {delta}, expected > 0")
        self.delta = delta

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return huber_loss(x, target, delta=self.delta, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Huber's loss divided by its border, so that the absolute part has slope 1.

    l = d^2 / (2 beta) for |d| < beta, |d| - beta/2 otherwise, d = x - t, x and target t [...]

    Example:
        >>> nn.SmoothL1Loss()(ct.tensor([3.0]), ct.tensor([0.0])).item()
        2.5
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        if not beta >= 0:
            raise ValueError(f"[SmoothL1Loss] beta got {beta}, expected >= 0")
        self.beta = beta

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return smooth_l1_loss(x, target, beta=self.beta, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """Binary cross entropy of probabilities.

    l = -w (t log x + (1 - t) log(1 - x)), logarithms kept above -100; x, target t and weight w [...]
    Errors: ValueError where x is outside [0, 1].

    Example:
        >>> round(nn.BCELoss()(ct.tensor([0.5]), ct.tensor([1.0])).item(), 4)
        0.6931
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross entropy of scores, with the sigmoid inside for accuracy.

    l = -w (p t log s(x) + (1 - t) log(1 - s(x))), s the logistic function; x, target t and weight w [...],
    pos_weight p broadcasting against them

    Example:
        >>> round(nn.BCEWithLogitsLoss()(ct.tensor([0.0]), ct.tensor([1.0])).item(), 4)
        0.6931
    """

    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", None if pos_weight is None else asarray(pos_weight))

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence from log probabilities x to a target distribution.

    l = t (log t - x), or e^t (t - x) with log_target; x and target t [N, ...]

    `reduction='batchmean'` divides the sum by N, which is the divergence's definition; 'mean' divides by all elements.

    Example:
        >>> nn.KLDivLoss("batchmean")(ct.log(ct.tensor([[0.5, 0.5]])), ct.tensor([[0.5, 0.5]])).item()
        0.0
    """

    reductions = ("mean", "batchmean", "sum", "none")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return kl_div(x, target, self.reduction, self.log_target)


class HingeLoss(_Loss):
    """Hinge loss of scores against signs.

    l = max(0, margin - t x), target t in {-1, 1}; x and t [...]

    Example:
        >>> nn.HingeLoss()(ct.tensor([0.5, 2.0]), ct.tensor([1.0, 1.0])).item()
        0.25
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return hinge_loss(x, target, margin=self.margin, reduction=self.reduction)


class CTCLoss(_Loss):
    """Connectionist temporal classification: the loss of sequences that nobody has aligned with the frames.

    l_n = -log sum_a prod_t p[t, n, a_t] over all alignments a of target n: a class a_t for every frame, which are the
    target once repetitions, and then blanks, are taken out; 'mean' first divides l_n by the target's length, 1 at least
    log_probs [T, N, C], logarithms of p as `log_softmax` gives them, or [T, C]; targets [N, S] with anything behind
    their ends, or [sum of target_lengths] one after the other; input_lengths and target_lengths [N]; all of integers

    blank: the class that stands for nothing, which no target has. zero_infinity: a target that fits no alignment, for
    want of frames or of probability, has the loss 0 instead of inf; its gradient is 0 with either. Any order of
    derivative exists. The gradient is the true one for independent log_probs, as PyTorch's is only behind a
    `log_softmax`, where the two agree.

    Errors: ValueError where shapes, lengths or blank do not fit or a target has the blank, IndexError where one is
    outside 0 .. C-1, TypeError for dtypes.
    Source: Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent
    Neural Networks", 2006.

    Example:
        >>> log_probs = ct.log_softmax(ct.zeros((4, 1, 3)), axis=2)  # 4 frames, the blank and 2 labels, all as likely
        >>> loss = nn.CTCLoss()(log_probs, ct.tensor([[1, 2]]), ct.tensor([4]), ct.tensor([2]))
        >>> round(81 * ct.exp(-2 * loss).item())  # alignments that say 1, 2, of 3**4
        15
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        if blank < 0:
            raise ValueError(f"[CTCLoss] blank got {blank}, expected a class, at least 0")
        self.blank, self.zero_infinity = blank, zero_infinity

    def extra_repr(self) -> str:
        shown = [super().extra_repr()] + [f"blank={self.blank}"] * bool(self.blank)
        return ", ".join(filter(None, [*shown, *["zero_infinity=True"] * self.zero_infinity]))

    def forward(self, log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any) -> Tensor:
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )


class MultiMarginLoss(_WeightedLoss):
    """Multi-class hinge loss: with a linear layer before it, a support vector machine of all classes at once.

    l_n = sum_{j != t} w[t] max(0, margin - x[n, t] + x[n, j])^p / C, t = target[n]
    x [N, C] or [C], target [N] or [] of integers, weight w [C]; the mean divides by N

    Errors: IndexError where a target is outside 0 .. C-1; ValueError for p other than 1 and 2.
    Source: Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.

    Example:
        >>> nn.MultiMarginLoss()(ct.tensor([[0.5, 1.0, -2.0, 0.0]]), ct.tensor([1])).item()
        0.125
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        if p not in (1, 2):
            raise ValueError(f"[MultiMarginLoss] p got {p!r}, expected 1 or 2")
        self.p, self.margin = p, margin

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return multi_margin_loss(x, target, self.p, self.margin, self.weight, self.reduction)
