"""float32 products beside PyTorch's (MKL), with all instructions, without AMX, and with both held to AVX2; layers whose
weights are read again and again; batches."""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from timeit import Timer
from typing import Any

import torch

import cinta as ct
import harness

SHAPES = [(512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (6272, 480, 192)]
# What runs in a process of its own: the environment, and the goal.
HELD = {
    "cinta without AMX": ({"CINTA_ISA": "avx512"}, 1.05),
    "both held to AVX2": (
        {
            "CINTA_ISA": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
        },
        1.2,
    ),
}


def race(label: str, goal: float, threads: int, mode: str = "highest") -> list[harness.Row]:
    harness.pin(threads)
    torch.manual_seed(0)
    rows = []
    with ct.set_float32_matmul_precision(mode):
        for m, k, n in SHAPES:
            a, b = torch.randn(m, k), torch.randn(k, n)
            ours = functools.partial(ct.matmul, ct.tensor(a.numpy()), ct.tensor(b.numpy()))
            rows.append(compared(f"{m}x{k}x{n}, {label}", mode, goal, ours, torch.matmul, a, b, seconds=0.05))
    return rows


# Layers whose weights are read again and again, and batches.
LAYERS = [(128, 784, 256)] + [(m, k, n) for k, n in ((512, 512), (512, 2048)) for m in (16, 20, 32, 64)]
BATCHES = [(32, 128, 64, 128), (32, 128, 128, 64), (16, 256, 64, 256), (8, 512, 64, 512)]
# Of a layer, of one with few rows, of a batch. Without AMX "high" runs what "highest" runs.
GOALS = {"highest": (0.6, 0.8, 0.7), "high": (0.37, 0.5, 0.7)} if harness.AMX else {"highest": (1.05, 1.05, 1.05)}


def compared(
    name: str, mode: str, goal: float, ours: Callable[[], Any], theirs: Callable[..., Any], *operands: Any, **how: Any
) -> harness.Row:
    exact = theirs(*(t.double() for t in operands)).numpy()
    own = harness.Contestant(Timer(ours), error=harness.error_of([ours().numpy()], [exact]))
    error = harness.error_of([theirs(*operands).numpy()], [exact])
    peer = harness.Contestant(Timer(lambda: theirs(*operands)), error=error)
    return harness.compare(f"{name}, {mode}", goal, [own], [peer], **how)


def reused(threads: int) -> list[harness.Row]:
    harness.pin(threads)
    torch.manual_seed(0)
    rows = []
    with ct.no_grad(), torch.no_grad():
        for mode, (layer_goal, few_rows_goal, batch_goal) in GOALS.items():
            with ct.set_float32_matmul_precision(mode):
                for m, k, n in LAYERS:
                    x, w, b = torch.randn(m, k), torch.randn(n, k), torch.randn(n)
                    layer = ct.tensor(x.numpy()), ct.nn.Parameter(ct.tensor(w.numpy())), ct.tensor(b.numpy())
                    goal = layer_goal if m > 64 else few_rows_goal
                    ours = functools.partial(ct.nn.functional.linear, *layer)
                    name = f"linear {m}x{k}x{n}, the same weights"
                    rows.append(compared(name, mode, goal, ours, torch.nn.functional.linear, x, w, b))
                for batch, m, k, n in BATCHES:
                    a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
                    ours = functools.partial(ct.matmul, ct.tensor(a.numpy()), ct.tensor(b.numpy()))
                    rows.append(compared(f"{batch} of {m}x{k}x{n}", mode, batch_goal, ours, torch.bmm, a, b))
    return rows


def held(name: str, threads: int) -> list[harness.Row]:
    command = [sys.executable, __file__, "--held", name, "--threads", str(threads)]
    environment = {**os.environ, **HELD[name][0]}
    run = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    *shown, figures = run.stdout.splitlines()
    print(*shown, sep="\n", flush=True)
    return [harness.Row(*row[:-1]) for row in json.loads(figures)]  # functions do not travel


def main(threads: int = 1) -> list[harness.Row]:
    isa = ct.config()["isa"]
    rows = race(isa, 0.5 if harness.AMX else 1.05, threads)
    if harness.AMX:
        rows += race(isa, 0.3, threads, "high") + held("cinta without AMX", threads)
    return rows + reused(threads) + held("both held to AVX2", threads)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held", choices=HELD, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.held:
        print(json.dumps([(*row[:-1], None) for row in race(args.held, HELD[args.held][1], args.threads)]))
    else:
        main(args.threads)
