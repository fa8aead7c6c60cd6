"""LeNet-5: the convolutional network that read cheques, as it was and as it is built today."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cinta import nn
from cinta._core import Tensor, asarray, concat, full
from cinta.autodiff import no_grad

# Which of the six maps of S2 the sixteen of C3 see: the paper's table I, a row for each map of S2.
C3_TABLE = """
    X...XXX..XXXX.XX
    XX...XXX..XXXX.X
    XXX...XXX..X.XXX
    .XXX..XXXX..X.XX
    ..XXX..XXXX.XX.X
    ...XXX..XXXX.XXX
"""
C3_CONNECTIONS = np.array([list(row) for row in C3_TABLE.split()]).T == "X"

# What F6 should look like for each digit: the paper's figure 3, 7x12 pixels.
DIGIT_PICTURES = """
    .#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.
    ....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###
    ..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##
    .##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
    ##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###
    ##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######
    ##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##
    ##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##
    .##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.
    ..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..
    ....... ....... ....... ....... .....## ....... ....... ....... ....... .......
    ....... ....... ....... ....... .....## ....... ....... ....... ....... .......
"""
_PIXELS = np.array([[list(part) for part in row.split()] for row in DIGIT_PICTURES.strip().split("\n")])
DIGIT_CODES = np.where(_PIXELS == "#", 1.0, -1.0).transpose(1, 0, 2)  # [10, 12, 7]


class LeNet5(nn.Sequential):
    """LeNet-5 for images [N, 1, 32, 32]: scores [N, classes].

    C1 6@28x28 - S2 6@14x14 - C3 16@10x10 - S4 16@5x5 - C5 120 - F6 84 - output; kernels of 5x5, subsampling by 2x2

    As it is built today, 61,706 parameters: tanh after each convolution, mean pooling, every map of C3 connected to
    all of S2, a linear output; for `nn.CrossEntropyLoss`.

    As published (`original=True`), 60,000 trained parameters: 1.7159 tanh(2/3 x) throughout; S2 and S4 learn a
    coefficient and a bias for each map; C3 has the 60 connections of table I; ten units measure how far F6 is from
    7x12 pictures of the digits, which are not trained. Scores are these distances negated, the logarithms of
    Gaussians; for `LeNet5Loss`. Each weight starts as U(-2.4/f, 2.4/f), f the inputs of its unit. Images are expected
    with -0.1 for the ground and 1.175 for the ink.

    Errors: ValueError for other than ten classes where `original`: the paper draws that many digits.
    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.

    Example:
        >>> net = ct.models.LeNet5(original=True)
        >>> sum(p.size for p in net.parameters() if p.requires_grad)
        60000
        >>> net(ct.zeros((8, 1, 32, 32))).shape
        (8, 10)
    """

    def __init__(self, classes: int = 10, original: bool = False) -> None:
        if original and classes != len(DIGIT_CODES):
            raise ValueError(
                f"[LeNet5] classes got {classes}, expected {len(DIGIT_CODES)} with original=True: its outputs are "
                "pictures of the ten digits"
            )
        super().__init__(_original() if original else _modern(classes))
        self.original = original

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return -y if self.original else y


class LeNet5Loss(nn.Module):
    """The paper's loss of scores s = -y, y the distances from the pictures: its equation 9.

    l_n = y[n,t] + log(e^-j + sum_i e^-y[n,i]), the mean over n; scores [N, C], target t [N] of integers

    The first term draws F6 towards the right picture, the second keeps it from the others, unless these are further
    than `j` away already. It is a cross entropy with one more class, of rubbish, whose score is always -j. The paper
    does not name its j; small ones generalise best on scikit-learn's digits.
    Errors: ValueError unless j > 0, IndexError where a target is outside 0 .. C-1.
    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.

    Example:
        >>> loss = ct.models.LeNet5Loss(j=1e9)
        >>> round(loss(ct.zeros((2, 10)), ct.tensor([3, 7])).item(), 4)
        2.3026
    """

    def __init__(self, j: float = 1.0) -> None:
        super().__init__()
        if not j > 0:
            raise ValueError(f"[LeNet5Loss] j got {j}, expected > 0")
        self.j = j

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        if scores.ndim != 2:
            raise ValueError(f"[LeNet5Loss] scores have shape {list(scores.shape)}, expected [N, C]")
        rubbish = full((len(scores), 1), -self.j, dtype=scores.dtype)
        return nn.functional.cross_entropy(concat([scores, rubbish], axis=1), target)

    def extra_repr(self) -> str:
        return f"j={self.j:g}"


def _modern(classes: int) -> dict[str, nn.Module]:
    return {
        "c1": nn.Conv2d(1, 6, 5), "tanh1": nn.Tanh(), "s2": nn.AvgPool2d(2),  # 32x32 -> 28x28 -> 14x14
        "c3": nn.Conv2d(6, 16, 5), "tanh3": nn.Tanh(), "s4": nn.AvgPool2d(2),  # 14x14 -> 10x10 -> 5x5
        "flatten": nn.Flatten(),
        "c5": nn.Linear(16 * 5 * 5, 120), "tanh5": nn.Tanh(),
        "f6": nn.Linear(120, 84), "tanh6": nn.Tanh(),
        "output": nn.Linear(84, classes),
    }  # fmt: skip


def _original() -> dict[str, nn.Module]:
    layers = {
        "c1": nn.Conv2d(1, 6, 5), "squash1": nn.ScaledTanh(),
        "s2": nn.Subsampling2d(6, 2), "squash2": nn.ScaledTanh(),
        "c3": nn.Conv2d(6, 16, 5, connections=C3_CONNECTIONS), "squash3": nn.ScaledTanh(),
        "s4": nn.Subsampling2d(16, 2), "squash4": nn.ScaledTanh(),
        "c5": nn.Conv2d(16, 120, 5), "squash5": nn.ScaledTanh(), "flatten": nn.Flatten(),
        "f6": nn.Linear(120, 84), "squash6": nn.ScaledTanh(),
    }  # fmt: skip
    for layer in layers.values():
        _scale_by_inputs(layer)
    pictures = nn.RadialBasis(84, 10, centers=DIGIT_CODES.reshape(10, 84).astype(np.float32))
    return {**layers, "output": pictures.requires_grad_(False)}


def _scale_by_inputs(layer: nn.Module) -> None:
    """From U(-1/sqrt(f), 1/sqrt(f)), as layers start, to U(-2.4/f, 2.4/f), f the inputs of a weight's unit."""
    for parameter, inputs in zip(layer.parameters(), _inputs(layer), strict=False):
        with no_grad():
            parameter.copy_(parameter * asarray(2.4 / np.sqrt(inputs)).astype(parameter.dtype))


def _inputs(layer: Any) -> tuple[Any, Any]:
    """Inputs of the units that a layer's weights and biases belong to."""
    if isinstance(layer, nn.Conv2d) and layer.connections is not None:
        table = layer.connections.numpy()
        seen = table.sum(axis=1) * math.prod(layer.kernel_size)
        return seen[np.nonzero(table)[0]].reshape(-1, 1, 1, 1), seen
    if isinstance(layer, nn.Subsampling2d):
        return (math.prod(layer.kernel_size),) * 2
    return (math.prod(layer.weight.shape[1:]),) * 2 if hasattr(layer, "weight") else (1, 1)
