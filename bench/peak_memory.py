"""Peak memory of training steps: resident memory above what there was with the library imported and the data in place.

Each side runs in a process of its own and counts its model, the optimizer's state and, with ct.compile, the recording;
not counted are pages of the libraries' files, which are read as their code first runs.
"""

from __future__ import annotations

import os
import subprocess
import sys

import harness

GOAL = 0.6
NETWORKS = ("LeNet-5, batch 128", "ResNet-18 on 32x32, batch 32")
STEPS = 5


def resident(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def measure(name: str, side: str) -> int:
    """Bytes, in a process that has done nothing else."""
    import torch

    import cinta as ct
    import training

    network = training.NETWORKS[name]
    library = torch if side == "PyTorch" else ct
    x, y = network.batches()[0]
    batch = (ct.tensor(x), ct.tensor(y)) if library is ct else (torch.from_numpy(x.copy()), torch.from_numpy(y.copy()))
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # the high-water mark is now what is resident
    before, files = resident("VmRSS"), resident("RssFile")
    model = network.build(library.nn)
    step = training.training_step(library, model, network.loss)
    if side == "compiled":
        step = ct.compile(step)
    for _ in range(STEPS):
        step(*batch)
    return resident("VmHWM") - before - (resident("RssFile") - files)


def measured_apart(name: str, side: str) -> int:
    run = subprocess.run(
        [sys.executable, __file__, name, side], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    return int(run.stdout)


def main() -> list[harness.Row]:
    rows = []
    for name in NETWORKS:
        theirs, plain, ours = (measured_apart(name, side) for side in ("PyTorch", "uncompiled", "compiled"))
        forms = f"cinta uncompiled {harness.mebibytes(plain)}"
        rows.append(
            harness.Row(
                f"peak memory of {name}", ours, theirs, ours / theirs, 0, GOAL, forms=forms, written=harness.mebibytes
            )
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(*sys.argv[1:]))
    else:
        main()
