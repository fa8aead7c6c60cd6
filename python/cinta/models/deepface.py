"""DeepFace: a network for aligned faces whose upper layers share no weights, and its ways to tell whether two are one.

Taigman, Yang, Ranzato and Wolf (2014): DeepFace: Closing the Gap to Human-Level Performance in Face Verification.
"""

from __future__ import annotations

from typing import Any

import cinta as ct
from cinta import nn, optim
from cinta.nn.layers.arguments import positive


class DeepFace(nn.Module):
    """Scores of people for aligned faces (Taigman et al., 2014).

    x [N, 3, 152, 152] -> scores [N, people] through

    =====  ===========================  ==========  ==================
    layer  kernels                      places      parameters
    =====  ===========================  ==========  ==================
    c1     32 x 11x11x3                 142x142             11,648
    m2     maximum of 3x3, stride 2     71x71
    c3     16 x 9x9x32                  63x63               41,488
    l4     16 x 9x9x16, unshared        55x55           62,774,800
    l5     16 x 7x7x16, stride 2, uns.  25x25            7,850,000
    l6     16 x 5x5x16, unshared        21x21            2,829,456
    f7     7056 -> 4096                                 28,905,472
    f8     4096 -> people                         4097 each: 16,510,910
    =====  ===========================  ==========  ==================

    with a ReLU after each but m2 and f8, and dropout on f7. 118,923,774 parameters for 4030 people (the paper says
    "more than 120 million" of these same layers). Other sizes make a small form for small images.

    Args:
        people: how many scores there are.
        in_channels, image_size: of the images, which are square.
        channels: outputs of c1, c3, l4, l5 and l6.
        kernel_sizes: of the same layers.
        features: outputs of f7, which represent a face.
        dropout: the share of f7's outputs that training drops.

    Errors: ValueError where a kernel is larger than what is left of the image, naming the layer's arguments.

    Example:
        >>> small = dict(in_channels=1, image_size=32, channels=(8, 8, 4, 4, 4), kernel_sizes=(5, 3, 3, 3, 3))
        >>> model = ct.models.DeepFace(10, features=64, **small)
        >>> faces = ct.random.normal(shape=(2, 1, 32, 32))
        >>> model(faces).shape, model.representation(faces).shape
        ((2, 10), (2, 64))
    """

    def __init__(
        self,
        people: int = 4030,
        *,
        in_channels: int = 3,
        image_size: int = 152,
        channels: tuple[int, int, int, int, int] = (32, 16, 16, 16, 16),
        kernel_sizes: tuple[int, int, int, int, int] = (11, 9, 9, 7, 5),
        features: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        for name, values in (("channels", channels), ("kernel_sizes", kernel_sizes)):
            if len(values) != 5:
                raise ValueError(f"[DeepFace] {name} got {values!r}, expected five numbers: of c1, c3, l4, l5 and l6")
        positive("DeepFace", people=people, image_size=image_size, features=features)
        c1, c3, l4, l5, l6 = channels
        k1, k3, k4, k5, k6 = kernel_sizes
        after_m2 = -(-(image_size - k1 + 1 - 3) // 2) + 1  # its last window may reach beyond the border
        after_c3 = after_m2 - k3 + 1
        if after_m2 < 1 or after_c3 < 1:
            raise ValueError(
                f"[DeepFace] image_size got {image_size}, of which kernels of {k1}, 3 and {k3} with a stride of 2 "
                "leave nothing: take larger images or smaller kernel_sizes"
            )
        self.c1 = nn.Conv2d(in_channels, c1, k1)
        self.m2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.c3 = nn.Conv2d(c1, c3, k3)
        self.l4 = nn.LocallyConnected2d(c3, l4, k4, input_size=after_c3)
        self.l5 = nn.LocallyConnected2d(l4, l5, k5, stride=2, input_size=self.l4.output_size)
        self.l6 = nn.LocallyConnected2d(l5, l6, k6, input_size=self.l5.output_size)
        height, width = self.l6.output_size
        self.f7 = nn.Linear(l6 * height * width, features)
        self.dropout = nn.Dropout(dropout)
        self.f8 = nn.Linear(features, people)

    def representation(self, x: ct.Tensor) -> ct.Tensor:
        """What f7 gives for faces [N, C, H, W]: [N, features], none negative, before any dropout."""
        x = self.m2(self.c1(x).relu())
        for layer in (self.c3, self.l4, self.l5, self.l6):
            x = layer(x).relu()
        return self.f7(x.flatten(1)).relu()

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        return self.f8(self.dropout(self.representation(x)))


class NormalizedFeatures(nn.Module):
    """Features of faces on a scale of their own, and of length 1, so that brightness matters less.

    f(x) = g / |g|, g_i = x_i / max(m_i, eps), x, f [N, features], none negative;
    m: the largest value of each feature in the training set, which `fit` finds.

    Example:
        >>> normalized = ct.models.NormalizedFeatures(2).fit(ct.tensor([[1.0, 0.0], [4.0, 0.5]]))
        >>> normalized(ct.tensor([[4.0, 0.0], [0.0, 0.2]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    largest: ct.Tensor

    def __init__(self, features: int, eps: float = 0.05) -> None:
        super().__init__()
        positive("NormalizedFeatures", features=features)
        self.features, self.eps = features, eps
        self.register_buffer("largest", ct.ones(features))

    def fit(self, x: Any) -> NormalizedFeatures:
        """Remembers the largest value of each feature of x [N, features]; returns the module itself."""
        x = ct.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.features or x.shape[0] < 1:
            raise ValueError(
                f"[NormalizedFeatures] x got shape {x.shape}, expected [N, {self.features}] with at least one row"
            )
        with ct.no_grad():
            self.largest.copy_(x.max(axis=0))
        return self

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        return nn.functional.normalize(x / ct.maximum(self.largest, self.eps))

    def extra_repr(self) -> str:
        return f"{self.features}, eps={self.eps}"


class Verification(nn.Module):
    """A distance between two faces' features and where it is too large for one person: what both metrics share."""

    start = 1.0  # of the weights

    def __init__(self, features: int) -> None:
        super().__init__()
        positive(type(self).__name__, features=features)
        self.features = features
        self.weight = nn.Parameter(ct.full((features,), self.start))
        self.threshold = nn.Parameter(ct.ones(()))

    def terms(self, a: ct.Tensor, b: ct.Tensor) -> ct.Tensor:
        """How far apart each feature is, [N, features]."""
        raise NotImplementedError(f"[{type(self).__name__}] got no terms, expected a metric that defines them")

    def loss(self, margin: ct.Tensor) -> ct.Tensor:
        """Of margins, positive where the verdict is right."""
        raise NotImplementedError(f"[{type(self).__name__}] got no loss, expected a metric that defines one")

    def effective_weight(self) -> ct.Tensor:
        """The weights as distances use them."""
        return self.weight

    def forward(self, a: ct.Tensor, b: ct.Tensor) -> ct.Tensor:
        return self.terms(a, b) @ self.effective_weight()

    def same(self, a: ct.Tensor, b: ct.Tensor) -> ct.Tensor:
        """threshold - distance, [N]: positive where both are held to be one person."""
        return self.threshold - self(a, b)

    def fit(self, a: Any, b: Any, same: Any, *, C: float = 1.0, steps: int = 300, lr: float = 0.1) -> Verification:
        """Learns weights and threshold from pairs of features; returns the module itself.

        Minimizes sum over pairs of loss(margin) + |weight|^2 / (2 C) by `steps` of Adam over all pairs, its rate
        falling to 0. The features stay as they are.

        Args:
            a, b: the pairs' features [N, features].
            same: whether the pair is one person, [N].
            C: how much the pairs count beside small weights, as scikit-learn's LinearSVC has it.

        Errors: ValueError for shapes that do not fit, or pairs that are all of one kind.
        """
        name = type(self).__name__
        a, b = ct.asarray(a).detach(), ct.asarray(b).detach()
        truth = ct.asarray(same).astype(bool)
        if not (a.ndim == 2 and a.shape == b.shape == (*truth.shape, self.features)):
            raise ValueError(
                f"[{name}] a, b and same got shapes {a.shape}, {b.shape} and {truth.shape}, expected "
                f"[N, {self.features}], the same and [N]"
            )
        if not bool(truth.any()) or bool(truth.all()):
            raise ValueError(f"[{name}] same got pairs of one kind only, expected some of one person and some of two")
        sign = 2 * truth.astype(a.dtype) - 1
        with ct.no_grad():
            terms = self.terms(a, b)
        optimizer = optim.Adam(self.parameters(), lr=lr)
        scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            margin = sign * (self.threshold - terms @ self.effective_weight())
            (self.loss(margin).mean() + (self.weight**2).sum() / (2 * C * len(a))).backward()
            optimizer.step()
            scheduler.step()
            with ct.no_grad():
                self.weight.copy_(self.effective_weight())
        return self

    def extra_repr(self) -> str:
        return f"{self.features}"


class WeightedChiSquare(Verification):
    """The weighted chi-square distance of normalized features, its weights learned as those of a linear SVM.

    d(a, b) = sum_i w_i (a_i - b_i)^2 / (a_i + b_i), w_i >= 0; a, b [N, features], none negative, d [N].
    A feature that is 0 in both adds nothing. Weights that fall below 0 count as 0.

    Example:
        >>> metric = ct.models.WeightedChiSquare(2)
        >>> metric(ct.tensor([[0.5, 0.0]]), ct.tensor([[0.5, 1.0]])).tolist()
        [1.0]
        >>> a, b = ct.tensor([[1.0, 0.2], [1.0, 0.2]]), ct.tensor([[1.0, 0.9], [0.1, 0.2]])
        >>> metric = metric.fit(a, b, [True, False], C=100.0)
        >>> metric.same(a, b).sign().tolist()
        [1.0, -1.0]
    """

    def terms(self, a: ct.Tensor, b: ct.Tensor) -> ct.Tensor:
        return (a - b) ** 2 / ct.maximum(a + b, 1e-12)

    def loss(self, margin: ct.Tensor) -> ct.Tensor:
        return (1 - margin).relu()

    def effective_weight(self) -> ct.Tensor:
        return ct.maximum(self.weight, 0.0)


class SiameseL1(Verification):
    """The weighted L1 distance of a siamese network: two faces through one network, their features compared.

    d(a, b) = sum_i w_i |a_i - b_i|; a, b [N, features], d [N]. `same(a, b)` is the logit of a single logistic unit;
    train it, with the network below or without, by nn.BCEWithLogitsLoss, or let `fit` do so for features at hand.

    Example:
        >>> siamese = ct.models.SiameseL1(3)
        >>> a, b = ct.tensor([[1.0, 2.0, 3.0]]), ct.tensor([[1.0, 0.0, 4.0]])
        >>> siamese(a, b).tolist(), siamese.same(a, b).tolist()
        ([3.0], [-2.0])
    """

    def terms(self, a: ct.Tensor, b: ct.Tensor) -> ct.Tensor:
        return (a - b).abs()

    def loss(self, margin: ct.Tensor) -> ct.Tensor:
        return nn.functional.softplus(-margin)
