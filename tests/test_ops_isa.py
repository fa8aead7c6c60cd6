"""Every ISA level in a process of its own: the rows' values, layouts and gradients, and which level runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess

import pytest

from isa_levels import NEEDS, run_python, runnable

ROWS = ["test_ops_forward.py", "test_ops_gradients.py", "test_ops_large.py", "test_packed_weights.py"]
CHOICE = "not third and not jvp and not gradients_do_not_depend"
REPORT_ISA = "import cinta as ct; print(ct.config()['isa'])"
Runs = dict[str, Future[CompletedProcess[str]]]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """All levels at once, as many as there are cores."""
    command = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *ROWS, "-k", CHOICE]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {level: pool.submit(run_python, command, CINTA_ISA=level) for level in runnable()}


@pytest.mark.parametrize("level", NEEDS)
def test_rows(level: str, runs: Runs) -> None:
    if level not in runs:
        pytest.skip(f"this CPU has no {level}")
    run = runs[level].result()
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.parametrize("level", NEEDS)
def test_forced_level_is_the_one_that_runs(level: str) -> None:
    run = run_python(["-c", REPORT_ISA], CINTA_ISA=level)
    if level in runnable():
        assert run.stdout.strip() == level, run.stderr
    else:
        assert run.returncode != 0
        assert level in run.stderr


@pytest.mark.parametrize("level", ["axv2", "AVX2", "neon", "avx512 "])
def test_unknown_level_is_an_error_naming_the_available_ones(level: str) -> None:
    run = run_python(["-c", "import cinta as ct; ct.ones(3) + 1"], CINTA_ISA=level)
    assert run.returncode != 0
    assert f"CINTA_ISA={level}" in run.stderr
    assert all(available in run.stderr for available in runnable())


def test_best_level_is_chosen_when_none_is_forced() -> None:
    run = run_python(["-c", REPORT_ISA], CINTA_ISA="")
    assert run.stdout.strip() == runnable()[-1], run.stderr


def test_random_bits_are_the_same_at_every_level() -> None:
    program = """
import hashlib, cinta as ct
ct.random.seed(7)
draws = [ct.random.uniform(shape=9999), ct.random.uniform(shape=999, dtype="float64"), ct.random.permutation(999),
         ct.random.integers(1000, shape=999), ct.dropout(ct.ones(9999), 0.3)]
print(hashlib.sha256(b"".join(x.numpy().tobytes() for x in draws)).hexdigest())
"""
    digests = {run_python(["-c", program], CINTA_ISA=level).stdout for level in runnable()}
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
