"""1943: neurons that are all or none, and the nets that compute with them.

    python examples/history/mcculloch_pitts.py

The lecture: "In 1943, neurophysiologist Warren McCulloch and mathematician Walter Pitts wrote a paper on how neurons
might work. ... they modeled a simple neural network using electrical circuits." A unit fires where enough of its
excitatory inputs do and none of its inhibitory ones. One unit is a logical connective, two layers of them are any; and
the paper's own net, with a delay at every synapse, feels heat where skin is touched by something cold for a moment.
McCulloch and Pitts, "A Logical Calculus of the Ideas Immanent in Nervous Activity", Bulletin of Mathematical
Biophysics 5, 1943.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cinta as ct
from cinta.plot.style import BLUE, DPI, GREEN, ORANGE, new_figure

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)


def unit(threshold: int, excitatory: list[ct.Tensor], inhibitory: list[ct.Tensor] | None = None) -> ct.Tensor:
    """Whether the neuron fires: at least `threshold` excitatory inputs are active, and no inhibitory one."""
    active = ct.stack(excitatory).astype("int64").sum(axis=0) >= threshold
    for x in inhibitory or []:
        active = active & ~x
    return active


a, b = ct.tensor([False, False, True, True]), ct.tensor([False, True, False, True])
always = ct.tensor([True] * 4)
either, both = unit(1, [a, b]), unit(2, [a, b])
logic = {
    "a and b": both,
    "a or b": either,
    "a and not b": unit(1, [a], [b]),
    "not b": unit(1, [always], [b]),
    "a or b, not both": unit(1, [either], [both]),  # exclusive or: three units in two layers
}
for name, fires in logic.items():
    print(f"{name:<18}" + "  ".join(f"{int(x)}{int(y)} -> {int(z)}" for x, y, z in zip(a, b, fires, strict=True)))


def sensations(cold: list[bool], hot: list[bool]) -> dict[str, list[bool]]:
    """The paper's figure 1e: what the skin reports and what is felt; each synapse takes one step of time."""
    state = {name: ct.tensor(False) for name in ("touch ends", "was cold", "feels hot", "feels cold")}
    seen: dict[str, list[bool]] = {"touched by cold": [], "touched by heat": [], "feels cold": [], "feels hot": []}
    for c, h in zip(map(ct.tensor, cold), map(ct.tensor, hot), strict=True):
        for name, fires in {"touched by cold": c, "touched by heat": h, **state}.items():
            if name in seen:
                seen[name].append(bool(fires))
        state = {
            "was cold": unit(1, [c]),
            "touch ends": unit(1, [state["was cold"]], [c]),
            "feels hot": unit(1, [h, state["touch ends"]]),
            "feels cold": unit(2, [state["was cold"], c]),
        }
    return seen


STEPS = 9
held = {"a moment of cold": range(1, 2), "cold that stays": range(1, 6)}
felt = {name: sensations([t in touch for t in range(STEPS)], [False] * STEPS) for name, touch in held.items()}
for name, traces in felt.items():
    print(
        f"{name}: "
        + ", ".join(f"{what} at {[t for t, on in enumerate(trace) if on]}" for what, trace in traces.items())
    )

figure = new_figure(11, 5.2)
left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1), squeeze=False)[0]
left.suptitle("One unit is a connective; exclusive or takes two layers", fontsize=11)
cells = left.subplots(2, 3).ravel()
for axes, (name, fires) in zip(cells, logic.items(), strict=False):
    axes.scatter(a.numpy(), b.numpy(), s=420, c=[ORANGE if on else "0.82" for on in fires.tolist()])
    axes.set(xlim=(-0.5, 1.5), ylim=(-0.75, 1.5), aspect="equal", title=name)
    for x in (0, 1):
        axes.text(x, -0.62, f"a = {x}", ha="center", fontsize=8, color="0.3")
        axes.text(-0.45, x, f"b = {x}", ha="center", va="center", rotation=90, fontsize=8, color="0.3")
cells[-1].plot([], [], "o", color=ORANGE, markersize=12, label="fires")
cells[-1].plot([], [], "o", color="0.82", markersize=12, label="silent")
cells[-1].legend(loc="center", frameon=False, labelspacing=1.2)
for axes in cells:
    axes.set_axis_off()
right.suptitle("The paper's illusion: a moment of cold is felt as heat", fontsize=11)
for axes, (name, traces) in zip(right.subplots(2, 1, sharex=True), felt.items(), strict=True):
    shown = {what: trace for what, trace in traces.items() if what != "touched by heat"}
    for row, (what, trace) in enumerate(reversed(shown.items())):
        colour = {"touched by cold": BLUE, "feels cold": GREEN, "feels hot": ORANGE}[what]
        axes.broken_barh([(t, 1) for t, on in enumerate(trace) if on], (row + 0.15, 0.7), color=colour)
        axes.axhline(row, color="0.9", linewidth=0.8)
    axes.set(yticks=[0.5, 1.5, 2.5], yticklabels=list(reversed(shown)), ylim=(0, 3), xlim=(0, STEPS), title=name)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
axes.set_xlabel("time, in synaptic delays")
path = args.out / "mcculloch_pitts.png"
figure.savefig(path, dpi=DPI)
print(f"the picture: {path}")
