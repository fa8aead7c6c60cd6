"""1957: a machine that learns from its mistakes; 1969: what it is blind to; 1986: the second layer that sees it.

    python examples/history/perceptron.py

The lecture: "In 1957 Frank Rosenblatt attempted to build a kind of mechanical brain called the Perceptron"; then, "A
critical book written in 1969 by Marvin Minsky and his collaborator Seymour Papert showed that Rosenblatt's original
system was painfully limited, literally blind to some simple logical functions like exclusive-or". The rule, on every
example that is classified wrongly: w += t x, with t of -1 or 1. It reads digits, learns AND and OR, and goes round in
circles on XOR, which no line divides; two layers trained by backpropagation solve it, from a good start.
Rosenblatt, "The Perceptron", Psychological Review 65, 1958; Minsky and Papert, "Perceptrons", 1969; Rumelhart, Hinton
and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim
from cinta.plot.style import BLUE, DPI, GREEN, ORANGE, new_figure, tidy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--starts", type=int, default=10, help="of the two-layer network")
parser.add_argument("--steps", type=int, default=600, help="of each")
parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)


def perceptrons(x: ct.Tensor, targets: ct.Tensor, epochs: int) -> tuple[ct.Tensor, list[int], list[np.ndarray]]:
    """Rosenblatt's rule for units [O] at once: weights [O, I + 1], mistakes per epoch, weights after each change."""
    x = ct.concat([x, ct.ones((len(x), 1))], axis=1)
    ct.random.seed(0)
    weight = ct.random.normal(shape=(targets.shape[1], x.shape[1])) * 0.3
    mistakes, history = [], [weight.numpy().copy()]
    for _ in range(epochs):
        wrong = 0
        for example, target in zip(x, targets, strict=True):
            missed = (weight @ example) * target <= 0
            if missed.any():
                weight += ct.outer(missed * target, example)
                history.append(weight.numpy().copy())
                wrong += int(missed.sum())
        mistakes.append(wrong)
    return weight, mistakes, history


def signs(of: list[int]) -> ct.Tensor:
    return ct.tensor(of, dtype="float32").reshape(-1, 1) * 2 - 1


digits = load_digits()
split = train_test_split(digits.data / 16, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
train_x, test_x = (ct.tensor(x, dtype="float32") for x in split[:2])
named = nn.functional.one_hot(ct.tensor(split[2]), 10) * 2.0 - 1
reader = perceptrons(train_x, named, args.epochs)[0]
scores = ct.concat([test_x, ct.ones((len(test_x), 1))], axis=1) @ reader.T
right = np.mean(scores.argmax(axis=1).numpy() == split[3])
print(f"ten perceptrons read digits: {right:.1%} of {len(test_x)} held-out ones")

corners = ct.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
functions = {"AND": signs([0, 0, 0, 1]), "OR": signs([0, 1, 1, 1]), "XOR": signs([0, 1, 1, 0])}
learnt = {name: perceptrons(corners, target, args.epochs)[1:] for name, target in functions.items()}
for name, (mistakes, _weights) in learnt.items():
    print(f"{name:<4}mistakes in each epoch: {mistakes}")

wanted = (functions["XOR"] + 1) / 2


def two_layers(seed: int) -> tuple[nn.Module, float]:
    """Two hidden units trained by backpropagation, and the loss that they end with."""
    ct.random.seed(seed)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(args.steps):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(corners), wanted)
        loss.backward()
        optimizer.step()
    return model, loss.item()


trained = [two_layers(seed) for seed in range(args.starts)]
solved = [((model(corners) > 0) == (wanted > 0)).all().item() for model, _ in trained]
print(f"two hidden units solve XOR from {sum(solved)} of {args.starts} starts; the others come to rest elsewhere")
model, _ = min(trained, key=lambda pair: pair[1])

figure = new_figure(13, 4.3)
axes, circles, layers = figure.subplots(1, 3)
for (name, (mistakes, _weights)), colour in zip(learnt.items(), (BLUE, GREEN, ORANGE), strict=True):
    axes.plot(range(1, len(mistakes) + 1), mistakes, ".-", color=colour, label=name)
axes.set(xlabel="epoch", ylabel="mistakes among 4 examples", title="The perceptron learns AND and OR, never XOR")
axes.locator_params(integer=True)
axes.legend(frameon=False, loc="center right")
tidy(axes)
grid = np.stack(np.meshgrid(*[np.linspace(-0.4, 1.4, 200)] * 2), axis=-1).astype(np.float32)
lines = [w[0] for w in learnt["XOR"][1][-8:]]
for k, (w1, w2, bias) in enumerate(lines):
    circles.contour(grid[..., 0], grid[..., 1], grid @ [w1, w2] + bias, levels=[0], colors=[str(0.8 - 0.1 * k)])
circles.set_title("Its last eight lines on XOR: round and round")
surface = ct.sigmoid(model(ct.tensor(grid.reshape(-1, 2)))).detach().numpy().reshape(200, 200)
layers.contourf(grid[..., 0], grid[..., 1], surface, levels=np.linspace(0, 1, 21), cmap="PuOr_r", alpha=0.75)
layers.contour(grid[..., 0], grid[..., 1], surface, levels=[0.5], colors="black")
layers.set_title("Two layers: XOR solved")
for panel in (circles, layers):
    for (x, y), on in zip(corners.tolist(), wanted.ravel().tolist(), strict=True):
        panel.plot(x, y, "o", color=ORANGE if on else BLUE, markersize=15, markeredgecolor="white")
        panel.annotate(int(on), (x, y), color="white", ha="center", va="center", fontsize=9)
    panel.set(aspect="equal", xlim=(-0.4, 1.4), ylim=(-0.4, 1.4), xticks=[0, 1], yticks=[0, 1], xlabel="a", ylabel="b")
path = args.out / "perceptron.png"
figure.savefig(path, dpi=DPI)
print(f"the picture: {path}")
