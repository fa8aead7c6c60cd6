"""Square float32 products beside PyTorch's (MKL), with all instructions and with both held to AVX2."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from timeit import Timer

import torch

import cinta as ct
import harness

AVX2 = {
    "CINTA_ISA": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}


def race(label: str, goal: float, threads: int) -> list[harness.Row]:
    harness.pin(threads)
    torch.manual_seed(0)
    rows = []
    for n in (512, 1024):
        a, b = torch.randn(n, n), torch.randn(n, n)
        ours_a, ours_b = ct.tensor(a.numpy()), ct.tensor(b.numpy())
        error = abs(ct.matmul(ours_a, ours_b).numpy() - (a.double() @ b.double()).numpy()).max()
        assert error < 1e-3, f"product of {n}x{n} is off by {error}"
        ours = Timer("a @ b", globals={"a": ours_a, "b": ours_b})
        theirs = Timer("a @ b", globals={"a": a, "b": b})
        rows.append(harness.compare(f"float32 product {n}^3, {label}", goal, ours, theirs, seconds=0.05))
    return rows


def main(threads: int = 1) -> list[harness.Row]:
    rows = race(ct.config()["isa"], 1.1, threads)
    command = [sys.executable, __file__, "--held-to-avx2", "--threads", str(threads)]
    *shown, figures = subprocess.run(
        command, env={**os.environ, **AVX2}, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    print(*shown, sep="\n", flush=True)
    return rows + [harness.Row(*row) for row in json.loads(figures)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-to-avx2", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.held_to_avx2:
        print(json.dumps(race("both held to AVX2", 1.2, args.threads)))
    else:
        main(args.threads)
