"""Resident memory over a long training on sequences of random lengths in batches of random size.

python bench/memory_drift.py                  10,000 steps, as they are and compiled
python bench/memory_drift.py --steps 600 --forms eager

Each form runs in a process of its own and prints a line: how much more memory the last tenth of the steps holds than
the second tenth does. The compiled step is recorded anew for most batches: no more than eight recordings are kept.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

import cinta as ct
from cinta import nn, optim

FORMS = ("eager", "compiled")
WORDS, WIDTH = 2000, 48
LIMIT = 0.02
TENTHS = 10


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Tagger(nn.Module):
    """A number for each word: embedding, two LSTM layers, a linear one."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH, padding_idx=0, sparse=True)
        self.lstm = nn.LSTM(WIDTH, WIDTH, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.out = nn.Linear(2 * WIDTH, 10)

    def forward(self, words: ct.Tensor, lengths: ct.Tensor) -> ct.Tensor:
        return self.out(self.lstm(self.table(words), lengths=lengths)[0])


def measure(form: str, steps: int, longest: int = 30, largest: int = 24, seed: int = 0) -> list[int]:
    """Resident bytes after each step."""
    ct.random.seed(seed)
    net, rng = Tagger(), np.random.default_rng(seed)
    opt = optim.Adam(net.parameters())

    def step(words: ct.Tensor, lengths: ct.Tensor, tags: ct.Tensor) -> ct.Tensor:
        opt.zero_grad()
        mask = nn.functional.sequence_mask(lengths, words.shape[1])
        loss = nn.functional.sequence_cross_entropy(net(words, lengths), tags, mask)
        loss.backward()
        optim.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        return loss

    run, held = ct.compile(step) if form == "compiled" else step, []
    for _ in range(steps):
        shape = batch, length = int(rng.integers(1, largest + 1)), int(rng.integers(1, longest + 1))
        words, tags = rng.integers(1, WORDS, shape), rng.integers(0, 10, shape)
        run(ct.tensor(words), ct.tensor(rng.integers(1, length + 1, batch)), ct.tensor(tags)).item()
        held.append(resident())
    return held


def drift(held: list[int]) -> float:
    tenth = len(held) // TENTHS
    return statistics.median(held[-tenth:]) / statistics.median(held[tenth : 2 * tenth]) - 1


def report(form: str, steps: int, longest: int, largest: int) -> bool:
    warnings.filterwarnings("ignore", "\\[compile\\]", RuntimeWarning)  # that most batches are recorded is the point
    start = time.perf_counter()
    held = measure(form, steps, longest, largest)
    change = drift(held)
    figures = f"{held[-1] / 2**20:.0f} MiB, of them {ct.memory_stats()['live'] / 2**20:.1f} live"
    print(f"{form}: {steps} steps in {time.perf_counter() - start:.0f} s, drift {change:+.2%}, {figures}", flush=True)
    return change < LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--longest", type=int, default=30, help="words of a sequence, at most")
    parser.add_argument("--largest", type=int, default=24, help="sequences of a batch, at most")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    args = parser.parse_args()
    if args.steps < 2 * TENTHS:
        parser.error(f"--steps got {args.steps}, expected at least {2 * TENTHS}")
    if len(args.forms) == 1:
        return 0 if report(args.forms[0], args.steps, args.longest, args.largest) else 1
    numbers = [f"--{name}={getattr(args, name)}" for name in ("steps", "longest", "largest")]
    return max(subprocess.run([sys.executable, __file__, *numbers, "--forms", f]).returncode for f in args.forms)


if __name__ == "__main__":
    sys.exit(main())
