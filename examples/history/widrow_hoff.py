"""1960: the delta rule, which looks at how large the error is and spreads its correction over all weights.

    python examples/history/widrow_hoff.py

The lecture: "Widrow & Hoff developed a learning procedure that examines the value before the weight adjusts it (i.e. 0
or 1) according to the rule: Weight Change = (Pre-Weight line value) * (Error / (Number of Inputs)). It is based on the
idea that while one active perceptron may have a big error, one can adjust the weight values to distribute it across
the network". With lines of -1 and 1 this very rule removes the error of an example in one step, a 65th of it on each
line; a fraction of the step, taken again and again, comes to the least squares that no perceptron finds.
Widrow and Hoff, "Adaptive Switching Circuits", IRE WESCON Convention Record 4, 1960.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn
from cinta.plot.style import BLUE, DPI, GREEN, ORANGE, bare, new_figure, tidy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

digits = load_digits()
switches = np.where(digits.data > 7, 1.0, -1.0)  # on or off, as on the front of the machine
switches = np.concatenate([switches, np.ones((len(switches), 1))], axis=1)  # and one that is always on
split = train_test_split(switches, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
train_x, test_x = (ct.tensor(x, dtype="float32") for x in split[:2])
targets = nn.functional.one_hot(ct.tensor(split[2]), 10) * 2.0 - 1
inputs = train_x.shape[1]


def adjust(weight: ct.Tensor, line: ct.Tensor, error: ct.Tensor, part: float) -> None:
    """weight change = line value * error / number of inputs, or a part of it; ten units at once."""
    weight += ct.outer(error, line) * (part / inputs)


def judged(weight: ct.Tensor) -> tuple[float, float]:
    """Mean squared error on the training digits, share of the held-out ones recognised."""
    error = ((targets - train_x @ weight.T) ** 2).mean().item()
    return error, float(np.mean((test_x @ weight.T).argmax(axis=1).numpy() == split[3]))


weight = ct.zeros((10, inputs))
before = targets[0] - weight @ train_x[0]
adjust(weight, train_x[0], before, 1.0)
after = targets[0] - weight @ train_x[0]
print(f"one whole step: errors of {abs(before).max().item():.1f} become {abs(after).max().item():.1e}, each of "
      f"{inputs} weights moved by {abs(weight).max().item():.4f}")  # fmt: skip

order = np.random.default_rng(0)
curves: dict[float, list[float]] = {}
trained = {}
for part in (1.0, 0.1, 0.01):
    weight = ct.zeros((10, inputs))
    curves[part] = [judged(weight)[0]]
    for _ in range(args.epochs):
        for i in order.permutation(len(train_x)).tolist():
            adjust(weight, train_x[i], targets[i] - weight @ train_x[i], part)
        curves[part].append(judged(weight)[0])
    trained[part] = weight
    print(f"steps of {part:>4g}: squared error {curves[part][-1]:.3f}, {judged(weight)[1]:.1%} of {len(test_x)} right")
solution = np.linalg.lstsq(train_x.numpy().astype(float), targets.numpy().astype(float), rcond=None)[0].T
least, share = judged(ct.tensor(solution, dtype="float32"))
print(f"least squares: squared error {least:.3f}, {share:.1%} right")

figure = new_figure(12.5, 3.9)
left, middle, right = figure.subfigures(1, 3, width_ratios=(1, 1.15, 1.25), squeeze=False)[0]
left.suptitle("One step spreads the error over all lines", fontsize=11)
axes = left.subplots()
change = (train_x[0] * before[0] / inputs).numpy()[:64].reshape(8, 8)
shown = axes.imshow(change, cmap="RdBu_r", vmin=-2 * abs(change).max(), vmax=2 * abs(change).max())
bare(axes)
axes.set_xlabel(f"each weight of a unit moves by\n+ or - error / {inputs} = {abs(change).max():.4f}", fontsize=9)
middle.suptitle("Squared error, digit by digit", fontsize=11)
axes = middle.subplots()
for (part, curve), colour in zip(curves.items(), (ORANGE, GREEN, BLUE), strict=True):
    axes.plot(curve, ".-", color=colour, label=f"{part:g} of the step")
axes.axhline(least, color="0.3", linestyle="--", linewidth=1, label="least squares")
axes.set(xlabel="epochs", ylabel="mean squared error", ylim=(0, 1.02))
axes.legend(frameon=False, fontsize=9)
tidy(axes)
right.suptitle("What ten units came to look for", fontsize=11)
best = trained[0.01].numpy()[:, :64]
for digit, axes in enumerate(right.subplots(2, 5).flat):
    axes.imshow(best[digit].reshape(8, 8), cmap="RdBu_r", vmin=-abs(best).max() * 0.7, vmax=abs(best).max() * 0.7)
    axes.set_title(digit, fontsize=10)
    bare(axes)
path = args.out / "widrow_hoff.png"
figure.savefig(path, dpi=DPI)
print(f"the picture: {path}")
