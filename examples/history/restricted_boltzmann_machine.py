"""2002: a machine that learns to dream of digits, by contrastive divergence.

    python examples/history/restricted_boltzmann_machine.py

The lecture: "From 1986 to mid 90's new developments arised: convolutional neural networks (Y.LeCun), unsupervised
learning (Y.Bengio), RBM (G.Hinton), etc." Visible units v and hidden units h, joined by weights W but not among
themselves, have the energy E(v, h) = -a v - b h - h W v and the probability e^-E / Z. To make digits likely and all
else not, contrastive divergence lowers the free energy F(v) = -a v - sum softplus(b + W v) of digits and raises that of
what the machine makes of them in one step of sampling to and fro. No label is used.
Smolensky, "Harmony theory", in: Parallel Distributed Processing, 1986; Hinton, "Training Products of Experts by
Minimizing Contrastive Divergence", Neural Computation 14, 2002.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.datasets import load_digits

import cinta as ct
from cinta import nn, optim
from cinta.data import DataLoader, TensorDataset
from cinta.plot.style import BLUE, DPI, bare, new_figure, tidy


class RBM(nn.Module):
    """Binary units: weight [hidden, visible], as a Linear's, a bias for every unit."""

    def __init__(self, visible: int, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(ct.random.normal(shape=(hidden, visible)) * 0.01)
        self.bias_hidden = nn.Parameter(ct.zeros(hidden))
        self.bias_visible = nn.Parameter(ct.zeros(visible))

    def hidden(self, v: ct.Tensor) -> ct.Tensor:
        """The probability of each hidden unit to be on."""
        return ct.sigmoid(ct.linear(v, self.weight, self.bias_hidden))

    def visible(self, h: ct.Tensor) -> ct.Tensor:
        """The probability of each visible unit to be on."""
        return ct.sigmoid(ct.linear(h, self.weight.T, self.bias_visible))

    def free_energy(self, v: ct.Tensor) -> ct.Tensor:
        """-log sum_h e^-E(v, h)"""
        inputs = ct.linear(v, self.weight, self.bias_hidden)
        return -(v @ self.bias_visible) - nn.functional.softplus(inputs).sum(axis=1)

    def sample(self, v: ct.Tensor, steps: int = 1) -> ct.Tensor:
        """Probabilities of the visible units after so many steps to the hidden ones and back."""
        with ct.no_grad():
            for _ in range(steps):
                v = self.visible(drawn(self.hidden(v)))
        return v


def drawn(p: ct.Tensor) -> ct.Tensor:
    """1 with probability p, else 0."""
    return (ct.random.uniform(shape=p.shape) < p).astype(p.dtype)


def contrastive_divergence(
    machine: RBM, data: np.ndarray, epochs: int, lr: float = 0.05, told: str = ""
) -> list[float]:
    """CD-1 on rows in [0, 1]; the mean squared error of one step to and fro, epoch by epoch.

    With each pixel as likely from the start as it is in the data, hidden units need not learn that first (Hinton, "A
    Practical Guide to Training Restricted Boltzmann Machines", 2010).
    """
    likely = np.clip(data.mean(axis=0), 0.01, 0.99)
    machine.load_state_dict({**machine.state_dict(), "bias_visible": np.log(likely / (1 - likely))})
    optimizer = optim.SGD(machine.parameters(), lr=lr, momentum=0.5, weight_decay=2e-4)

    @ct.compile
    def step(v: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        dreamt = machine.sample(v)
        (machine.free_energy(v) - machine.free_energy(dreamt)).mean().backward()
        optimizer.step()
        return ((v - dreamt) ** 2).mean()

    loader = DataLoader(TensorDataset(data.astype(np.float32)), 32, shuffle=True, seed=0, drop_last=True)
    errors = []
    for epoch in track(range(epochs), told or "contrastive divergence"):
        if epoch == min(5, epochs // 2):
            optimizer.param_groups[0]["momentum"] = 0.9
        errors.append(float(np.mean([step(v).item() for (v,) in loader])))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--hidden", type=int, default=100, help="hidden units")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    images = load_digits().data / 16
    ct.random.seed(args.seed)
    machine = RBM(64, args.hidden)
    errors = contrastive_divergence(machine, images, args.epochs)
    print(f"squared error of a step to and fro: {errors[0]:.4f} in the first epoch, {errors[-1]:.4f} in the last")

    seen = ct.tensor(images[:10], dtype="float32")
    spoilt = ct.tensor(np.where(np.arange(64) % 8 < 4, images[:10], 0.5), dtype="float32")
    filled = spoilt
    for _ in range(30):  # the half that is known stays
        filled = ct.where(ct.tensor(np.arange(64) % 8 < 4), seen, machine.sample(filled))
    rows = {"digits": seen, "one step to and fro": machine.sample(seen), "left half": spoilt, "completed": filled}
    dream, done = drawn(ct.full((10, 64), 0.5)), 0
    for steps in (1, 10, 100, 1000):
        rows[f"noise, step {steps}"] = shown = machine.sample(dream, steps - done)
        dream, done = drawn(shown), steps

    figure = new_figure(13, 5)
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.05, 1.5, 1), squeeze=False)[0]
    left.suptitle("What hidden units look for", fontsize=11)
    scale = abs(machine.weight).max().item() * 0.5
    for axes, row in zip(left.subplots(8, 8).flat, machine.weight.detach().numpy(), strict=False):
        axes.imshow(row.reshape(8, 8), cmap="RdBu_r", vmin=-scale, vmax=scale)
    middle.suptitle("What it makes of digits, and what it dreams from noise", fontsize=11)
    for line, (name, pictures) in zip(middle.subplots(len(rows), 10), rows.items(), strict=True):
        for axes, picture in zip(line, pictures.numpy(), strict=True):
            axes.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    for axes in (*left.axes, *middle.axes):
        bare(axes)
    curve = right.subplots()
    curve.plot(range(1, len(errors) + 1), errors, color=BLUE)
    curve.set(xlabel="epochs", ylabel="squared error of a pixel, to and fro", title="Learning", ylim=(0, None))
    tidy(curve)
    path = args.out / "restricted_boltzmann_machine.png"
    figure.savefig(path, dpi=DPI)
    print(f"the picture: {path}")


if __name__ == "__main__":
    main()
