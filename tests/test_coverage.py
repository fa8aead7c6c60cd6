"""Nothing public without a row, a docstring, a gradient or a stated reason, and its kernels at every level."""

from __future__ import annotations

import pytest

import cinta as ct
from isa_levels import runnable
from op_cases import BY_NAME, NON_DIFFERENTIABLE, OPS

WITHOUT_VALUES = ["empty", "empty_like"]  # nothing to compare: their contents are undefined
REGISTERED = sorted(set(ct._core.op_names()) - set(WITHOUT_VALUES))


def test_every_registered_operation_has_a_row() -> None:
    assert [name for name in REGISTERED if name not in BY_NAME] == []


@pytest.mark.parametrize("name", WITHOUT_VALUES)
def test_operations_without_values(name: str) -> None:
    like = {"empty": (2, 3), "empty_like": ct.ones((2, 3))}[name]
    result = getattr(ct, name)(like, dtype="int16")
    assert (result.shape, str(result.dtype)) == ((2, 3), "int16")


def test_every_row_is_an_operation() -> None:
    assert [row.name for row in OPS if row.call is None and not callable(getattr(ct, row.name, None))] == []


def test_no_name_has_two_rows() -> None:
    assert len(BY_NAME) == len(OPS)


@pytest.mark.parametrize("name", REGISTERED)
def test_docstring(name: str) -> None:
    """One sentence at least, and it does not merely repeat the name."""
    text = (getattr(ct, name).__doc__ or "").strip()
    assert len(text.split()) >= 4, f"{name}: {text!r}"


def test_every_operation_differentiates_or_says_why_not() -> None:
    without = {row.name for row in OPS if not row.gradient}
    assert without == set(NON_DIFFERENTIABLE)


def test_elementwise_kernels_are_in_every_table() -> None:
    coverage = ct._core.kernel_coverage()
    levels = runnable()
    assert coverage, "no kernels are reported"
    missing = [f"{name} in {level}" for name, isas in coverage.items() for level in levels if not isas.get(level)]
    assert missing == []


def test_methods_are_on_the_tensor() -> None:
    assert [row.name for row in OPS if row.method and not hasattr(ct.Tensor, row.name)] == []
