"""Schedules beside PyTorch's: the same rates to the last bit over hundreds of steps, state dictionaries exchanged."""

import copy

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.optim import lr_scheduler as ours

torch = pytest.importorskip("torch")
theirs = torch.optim.lr_scheduler


def sequence(lib, opt, first, second, milestone):
    return lib.SequentialLR(opt, [first(lib, opt), second(lib, opt)], [milestone])


CASES = {
    "step": lambda lib, opt: lib.StepLR(opt, 7),
    "step by 0.9": lambda lib, opt: lib.StepLR(opt, step_size=1, gamma=0.9),
    "milestones": lambda lib, opt: lib.MultiStepLR(opt, [3, 50, 50, 120], gamma=0.3),
    "exponential": lambda lib, opt: lib.ExponentialLR(opt, 0.97),
    "polynomial": lambda lib, opt: lib.PolynomialLR(opt, total_iters=150, power=0.9),
    "polynomial, default": lambda lib, opt: lib.PolynomialLR(opt),
    "cosine": lambda lib, opt: lib.CosineAnnealingLR(opt, T_max=30),
    "cosine to 0.01": lambda lib, opt: lib.CosineAnnealingLR(opt, 301, eta_min=0.01),
    "restarts": lambda lib, opt: lib.CosineAnnealingWarmRestarts(opt, 9),
    "longer restarts": lambda lib, opt: lib.CosineAnnealingWarmRestarts(opt, T_0=5, T_mult=2, eta_min=0.001),
    "warm-up": lambda lib, opt: lib.LinearLR(opt),
    "long warm-up": lambda lib, opt: lib.LinearLR(opt, start_factor=0.01, end_factor=0.8, total_iters=100),
    "constant": lambda lib, opt: lib.ConstantLR(opt, factor=0.3, total_iters=4),
    "lambda": lambda lib, opt: lib.LambdaLR(opt, lambda t: 0.95**t),
    "lambdas": lambda lib, opt: lib.LambdaLR(opt, [lambda t: 1 / (1 + t), lambda t: 0.9**t]),
    "one cycle": lambda lib, opt: lib.OneCycleLR(opt, max_lr=1.0, total_steps=300),
    "one cycle, linear": lambda lib, opt: lib.OneCycleLR(
        opt, max_lr=[0.5, 1.0], epochs=30, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.2,
        base_momentum=[0.7, 0.8], max_momentum=0.9, div_factor=10, final_div_factor=100),
    "one cycle, three phases": lambda lib, opt: lib.OneCycleLR(opt, 0.7, total_steps=300, three_phase=True),
    "one cycle, rates alone": lambda lib, opt: lib.OneCycleLR(opt, 0.7, 300, cycle_momentum=False, pct_start=0.0),
    "warm-up, then cosine": lambda lib, opt: sequence(
        lib, opt, lambda lib, opt: lib.LinearLR(opt, 0.1, total_iters=20),
        lambda lib, opt: lib.CosineAnnealingLR(opt, 280), 20),
    "constant, then restarts": lambda lib, opt: sequence(
        lib, opt, lambda lib, opt: lib.ConstantLR(opt, 0.1, total_iters=8),
        lambda lib, opt: lib.CosineAnnealingWarmRestarts(opt, 9, 2), 15),
    "one epoch, then steps": lambda lib, opt: sequence(
        lib, opt, lambda lib, opt: lib.ExponentialLR(opt, 0.5), lambda lib, opt: lib.StepLR(opt, 50), 1),
    "chained": lambda lib, opt: lib.ChainedScheduler(
        [lib.ConstantLR(opt, 0.1, total_iters=20), lib.ExponentialLR(opt, 0.98), lib.StepLR(opt, 100, 0.5)]),
    "chain, then milestones": lambda lib, opt: lib.SequentialLR(
        opt, [lib.LinearLR(opt, total_iters=10), lib.ExponentialLR(opt, 0.99), lib.MultiStepLR(opt, [20, 40])],
        [10, 100]),
}  # fmt: skip
STEPS = 300


def twins(adam=False):
    def groups(parameter, zeros):
        return [{"params": [parameter(zeros)]}, {"params": [parameter(zeros)], "lr": 0.3}]

    mine = groups(nn.Parameter, ct.zeros(1))
    mine[1]["params"] = [nn.Parameter(ct.zeros(1))]
    its = groups(torch.nn.Parameter, torch.zeros(1))
    its[1]["params"] = [torch.nn.Parameter(torch.zeros(1))]
    if adam:
        return optim.Adam(mine, lr=0.1), torch.optim.Adam(its, lr=0.1)
    return optim.SGD(mine, lr=0.1, momentum=0.9), torch.optim.SGD(its, lr=0.1, momentum=0.9)


