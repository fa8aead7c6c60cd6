"""Calls that fail leave parameters, counts and later calls as the call without compile would."""

from __future__ import annotations

from typing import Any

import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits, recordings

X = ct.tensor([1.0, 2.0, 3.0])


def test_an_exception_of_the_function_itself() -> None:
    def f(x: ct.Tensor, k: int) -> ct.Tensor:
        if k == 0:
            raise KeyError("mine")
        return x / k

    compiled = ct.compile(f)
    with pytest.raises(KeyError, match="mine"):
        compiled(X, 0)
    assert not ct._core.is_recording()
    assert f(X, 1).tolist() == X.tolist()
    assert compiled(X, 2).tolist() == [0.5, 1.0, 1.5]


def test_a_wrong_shape_leaves_everything_as_it_was() -> None:
    net = nn.Linear(3, 2)
    opt = optim.Adam(net.parameters(), lr=0.1)

    @ct.compile
    def step(x: ct.Tensor) -> ct.Tensor:
        opt.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        opt.step()
        return loss.detach()

    step(ct.ones((4, 3)))
    step(ct.ones((4, 3)))
    before = bits(net.state_dict()), bits(opt.state_dict())
    with pytest.raises(ValueError, match="3"):
        step(ct.ones((4, 5)))
    assert (bits(net.state_dict()), bits(opt.state_dict())) == before
    step(ct.ones((4, 3)))
    assert opt.state_dict()["state"][0]["step"] == 3
    assert recordings(step) == 1


@pytest.mark.parametrize("optimizer", [lambda p: optim.Adam(p, lr=0.1), lambda p: optim.SGD(p, lr=0.1, momentum=0.9)])
def test_an_index_out_of_range_in_a_replay(optimizer: Any) -> None:
    """As the call without compile: what was done before the failure is done, what comes after is not."""
    nets, opts, steps = [], [], []
    for compiled in (False, True):
        ct.random.seed(1)
        net = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 4))
        opt = optimizer(net.parameters())

        def step(x: ct.Tensor, y: ct.Tensor, net: Any = net, opt: Any = opt) -> ct.Tensor:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            opt.step()
            return loss.detach()

        nets.append(net)
        opts.append(opt)
        steps.append(ct.compile(step) if compiled else step)
    good = ct.tensor([[1, 2], [3, 4]]), ct.tensor([0, 3])
    bad = [(ct.tensor([[1, 2], [3, 7]]), good[1]), (good[0], ct.tensor([0, 9]))]
    for batch in (good, good, bad[0], good, bad[1], bad[1], good):
        ends = []
        stream = ct.random.get_state()
        for net, opt, step in zip(nets, opts, steps):
            ct.random.set_state(stream)
            try:
                result = bits(step(*batch))
            except (IndexError, ValueError) as error:
                result = [type(error)]
            grads = [p.grad for p in net.parameters()]
            ends.append((result, bits(net.state_dict()), bits(opt.state_dict()), bits(grads), ct.random.get_state()))
        assert ends[0] == ends[1]
    assert recordings(steps[1]) == 1


def test_wrong_use() -> None:
    with pytest.raises(TypeError, match="got a int, expected a function"):
        ct.compile(3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="max_recordings got 0"):
        ct.compile(lambda x: x, max_recordings=0)
    with pytest.raises(ValueError, match="passes got 'fast', expected some of"):
        ct.compile(lambda x: x, passes=["fast"])
    with pytest.raises(RuntimeError, match="has no program yet"):
        ct.compile(lambda x: x).program()
    w = ct.ones(3).requires_grad_()
    with pytest.raises(RuntimeError, match=r"argument .* is the result of an operation.*detach"):
        ct.compile(lambda x: x * 2)(w * 2)
