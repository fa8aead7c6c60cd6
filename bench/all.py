"""Every comparison and the table of goals: `pip install ".[examples]" torch==2.13.0 && python bench/all.py`."""

from __future__ import annotations

import argparse
import platform

import numpy as np
import torch

import cinta as ct
import conv
import gemm
import harness
import import_time
import memory_bound
import ops
import training


def cpu() -> str:
    with open("/proc/cpuinfo") as info:
        return next((text.split(":", 1)[1].strip() for text in info if text.startswith("model name")), "unknown CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    python = platform.python_version()
    print(f"{cpu()}, {threads} thread(s), ISA {ct.config()['isa']}")
    print(f"cinta {ct.__version__}, PyTorch {torch.__version__}, NumPy {np.__version__}, Python {python}\n")
    print(harness.HEADER)
    rows = [*ops.main(), *training.main(threads), *gemm.main(threads)]
    rows += [*conv.main(threads), *memory_bound.main(threads)]
    print()
    import_time.main()
    print(f"{sum(row.met for row in rows)} of {len(rows)} goals met")


if __name__ == "__main__":
    main()
