"""Train LeNet-5 on scikit-learn's digits with a compiled step, and look at the program that the step became.

    python examples/compiled_step.py --epochs 10 --out runs/compiled_step

Leaves program.txt (every instruction), program.svg (the memory plan) and trace.json (for https://ui.perfetto.dev).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--out", type=Path, default=Path("runs/compiled_step"), metavar="DIR")
args = parser.parse_args()
console = Console()

digits = load_digits()
images = np.kron(digits.images[:, None], np.ones((4, 4)))  # 8x8 pixels become 32x32
split = train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
train_images, test_images, train_labels, test_labels = split
prepare = preprocess.Standardize(axis=None).fit(train_images)
train_set = TensorDataset(prepare(train_images), train_labels)
loader = DataLoader(train_set, args.batch_size, shuffle=True, seed=0, drop_last=True)  # another size records anew

ct.random.seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),  # 32x32 -> 28x28 -> 14x14
    nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),  # 14x14 -> 10x10 -> 5x5
    nn.Flatten(),
    nn.Linear(16 * 5 * 5, 120), nn.Tanh(),
    nn.Linear(120, 84), nn.Tanh(),
    nn.Linear(84, 10),
)  # fmt: skip
optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)


@ct.compile
def step(images, labels):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


@ct.compile
def predict(images):
    with ct.no_grad():
        return model(images).argmax(axis=1)


losses = [
    step(images, labels).item()
    for _ in track(range(args.epochs), "training", console=console)
    for images, labels in loader
]
right = predict(ct.tensor(prepare(test_images))).numpy() == test_labels
console.print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, {right.mean():.2%} of {len(right)} held-out digits right\n")

program = step.program()
profile = program.profile()
print(program.stats(), profile, sep="\n\n")
args.out.mkdir(parents=True, exist_ok=True)
(args.out / "program.txt").write_text(f"{program}\n")
program.save_svg(args.out / "program.svg")
profile.chrome_trace(args.out / "trace.json")
console.print(f"\nprogram.txt, program.svg and trace.json are in {args.out}")
