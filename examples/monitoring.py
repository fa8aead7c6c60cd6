"""Four trainings on scikit-learn's digits, one healthy and three not, and what ct.Monitor says of each.

    python examples/monitoring.py --steps 400 --out runs/monitoring

Shows the table of each as it trains, then the advice, and leaves monitoring.png: the size of every layer's update
beside its weights, and the losses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.rule import Rule
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import DataLoader, RandomSampler, TensorDataset

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--out", type=Path, default=Path("runs/monitoring"), metavar="DIR")
args = parser.parse_args()
console = Console()


class Case(NamedTuple):
    """One training: how its network, its input and its learning rate are made."""

    name: str
    activation: Callable[[], nn.Module] = nn.ReLU
    scale: float = 1.0  # of the first layer's weights
    shift: float = 0.0  # of the pixels
    lr: float = 0.05


CASES = [
    Case("healthy"),
    Case("learning rate 100 times too large", lr=5.0),
    Case("sigmoids that begin saturated", nn.Sigmoid, scale=40.0),
    Case("pixels around 100 instead of 0", shift=100.0, lr=1e-4),
]
digits = load_digits()
train_x, test_x, train_y, test_y = train_test_split(digits.data, digits.target, test_size=0.2, random_state=0)
prepare = preprocess.Standardize(axis=None).fit(train_x)
train_x, test_x = prepare(train_x), prepare(test_x)


def train(case: Case) -> ct.Monitor:
    ct.random.seed(0)
    first = nn.Linear(64, 64)
    with ct.no_grad():
        first.weight.copy_(first.weight * case.scale)
    model = nn.Sequential(first, case.activation(), nn.Linear(64, 64), case.activation(), nn.Linear(64, 10))
    optimizer = optim.SGD(model.parameters(), lr=case.lr)
    train_set = TensorDataset(train_x + case.shift, train_y)
    sampler = RandomSampler(train_set, replacement=True, num_samples=args.steps * args.batch_size, seed=0)
    held_out = ct.tensor(test_x + case.shift), ct.tensor(test_y)
    with ct.Monitor(model, optimizer, every=5, classes=10) as monitor, monitor.live():
        for step, (x, y) in enumerate(DataLoader(train_set, args.batch_size, sampler=sampler)):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            monitor.step(loss)
            if step % 20 == 19:
                model.eval()
                with ct.no_grad():
                    monitor.validation(nn.functional.cross_entropy(model(held_out[0]), held_out[1]))
                model.train()
    return monitor


monitors = []
for case in CASES:
    console.print(Rule(f"[bold]{case.name}"))
    monitors.append(train(case))
    console.print()

figure = Figure(figsize=(14, 6.2), layout="constrained")
axes = figure.subplots(2, len(CASES), sharey="row", sharex=True)
for column, (case, monitor) in enumerate(zip(CASES, monitors)):
    monitor.plot(axes=axes[:, column])
    axes[0, column].set_title(case.name, loc="left", fontsize=11, fontweight="bold")
    found = sorted({advice.what for advice in monitor.advice()}) or ["nothing to say"]
    axes[1, column].set_title(
        "\n".join(found), loc="left", fontsize=9, color="#a33c1c" if monitor.advice() else "#2f7d4f"
    )
    axes[0, column].set_ylim(1e-7, 1e3)
    axes[1, column].set(yscale="log", ylim=(0.05, 1e3))
    if column:
        axes[0, column].set_ylabel("")
        axes[1, column].set_ylabel("")
across = axes[0, 0].get_yaxis_transform()
axes[0, 0].text(0.98, 2.5e-4, "about 1 in 1000", transform=across, ha="right", fontsize=8, color="#2f7d4f")
axes[0, 0].legend(frameon=False, fontsize=8)
axes[1, 0].legend(frameon=False, fontsize=8)
args.out.mkdir(parents=True, exist_ok=True)
figure.savefig(args.out / "monitoring.png", dpi=150)
console.print(f"\nmonitoring.png is in {args.out}")
