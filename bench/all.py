"""Every comparison, the table of goals and how many of them are met: `pip install ".[examples]" torch==2.13.0` first.

python bench/all.py                                  one thread
python bench/all.py --threads 2 --output table.md    two, the table also as a file
python bench/all.py --only training conv             these parts
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import augment
import cinta as ct
import compiled
import conv
import ctc
import embedding
import ensembles
import estimators
import gemm
import harness
import import_time
import loader
import locally_connected
import memory_bound
import monitor
import neighbour
import ops
import recurrent
import resampling
import seq2seq
import training
import transformer
import vision

Rows = list[harness.Row]


def cpu() -> str:
    with open("/proc/cpuinfo") as info:
        return next((text.split(":", 1)[1].strip() for text in info if text.startswith("model name")), "unknown CPU")


def machine(threads: int) -> str:
    versions = f"cinta {ct.__version__}, PyTorch {torch.__version__}, NumPy {np.__version__}"
    return f"{cpu()}, {threads} thread(s), ISA {ct.config()['isa']}; {versions}, Python {platform.python_version()}"


def imports(threads: int) -> Rows:
    cinta, numpy = import_time.main()
    row = harness.Row("`import cinta`", cinta, numpy, cinta / numpy, 0, limit=numpy + import_time.LIMIT)
    print(row, flush=True)
    return [row]


# Title, the two columns that are compared, and what makes the rows with so many threads.
PARTS: dict[str, tuple[str, tuple[str, str], Callable[[int], Rows]]] = {
    "ops": ("Single operations, one thread", ("cinta", "PyTorch"), lambda threads: ops.main()),
    "training": ("Training steps", ("cinta", "PyTorch"), training.main),
    "compiled": ("Compiled training steps", ("cinta compiled", "peer"), compiled.main),
    "ensembles": ("Ten networks in one program", ("ensemble", "by themselves"), ensembles.main),
    "gemm": ("Products", ("cinta", "PyTorch"), gemm.main),
    "conv": ("Convolutions", ("cinta", "PyTorch"), conv.main),
    "recurrent": ("Recurrent layers and language models", ("cinta", "PyTorch"), recurrent.main),
    "ctc": ("CTC loss", ("cinta", "PyTorch"), ctc.main),
    "seq2seq": ("Encoder, decoder, attention", ("cinta", "PyTorch"), seq2seq.main),
    "lengths": ("Sequences of different lengths", recurrent.LENGTHS_COLUMNS, recurrent.lengths_main),
    "transformer": ("Attention and transformers", ("cinta", "PyTorch"), transformer.main),
    "embedding": ("Embeddings with row-sparse gradients", embedding.COLUMNS, embedding.main),
    "vision": ("Networks for photographs", ("cinta", "PyTorch"), vision.main),
    "locally_connected": ("Locally connected layers and DeepFace", locally_connected.COLUMNS, locally_connected.main),
    "memory_bound": ("Work bound by memory", ("cinta", "PyTorch"), memory_bound.main),
    "resampling": ("Images made smaller or larger", ("cinta", "PyTorch"), resampling.main),
    "loader": ("Batches of data, one thread", ("cinta", "PyTorch"), lambda threads: loader.main()),
    "augment": ("Augmentation of 28x28 images, per image", ("cinta", "PyTorch"), lambda threads: augment.main()),
    "neighbour": ("Two threads beside one", neighbour.COLUMNS, lambda threads: neighbour.main()),
    "estimators": ("Estimators", ("cinta", "scikit-learn"), lambda threads: estimators.main()),
    "monitor": ("A training that is watched, one thread", monitor.COLUMNS, lambda threads: monitor.main()),
    "import_time": ("Import", ("cinta", "`import numpy`"), imports),
}


def summary(rows: Rows) -> list[str]:
    counted = [row for row in rows if row.met is not None]
    missed = [row for row in counted if not row.met]
    lines = [f"Goals met: {len(counted) - len(missed)} of {len(counted)}"]
    if lacking := sum(bool(row.lacking) for row in rows):
        lines[0] += f"; {lacking} more suppose what this run lacks"
    return lines + [f"- {row.name}: {row.result} (goal {row.hoped_for})" for row in missed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="the table as Markdown")
    args = parser.parse_args()
    document, every = [machine(args.threads)], []

    def show(text: str) -> None:
        print(text, flush=True)
        document.append(text)

    print(document[0])
    for part in args.only or [p for p in PARTS if p != "neighbour" or args.threads > 1]:
        title, columns, run = PARTS[part]
        show(f"\n### {title}\n\n{harness.header(*columns)}")
        rows = run(args.threads)  # prints them one by one
        document += map(str, rows)
        every += rows
    show("\n" + "\n".join(summary(every)))
    if args.output:
        args.output.write_text("\n".join(document) + "\n")


if __name__ == "__main__":
    main()
