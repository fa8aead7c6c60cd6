"""Activations: elementwise nonlinearities, and softmax."""

from __future__ import annotations

from cinta._core import (
    Tensor,
    elu,
    full,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from cinta.nn.layers.arguments import positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter
from cinta.nn.rectifiers import prelu


class Tanh(Module):
    """Hyperbolic tangent.

    y = (e^x - e^-x) / (e^x + e^-x), x, y [...]

    Example:
        >>> nn.Tanh()(ct.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return tanh(x)


class ScaledTanh(Module):
    """Hyperbolic tangent, stretched so that its effective slope is about 1 and it maps -1 and 1 to themselves.

    y = amplitude tanh(slope x), x, y [...]
    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998,
    appendix A.

    Example:
        >>> round(nn.ScaledTanh()(ct.tensor([1.0])).item(), 4)
        1.0
    """

    def __init__(self, amplitude: float = 1.7159, slope: float = 2 / 3) -> None:
        super().__init__()
        self.amplitude = amplitude
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return tanh(x * self.slope) * self.amplitude

    def extra_repr(self) -> str:
        return f"amplitude={self.amplitude:g}, slope={self.slope:g}"


class Sigmoid(Module):
    """Logistic function.

    y = 1 / (1 + e^-x), x, y [...]

    Example:
        >>> nn.Sigmoid()(ct.tensor([0.0])).tolist()
        [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(x)


class ReLU(Module):
    """Rectified linear unit.

    y = max(x, 0), x, y [...]

    Example:
        >>> nn.ReLU()(ct.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


class LeakyReLU(Module):
    """Rectified linear unit that lets a part of negative values through.

    y = x for x >= 0, negative_slope x otherwise, x, y [...]
    Source: Maas, Hannun and Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    Example:
        >>> nn.LeakyReLU(0.5)(ct.tensor([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"{self.negative_slope:g}"


class PReLU(Module):
    """Rectified linear unit that lets a part of negative values through, learnt for all channels or for each.

    y = x for x > 0, a x otherwise, x, y [N, C, ...], a = weight [1] or [C]

    Args:
        num_parameters: 1, or the number of channels C.
        init: of a.

    Errors: ValueError for num_parameters below 1, or inputs with another number of channels.
    Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", 2015.

    Example:
        >>> nn.PReLU()(ct.tensor([-1.0, 2.0])).tolist()
        [-0.25, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        positive("PReLU", num_parameters=num_parameters)
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), init))

    def forward(self, x: Tensor) -> Tensor:
        return prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """Exponential linear unit.

    y = x for x > 0, alpha (e^x - 1) otherwise, x, y [...]
    Source: Clevert, Unterthiner and Hochreiter, "Fast and Accurate Deep Network Learning by ELUs", 2015.

    Example:
        >>> nn.ELU()(ct.tensor([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}"


class GELU(Module):
    """Gaussian error linear unit.

    y = x/2 (1 + erf(x / sqrt 2)), or with approximate='tanh' x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), x, y [...]
    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    Example:
        >>> nn.GELU()(ct.tensor([0.0])).tolist()
        [0.0]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"[GELU] approximate got {approximate!r}, expected 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Module):
    """Sigmoid linear unit, also called swish.

    y = x / (1 + e^-x), x, y [...]
    Source: Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units", 2017.

    Example:
        >>> nn.SiLU()(ct.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return silu(x)


class Softplus(Module):
    """A smooth relu.

    y = log(1 + e^(beta x)) / beta, and y = x where beta x > threshold, x, y [...]

    Example:
        >>> nn.Softplus()(ct.tensor([30.0])).tolist()
        [30.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta:g}, threshold={self.threshold:g}"


class Softmax(Module):
    """Probabilities from scores along dimension `dim`.

    y_i = e^(x_i) / sum_j e^(x_j), x, y [...]

    Example:
        >>> nn.Softmax()(ct.tensor([1.0, 1.0])).tolist()
        [0.5, 0.5]
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """Logarithms of the probabilities that `Softmax` gives, without its overflow.

    y_i = x_i - log sum_j e^(x_j), x, y [...]

    Example:
        >>> nn.LogSoftmax()(ct.tensor([0.0])).tolist()
        [0.0]
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
