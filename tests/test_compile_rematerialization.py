"""Activations that backward needs are computed again instead of kept: less memory, the same bits."""

from __future__ import annotations

from typing import Any

import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits

WITHOUT = [name for name in ct.replay.PASSES if name != "rematerialization"]


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Any) -> Any:
        return nn.functional.relu(x + self.bn(self.conv(x)))


def layer(channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]


def training(build: Any, wrap: Any) -> tuple[Any, nn.Module]:
    ct.random.seed(5)
    model = build()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    @wrap
    def step(x: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, model


@pytest.mark.parametrize("residual", [False, True])
def test_less_memory_and_the_same_bits(residual: bool) -> None:
    def build() -> nn.Module:
        blocks = [[Residual(64)] if residual else layer(64) for _ in range(5)]
        return nn.Sequential(*[module for block in blocks for module in block], nn.AdaptiveAvgPool2d(1))

    kept, model_kept = training(build, lambda f: ct.compile(f, passes=WITHOUT))
    anew, model_anew = training(build, ct.compile)
    plain, model_plain = training(build, lambda f: f)
    for k in range(3):
        ct.random.seed(k)
        x = ct.random.normal(shape=(16, 64, 32, 32))
        assert bits(plain(x)) == bits(kept(x)) == bits(anew(x))
    assert bits(model_plain.state_dict()) == bits(model_kept.state_dict()) == bits(model_anew.state_dict())
    gradients = [[p.grad for p in model.parameters()] for model in (model_plain, model_kept, model_anew)]
    assert bits(gradients[0]) == bits(gradients[1]) == bits(gradients[2])
    before, after = (step.program().stats() for step in (kept, anew))
    assert after.arena_bytes <= 0.85 * before.arena_bytes
    assert after.flops <= 1.05 * before.flops


def test_random_numbers_are_not_drawn_again() -> None:
    def build() -> nn.Module:
        blocks = [[*layer(64), nn.Dropout(0.5)] for _ in range(4)]
        return nn.Sequential(*[module for block in blocks for module in block])

    anew, model_anew = training(build, ct.compile)
    plain, model_plain = training(build, lambda f: f)
    results = []
    for step in (anew, plain):
        ct.random.seed(9)
        x = ct.random.normal(shape=(16, 64, 32, 32))
        results.append([bits(step(x)) for _ in range(3)])
    assert results[0] == results[1]
    assert bits(model_anew.state_dict()) == bits(model_plain.state_dict())


def test_small_programs_stay_as_they_are() -> None:
    def build() -> nn.Module:
        return nn.Sequential(*layer(4), *layer(4))

    x = ct.random.normal(shape=(2, 4, 8, 8))
    counts = []
    for passes in (WITHOUT, None):
        step, _ = training(build, lambda f, passes=passes: ct.compile(f, passes=passes))
        step(x)
        counts.append(step.program().stats().instructions)
    assert counts[0] == counts[1]


def test_a_recording_lets_go_of_its_arguments() -> None:
    def build() -> nn.Module:
        return nn.Linear(8, 1)

    step, _ = training(build, ct.compile)
    first, second = ct.ones((1 << 17, 8)), ct.ones((1 << 17, 8))
    step(first)
    step(second)
    live = ct.memory_stats()["live"]
    del first
    assert live - ct.memory_stats()["live"] >= 4 << 20