def assert_equal(opt, other, step):
    for group, its in zip(opt.param_groups, other.param_groups, strict=True):
        for option in ("lr", "momentum", "betas", "initial_lr"):
            if option in its:
                assert group[option] == its[option], f"{option} at step {step}"


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("adam", [False, True], ids=["SGD", "Adam"])
@pytest.mark.parametrize("case", CASES)
def test_rates(case, adam):
    opt, other = twins(adam)
    scheduler, its = CASES[case](ours, opt), CASES[case](theirs, other)
    for step in range(STEPS):
        assert_equal(opt, other, step)
        assert scheduler.get_last_lr() == its.get_last_lr()
        opt.step(), other.step()
        scheduler.step(), its.step()
    assert_equal(opt, other, STEPS)


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("case", CASES)
def test_state_from_pytorch(case):
    opt, other = twins()
    its = CASES[case](theirs, other)
    for _ in range(37):
        other.step(), its.step()
    scheduler = CASES[case](ours, opt)
    opt.load_state_dict(other.state_dict())
    scheduler.load_state_dict(copy.deepcopy(its.state_dict()))
    for step in range(200):
        assert_equal(opt, other, step)
        opt.step(), other.step()
        scheduler.step(), its.step()


@pytest.mark.parametrize("last_epoch", [0, 5, 6, 29])
@pytest.mark.parametrize("case", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR", "PolynomialLR"])
def test_going_on_without_a_state(case, last_epoch):
    arguments = {"StepLR": {"step_size": 7}, "ExponentialLR": {"gamma": 0.9}, "CosineAnnealingLR": {"T_max": 30}}
    opt, other = twins()
    for group, its in zip(opt.param_groups, other.param_groups, strict=True):
        group["initial_lr"] = its["initial_lr"] = 0.5
    scheduler = getattr(ours, case)(opt, **arguments.get(case, {}), last_epoch=last_epoch)
    its = getattr(theirs, case)(other, **arguments.get(case, {}), last_epoch=last_epoch)
    for step in range(50):
        assert scheduler.last_epoch == its.last_epoch
        assert_equal(opt, other, step)
        opt.step(), other.step()
        scheduler.step(), its.step()


PLATEAUS = [
    {},
    {"factor": 0.5, "patience": 2},
    {"factor": 0.2, "patience": 0, "cooldown": 3},
    {"mode": "max", "patience": 3, "threshold": 0.05},
    {"mode": "max", "patience": 3, "threshold": 0.01, "threshold_mode": "abs", "min_lr": 0.05},
    {"threshold": 0.02, "threshold_mode": "abs", "patience": 1, "min_lr": [0.001, 0.01]},
    {"patience": 1, "eps": 1e-3},
]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau(options):
    opt, other = twins()
    scheduler, its = ours.ReduceLROnPlateau(opt, **options), theirs.ReduceLROnPlateau(other, **options)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        metric = 1 / (1 + 0.1 * step) + 0.1 * rng.normal()
        metric = float("nan") if step == 20 else metric
        scheduler.step(ct.tensor(metric)), its.step(torch.tensor(metric, dtype=torch.float32))
        assert_equal(opt, other, step)
        for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch", "in_cooldown"):
            assert getattr(scheduler, name) == getattr(its, name), name
        if step == 100:  # both go on from PyTorch's state
            fresh = twins()[0]
            fresh.load_state_dict(opt.state_dict())
            opt, scheduler = fresh, ours.ReduceLROnPlateau(fresh)
            if isinstance(options.get("min_lr"), list):
                scheduler = ours.ReduceLROnPlateau(fresh, min_lr=[0, 0])
            scheduler.load_state_dict(its.state_dict())


def test_states_go_to_pytorch():
    """Where structures agree: every option, position and rate under PyTorch's names."""
    for case in CASES:
        opt, other = twins()
        scheduler, its = CASES[case](ours, opt), CASES[case](theirs, other)
        mine, their = scheduler.state_dict(), its.state_dict()
        assert set(mine) == set(their) - {"_get_lr_called_within_step", "_is_initial"}, case
