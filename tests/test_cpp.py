"""Builds the C++ tests through CMake and runs them through CTest."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def has_doctest() -> bool:
    """Asks the compiler, as the build will."""
    compiler = os.environ.get("CXX", shutil.which("c++") or shutil.which("g++") or shutil.which("clang++"))
    if compiler is None:
        return False
    probe = subprocess.run(
        [compiler, "-E", "-x", "c++", "-"], input="#include <doctest/doctest.h>", capture_output=True, text=True
    )
    return probe.returncode == 0


def test_cpp(tmp_path: Path) -> None:
    if not has_doctest():
        pytest.skip("doctest is not installed (package doctest-dev)")
    cmake, ctest = shutil.which("cmake"), shutil.which("ctest")
    if cmake is None or ctest is None:
        pytest.skip("CMake is not installed")
    # A build kept between runs (CINTA_TEST_BUILD) is brought up to date instead of built anew.
    build = os.environ.get("CINTA_TEST_BUILD", str(tmp_path))
    commands = [
        [cmake, "-S", str(ROOT), "-B", build, "-DCINTA_BUILD_TESTS=ON", "-DCINTA_BUILD_PYTHON=OFF"],
        [cmake, "--build", build, "--parallel", str(os.cpu_count())],
        [ctest, "--test-dir", build, "--output-on-failure"],
    ]
    for command in commands:
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-6000:]
    assert "No tests were found" not in run.stdout + run.stderr
