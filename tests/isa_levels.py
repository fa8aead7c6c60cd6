"""Which ISA levels this machine can run, asked of /proc/cpuinfo and not of cinta."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

NEEDS = {
    "scalar": set(),
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    "amx": {"avx512f", "avx512dq", "avx512bw", "avx512vl", "amx_tile", "amx_bf16"},
}


def runnable() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() not in ("x86_64", "AMD64") or not cpuinfo.exists():
        return ["scalar"]
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "").split()
    return [level for level, needed in NEEDS.items() if needed <= set(flags)]


def run_python(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, in tests/, with these variables set."""
    return subprocess.run([sys.executable, *arguments], cwd=Path(__file__).parent, env={**os.environ, **environment},
                          capture_output=True, text=True)  # fmt: skip
