"""What to look at before the first real training, on a small convnet and scikit-learn's digits.

    python examples/before_training.py --out runs/before_training

What the network costs, whether its first loss is that of a guess, whether its gradients are right, whether it can learn
one batch by heart, which learning rate to begin with (a picture), and, when a step goes wrong, where the infinity comes
from.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from sklearn.datasets import load_digits

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--steps", type=int, default=100, help="of the search for a learning rate")
parser.add_argument("--out", type=Path, default=Path("runs/before_training"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
console = Console()

digits = load_digits()
scans = preprocess.Standardize(axis=None).fit_transform(digits.images[:, None])
loader = DataLoader(TensorDataset(scans, digits.target), args.batch_size, shuffle=True, seed=0, drop_last=True)
batch = next(iter(loader))

ct.random.seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(16 * 2 * 2, 10),
)  # fmt: skip
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
loss_of = nn.functional.cross_entropy

console.print(Rule("What it costs"))
console.print(nn.summary(model, (1, 8, 8), batch_size=args.batch_size, optimizer=optimizer))

console.print(Rule("The loss of a guess"))
with ct.no_grad():
    first = loss_of(model(batch[0]), batch[1]).item()
console.print(f"loss at start {first:.3f}, of a guess among ten ln(10) = {math.log(10):.3f}")

console.print(Rule("Gradients beside finite differences"))
ct.gradcheck(model, batch[0][:2], fast_mode=True)  # raises GradientError where they differ
console.print("they agree")

console.print(Rule("One batch by heart"))
console.print(str(ct.overfit_one_batch(model, loss_of, batch)))

console.print(Rule("The learning rate"))
found = ct.find_lr(model, optimizer, loss_of, loader, steps=args.steps)
found.plot(args.out / "learning_rate.png")
console.print(f"begin with {found.suggestion:.2g}; learning_rate.png is in {args.out}")

console.print(Rule("A step that fails"))


def log_of_softmax(logits: ct.Tensor, labels: ct.Tensor) -> ct.Tensor:
    """A cross-entropy written carelessly: a probability that is rounded to 0 has no logarithm."""
    return -ct.log(ct.softmax(logits, axis=1))[ct.arange(len(labels)), labels].mean()


optimizer.param_groups[0]["lr"] = 100 * found.suggestion
try:
    with ct.debug():
        for images, labels in loader:
            optimizer.zero_grad()
            log_of_softmax(model(images), labels).backward()
            optimizer.step()
except FloatingPointError as error:
    console.print(str(error), markup=False, highlight=False, soft_wrap=True)
