"""Networks that sort: two hidden layers for N numbers of N bits, and an LSTM that points at them one after the other.

    python examples/sort_numbers.py                  N = 4, 5 and 6 for the layers, 8 for the pointer; two minutes
    python examples/sort_numbers.py --numbers 3      another N for the layers

The lecture's claim: "A DNN with two hidden layers and a modest number of hidden units can sort N N-bit numbers."
Bits go in and the bits of the sorted numbers come out, all at once. The second network reads the numbers one by one (an
LSTM encoder) and then says which comes next (an LSTM decoder whose attention is its answer: a pointer network). Both
are asked about lists that they were never shown; an answer counts when every bit of it is right.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

import cinta as ct
from cinta import nn, optim

console = Console()
Curve = list[tuple[int, float]]  # updates, percent of lists sorted


class Lists:
    """Random lists of N numbers of N bits; one in ten, known by its contents, is never in a training batch."""

    def __init__(self, numbers: int, seed: int) -> None:
        self.numbers, self.rng = numbers, np.random.default_rng(seed)

    def draw(self, count: int, held_out: bool) -> np.ndarray:
        """[count, N] numbers."""
        found = np.zeros((0, self.numbers), np.int64)
        while len(found) < count:
            lists = self.rng.integers(0, 1 << self.numbers, (2 * count * (10 if held_out else 1), self.numbers))
            mixed = (lists * (2 * np.arange(self.numbers) + 0x9E3779B1)).sum(1) * 0x85EBCA6B
            found = np.concatenate([found, lists[((mixed >> 11) % 10 == 0) == held_out]])
        return found[:count]


def bits(lists: np.ndarray, numbers: int) -> np.ndarray:
    """[..., N] numbers -> [..., N, N], most significant bits first, as 0 and 1."""
    return ((lists[..., None] >> np.arange(numbers)[::-1]) & 1).astype(np.float32)


class Layers(nn.Module):
    """Bits [B, N N] -> scores of the sorted numbers' bits [B, N N], through two hidden layers."""

    def __init__(self, numbers: int, hidden: int) -> None:
        super().__init__()
        self.numbers, self.loss = numbers, nn.BCEWithLogitsLoss()
        size = numbers * numbers
        self.layers = nn.Sequential(
            nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, size)
        )

    def batch(self, lists: np.ndarray) -> tuple[ct.Tensor, ct.Tensor]:
        """What goes in and what is to come out."""
        x, y = (bits(part, self.numbers).reshape(len(lists), -1) for part in (lists, np.sort(lists)))
        return ct.tensor(2 * x - 1), ct.tensor(y)

    def forward(self, x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        return self.loss(self.layers(x), y)

    def sort(self, lists: np.ndarray) -> np.ndarray:
        """[B, N] numbers as the network sorts them."""
        found = self.layers(self.batch(lists)[0]).numpy().reshape(len(lists), self.numbers, -1) > 0
        return (found << np.arange(self.numbers)[::-1]).sum(2)


class Pointer(nn.Module):
    """Reads numbers [N, B, bits], then points: u_tj = v tanh(W e_j + Q d_t), over what it has not yet pointed at.

    Source: Vinyals, Fortunato and Jaitly, "Pointer Networks", 2015.
    """

    def __init__(self, numbers: int, hidden: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.encoder, self.decoder = nn.LSTM(numbers, hidden), nn.LSTM(numbers, hidden)
        self.W, self.Q = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden)
        self.v = nn.Linear(hidden, 1, bias=False)

    def batch(self, lists: np.ndarray) -> tuple[ct.Tensor, ...]:
        """Numbers read [N, B, bits], the ones before each answer, what is used up by then [N, B, N], answers [N, B]."""
        order = np.argsort(lists, axis=1, kind="stable")
        read = 2 * bits(lists, self.numbers).swapaxes(0, 1) - 1
        written = np.take_along_axis(read, order.T[:, :, None], axis=0)
        before = np.concatenate([np.zeros_like(written[:1]), written[:-1]])
        chosen = np.eye(self.numbers, dtype=np.float32)[order].swapaxes(0, 1)
        return ct.tensor(read), ct.tensor(before), ct.tensor(chosen.cumsum(0) - chosen), ct.tensor(order.T)

    def scores(self, keys: ct.Tensor, states: ct.Tensor, used: ct.Tensor) -> ct.Tensor:
        """keys [N, B, H] of what was read, states [T, B, H]: scores [T, B, N]."""
        sums = keys.swapaxes(0, 1)[None] + self.Q(states)[:, :, None]
        return self.v(ct.tanh(sums))[..., 0] - 1e9 * used

    def forward(self, read: ct.Tensor, before: ct.Tensor, used: ct.Tensor, answers: ct.Tensor) -> ct.Tensor:
        """The loss where every answer before was right (teacher forcing)."""
        encoded, state = self.encoder(read)
        states, _ = self.decoder(before, state)
        scores = self.scores(self.W(encoded), states, used)
        return nn.functional.cross_entropy(scores.reshape(-1, self.numbers), answers.reshape(-1))

    def point(self, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where it points [B, N], by its own answers alone, and the probabilities [N, B, N]."""
        read = self.batch(lists)[0]
        encoded, state = self.encoder(read)
        keys, everyone, seen = self.W(encoded), np.arange(len(lists)), []

        def step(state: Any, tokens: ct.Tensor) -> tuple[ct.Tensor, Any]:
            lstm, used, first = state
            inputs = ct.zeros((1, len(lists), self.numbers)) if first else read[tokens, everyone][None]
            if not first:
                used = used + nn.functional.one_hot(tokens, self.numbers)
            states, lstm = self.decoder(inputs, lstm)
            log_probs = ct.log_softmax(self.scores(keys, states, used[None]), axis=2)[0]
            seen.append(np.exp(log_probs.numpy()))
            return log_probs, (lstm, used, False)

        start = (state, ct.zeros((len(lists), self.numbers)), True)
        found = ct.decoding.greedy(step, start, np.zeros(len(lists), int), eos=None, max_length=self.numbers)
        return np.array([hypothesis.tokens for hypothesis in found]), np.array(seen)

    def sort(self, lists: np.ndarray) -> np.ndarray:
        """[B, N] numbers as the network sorts them."""
        return np.take_along_axis(lists, self.point(lists)[0], axis=1)


def train(model: Any, lists: Lists, steps: int, lr: float, batch_size: int, progress: Progress, name: str) -> Curve:
    optimizer = optim.Adam(model.parameters(), lr=lr)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    test = lists.draw(2000, held_out=True)
    task = progress.add_task(name, total=steps)
    curve: Curve = []

    @ct.compile
    def step(*batch: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = model(*batch)
        loss.backward()
        optimizer.step()
        return loss

    for number in range(1, steps + 1):
        step(*model.batch(lists.draw(batch_size, held_out=False)))
        scheduler.step()
        if number % max(1, steps // 40) == 0 or number == steps:
            with ct.no_grad():
                right = (model.sort(test) == np.sort(test)).all(1).mean()
            curve.append((number, 100 * float(right)))
            progress.update(task, description=f"{name}: {right:.1%} sorted")
        progress.advance(task)
    return curve


def draw(curves: dict[str, Curve], pointer: Pointer, lists: Lists, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, *rest) = pyplot.subplots(1, 3, figsize=(15, 5.2), width_ratios=(1.3, 1, 1), layout="constrained")
    for (name, curve), color in zip(curves.items(), (*(f"C{i % 9}" for i in range(len(curves) - 1)), "k")):
        left.plot(*zip(*curve), "o-", markersize=3, color=color, label=name)
    left.set(
        xlabel="updates", xscale="log", ylabel="% of held-out lists sorted", ylim=(0, 104), title="Every bit right"
    )
    left.spines[["top", "right"]].set_visible(False)
    left.grid(alpha=0.25)
    left.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=9)
    left.xaxis.set_major_formatter("{x:,.0f}")
    shown = lists.draw(2, held_out=True)
    with ct.no_grad():
        order, probabilities = pointer.point(shown)
    for axes, numbers, pointed, p in zip(rest, shown, order, probabilities.swapaxes(0, 1)):
        axes.imshow(p, cmap="Blues", vmin=0, vmax=1)
        count = len(numbers)
        axes.set_xticks(range(count), numbers)
        axes.set_yticks(range(count), numbers[pointed])
        axes.set(xlabel="read, from left to right", ylabel="written, from above", title="Where it points")
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.9")
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, nargs="+", default=[4, 5, 6], metavar="N", help="of the layers' lists")
    parser.add_argument("--hidden", type=int, default=512, help="units in each of the two hidden layers")
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--pointer-numbers", type=int, default=8, help="N for the pointer network")
    parser.add_argument("--pointer-hidden", type=int, default=128)
    parser.add_argument("--pointer-steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/sort_numbers"), metavar="DIR")
    args = parser.parse_args()
    sizes = [*args.numbers, args.pointer_numbers]
    if min(sizes) < 2 or max(sizes) > 30 or min(args.steps, args.pointer_steps, args.batch_size) < 1:
        parser.error("expected --numbers and --pointer-numbers from 2 to 30, and at least one step and list")
    args.out.mkdir(parents=True, exist_ok=True)
    ct.random.seed(args.seed)
    pointer = Pointer(args.pointer_numbers, args.pointer_hidden)
    models: dict[str, Any] = {
        f"two hidden layers, {n} numbers of {n} bits": Layers(n, args.hidden) for n in args.numbers
    }
    models[f"LSTM with pointer, {pointer.numbers} numbers of {pointer.numbers} bits"] = pointer
    curves: dict[str, Curve] = {}
    with Progress(console=console, transient=True) as progress:
        for title, model in models.items():
            steps, lr = (args.pointer_steps, 4e-3) if model is pointer else (args.steps, 2e-3)
            lists = Lists(model.numbers, args.seed)
            curves[title] = train(model, lists, steps, lr, args.batch_size, progress, title)
    for title, curve in curves.items():
        console.print(f"{title}: {curve[-1][1]:.1f} % of 2000 held-out lists sorted")
    for model in models.values():
        example = Lists(model.numbers, args.seed + 1).draw(1, held_out=True)
        with ct.no_grad():
            console.print(f"{' '.join(map(str, example[0]))}  ->  {' '.join(map(str, model.sort(example)[0]))}")
    draw(curves, pointer, Lists(pointer.numbers, args.seed + 1), args.out / "sort_numbers.png")
    console.print(f"picture: {args.out / 'sort_numbers.png'}")


if __name__ == "__main__":
    main()
