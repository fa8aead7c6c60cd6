"""Random lengths and batch sizes do not make the process grow: bench/memory_drift.py in its short form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isa_levels import run_python

SCRIPT = Path(__file__).parent.parent / "bench" / "memory_drift.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell in /proc what is resident")
@pytest.mark.parametrize("form", ["eager", "compiled"])
def test_resident_memory_stays(form: str) -> None:
    # Few shapes, so that the first hundred steps have seen them all; more than a compiled function keeps recordings of.
    arguments = ["--steps=1000", "--longest=4", "--largest=3", "--forms", form]
    run = run_python([str(SCRIPT), *arguments])
    assert run.returncode == 0, run.stdout + run.stderr
    assert float(re.search(r"drift ([-+.\d]+)%", run.stdout)[1]) < 2
