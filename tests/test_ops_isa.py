"""Every ISA level in a process of its own: the rows' values, layouts and gradients, and which level runs."""

from __future__ import annotations

import pytest

from isa_levels import NEEDS, run_python, runnable

ROWS = [
    "test_ops_forward.py",
    "test_ops_gradients.py",
    "test_ops_large.py",
    "-k",
    "not third and not jvp and not gradients_do_not_depend",
]


@pytest.mark.parametrize("level", NEEDS)
def test_rows(level: str) -> None:
    if level not in runnable():
        pytest.skip(f"this CPU has no {level}")
    run = run_python(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *ROWS], CINTA_ISA=level)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.parametrize("level", NEEDS)
def test_forced_level_is_the_one_that_runs(level: str) -> None:
    run = run_python(["-c", "import cinta as ct; print(ct.config()['isa'])"], CINTA_ISA=level)
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
    run = run_python(["-c", "import cinta as ct; print(ct.config()['isa'])"], CINTA_ISA="")
    assert run.stdout.strip() == runnable()[-1], run.stderr
