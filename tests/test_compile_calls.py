"""Calls within calls, methods, the cache of recordings, what stays in memory, threads."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import warnings
import weakref
from collections import namedtuple
from typing import Any

import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits, recordings

Pair = namedtuple("Pair", ["first", "second"])


def draw(*shape: int) -> ct.Tensor:
    return ct.random.normal(shape=shape or (3,))


def test_compiled_inside_compiled() -> None:
    inner = ct.compile(lambda x: x * 2)
    outer = ct.compile(lambda x: inner(x) + inner(x + 1))
    for _ in range(3):
        x = draw()
        assert bits(outer(x)) == bits(x * 2 + (x + 1) * 2)
    assert (recordings(outer), recordings(inner)) == (1, 0)


def test_recursion() -> None:
    @ct.compile
    def power(x: ct.Tensor, n: int) -> ct.Tensor:
        return ct.ones_like(x) if n == 0 else x * power(x, n - 1)

    for _ in range(2):
        x = draw()
        assert bits(power(x, 3)) == bits(x * (x * (x * ct.ones_like(x))))


class Model:
    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.w = ct.full(3, scale)

    @ct.compile
    def __call__(self, x: ct.Tensor) -> ct.Tensor:
        """Scales."""
        return x * self.w * self.scale

    @ct.compile(max_recordings=2)
    def other(self, x: ct.Tensor, k: int = 1) -> ct.Tensor:
        return x * self.scale * k

    @staticmethod
    @ct.compile
    def fixed(x: ct.Tensor) -> ct.Tensor:
        return x + 1


def test_methods() -> None:
    a, b, x = Model(2.0), Model(3.0), ct.ones(3)
    for _ in range(2):
        assert (a(x).tolist(), b(x).tolist()) == ([4.0] * 3, [9.0] * 3)
        assert (a.other(x).tolist(), b.other(x, k=2).tolist()) == ([2.0] * 3, [6.0] * 3)
        assert Model.fixed(x).tolist() == [2.0] * 3
    a.scale = 5.0
    assert (a(x).tolist(), a.other(x).tolist()) == ([10.0] * 3, [5.0] * 3)
    assert Model.__call__.__doc__ == "Scales."


def test_modules_and_their_training_step() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    forward = ct.compile(net)
    with ct.no_grad():
        for _ in range(3):
            x = draw(5, 3)
            assert bits(forward(x)) == bits(net(x))
    assert recordings(forward) == 1


# The cache


def test_a_bounded_cache_warns() -> None:
    f = ct.compile(lambda x, k: x * k, max_recordings=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in (1, 2, 3, 1, 2, 3):
            f(ct.ones(2), k)
    with pytest.warns(RuntimeWarning, match="was recorded 4 times and keeps 3.*because"):
        f(ct.ones(2), 4)
    assert repr(f).endswith("3 recordings>")
    f.clear()
    assert f(ct.ones(2), 4).tolist() == [4, 4]


def test_dropped_functions_free_their_memory() -> None:
    def once() -> weakref.ref[Any]:
        net = nn.Sequential(nn.Linear(50, 60), nn.ReLU(), nn.Linear(60, 5))
        opt = optim.Adam(net.parameters())

        @ct.compile
        def step(x: ct.Tensor) -> ct.Tensor:
            opt.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            opt.step()
            return loss.detach() if step else loss

        for size in (4, 4, 8, 8):
            step(ct.ones((size, 50)))
        return weakref.ref(step)

    once()
    gc.collect()
    before = ct.memory_stats()["live"], ct._core.live_instructions()
    dead = once()
    gc.collect()
    assert dead() is None
    assert (ct.memory_stats()["live"], ct._core.live_instructions()) == before


def test_objects_that_hold_their_own_step_go() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.w = ct.ones(1000)
            self.step = ct.compile(self.double)

        def double(self, x: ct.Tensor) -> ct.Tensor:
            return self.w * x

    trainer = Trainer()
    trainer.step(ct.ones(1000))
    trainer.step(ct.ones(1000))
    dead = weakref.ref(trainer)
    del trainer
    gc.collect()
    assert dead() is None


def test_calls_keep_nothing_alive() -> None:
    f = ct.compile(lambda x: x * 2)
    for _ in range(3):
        f(ct.ones(1000))
    gc.collect()
    before = ct.memory_stats()["live"]
    for _ in range(10):
        f(ct.ones(1000))
    assert ct.memory_stats()["live"] == before
    x = ct.ones(1000)
    f(x)
    data = weakref.ref(x)
    del x
    assert data() is None


def test_copies() -> None:
    f = ct.compile(nn.Linear(3, 2))
    f(ct.ones((1, 3)))
    for how in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"\[compile\] .*cannot be (copied|pickled).*compile"):
            how(f)


# Threads


def test_threads_record_and_replay_at_once() -> None:
    nets = [nn.Linear(8, 8) for _ in range(4)]
    steps = [ct.compile(lambda x, net=net: net(x).detach()) for net in nets]
    failures: list[BaseException] = []

    def work(net: nn.Module, step: Any) -> None:
        try:
            for k in range(30):
                x = ct.full((4, 8), float(k))
                assert bits(step(x)) == bits(net(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(nets, steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert nn.Module.__call__.__qualname__ == "Module.__call__"


def test_one_function_from_two_threads_is_refused_or_right() -> None:
    w = ct.random.normal(shape=(200, 200))
    f = ct.compile(lambda x: (x @ w).sum(0) * 2)
    inputs = [ct.full((300, 200), float(k)) for k in range(8)]
    expected = [bits(f._f(x)) for x in inputs]
    f(inputs[0])
    wrong: list[Any] = []

    def work(k: int) -> None:
        for _ in range(20):
            try:
                if bits(f(inputs[k])) != expected[k]:
                    wrong.append(k)
            except RuntimeError as error:
                if "run by another thread" not in str(error):
                    wrong.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_program_is_started() -> None:
    code = (
        "import sys, cinta as ct\n"
        "sys.addaudithook(lambda e, a: sys.exit(e) if e in ('subprocess.Popen', 'os.system', 'os.fork', 'os.exec',"
        " 'os.posix_spawn') else None)\n"
        "f = ct.compile(lambda x: (x * 2 + 1).tanh().sum())\n"
        "a = [f(ct.ones((40, 40))).item() for _ in range(3)]\n"
        "assert a[0] == a[1] == a[2]\n"
    )
    env = {**os.environ, "PATH": ""}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)


def test_calls_take_the_short_way() -> None:
    f = ct.compile(lambda x: x + 1)
    assert type(f).__flags__ & 1 << 11  # Py_TPFLAGS_HAVE_VECTORCALL: no tuple is made of the arguments
