"""Schedules against their closed forms; the order of calls, states, arguments out of range."""

from bisect import bisect_right
from math import cos, pi

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.optim import lr_scheduler as schedules


def optimizer(kind=optim.SGD, groups=(0.1, 0.3), **options):
    return kind([{"params": [nn.Parameter(ct.zeros(1))], "lr": lr} for lr in groups], **options)


def sequential(opt, milestones, *makers):
    return schedules.SequentialLR(opt, [make(opt) for make in makers], milestones)


def restarts(t, first, factor):
    """How far the cosine is at step t."""
    while t >= first:
        t, first = t - first, first * factor
    return t / first


def falling(share):
    return (1 + cos(pi * share)) / 2


# Each schedule with the factor by which it scales the first rate at step t.
CLOSED = {
    "StepLR": (lambda o: schedules.StepLR(o, 7, 0.3), lambda t: 0.3 ** (t // 7)),
    "MultiStepLR": (
        lambda o: schedules.MultiStepLR(o, [30, 3, 30], 0.5),
        lambda t: 0.5 ** bisect_right([3, 30, 30], t),
    ),
    "ExponentialLR": (lambda o: schedules.ExponentialLR(o, 0.97), lambda t: 0.97**t),
    "PolynomialLR": (lambda o: schedules.PolynomialLR(o, 120, 2.0), lambda t: (1 - min(t, 120) / 120) ** 2),
    "CosineAnnealingLR": (lambda o: schedules.CosineAnnealingLR(o, 25), lambda t: falling(t / 25)),
    "CosineAnnealingWarmRestarts": (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 4, 2),
        lambda t: falling(restarts(t, 4, 2)),
    ),
    "LinearLR": (lambda o: schedules.LinearLR(o, 0.2, 0.9, 40), lambda t: 0.2 + 0.7 * min(t, 40) / 40),
    "ConstantLR": (lambda o: schedules.ConstantLR(o, 0.2, 40), lambda t: 0.2 if t < 40 else 1.0),
    "LambdaLR": (lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "OneCycleLR": (
        lambda o: schedules.OneCycleLR(o, [0.1, 0.3], 201, pct_start=51 / 201, cycle_momentum=False),
        lambda t: 1 / 25 + (1 - 1 / 25) * falling(1 - t / 50) if t <= 50
        else 4e-6 + (1 - 4e-6) * falling((t - 50) / 150),
    ),
    "ChainedScheduler": (
        lambda o: schedules.ChainedScheduler([schedules.LinearLR(o, 0.5, 1, 10), schedules.StepLR(o, 20, 0.5)]),
        lambda t: (0.5 + 0.5 * min(t, 10) / 10) * 0.5 ** (t // 20),
    ),
    "SequentialLR": (
        lambda o: sequential(
            o, [10, 50], lambda o: schedules.LinearLR(o, 0.1, 1, 10), lambda o: schedules.CosineAnnealingLR(o, 40),
            lambda o: schedules.ConstantLR(o, 0.01, 1000)),
        lambda t: 0.1 + 0.09 * t if t < 10 else falling((t - 10) / 40) if t < 50 else 0.01,
    ),
    "SequentialLR of chains": (
        lambda o: sequential(
            o, [5], lambda o: schedules.ExponentialLR(o, 0.5),
            lambda o: schedules.ChainedScheduler([schedules.ConstantLR(o, 0.1, 3), schedules.ExponentialLR(o, 0.9)])),
        lambda t: 0.5**t if t < 5 else (0.1 if t < 8 else 1) * 0.9 ** (t - 5),
    ),
}  # fmt: skip
EVERY = {
    **{name: make for name, (make, _) in CLOSED.items()},
    "OneCycleLR with momentum": lambda o: schedules.OneCycleLR(o, 1.0, 300, three_phase=True),
    "ReduceLROnPlateau": lambda o: schedules.ReduceLROnPlateau(o, factor=0.5, patience=2),
    "warm-up, then a plateau": lambda o: sequential(
        o, [5], lambda o: schedules.LinearLR(o), lambda o: schedules.ReduceLROnPlateau(o, patience=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_closed_form(name):
    make, factor = CLOSED[name]
    opt = optimizer(momentum=0.9)
    scheduler = make(opt)
    for t in range(200):
        expected = [0.1 * factor(t), 0.3 * factor(t)]
        np.testing.assert_allclose(scheduler.get_last_lr(), expected, rtol=1e-9, atol=1e-12, err_msg=f"step {t}")
        assert [group["lr"] for group in opt.param_groups] == scheduler.get_last_lr()
        opt.step()
        scheduler.step()


@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW, optim.Lion])
def test_one_cycle_moves_momentum_against_the_rate(kind):
    opt = optimizer(kind)
    scheduler = schedules.OneCycleLR(opt, 1.0, total_steps=100, base_momentum=0.8, max_momentum=0.9)
    momenta, rates = [], []
    for _ in range(99):
        group = opt.param_groups[1]
        momenta.append(group["momentum"] if kind is optim.SGD else group["betas"][0])
        rates.append(group["lr"])
        opt.step(), scheduler.step()
    assert momenta[0] == pytest.approx(0.9)
    assert momenta[29] == pytest.approx(0.8)
    assert rates[29] == pytest.approx(1.0)
    np.testing.assert_array_equal(np.diff(rates[:30]) > 0, np.diff(momenta[:30]) < 0)
    assert kind is optim.SGD or opt.param_groups[0]["betas"][1] in (0.999, 0.99)


def run(opt, scheduler, steps, rng):
    rates = []
    for _ in range(steps):
        opt.step()
        scheduler.step(rng.normal() ** 2)
        rates.append([(g["lr"], g.get("momentum")) for g in opt.param_groups])
    return rates


@pytest.mark.parametrize("name", EVERY)
def test_a_saved_state_goes_on_with_the_same_rates(name, tmp_path):
    opt, twin = optimizer(momentum=0.9), optimizer(momentum=0.9)
    scheduler = EVERY[name](opt)
    run(opt, scheduler, 23, np.random.default_rng(1))
    ct.save(tmp_path / "state", {"opt": opt.state_dict(), "scheduler": scheduler.state_dict()})
    saved = ct.load(tmp_path / "state")
    other = EVERY[name](twin)
    twin.load_state_dict(saved["opt"])
    other.load_state_dict(saved["scheduler"])
    assert other.state_dict() == scheduler.state_dict()
    assert run(opt, scheduler, 60, np.random.default_rng(2)) == run(twin, other, 60, np.random.default_rng(2))


@pytest.mark.parametrize("name", EVERY)
def test_a_state_that_does_not_fit_changes_nothing(name):
    opt = optimizer(momentum=0.9)
    scheduler = EVERY[name](opt)
    run(opt, scheduler, 3, np.random.default_rng(1))
    good = scheduler.state_dict()
    without = {key: value for key, value in good.items() if key != "_last_lr"}
    for bad, message in [
        (None, "expected a dict"),
        (without, r"lacks \['_last_lr'\]"),
        ({**good, "speed": 1}, r"unknown \['speed'\]"),
        ({**good, "_last_lr": [0.1]}, "'_last_lr' has 1 values, expected 2"),
        ({**good, "_last_lr": [0.1, "fast"]}, "'_last_lr' got 'fast'"),
    ]:
        with pytest.raises(ValueError, match=message):
            scheduler.load_state_dict(bad)
    if "_schedulers" in good:
        *first, last = good["_schedulers"]
        for bad in ([*first, {}], first, [*first, {**last, "last_epoch": "none"}]):
            with pytest.raises(ValueError, match="state"):
                scheduler.load_state_dict({**good, "_schedulers": bad})
    elif "last_epoch" in good:
        with pytest.raises(ValueError, match="last_epoch"):
            scheduler.load_state_dict({**good, "last_epoch": 1.5})
    assert scheduler.state_dict() == good


def test_options_of_a_state_are_checked():
    scheduler = schedules.StepLR(optimizer(), 3)
    with pytest.raises(ValueError, match=r"\[StepLR\] step_size got 0"):
        scheduler.load_state_dict({**scheduler.state_dict(), "step_size": 0})
    assert scheduler.step_size == 3


class Decay:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


def test_lambda_keeps_what_it_can():
    opt = optimizer()
    scheduler = schedules.LambdaLR(opt, [lambda t: 1.0, Decay(0.5)])
    opt.step(), scheduler.step()
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [None, {"rate": 0.5}]
    other = schedules.LambdaLR(optimizer(), [lambda t: 1.0, Decay(0.9)])
    other.load_state_dict(state)
    assert (other.lr_lambdas[1].rate, other.last_epoch) == (0.5, 1)
    with pytest.raises(ValueError, match="'lr_lambdas'"):
        other.load_state_dict({**state, "lr_lambdas": [None, None]})


# The order of calls


@pytest.mark.parametrize("name", CLOSED)
def test_a_step_before_the_optimizers(name):
    opt = optimizer(momentum=0.9)
    opt.step()  # before there is a schedule: does not count
    scheduler = CLOSED[name][0](opt)
    before = scheduler.get_last_lr()
    with pytest.raises(RuntimeError, match="before the optimizer's step"):
        scheduler.step()
    assert scheduler.get_last_lr() == before
    opt.step()
    scheduler.step()
    scheduler.step()


def test_a_compiled_step_counts_as_the_optimizers():
    net = nn.Linear(2, 1)
    opt = optim.SGD(net.parameters(), lr=0.1)

    @ct.compile
    def step(x):
        opt.zero_grad()
        net(x).sum().backward()
        opt.step()

    step(ct.ones((3, 2))), step(ct.ones((3, 2)))
    scheduler = schedules.ExponentialLR(opt, 0.5)
    with pytest.raises(RuntimeError, match="before the optimizer's step"):
        scheduler.step()
    step(ct.ones((3, 2)))
    scheduler.step()


@pytest.mark.parametrize("name", EVERY)
def test_a_compiled_step_reads_rates_and_momenta_anew(name):
    """The same bits as without ct.compile, without a second recording."""
    results = []
    for compiled in (False, True):
        ct.random.seed(0)
        net = nn.Linear(3, 2)
        opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        scheduler = EVERY[name](opt) if name != "OneCycleLR" else schedules.OneCycleLR(opt, 0.5, 100)

        def step(x, net=net, opt=opt):
            opt.zero_grad()
            (net(x) ** 2).mean().backward()
            opt.step()

        run_step = ct.compile(step) if compiled else step
        rng = np.random.default_rng(3)
        for _ in range(12):
            run_step(ct.tensor(rng.normal(size=(4, 3)).astype("float32")))
            scheduler.step(rng.normal())
        results.append(net.weight.detach().numpy().copy())
        assert not compiled or run_step._made == 1
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", EVERY)
def test_a_schedule_inside_ct_compile(name):
    opt = optimizer(momentum=0.9)
    scheduler = EVERY[name](opt)
    opt.step()
    with pytest.raises(RuntimeError, match="inside ct.compile"):
        ct.compile(lambda: scheduler.step(1.0))()


def test_one_cycle_ends():
    opt = optimizer(momentum=0.9)
    scheduler = schedules.OneCycleLR(opt, 1.0, total_steps=3)
    for _ in range(3):
        opt.step(), scheduler.step()
    with pytest.raises(ValueError, match="step.. got called 4 times, expected at most total_steps = 3"):
        scheduler.step()
    assert scheduler.last_epoch == 3


def test_groups_added_later():
    """Rates scaled from those before reach them, as in PyTorch; rates by formula would leave them out."""
    for make, message in [
        (lambda opt: schedules.ExponentialLR(opt, 0.5), None),
        (lambda opt: schedules.CosineAnnealingWarmRestarts(opt, 5), "3 parameter groups, expected 2"),
        (lambda opt: schedules.LambdaLR(opt, lambda t: 1.0), "3 parameter groups, expected 2"),
        (lambda opt: schedules.OneCycleLR(opt, 1.0, 10), "a group without 'max_lr'"),
    ]:
        opt = optimizer(momentum=0.9)
        scheduler = make(opt)
        opt.add_param_group({"params": nn.Parameter(ct.zeros(2)), "lr": 1.0})
        opt.step()
        before = scheduler.state_dict()
        if message is None:
            scheduler.step()
            assert opt.param_groups[2]["lr"] == 0.5
        else:
            with pytest.raises(ValueError, match=message):
                scheduler.step()
            assert scheduler.state_dict() == before


def test_a_function_that_fails_leaves_the_schedule():
    opt = optimizer()
    scheduler = schedules.LambdaLR(opt, lambda t: 1.0 / (2 - t))
    opt.step(), scheduler.step()
    before = scheduler.state_dict()
    with pytest.raises(ZeroDivisionError):
        scheduler.step()
    assert scheduler.state_dict() == before


def test_going_on_by_last_epoch_needs_the_first_rates():
    opt = optimizer()
    with pytest.raises(ValueError, match="group 0 of the optimizer has no 'initial_lr'"):
        schedules.StepLR(opt, 5, last_epoch=3)
    given = optim.SGD([{"params": nn.Parameter(ct.zeros(1)), "initial_lr": 1.0}], lr=0.1)
    assert schedules.StepLR(given, 5, last_epoch=3).base_lrs == [1.0]
    done = optimizer()
    schedules.StepLR(done, 5)
    opt.load_state_dict(done.state_dict())  # brings initial_lr along
    assert schedules.StepLR(opt, 5, last_epoch=3).last_epoch == 4


OPT = optimizer(momentum=0.9)
STEP = schedules.StepLR(OPT, 3)
OTHER = schedules.StepLR(optimizer(), 3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: schedules.StepLR(nn.Linear(1, 1), 3), TypeError, "optimizer got a Linear, expected an Optimizer"),
        (lambda: schedules.StepLR(OPT, 0), ValueError, r"\[StepLR\] step_size got 0, expected an integer of at least"),
        (lambda: schedules.StepLR(OPT, 1.5), ValueError, "step_size got 1.5"),
        (lambda: schedules.StepLR(OPT, 1, gamma=-1), ValueError, "gamma got -1, expected a number of at least 0"),
        (lambda: schedules.StepLR(OPT, 1, last_epoch=-2), ValueError, "last_epoch got -2"),
        (lambda: schedules.MultiStepLR(OPT, [1, 2.5]), ValueError, "milestones got 2.5"),
        (lambda: schedules.ExponentialLR(OPT, float("nan")), ValueError, "gamma got nan"),
        (lambda: schedules.PolynomialLR(OPT, 0), ValueError, "total_iters got 0"),
        (lambda: schedules.PolynomialLR(OPT, 5, -1), ValueError, "power got -1"),
        (lambda: schedules.CosineAnnealingLR(OPT, 0), ValueError, "T_max got 0"),
        (lambda: schedules.CosineAnnealingWarmRestarts(OPT, 5, 0), ValueError, "T_mult got 0"),
        (lambda: schedules.LinearLR(OPT, 0), ValueError, "start_factor got 0"),
        (lambda: schedules.LinearLR(OPT, 0.5, 2), ValueError, r"end_factor got 2, expected a number in \[0, 1\]"),
        (lambda: schedules.ConstantLR(OPT, 1.5), ValueError, "factor got 1.5"),
        (lambda: schedules.ConstantLR(OPT, 0), ValueError, "factor got 0"),
        (lambda: schedules.LambdaLR(OPT, 0.5), TypeError, "lr_lambda got a float, expected a function"),
        (lambda: schedules.LambdaLR(OPT, [abs]), ValueError, "lr_lambda got 1 values, expected 2"),
        (lambda: schedules.OneCycleLR(OPT, 1.0), ValueError, "total_steps got None"),
        (lambda: schedules.OneCycleLR(OPT, 1.0, 0), ValueError, "total_steps got 0"),
        (lambda: schedules.OneCycleLR(OPT, 1.0, epochs=2, steps_per_epoch=0), ValueError, "steps_per_epoch got 0"),
        (lambda: schedules.OneCycleLR(OPT, [1.0], 10), ValueError, "max_lr got 1 values, expected 2"),
        (lambda: schedules.OneCycleLR(OPT, 1.0, 10, pct_start=1.5), ValueError, "pct_start got 1.5"),
        (lambda: schedules.OneCycleLR(OPT, 1.0, 10, anneal_strategy="sine"), ValueError, "anneal_strategy got 'sine'"),
        (lambda: schedules.OneCycleLR(optimizer(optim.Adagrad), 1.0, 10), ValueError, "Adagrad has no momentum"),
        (lambda: schedules.SequentialLR(OPT, [], []), ValueError, "milestones got 0 values for 0 schedules"),
        (lambda: schedules.SequentialLR(OPT, [STEP], [3]), ValueError, "milestones got 1 values for 1 schedules"),
        (lambda: schedules.SequentialLR(OPT, [STEP, OTHER], [3]), ValueError, "belongs to another optimizer"),
        (lambda: schedules.SequentialLR(OPT, [STEP, STEP], [3]), ValueError, "there twice"),
        (lambda: schedules.SequentialLR(OPT, [STEP, OTHER, STEP], [3, 3]), ValueError, "milestones got 3"),
        (lambda: schedules.SequentialLR(OPT, [STEP, STEP], [3], last_epoch=2), ValueError, "load_state_dict"),
        (lambda: schedules.ChainedScheduler([]), ValueError, "expected at least one"),
        (lambda: schedules.ChainedScheduler([OPT]), TypeError, r"schedulers\[0\] got a SGD, expected a schedule"),
        (lambda: schedules.LRScheduler(optimizer()), NotImplementedError, "defines get_lr"),
    ],
)
def test_wrong_arguments(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
    assert "max_lr" not in OPT.param_groups[0]
