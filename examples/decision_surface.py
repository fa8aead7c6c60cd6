"""A two-layer net learns to tell two spirals (or two moons) apart: its decision surface over the training.

    python examples/decision_surface.py --steps 3000 --hidden 32 --out runs/decision_surface
    python examples/decision_surface.py --data moons --hidden 8 --noise 0.2

f(x) = W2 tanh(W1 x + b1) + b2: with few hidden units the border stays nearly straight, with more it winds.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
from sklearn.datasets import make_moons

import cinta as ct
from cinta import nn, optim, plot, preprocess


def two_spirals(n: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points on each of two spirals that wind one and a half times around each other."""
    turn = np.sqrt(rng.uniform(0.05, 1, n)) * 3 * np.pi
    arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / (3 * np.pi)
    points = np.concatenate([arm, -arm]) + rng.normal(scale=noise, size=(2 * n, 2))
    return points, np.repeat([0, 1], n)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", choices=["spirals", "moons"], default="spirals")
parser.add_argument("--hidden", type=int, default=32, help="units of the hidden layer")
parser.add_argument("--steps", type=int, default=3000)
parser.add_argument("--lr", type=float, default=0.02)
parser.add_argument("--noise", type=float, default=0.02)
parser.add_argument("--out", type=Path, default=Path("runs/decision_surface"), metavar="DIR")
args = parser.parse_args()

rng = np.random.default_rng(0)
if args.data == "spirals":
    points, labels = two_spirals(150, args.noise, rng)
else:
    points, labels = make_moons(300, noise=args.noise, random_state=0)
points = preprocess.Standardize().fit_transform(points)

ct.random.seed(0)
hidden = nn.Linear(2, args.hidden)
nn.init.normal_(hidden.weight, std=1.5)  # steep enough to bend within the data
model = nn.Sequential(hidden, nn.Tanh(), nn.Linear(args.hidden, 2))
optimizer = optim.Adam(model.parameters(), lr=args.lr)


@ct.compile
def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


x, y = ct.tensor(points), ct.tensor(labels)
moments = sorted({round(args.steps ** (k / 5)) for k in range(1, 5)} | {0, args.steps})
snapshots, losses = {}, []
for done in range(args.steps + 1):
    if done in moments:
        with ct.no_grad():
            right = (model(x).argmax(axis=1).numpy() == labels).mean()
        snapshots[f"after {done} steps: {right:.0%} right"] = copy.deepcopy(model)
    if done < args.steps:
        losses.append(step(x, y).item())

args.out.mkdir(parents=True, exist_ok=True)
title = f"A net of {args.hidden} hidden units learns two {args.data}"
surfaces = plot.decision_surface(snapshots, points, labels, classes=["first", "second"], title=title)
surfaces.savefig(args.out / "decision_surface.png")
plot.learning_curves({"loss": losses}, xlabel="step", title=title).savefig(args.out / "learning_curve.png")
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, {right:.1%} of {len(labels)} points on their side of the border")
print(f"decision_surface.png and learning_curve.png are in {args.out}")
