"""Replay equals eager, bit for bit, over ten steps: losses, parameters, gradients, buffers, states, random streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import CHOICES, PASSES, bits, recordings
from compile_models import MODELS

STEPS = 10
Clip = Callable[[list[Any]], Any]


def state_of(net: nn.Module, opt: optim.Optimizer) -> list[Any]:
    grads = [p.grad for p in net.parameters()]
    options = [{k: v for k, v in group.items() if k != "params"} for group in opt.param_groups]
    return [bits(net.state_dict()), bits(grads), bits(opt.state_dict()["state"]), options, ct.random.get_state()]


class Training:
    """One network in training; `compiled` or not, it sees the same numbers."""

    def __init__(self, model: str, optimizer: Any, compiled: bool, passes: Any = PASSES, dtype: str = "float32",
                 zero: str = "start", clip: Clip | None = None, halves: bool = False) -> None:  # fmt: skip
        ct.random.seed(11)
        make, draw = MODELS[model]
        net = self.net = make()
        if dtype != "float32":
            net.to(dtype=dtype)
        opt = self.opt = optimizer(net)
        rng = np.random.default_rng(5)
        self.batches = [draw(rng) for _ in range(STEPS)]
        if dtype != "float32":
            self.batches = [
                tuple(t.astype(dtype) if t.dtype.is_floating else t for t in batch) for batch in self.batches
            ]
        params = list(net.parameters())

        def step(x: ct.Tensor, y: ct.Tensor) -> Any:
            if zero == "start":
                opt.zero_grad()
            elif zero == "fill":
                opt.zero_grad(set_to_none=False)
            loss = loss_of(net(x), y)
            loss.backward()
            if halves:
                (loss_of(net(x * 0.5), y) * 0.5).backward()
            norm = clip(params) if clip else None
            opt.step()
            if zero == "end":
                opt.zero_grad()
            return loss.detach(), norm

        self.step: Any = ct.compile(step, passes=passes) if compiled else step

    def run(self) -> list[Any]:
        seen = []
        for x, y in self.batches:
            seen.append([bits(self.step(x, y)), state_of(self.net, self.opt)])
        return seen


def loss_of(y: ct.Tensor, target: ct.Tensor) -> ct.Tensor:
    if target.dtype.is_floating:
        return nn.functional.mse_loss(y, target)
    return nn.functional.cross_entropy(y, target)


def check(model: str, optimizer: Any, most: int = 2, **options: Any) -> None:
    plain = Training(model, optimizer, False, **{k: v for k, v in options.items() if k != "passes"}).run()
    training = Training(model, optimizer, True, **options)
    replayed = training.run()
    for number, (a, b) in enumerate(zip(plain, replayed)):
        names = ["losses", "parameters and buffers", "gradients", "optimizer state", "options", "random stream"]
        wrong = [name for name, x, y in zip(names, [a[0], *a[1]], [b[0], *b[1]]) if x != y]
        assert not wrong, f"step {number}: {wrong} differ"
    assert recordings(training.step) <= most


def sgd(net: nn.Module) -> optim.Optimizer:
    return optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("model", MODELS)
def test_models(model: str, choice: str) -> None:
    check(model, sgd, passes=CHOICES[choice])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("model", MODELS)
def test_dtypes(model: str, dtype: str) -> None:
    check(model, sgd, dtype=dtype)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_threads(model: str, threads: int) -> None:
    ct.set_num_threads(threads)
    check(model, lambda net: optim.Adam(net.parameters(), lr=1e-3))


OPTIMIZERS: dict[str, Callable[[nn.Module], optim.Optimizer]] = {
    "sgd": lambda net: optim.SGD(net.parameters(), lr=0.05),
    "sgd, decay": lambda net: optim.SGD(net.parameters(), lr=0.05, weight_decay=0.1, maximize=True),
    "momentum": lambda net: optim.SGD(net.parameters(), lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "nesterov": lambda net: optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda net: optim.Adam(net.parameters(), lr=1e-2, weight_decay=0.1),
    "amsgrad": lambda net: optim.Adam(net.parameters(), lr=1e-2, amsgrad=True, maximize=True),
    "adamw": lambda net: optim.AdamW(net.parameters(), lr=1e-2, betas=(0.8, 0.9)),
    "adamw, amsgrad": lambda net: optim.AdamW(net.parameters(), lr=1e-2, amsgrad=True),
    "rmsprop": lambda net: optim.RMSprop(net.parameters(), lr=1e-3),
    "rmsprop, momentum": lambda net: optim.RMSprop(net.parameters(), lr=1e-3, momentum=0.5, weight_decay=0.1),
    "rmsprop, centered": lambda net: optim.RMSprop(net.parameters(), lr=1e-3, centered=True),
    "rmsprop, all": lambda net: optim.RMSprop(net.parameters(), lr=1e-3, centered=True, momentum=0.5, maximize=True),
    "adagrad": lambda net: optim.Adagrad(net.parameters(), lr=0.1, lr_decay=0.1, initial_accumulator_value=0.1),
    "adadelta": lambda net: optim.Adadelta(net.parameters(), weight_decay=0.1),
    "nadam": lambda net: optim.NAdam(net.parameters(), lr=1e-2, weight_decay=0.1, momentum_decay=0.1),
    "nadam, decoupled": lambda net: optim.NAdam(net.parameters(), lr=1e-2, weight_decay=0.1,
                                                decoupled_weight_decay=True),
    "radam": lambda net: optim.RAdam(net.parameters(), lr=1e-2, weight_decay=0.1, maximize=True),
    "adamax": lambda net: optim.Adamax(net.parameters(), lr=1e-2, weight_decay=0.1),
    "lion": lambda net: optim.Lion(net.parameters(), lr=1e-3, weight_decay=0.1),
    "rprop": lambda net: optim.Rprop(net.parameters(), lr=1e-3),
    "groups": lambda net: optim.Adam(
        [{"params": [p for p in net.parameters() if p.ndim > 1], "lr": 1e-2, "weight_decay": 0.1},
         {"params": [p for p in net.parameters() if p.ndim <= 1]}], lr=1e-3),
    "part of it": lambda net: optim.SGD(list(net.parameters())[2:], lr=0.1, momentum=0.5),
}  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", ["mlp", "norms"])
def test_optimizers(model: str, optimizer: str) -> None:
    check(model, OPTIMIZERS[optimizer])


@pytest.mark.parametrize("zero", ["start", "end", "fill", "never"])
@pytest.mark.parametrize("halves", [False, True], ids=["one backward", "two backwards"])
@pytest.mark.parametrize("choice", ["all", "none"])
@pytest.mark.parametrize("model", ["mlp", "lenet", "tied"])
def test_gradients_between_steps(model: str, zero: str, halves: bool, choice: str) -> None:
    check(model, sgd, most=3, zero=zero, halves=halves, passes=CHOICES[choice])


CLIPS: dict[str, Clip] = {
    "norm": lambda params: optim.clip_grad_norm_(params, 0.1),
    "norm of 1": lambda params: optim.clip_grad_norm_(params, 0.1, norm_type=1),
    "largest": lambda params: optim.clip_grad_norm_(params, 0.01, norm_type=float("inf")),
    "value": lambda params: optim.clip_grad_value_(params, 0.01),
}


@pytest.mark.parametrize("choice", ["all", "none"])
@pytest.mark.parametrize("clip", CLIPS)
def test_clipping(clip: str, choice: str) -> None:
    for model in ("mlp", "lenet"):
        check(model, sgd, clip=CLIPS[clip], passes=CHOICES[choice])


@pytest.mark.parametrize("precision", ["strict", "highest", "high", "medium"])
def test_precision(precision: str) -> None:
    before = ct.get_float32_matmul_precision()
    try:
        ct.set_float32_matmul_precision(precision)
        for model in ("mlp", "resnet"):
            check(model, sgd)
    finally:
        ct.set_float32_matmul_precision(before)


@pytest.mark.parametrize("model", MODELS)
def test_autocast(model: str) -> None:
    with ct.autocast():
        check(model, sgd)


def test_every_pass_that_is_there_runs() -> None:
    files = (Path(__file__).parent.parent / "cpp/cinta/replay/passes").glob("*.cpp")
    others = {"passes", "fusion_stages", "memory_plan"}  # the list, a part of fusion, and what always runs
    assert {file.stem for file in files} - others == set(ct.replay.PASSES)
