"""Fractional max pooling: windows whose borders are drawn, so that images shrink by any ratio."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, fractional_max_pool2d
from cinta.nn.layers.arguments import brief, int_tuple
from cinta.nn.module import Module


class FractionalMaxPool2d(Module):
    """The maximum over windows whose borders are drawn anew for every batch: H' / H may be any ratio, as 1 / sqrt(2).

    y[n,c,p,q] = max of x[n,c, a_p : e_p, b_q : f_q], x [N, C, H, W] or [C, H, W], y [N, C, H', W']

    Borders of the rows (those of the columns are alike), with u ~ U(0, 1) drawn:
    - pseudo-random: a_p = ceil(r (p + u)) - ceil(r u), steps as even as they can be
    - random: steps of floor(r) and ceil(r), as many of each as add up to the height, in random order
    - disjoint: each window ends where the next begins, r = H / H'. Overlapping: they share the border row,
      e_p = a_{p+1} + 1, r = (H - 1) / H'

    In evaluation u = 1/2 and the steps are even, always the same; `ct.ensemble.average_passes` draws instead and
    averages, as the paper does.

    Args:
        kernel_size: None for the paper's windows, as above; a number, or a pair, for PyTorch's, all of this size:
            a_p = floor(r (p + u)) - floor(r u), r = (H - kernel_size) / (H' - 1), the last at the end. Disjoint, they
            are cut where the next begins.
        output_size: H' and W', one number or a pair; or
        output_ratio: H' / H and W' / W, below 1; sizes are rounded down.
        return_indices: the positions of the maxima in H W come along.
        _random_samples: [N, C, 2] in [0, 1), the u of columns and rows of every plane instead of drawn ones, or [2].
        pseudo_random: True, or False for random.
        overlapping: True, or False for disjoint.
        shared: one set of windows for all images and channels of a batch, as in the paper; False: one for each plane,
            as PyTorch does.

    The paper trains with dropout where windows are random, and finds pseudo-random, overlapping ones best without.
    Errors: ValueError where not one of output_size and output_ratio is given, or so many windows have no place.
    Source: Graham, "Fractional Max-Pooling", 2014.

    Example:
        >>> pool = nn.FractionalMaxPool2d(output_ratio=0.7)
        >>> pool(ct.ones((8, 6, 32, 32))).shape
        (8, 6, 22, 22)
        >>> pool = nn.FractionalMaxPool2d(2, output_size=(3, 3), pseudo_random=False, overlapping=False)
        >>> pool.eval()(ct.arange(25.0).reshape(1, 1, 5, 5)).tolist()
        [[[[6.0, 7.0, 9.0], [11.0, 12.0, 14.0], [21.0, 22.0, 24.0]]]]
    """

    def __init__(
        self,
        kernel_size: Any = None,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
        *,
        pseudo_random: bool = True,
        overlapping: bool = True,
        shared: bool = True,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"[{layer}] got output_size {output_size} and output_ratio {output_ratio}, expected one of them"
            )
        self.kernel_size = None if kernel_size is None else int_tuple(layer, "kernel_size", kernel_size, 2, 1)
        self.output_size = None if output_size is None else int_tuple(layer, "output_size", output_size, 2, 1)
        self.output_ratio: tuple[float, ...] | None = None
        if output_ratio is not None:
            ratios = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * 2
            if len(ratios) != 2 or not all(0 < ratio < 1 for ratio in ratios):
                raise ValueError(f"[{layer}] output_ratio got {output_ratio}, expected one or two numbers in (0, 1)")
            self.output_ratio = ratios
        if _random_samples is not None and not pseudo_random:
            raise ValueError(f"[{layer}] _random_samples are of pseudo-random windows, got pseudo_random=False")
        self.return_indices = return_indices
        self._random_samples = _random_samples
        self.pseudo_random, self.overlapping, self.shared = pseudo_random, overlapping, shared

    def forward(self, x: Tensor) -> Any:
        return fractional_max_pool2d(
            x,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
            self.pseudo_random,
            self.overlapping,
            self.shared,
            self.training,
        )

    def extra_repr(self) -> str:
        text = "" if self.kernel_size is None else f"kernel_size={brief(self.kernel_size)}, "
        if self.output_size is not None:
            text += f"output_size={brief(self.output_size)}"
        else:
            ratios = self.output_ratio or ()
            text += f"output_ratio={ratios[0] if len(set(ratios)) == 1 else ratios}"
        for name, usual in (("pseudo_random", True), ("overlapping", True), ("shared", True)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text
