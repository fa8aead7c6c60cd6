"""Normalisation over the batch, over features, over groups of channels and over the channels around each."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, batch_norm, group_norm, layer_norm, local_response_norm, ones, tensor, zeros
from cinta.nn.init import ones_, zeros_
from cinta.nn.layers.arguments import int_tuple, positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


def _affine(module: Module, shape: tuple[int, ...], weight: bool, bias: bool, dtype: Any) -> None:
    module.register_parameter("weight", Parameter(ones(shape, dtype=dtype)) if weight else None)
    module.register_parameter("bias", Parameter(zeros(shape, dtype=dtype)) if bias else None)


class _BatchNorm(Module):
    ranks: tuple[int, ...]
    layout: str
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        positive(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        _affine(self, (num_features,), affine, affine, dtype)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros((num_features,), dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones((num_features,), dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0) if tracked else None)

    def reset_running_stats(self) -> None:
        """Sets the running mean to 0, the running variance to 1 and the count of batches to 0."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            zeros_(self.running_mean)
            ones_(self.running_var)
            zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Sets weight to 1, bias to 0 and the running statistics to their start."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            ones_(self.weight)
            zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.ranks:
            raise ValueError(f"input has shape {list(x.shape)}, expected {self.layout}")
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            count = self.num_batches_tracked
            count += 1
            if self.momentum is None:
                momentum = 1.0 / count.item()
        training = self.training or self.running_mean is None
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.num_features}, eps={self.eps:g}, momentum={self.momentum}"
        text += "" if self.affine else ", affine=False"
        return text + ("" if self.track_running_stats else ", track_running_stats=False")


class BatchNorm1d(_BatchNorm):
    """Normalises each feature over the batch.

    y = (x - mean) / sqrt(var + eps) * weight + bias, statistics over N (and L)
    x, y [N, C] or [N, C, L]; weight, bias, running_mean, running_var [C]

    In training the statistics are the batch's (var biased), and running = (1 - momentum) running + momentum batch
    (var unbiased); `momentum=None` keeps the plain average. In evaluation the running statistics are used.
    Errors: ValueError for another rank, C other than num_features, or one value per feature in training.
    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    Example:
        >>> y = nn.BatchNorm1d(2)(ct.tensor([[1.0, 10.0], [3.0, 30.0]]))
        >>> y.round().tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    ranks = (2, 3)
    layout = "[N, C] or [N, C, L]"


class BatchNorm2d(_BatchNorm):
    """Normalises each channel over the batch and the image.

    y = (x - mean) / sqrt(var + eps) * weight + bias, statistics over N, H and W
    x, y [N, C, H, W]; weight, bias, running_mean, running_var [C]

    Running statistics, `momentum` and evaluation are as in `BatchNorm1d`.
    Errors: ValueError for another rank, C other than num_features, or one value per channel in training.
    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    Example:
        >>> nn.BatchNorm2d(6)(ct.random.normal(shape=(8, 6, 5, 5))).shape
        (8, 6, 5, 5)
    """

    ranks = (4,)
    layout = "[N, C, H, W]"


class LayerNorm(Module):
    """Normalises each example over its last dimensions.

    y = (x - mean) / sqrt(var + eps) * weight + bias, statistics over the dimensions of normalized_shape
    x, y [..., *normalized_shape]; weight, bias [*normalized_shape]

    Errors: ValueError where x does not end in normalized_shape.
    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.

    Example:
        >>> nn.LayerNorm(4)(ct.random.normal(shape=(2, 3, 4))).shape
        (2, 3, 4)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
        self.normalized_shape = int_tuple("LayerNorm", "normalized_shape", normalized_shape, max(count, 1), 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        _affine(self, self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        shape = self.normalized_shape
        text = f"{shape[0] if len(shape) == 1 else shape}, eps={self.eps:g}"
        return text + ("" if self.elementwise_affine else ", elementwise_affine=False")


class GroupNorm(Module):
    """Normalises each example over groups of channels.

    y = (x - mean) / sqrt(var + eps) * weight + bias, statistics over C/num_groups channels and all places
    x, y [N, C, ...]; weight, bias [C]

    Errors: ValueError where num_groups does not divide num_channels or C is not num_channels.
    Source: Wu and He, "Group Normalization", 2018.

    Example:
        >>> nn.GroupNorm(3, 6)(ct.random.normal(shape=(2, 6, 5, 5))).shape
        (2, 6, 5, 5)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        positive("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"[GroupNorm] num_groups got {num_groups}, expected a divisor of num_channels {num_channels}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        _affine(self, (num_channels,), affine, affine, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.num_groups}, {self.num_channels}, eps={self.eps:g}"
        return text + ("" if self.affine else ", affine=False")


class LocalResponseNorm(Module):
    """Divides every value by what the channels around it hold at the same place.

    y_c = x_c (k + alpha / size sum_j x_j^2)^-beta, j from c - size // 2 to c + (size - 1) // 2, as far as there are
    channels x, y [N, C, L], [N, C, H, W] or of more axes

    Errors: ValueError where size is below 1 or x has fewer than 3 axes.
    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012
    (where k = 2 and alpha is not divided by size).

    Example:
        >>> y = nn.LocalResponseNorm(3, alpha=3.0, beta=0.5)(ct.tensor([[[0.0], [3.0], [4.0]]]))
        >>> [round(value, 4) for value in y.flatten().tolist()]  # 0, 3 and 4, divided by sqrt(1 + 9 + 16)
        [0.0, 0.5883, 0.7845]
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        positive("LocalResponseNorm", size=size)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g}"
