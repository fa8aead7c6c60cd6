"""What a replay would not do is refused while recording, in words that name the line and a way out."""

from __future__ import annotations

import copy
import inspect
import pickle
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits, recordings

X = ct.tensor([1.0, 2.0, 3.0])
READS: dict[str, Callable[[ct.Tensor], Any]] = {
    ".item()": lambda x: x * x.sum().item(),
    ".numpy()": lambda x: x * x.numpy().max(),
    ".tolist()": lambda x: x * x.tolist()[0],
    "float": lambda x: x * float(x[0]),
    "int": lambda x: x * int(x[0]),
    "bool": lambda x: x if bool(x[0]) else -x,
    "if": lambda x: x if x[0] > 0 else -x,
    "and": lambda x: (x[0] > 0 and x[1] > 0) * x,
    "index": lambda x: [1, 2, 3][x[0].astype("int64")] * x,
    "print": lambda x: (print(x), x)[1],
    "format": lambda x: x * len(f"{x}"),
    "asarray": lambda x: x * np.asarray(x).max(),
    "np.median": lambda x: x * np.median(x),
    "deepcopy": lambda x: copy.deepcopy(x) * 2,
    "buffer": lambda x: x * memoryview(x)[0],
    "dlpack": lambda x: x * np.from_dlpack(x).max(),
    "pickle": lambda x: x * len(pickle.dumps(x)),
    "nonzero": lambda x: ct.nonzero(x)[0],
    "mask": lambda x: x[x > 1],
    "in": lambda x: x * (2.0 in x),
    "max of list": lambda x: x * max(list(x)),
    "of an intermediate": lambda x: x * (x * 2).sum().item(),
    "range": lambda x: x * sum(range(x[1].astype("int64"))),
    "save": lambda x: (ct.save("/dev/null", {"x": x}), x)[1],
}


def assert_clean(f: Callable[..., Any], *args: Any) -> None:
    """Nobody records any more, and the function works without compile."""
    assert not ct._core.is_recording()
    f(*args)
    (X * 2).sum().item()


@pytest.mark.parametrize("how", READS)
def test_reading_a_value(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    f = READS[how]
    line = inspect.getsourcelines(f)[1]
    with pytest.raises(RuntimeError, match=rf"\[compile\] .*test_compile_errors.py:{line}.*ct\.where") as raised:
        ct.compile(f)(X)
    assert "reads a tensor's value" in str(raised.value)
    assert_clean(f, X)


def test_len_shape_and_iteration_are_fine() -> None:
    f = ct.compile(lambda x: sum(row * k for k, row in enumerate(x)) * len(x) * x.shape[0] * x.ndim)
    for _ in range(3):
        x = ct.random.normal(shape=(4, 3))
        assert bits(f(x)) == bits(f._f(x))


COUNT = 0


def appends() -> tuple[Callable[..., Any], str]:
    losses: list[Any] = []
    return lambda x: losses.append((x * 2).sum()), r"losses"


def appends_a_number() -> tuple[Callable[..., Any], str]:
    seen: list[Any] = []
    return lambda x: (seen.append(1), x * 2)[1], r"'len\(seen\)' is 1, expected 0"


def fills_a_dict() -> tuple[Callable[..., Any], str]:
    cache: dict[str, Any] = {}
    return lambda x: (cache.update(y=x * 2), x)[1], r"cache"


def sets_an_attribute() -> tuple[Callable[..., Any], str]:
    log = SimpleNamespace(last=None)
    return lambda x: (setattr(log, "last", 2), x)[1], r"last"


def counts_a_global() -> tuple[Callable[..., Any], str]:
    def f(x: ct.Tensor) -> ct.Tensor:
        global COUNT
        COUNT += 1
        return x * COUNT

    return f, r"'COUNT' is \d+, expected \d+"


def counts_a_nonlocal() -> tuple[Callable[..., Any], str]:
    count = 0

    def f(x: ct.Tensor) -> ct.Tensor:
        nonlocal count
        count += 1
        return x * count

    return f, r"'count' is 1, expected 0"


def sets_a_module_attribute() -> tuple[Callable[..., Any], str]:
    class Net(nn.Module):
        calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x * self.calls

    net = Net()
    return lambda x: net(x), r"calls"


def keeps_in_a_module() -> tuple[Callable[..., Any], str]:
    class Net(nn.Module):
        def forward(self, x: Any) -> Any:
            self.last = x * 2
            return x

    net = Net()
    return lambda x: net(x), r"keeps a tensor|last"


def switches_mode() -> tuple[Callable[..., Any], str]:
    net = nn.Dropout(0.5)
    return lambda x: net.train(not net.training)(x), r"training"


def changes_lr() -> tuple[Callable[..., Any], str]:
    p = nn.Parameter(ct.ones(3))
    opt = optim.SGD([p], lr=0.1)

    def f(x: ct.Tensor) -> None:
        opt.zero_grad()
        (p * x).sum().backward()
        opt.param_groups[0]["lr"] *= 0.9
        opt.step()

    return f, r"optimizer's options.*before the call"


def draws_from_numpy() -> tuple[Callable[..., Any], str]:
    return lambda x: x * np.random.rand(), r"takes from .*pass what it takes.*ct\.random"  # noqa: NPY002


def draws_from_a_generator() -> tuple[Callable[..., Any], str]:
    rng = np.random.default_rng(0)
    return lambda x: x * rng.normal(), r"takes from .*pass what it takes.*ct\.random"


def draws_from_python() -> tuple[Callable[..., Any], str]:
    return lambda x: x * random.random(), r"takes from .*pass what it takes.*ct\.random"


def takes_from_an_iterator() -> tuple[Callable[..., Any], str]:
    numbers = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    return lambda x: x * next(numbers), r"numbers"


def takes_from_a_generator() -> tuple[Callable[..., Any], str]:
    numbers = (float(k) for k in range(10))
    return lambda x: x * next(numbers), r"numbers"


def seeds() -> tuple[Callable[..., Any], str]:
    return lambda x: (ct.random.seed(1), x)[1], r"seed outside"


def exchanges_memory() -> tuple[Callable[..., Any], str]:
    w = ct.ones(3)

    def f(x: ct.Tensor) -> ct.Tensor:
        w.data = x * 2
        return w * 2

    return f, r"exchanges the memory|somewhere outside"


CHANGES = [appends, appends_a_number, fills_a_dict, sets_an_attribute, counts_a_global, counts_a_nonlocal,
           sets_a_module_attribute, keeps_in_a_module, switches_mode, changes_lr, draws_from_numpy,
           draws_from_a_generator, draws_from_python, takes_from_an_iterator, takes_from_a_generator, seeds,
           exchanges_memory]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changing_the_world(change: Callable[..., Any]) -> None:
    f, message = change()
    compiled = ct.compile(f)
    with pytest.raises(RuntimeError, match=message) as raised:
        compiled(X)
    assert "replay would not" in str(raised.value)
    assert recordings(compiled) == 0
    assert_clean(f, X)
