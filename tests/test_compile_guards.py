"""When a recording is used again, and when another is made: whatever a call sees that differs is noticed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import cinta as ct
from compile_bits import bits, recordings

FACTOR = 2.0
TABLE = {"factor": 2.0}


def check(f: Any, *calls: tuple[Any, ...]) -> int:
    """The recordings after these calls, each of which gave the bits of the call without compile."""
    compiled = f if isinstance(f, ct.replay.Compiled) else ct.compile(f)
    for args in calls:
        assert bits(compiled(*args)) == bits(compiled._f(*args))
    return recordings(compiled)


X, Y = ct.tensor([1.0, 2.0, 3.0]), ct.tensor([4.0, 5.0, 6.0])


def test_one_recording_serves_all_values() -> None:
    assert check(lambda x: x * 2, (X,), (Y,), (X,)) == 1


@pytest.mark.parametrize(
    "other",
    [
        ct.ones(4), ct.ones((1, 3)), ct.ones(3, dtype="float64"), ct.ones(6)[::2], ct.ones(3).requires_grad_(), 2.0,
        np.ones(3), None, [X], ct.ones(3)[::-1],
    ],
    ids=lambda x: str(x)[:30].replace("\n", ""),
)  # fmt: skip
def test_another_kind_of_argument(other: Any) -> None:
    f = ct.compile(lambda x: ct.ones(3) if x is None else (x[0] if isinstance(x, list) else ct.asarray(x)) * 2)
    with ct.no_grad():
        assert check(f, (X,), (other,), (X,), (other,)) == (1 if isinstance(other, np.ndarray) and 0 else 2)


def test_numbers_and_strings_among_the_arguments() -> None:
    def f(x: ct.Tensor, k: Any, how: str = "plain") -> ct.Tensor:
        return x * k if how == "plain" else x + k

    assert check(f, (X, 2), (X, 3), (X, 2), (X, 2.0), (X, True), (X, 1), (X, 2, "other")) == 6


def test_nan_as_an_argument_records_once() -> None:
    nan = float("nan")
    assert check(lambda x, k: x * k, (X, nan), (X, nan)) == 1


def test_grad_mode_precision_and_autocast() -> None:
    f = ct.compile(lambda x: ct.matmul(x, x))
    x = ct.random.normal(shape=(40, 40))
    f(x)
    with ct.no_grad():
        f(x)
    before = ct.get_float32_matmul_precision()
    try:
        ct.set_float32_matmul_precision("strict")
        assert bits(f(x)) == bits(x @ x)
    finally:
        ct.set_float32_matmul_precision(before)
    with ct.autocast():
        assert f(x).dtype == ct.bfloat16
    assert f(x).dtype == ct.float32
    assert recordings(f) == 4


def closure() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    factor: Any = 2.0

    def change(value: Any) -> None:
        nonlocal factor
        factor = value

    return lambda x: x * factor, change


def glob() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    return lambda x: x * FACTOR, lambda value: globals().update(FACTOR=value)


def helper(x: ct.Tensor) -> ct.Tensor:
    return x * FACTOR


def glob_of_helper() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    return lambda x: helper(x), lambda value: globals().update(FACTOR=value)


def glob_of_inner() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    def f(x: ct.Tensor) -> ct.Tensor:
        def inner() -> ct.Tensor:
            return x * FACTOR

        return inner()

    return f, lambda value: globals().update(FACTOR=value)


def entry() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    return lambda x: x * TABLE["factor"], lambda value: TABLE.update(factor=value)


def item() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    numbers = [1, [2.0]]
    return lambda x: x * numbers[1][0], lambda value: numbers[1].__setitem__(0, value)  # type: ignore[index]


def length() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    numbers = [2.0]

    def f(x: ct.Tensor) -> ct.Tensor:
        for k in numbers:
            x = x * k
        return x

    return f, lambda value: numbers.append(value) if value != 2.0 else numbers.__delitem__(slice(1, None))


def keys() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    options = {"a": 2.0}

    def f(x: ct.Tensor) -> ct.Tensor:
        return x * sum(options.values())

    return f, lambda value: options.update(b=value) if value != 2.0 else options.pop("b", None)


def absent_key() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    options: dict[str, float] = {}
    return lambda x: x * options.get("k", 2.0), lambda value: options.update(k=value)


def members() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    flags = {2.0}
    return lambda x: x * sum(flags), lambda value: (flags.clear(), flags.add(value))  # type: ignore[return-value]


def default() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    def f(x: ct.Tensor, k: float = 2.0) -> ct.Tensor:
        return x * k

    return f, lambda value: setattr(f, "__defaults__", (value,))


def keyword_default() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    def f(x: ct.Tensor, *, k: list[float] = [2.0]) -> ct.Tensor:  # noqa: B006
        return x * k[0]

    return f, lambda value: f.__kwdefaults__["k"].__setitem__(0, value)


class Settings:
    factor: Any = 2.0

    def scale(self, x: ct.Tensor) -> ct.Tensor:
        return x * self.factor

    def __call__(self, x: ct.Tensor) -> ct.Tensor:
        return x * self.factor


class Slots:
    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor: Any = 2.0


def attribute() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Settings()
    settings.factor = 2.0
    return lambda x: x * settings.factor, lambda value: setattr(settings, "factor", value)


def new_attribute() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Settings()  # the class has it, the object does not yet
    return lambda x: x * settings.factor, lambda value: setattr(settings, "factor", value)


def class_attribute() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    class Constants:
        factor = 2.0

    return lambda x: x * Constants.factor, lambda value: setattr(Constants, "factor", value)


def slot() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Slots()
    return lambda x: x * settings.factor, lambda value: setattr(settings, "factor", value)


def method() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Settings()
    settings.factor = 2.0
    return settings.scale, lambda value: setattr(settings, "factor", value)


def method_called_inside() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Settings()
    settings.factor = 2.0
    return lambda x: settings.scale(x), lambda value: setattr(settings, "factor", value)


def callable_object() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    settings = Settings()
    settings.factor = 2.0
    return settings, lambda value: setattr(settings, "factor", value)


def partial_of() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    options = [2.0]
    return partial(lambda o, x: x * o[0], options), lambda value: options.__setitem__(0, value)


def tensor_rebound() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    w = ct.tensor(2.0)

    def change(value: Any) -> None:
        nonlocal w
        w = ct.tensor(value)

    return lambda x: x * w, change


def array() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    w = np.array([2.0, 2.0, 2.0], np.float32)
    return lambda x: x * w, lambda value: w.fill(value)


def integer_array() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    w = np.array([2, 2, 2])
    return lambda x: x * ct.asarray(w, dtype="float32"), lambda value: w.fill(value)


def entry_of_an_array() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    w = np.array([2.0, 2.0])
    return lambda x: x * float(w[0]), lambda value: w.fill(value)


def copied_array() -> tuple[Callable[..., Any], Callable[[Any], None]]:
    w = np.array([2.0, 2.0, 2.0], np.float32)
    return lambda x: x * ct.tensor(w), lambda value: w.fill(value)


WAYS = [closure, glob, glob_of_helper, glob_of_inner, entry, item, length, keys, absent_key, members, default,
        keyword_default, attribute, new_attribute, class_attribute, slot, method, method_called_inside,
        callable_object, partial_of, tensor_rebound, array, integer_array, entry_of_an_array, copied_array]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_captured_may_change(way: Callable[..., Any]) -> None:
    f, change = way()
    try:
        compiled = ct.compile(f)
        assert compiled(X).tolist() == compiled(X).tolist() == f(X).tolist()
        for value in (5.0, 2.0, 7.0):
            change(value)
            assert compiled(X).tolist() == f(X).tolist()
            assert compiled(Y).tolist() == f(Y).tolist()
    finally:
        change(2.0)


def test_a_tensor_written_in_place_is_read_anew() -> None:
    w = ct.tensor([2.0, 2.0, 2.0])
    f = ct.compile(lambda x: x * w)
    f(X)
    w.fill_(5.0)
    assert f(X).tolist() == [5, 10, 15]
    assert recordings(f) == 1


def test_a_global_that_changes_back_and_forth() -> None:
    space: dict[str, object] = {"scale": 2.0}
    exec("def f(x):\n    return x * scale", space)
    f, x = ct.compile(space["f"]), ct.ones(3)
    for scale in (2.0, 2.0, 3.0, 2.0, 3.0):
        space["scale"] = scale
        space["other"] = object()  # changes the dict and not what the function sees
        assert f(x).tolist() == [scale] * 3
    del space["scale"]
    with pytest.raises(NameError):
        f(x)
