"""A network that says when it does not know: dropout left on while it predicts, on scikit-learn's digits.

    python examples/mc_dropout.py --samples 50 --out runs/mc_dropout

Predicts every held-out digit many times over with `ct.mc_dropout` and leaves a picture of the digits on which the
passes disagree most. Whoever lets a human read those has fewer mistakes among the rest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim, plot, preprocess

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--samples", type=int, default=50, help="passes with dropout on")
parser.add_argument("--out", type=Path, default=Path("runs/mc_dropout"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
console = Console()

digits = load_digits()
split = train_test_split(digits.data, digits.target, test_size=0.4, stratify=digits.target, random_state=0)
train_images, test_images, train_labels, test_labels = split
prepare = preprocess.Standardize(axis=None).fit(train_images)

ct.random.seed(0)
model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.3),
    nn.Linear(128, 10),
)  # fmt: skip
trainer = ct.Trainer(model, optim.Adam(model.parameters(), lr=2e-3), nn.CrossEntropyLoss(), preprocessing=prepare)
trainer.fit((train_images, train_labels), epochs=args.epochs)

prediction = ct.mc_dropout(model, prepare(test_images), args.samples, seed=0)
probabilities = prediction.mean.numpy()
wrong = probabilities.argmax(axis=1) != test_labels
spread = prediction.std.numpy()[np.arange(len(wrong)), probabilities.argmax(axis=1)]
order = np.argsort(-spread)  # the least certain first

table = Table("left to a human", "misread among the rest")
for share in (0.0, 0.02, 0.05, 0.1, 0.2):
    rest = wrong[order[round(share * len(order)) :]]
    table.add_row(f"{share:.0%}", f"{rest.sum()} of {len(rest)} ({rest.mean():.2%})")
console.print(table)
doubtful = order[:24]
title = "The digits on which the passes disagree most"
figure = plot.mistakes(
    test_images[doubtful].reshape(-1, 8, 8), test_labels[doubtful], probabilities[doubtful], title=title
)
figure.savefig(args.out / "doubtful.png")
console.print(f"doubtful.png is in {args.out}")
