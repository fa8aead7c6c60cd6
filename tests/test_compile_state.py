"""What training changes between calls: options, groups, parameters, gradients, modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits, recordings


class Setup:
    """A network twice, from the same start: `step` compiled, `plain` not; both are changed in the same way."""

    def __init__(self, optimizer: Any = None, net: Any = None) -> None:
        optimizer = optimizer or (lambda p: optim.SGD(p, lr=0.1, momentum=0.9))
        make = net or (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)))
        self.nets, self.opts, self.steps = [], [], []
        for compiled in (False, True):
            ct.random.seed(3)
            self.nets.append(make())
            self.opts.append(optimizer(self.nets[-1].parameters()))
            step = self.step_of(self.nets[-1], self.opts[-1])
            self.steps.append(ct.compile(step) if compiled else step)
        self.rng = np.random.default_rng(0)

    @staticmethod
    def step_of(net: nn.Module, opt: optim.Optimizer) -> Any:
        def step(x: ct.Tensor) -> ct.Tensor:
            opt.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            opt.step()
            return loss.detach()

        return step

    def run(self, times: int = 3) -> int:
        """Steps both; the recordings so far."""
        for _ in range(times):
            x = ct.tensor(self.rng.normal(size=(6, 3)), dtype="float32")
            stream = ct.random.get_state()
            expected = bits(self.steps[0](x))
            ct.random.set_state(stream)
            assert bits(self.steps[1](x)) == expected
            assert bits(self.nets[1].state_dict()) == bits(self.nets[0].state_dict())
            assert bits([p.grad for p in self.nets[1].parameters()]) == bits(
                [p.grad for p in self.nets[0].parameters()]
            )
            states = [opt.state_dict() for opt in self.opts]
            assert bits(states[1]) == bits(states[0])
        return recordings(self.steps[1])


def test_options_are_read_at_every_call() -> None:
    setup = Setup()
    assert setup.run() == 1
    for options in ({"lr": 0.05}, {"weight_decay": 0.1}, {"momentum": 0.5}, {"dampening": 0.3}, {"maximize": True}):
        for opt in setup.opts:
            opt.param_groups[0].update(options)
        assert setup.run() == 1
    for opt in setup.opts:
        opt.param_groups[0].update(dampening=0.0, nesterov=True)
    setup.run()
    adam = Setup(lambda p: optim.Adam(p, lr=0.1))
    adam.run()
    for opt in adam.opts:
        opt.param_groups[0].update(betas=(0.5, 0.6), eps=1e-3, weight_decay=0.2, lr=0.01)
    assert adam.run() == 1


class Signed(optim.Optimizer):
    """An update in Python, whose step shrinks with their number."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def _check(self, group: dict[str, Any]) -> None:
        pass

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ()

    def _update(self, group: dict[str, Any], run: Any, grads: list[ct.Tensor]) -> None:
        with ct.no_grad():
            for p, g in zip(run.params, grads):
                p -= group["lr"] / (1 + run.steps) * ct.sign(g)


@pytest.mark.filterwarnings("ignore:.*was recorded")
def test_updates_written_in_python() -> None:
    setup = Setup(lambda p: Signed(p, lr=0.1))
    setup.run()
    for opt in setup.opts:
        opt.param_groups[0]["lr"] = 0.5
    setup.run()


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"momentum": 0.0}], ids=str)
def test_state_that_options_call_for(options: dict[str, Any]) -> None:
    setup = Setup(lambda p: optim.SGD(p, lr=0.1, momentum=0.9 - options["momentum"]))
    setup.run()
    for opt in setup.opts:
        opt.param_groups[0].update(options)
    assert setup.run() == 2
    for opt in setup.opts:
        opt.param_groups[0].update(momentum=0.5)
    setup.run()


def test_groups_may_come() -> None:
    setup = Setup(lambda p: optim.SGD(list(p)[:2], lr=0.1))
    before = setup.run()
    for net, opt in zip(setup.nets, setup.opts):
        opt.add_param_group({"params": list(net.parameters())[2:], "lr": 0.01})
    assert setup.run() == before + 1


