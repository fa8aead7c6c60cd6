"""Radial basis functions: units that measure how far their input lies from a centre."""

from __future__ import annotations

from cinta._core import Tensor, asarray, empty, square
from cinta._core import sum as sum_
from cinta.nn.init import uniform_
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class RadialBasis(Module):
    """Squared Euclidean distances from one centre for each output.

    y_i = sum_j (x_j - w_ij)^2, x [..., I], weight w [O, I], y [..., O]

    `centers` are the weight to begin with; without them they start as U(-1, 1). Exp(-y) is a Gaussian around each
    centre, up to its height: small y are likely ones. `layer.requires_grad_(False)` keeps centres where they are.
    Errors: ValueError where x's last dimension is not I, or centers have another shape.
    Source: Broomhead and Lowe, "Multivariable Functional Interpolation and Adaptive Networks", 1988.

    Example:
        >>> layer = nn.RadialBasis(2, 2, centers=[[1.0, 1.0], [-1.0, 1.0]])
        >>> layer(ct.tensor([[1.0, 1.0]])).tolist()
        [[0.0, 4.0]]
    """

    def __init__(self, in_features: int, out_features: int, centers: object = None, dtype: object = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), dtype=dtype))
        self.reset_parameters()
        if centers is not None:
            given = asarray(centers)
            if given.shape != self.weight.shape:
                raise ValueError(
                    f"[RadialBasis] centers got shape {list(given.shape)}, expected {list(self.weight.shape)}: one row "
                    "of in_features numbers for each output"
                )
            self.load_state_dict({"weight": given})

    def reset_parameters(self) -> None:
        """Draws the centres anew."""
        uniform_(self.weight, -1.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"[RadialBasis] input has shape {list(x.shape)}, expected {self.in_features} features last"
            )
        # Differences and not |x|^2 - 2 x w + |w|^2, whose terms cancel near a centre.
        return sum_(square(x.reshape(*x.shape[:-1], 1, self.in_features) - self.weight), axis=-1)

    def extra_repr(self) -> str:
        return f"{self.in_features} -> {self.out_features}"
