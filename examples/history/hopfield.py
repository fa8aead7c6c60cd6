"""1982: lines that go both ways, and a memory that falls into what it remembers.

    python examples/history/hopfield.py

The lecture: "In 1982, interest in the field was renewed. John Hopfield of Caltech presented a paper to the National
Academy of Sciences. His approach was to create more useful machines by using bidirectional lines. Previously, the
connections between neurons was only one way." Units s of -1 and 1, every two joined by one weight w_ij = w_ji that
Hebb's rule sets from the patterns to remember. A unit takes the sign of what comes in; each such change lowers the
energy E = -1/2 s W s, so the net comes to rest: in the nearest memory, while these are fewer than about 0.14 N.
Hopfield, "Neural networks and physical systems with emergent collective computational abilities", PNAS 79, 1982; the
capacity: Amit, Gutfreund and Sompolinsky, Physical Review Letters 55, 1985.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from skimage import data
from skimage.color import rgb2gray
from skimage.filters import threshold_local
from skimage.transform import resize

import cinta as ct
from cinta.plot.style import BLUE, DPI, GREY, ORANGE, bare, new_figure, shades, tidy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--units", type=int, default=400, help="of the nets whose capacity is measured")
parser.add_argument("--noise", type=float, default=0.25, help="share of pixels turned over")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(args.seed)
SIDE = 40
PHOTOGRAPHS = {
    "cat": data.chelsea()[:, 80:380],
    "camera": data.camera(),
    "rocket": data.rocket()[:, 100:527],
    "coffee": data.coffee()[:, 100:500],
    "astronaut": data.astronaut(),
}


def remembered(patterns: np.ndarray) -> ct.Tensor:
    """Symmetric weights [N, N] by Hebb's rule, none from a unit to itself."""
    p = ct.tensor(patterns, dtype="float32")
    return (p.T @ p) / p.shape[1] * (1 - ct.eye(p.shape[1]))


def settle(weight: ct.Tensor, state: np.ndarray, sweeps: int = 20) -> tuple[list[np.ndarray], list[float]]:
    """Units in random order, one at a time, until none changes: states after each sweep, energy after each change."""
    w, s = weight.numpy(), state.astype(np.float32)
    field = w @ s  # what comes in; kept up to date
    states, energies = [s.copy()], [float(-s @ field / 2)]
    for _ in range(sweeps):
        for i in rng.permutation(len(s)):
            if s[i] * field[i] < 0:
                energies.append(energies[-1] + 2 * float(s[i] * field[i]))
                s[i] = -s[i]
                field += 2 * s[i] * w[:, i]
        states.append(s.copy())
        if (states[-1] == states[-2]).all():
            break
    return states, energies


pictures = []
for photo in PHOTOGRAPHS.values():
    small = resize(rgb2gray(photo) if photo.ndim == 3 else photo, (SIDE, SIDE), anti_aliasing=True)
    # On where it is brighter than around: pictures of 1 and -1 that have little in common.
    pictures.append(np.where(small > threshold_local(small, 21), 1.0, -1.0).ravel())
memories = np.stack(pictures)
weight = remembered(memories)
falls = []
for name, memory in zip(PHOTOGRAPHS, memories, strict=True):
    spoilt = np.where(rng.random(memory.size) < args.noise, -memory, memory)
    states, energies = settle(weight, spoilt)
    falls.append((name, states, energies))
    agree = [np.mean(state == memory) for state in (states[0], states[-1])]
    print(f"{name}: {agree[0]:.1%} of pixels right, {agree[1]:.1%} after {len(energies) - 1} changes")

loads = np.array([0.02, 0.05, 0.08, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2, 0.25])
overlaps = []
for load in loads:
    patterns = rng.choice([-1.0, 1.0], (max(1, round(load * args.units)), args.units))
    net = remembered(patterns)
    ends = [settle(net, pattern)[0][-1] @ pattern / args.units for pattern in patterns[:20]]
    overlaps.append(float(np.mean(ends)))
    print(f"{len(patterns):>4} random patterns in {args.units} units: {overlaps[-1]:.3f} of each is left")

figure = new_figure(12, 5.6)
left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1), squeeze=False)[0]
left.suptitle(f"Five pictures, {args.noise:.0%} of pixels turned over, recalled", fontsize=11)
rows = left.subplots(3, len(falls))
for column, (fall, memory) in enumerate(zip(falls, memories, strict=True)):
    shown = (("cue", fall[1][0]), ("recalled", fall[1][-1]), ("memory", memory))
    for axes, (label, state) in zip(rows[:, column], shown, strict=True):
        axes.imshow(state.reshape(SIDE, SIDE), cmap="gray", vmin=-1, vmax=1)
        bare(axes)
        if column == 0:
            axes.set_ylabel(label, fontsize=10)
energy, capacity = right.subplots(2, 1)
for (name, _states, energies), colour in zip(falls, shades(len(falls)), strict=True):
    energy.plot(energies, color=colour, label=name)
energy.set(xlabel="units that changed", ylabel="energy", title="Each change lowers the energy")
energy.legend(frameon=False, fontsize=9, handlelength=1, loc="lower left")
capacity.plot(loads, overlaps, ".-", color=BLUE)
capacity.axvline(0.138, color=ORANGE, linestyle="--", linewidth=1.2)
capacity.text(0.136, 0.5, "0.138, by theory", color=ORANGE, fontsize=9, ha="right")
capacity.axhline(1, color=GREY, linewidth=0.6)
capacity.set(xlabel="random patterns for each unit", ylabel="overlap with the memory", title="Until there are too many")
for axes in (energy, capacity):
    tidy(axes)
path = args.out / "hopfield.png"
figure.savefig(path, dpi=DPI)
print(f"the picture: {path}")
