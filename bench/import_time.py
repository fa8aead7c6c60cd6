"""`import cinta` beside `import numpy`, each in fresh processes: exits with 1 if it adds more than 50 ms."""

from __future__ import annotations

import statistics
import subprocess
import sys

LIMIT = 0.050
TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module: str) -> float:
    run = subprocess.run([sys.executable, "-c", TIMED.format(module)], check=True, stdout=subprocess.PIPE, text=True)
    return float(run.stdout)


def main(repeats: int = 15) -> tuple[float, float]:
    """Seconds of `import cinta`, NumPy's among them where it loads it, and of `import numpy`."""
    seconds("numpy"), seconds("cinta")  # the first of each fills the disk's cache
    pairs = [(seconds("cinta"), seconds("numpy")) for _ in range(repeats)]
    cinta, numpy = (statistics.median(column) for column in zip(*pairs))
    return cinta, numpy


if __name__ == "__main__":
    cinta, numpy = main()
    added = cinta - numpy
    print(f"import numpy {numpy * 1e3:.1f} ms, import cinta {cinta * 1e3:.1f} ms", end="")
    print(f", so cinta adds {added * 1e3:.1f} ms (goal <= {LIMIT * 1e3:.0f} ms: {'yes' if added <= LIMIT else 'no'})")
    sys.exit(added > LIMIT)