def test_loading_states() -> None:
    setup = Setup()
    states = [(net.state_dict(), opt.state_dict()) for net, opt in zip(setup.nets, setup.opts)]
    saved = [({k: v.clone() for k, v in net.items()}, opt) for net, opt in states]
    setup.run()
    for net, state in zip(setup.nets, saved):
        net.load_state_dict(state[0])
    assert setup.run() == 1
    for opt in setup.opts:
        opt.load_state_dict(opt.state_dict())
    setup.run()
    for opt in setup.opts:
        for entry in opt.state.values():
            entry["momentum_buffer"].fill_(0.5)
    setup.run()


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.eval(),
        lambda net: setattr(net[2], "p", 0.1),
        lambda net: net[0].weight.requires_grad_(False),
        lambda net: net[0].requires_grad_(False),
        lambda net: setattr(net[0], "bias", None),
        lambda net: net[0].weight.__setattr__("data", ct.ones((4, 3))),
        lambda net: net[1].running_mean.__setattr__("data", ct.ones(4)),
        lambda net: setattr(net[1], "momentum", 0.5),
        lambda net: setattr(net[1], "running_mean", ct.ones(4)),
        lambda net: net[0].register_forward_hook(lambda m, x, y: y * 2),
        lambda net: net[0].register_forward_pre_hook(lambda m, x: x[0] + 1),
        lambda net: setattr(net[0], "forward", lambda x: x @ ct.ones((3, 4))),
        lambda net: net.append(nn.Tanh()),
        lambda net: setattr(net, "2", nn.Identity()),
    ],
)
def test_changes_of_the_network(change: Any) -> None:
    setup = Setup()
    assert setup.run() == 1
    for net in setup.nets:
        change(net)
    assert setup.run() == 2


def test_hooks_come_and_go() -> None:
    setup = Setup()
    setup.run()
    first = [net[0].register_forward_hook(lambda m, x, y: y * 2) for net in setup.nets]
    assert setup.run() == 2
    second = [net[0].register_forward_hook(lambda m, x, y: y + 1) for net in setup.nets]
    assert setup.run() == 3
    for handle in second:
        handle.remove()
    setup.run()
    for handle in first:
        handle.remove()
    setup.run()


def test_training_and_evaluation_keep_a_recording_each() -> None:
    setup = Setup()
    for _ in range(3):
        for net in setup.nets:
            net.train()
        setup.run(1)
        for net in setup.nets:
            net.eval()
        made = setup.run(1)
    assert made <= 6


def test_weights_written_by_hand() -> None:
    setup = Setup()
    setup.run()
    for net in setup.nets:
        with ct.no_grad():
            net[0].weight.copy_(ct.ones((4, 3)))
            net[3].bias += 1
    assert setup.run() == 1


def test_gradients_made_outside() -> None:
    nets = [nn.Linear(3, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    opts = [optim.Adam(net.parameters(), lr=0.1) for net in nets]
    steps = [opts[0].step, ct.compile(opts[1].step)]
    for k in range(4):
        for net, opt, step in zip(nets, opts, steps):
            opt.zero_grad()
            (net(ct.full((4, 3), float(k))) ** 2).sum().backward()
            step()
        assert bits(nets[0].state_dict()) == bits(nets[1].state_dict())
    assert recordings(steps[1]) == 1


def test_gradients_that_are_only_scaled() -> None:
    p = nn.Parameter(ct.ones(3))

    @ct.compile
    def halve() -> None:
        if p.grad is not None:
            with ct.no_grad():
                p.grad.copy_(p.grad * 0.5)

    halve()
    assert p.grad is None
    for k in range(1, 4):
        p.grad = ct.full(3, float(k))
        halve()
        assert p.grad.tolist() == [k / 2] * 3
    p.grad = None
    halve()
    assert p.grad is None


@pytest.mark.parametrize("through", ["data", "no_grad"])
def test_weights_moved_by_hand_inside(through: str) -> None:
    nets = [nn.Linear(3, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())

    def step_of(net: nn.Module) -> Any:
        def step(x: ct.Tensor) -> ct.Tensor:
            loss = (net(x) ** 2).mean()
            loss.backward()
            with ct.no_grad():
                for p in net.parameters():
                    if through == "data":
                        p.data -= 0.1 * p.grad
                    else:
                        p -= 0.1 * p.grad
                    p.grad = None
            return loss.detach()

        return step

    plain, compiled = step_of(nets[0]), ct.compile(step_of(nets[1]))
    for _ in range(5):
        x = ct.random.normal(shape=(4, 3))
        assert bits(plain(x)) == bits(compiled(x))
        assert bits(nets[0].state_dict()) == bits(nets[1].state_dict())
    assert recordings(compiled) == 1


def test_a_kept_gradient_does_not_change() -> None:
    setup = Setup()
    setup.run(1)
    kept = [p.grad for p in setup.nets[1].parameters()]
    before = bits(kept)
    setup.run(3)
    assert bits(kept) == before


def test_accumulated_gradients_are_the_same_tensors() -> None:
    net = nn.Linear(3, 2)

    @ct.compile
    def accumulate(x: ct.Tensor) -> None:
        (net(x) ** 2).sum().backward()

    twin = nn.Linear(3, 2)
    twin.load_state_dict(net.state_dict())
    for _ in range(4):
        x = ct.random.normal(shape=(4, 3))
        accumulate(x)
        (twin(x) ** 2).sum().backward()
        assert bits([p.grad for p in net.parameters()]) == bits([p.grad for p in twin.parameters()])
    assert recordings(accumulate) == 2
