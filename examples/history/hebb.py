"""1949: connections between neurons that fire together grow stronger.

    python examples/history/hebb.py

The lecture: "In 1949, Donald Hebb wrote The Organization of Behavior, a work which pointed out the fact that neural
pathways are strengthened each time they are used ... If two nerves fire at the same time, he argued, the connection
between them is enhanced." Here 64 nerves see a digit while one of ten others is made to fire, the one with its name:
w_oi += y_o x_i, nothing else. No error is looked at; and yet the pathways recognise digits that they never saw.
Hebb, "The Organization of Behavior", Wiley, 1949.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import preprocess
from cinta.plot.style import BLUE, DPI, GREY, bare, new_figure, tidy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seed", type=int, default=0, help="of the order in which digits are shown")
parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

digits = load_digits()
split = train_test_split(digits.data, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
center = preprocess.Center().fit(split[0])  # a nerve fires more or less than it does at rest
images, test_images = (ct.tensor(center(x), dtype="float32") for x in split[:2])
names, test_names = split[2:]
fired = ct.nn.functional.one_hot(ct.tensor(names), 10).astype("float32")

weight = ct.zeros((10, 64))
order = np.random.default_rng(args.seed).permutation(len(names))
moments = {1, 10, 100, len(order)}
grown, right = {}, []
for seen, i in enumerate(order.tolist(), start=1):
    weight += ct.outer(fired[i], images[i])  # Hebb's rule
    if seen in moments:
        grown[seen] = weight.numpy().copy()
    if seen in moments or seen % 25 == 0:
        guesses = (test_images @ weight.T).argmax(axis=1).numpy()
        right.append((seen, 100 * np.mean(guesses == test_names)))
for seen, share in right:
    if seen in moments:
        print(f"{seen:>5} digits seen: {share:5.1f} % of {len(test_names)} others recognised")

figure = new_figure(11, 5.4)
top, bottom = figure.subfigures(2, 1, height_ratios=(1.25, 1), squeeze=False)[:, 0]
top.suptitle("The pathways to ten nerves, strengthened each time they are used", fontsize=11)
cells = top.subplots(len(grown), 10)
for row, (seen, w) in zip(cells, grown.items(), strict=True):
    scale = abs(w).max()
    for digit, axes in enumerate(row):
        axes.imshow(w[digit].reshape(8, 8), cmap="RdBu_r", vmin=-scale, vmax=scale)
        bare(axes)
    row[0].set_ylabel(f"{seen} seen", rotation=0, ha="right", va="center", fontsize=9)
for digit, axes in enumerate(cells[0]):
    axes.set_title(digit, fontsize=10)
axes = bottom.subplots()
axes.semilogx(*zip(*right, strict=True), color=BLUE, marker=".", linewidth=1.5)
axes.axhline(10, color=GREY, linestyle="--", linewidth=1)
axes.text(1000, 12, "guessing", color="0.4", fontsize=9)
axes.set(xlabel="digits seen, each once", ylabel="held-out digits\nrecognised, %", ylim=(0, 100))
tidy(axes)
path = args.out / "hebb.png"
figure.savefig(path, dpi=DPI)
print(f"the picture: {path}")
