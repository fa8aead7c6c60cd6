"""Look inside LeNet-5 while it learns scikit-learn's handwritten digits: what it costs, what it sees, where it errs.

    python examples/see_network.py --epochs 12 --out runs/see_network

Prints the summary of the network and leaves pictures: learning curves and rate, filters, feature maps, activations
before and after training, the confusion matrix and a page of the mistakes.
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
from cinta import models, nn, optim, plot, preprocess
from cinta.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=0.05, help="at the start; falls to 0 along a cosine")
parser.add_argument("--out", type=Path, default=Path("runs/see_network"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
console = Console()

digits = load_digits()
images = np.kron(digits.images[:, None], np.ones((4, 4)))  # 8x8 pixels become 32x32
split = train_test_split(images, digits.target, test_size=0.3, stratify=digits.target, random_state=0)
train_images, test_images, train_labels, test_labels = split
prepare = preprocess.Standardize(axis=None).fit(train_images)
train_images, test_images = prepare(train_images), prepare(test_images)
train_set = TensorDataset(train_images, train_labels)
loader = DataLoader(train_set, args.batch_size, shuffle=True, seed=0, drop_last=True)

ct.random.seed(0)
model = models.LeNet5()
optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs * len(loader))
console.print(nn.summary(model, (1, 32, 32), batch_size=args.batch_size, optimizer=optimizer))
TANHS = ["tanh1", "tanh3", "tanh5", "tanh6"]
sample = train_images[:256]
plot.activation_histograms(model, sample, TANHS, title="Activations before training").savefig(
    args.out / "activations_before.png"
)


@ct.compile
def step(images, labels):
    optimizer.zero_grad()
    logits = model(images)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    optimizer.step()
    return loss, (logits.detach().argmax(axis=1) == labels).float().mean()


def predict(images):
    with ct.no_grad():
        return ct.softmax(model(ct.tensor(images)), axis=1).numpy()


history, rates = [], []
for _ in track(range(args.epochs), "training", console=console):
    measured = []
    for images, labels in loader:
        rates += scheduler.get_last_lr()
        loss, accuracy = step(images, labels)
        scheduler.step()
        measured.append((loss.item(), accuracy.item()))
    probabilities = predict(test_images)
    surprise = -np.log(probabilities[np.arange(len(test_labels)), test_labels] + 1e-30)
    loss, accuracy = np.mean(measured, axis=0)
    right = (probabilities.argmax(axis=1) == test_labels).mean()
    history.append({"loss": loss, "val_loss": surprise.mean(), "accuracy": accuracy, "val_accuracy": right})

digit = test_images[np.flatnonzero(test_labels == 3)[0]]
figures = {
    "learning_curves": plot.learning_curves(history, title="LeNet-5 on handwritten digits"),
    "learning_rate": plot.learning_rates(rates, steps_per_epoch=len(loader)),
    "filters": plot.filters(model, "c1"),
    "filters_second_layer": plot.filters(model, "c3"),
    "feature_maps": plot.feature_maps(model, digit, title="What LeNet-5 sees in a 3"),
    "activations_after": plot.activation_histograms(model, sample, TANHS, title="Activations after training"),
    "confusion_matrix": plot.confusion_matrix(test_labels, probabilities),
    "mistakes": plot.mistakes(test_images, test_labels, probabilities),
}
for name, figure in figures.items():
    figure.savefig(args.out / f"{name}.png")
console.print(f"{history[-1]['val_accuracy']:.2%} of {len(test_labels)} held-out digits right")
console.print(f"{len(figures) + 1} pictures are in {args.out}")
