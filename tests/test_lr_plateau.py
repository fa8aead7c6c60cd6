"""The plateau as the lecture prescribes: divide by 2 or 5, put the best weights back, stop after so many divisions."""

import math

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.optim.lr_scheduler import ChainedScheduler, ConstantLR, LinearLR, ReduceLROnPlateau, SequentialLR


class Run:
    """A network whose weights and statistics say at which step they are."""

    def __init__(self, kind=optim.SGD, **options):
        self.net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.opt = kind(self.net.parameters(), lr=1.0)
        self.plateau = ReduceLROnPlateau(self.opt, **{"model": self.net, "patience": 1, "factor": 0.5, **options})
        self.number = 0

    def step(self, metric):
        self.number += 1
        for param in self.net.parameters():
            param.grad = ct.ones(param.shape)
        self.opt.step()
        with ct.no_grad():
            for tensor in [*self.net.parameters(), *self.net.buffers()]:
                tensor.copy_(ct.full(tensor.shape, self.number, dtype=tensor.dtype))
        self.plateau.step(metric)

    def weights(self):
        (value,) = {float(x) for t in self.net.state_dict().values() for x in t.numpy().reshape(-1)}
        return value

    @property
    def lr(self):
        return self.opt.param_groups[0]["lr"]


def test_divides_restores_and_stops():
    run = Run(max_divisions=2)
    seen = []
    for metric in [5.0, 4.0, 4.5, 4.1, 4.2, 3.0, 3.5, 3.1, 3.2, 3.3, 2.0, 3.0]:
        run.step(metric)
        seen.append((run.lr, run.weights(), run.plateau.stopped))
    assert seen == [
        (1.0, 1, False),
        (1.0, 2, False),
        (1.0, 3, False),
        (0.5, 2, False),  # two epochs without progress: half the rate, the weights of epoch 2
        (0.5, 5, False),
        (0.5, 6, False),
        (0.5, 7, False),
        (0.25, 6, False),
        (0.25, 9, False),
        (0.25, 6, True),  # after two divisions the next plateau is the end
        (0.25, 11, True),  # nothing happens from then on
        (0.25, 12, True),
    ]
    assert run.plateau.divisions == 2
    run.plateau.restore_best()
    assert run.weights() == 6


def test_early_stopping_without_any_division():
    run = Run(max_divisions=0, patience=0, mode="max", factor=0.2)
    for metric in [0.5, 0.7, 0.6]:
        run.step(metric)
    assert (run.lr, run.weights(), run.plateau.stopped) == (1.0, 2, True)


def test_without_a_model_nothing_is_kept():
    run = Run(model=None, max_divisions=1, patience=0)
    for metric in [1.0, 2.0, 2.0]:
        run.step(metric)
    assert (run.lr, run.weights(), run.plateau.stopped) == (0.5, 3, True)
    assert run.plateau.best_weights is None


def test_training_cannot_change_the_best_weights():
    run = Run()
    run.step(1.0)
    kept = {name: value.numpy().copy() for name, value in run.plateau.state_dict()["best_weights"].items()}
    state = run.plateau.state_dict()
    run.step(2.0), run.step(0.5)
    assert kept.keys() == run.net.state_dict().keys()
    for name, value in state["best_weights"].items():
        np.testing.assert_array_equal(value.numpy(), kept[name])
    assert run.plateau.best_weights["0.weight"].tolist() == [[3.0, 3.0], [3.0, 3.0]]


@pytest.mark.parametrize("restore", [False, True])
def test_the_optimizers_state(restore):
    run = Run(optim.Adam, restore_optimizer=restore, patience=0)
    run.step(1.0)
    best = run.opt.state_dict()["state"][0]["exp_avg"].numpy().copy()
    run.step(2.0)
    entry = run.opt.state_dict()["state"][0]
    assert entry["step"] == (1 if restore else 2)
    assert np.array_equal(entry["exp_avg"].numpy(), best) == restore
    assert run.lr == 0.5  # the options stay the present ones
    run.step(2.0)
    assert run.opt.state_dict()["state"][0]["step"] == (1 if restore else 3)  # from the same copy again


@pytest.mark.parametrize("restore", [False, True])
def test_a_resumed_training_has_the_best_weights(restore, tmp_path):
    metrics = [3.0, 2.0, 2.5, 2.6, 1.0, 1.5, 1.4, 1.3, 1.2, 1.1, 1.1]
    runs = [Run(optim.Adam, max_divisions=2, restore_optimizer=restore) for _ in range(2)]
    for metric in metrics[:6]:
        runs[0].step(metric)
    state = {name: getattr(runs[0], name).state_dict() for name in ("net", "opt", "plateau")}
    ct.save(tmp_path / "checkpoint", state)
    for name, value in ct.load(tmp_path / "checkpoint").items():
        getattr(runs[1], name).load_state_dict(value)
    runs[1].number = runs[0].number
    for metric in metrics[6:]:
        for run in runs:
            run.step(metric)
        assert runs[0].weights() == runs[1].weights()
        assert runs[0].lr == runs[1].lr
        assert runs[0].plateau.stopped == runs[1].plateau.stopped
    assert runs[0].plateau.stopped


def test_best_weights_that_do_not_fit():
    run, plain = Run(), Run(model=None)
    run.step(1.0)
    state = run.plateau.state_dict()
    with pytest.raises(ValueError, match="the schedule has no model"):
        plain.plateau.load_state_dict(state)
    for change, message in [
        ({"0.weight": np.zeros((3, 2))}, r"does not fit the model in \['0.weight'\]"),
        ({"2.weight": np.zeros(2)}, r"\['2.weight'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            run.plateau.load_state_dict({**state, "best_weights": {**state["best_weights"], **change}})
    for change, message in [
        ({"best_weights": [1.0]}, "'best_weights' got"),
        ({"best_optimizer": [1.0]}, "'best_optimizer' got"),
        ({"best_optimizer": {0: {"momentum_buffer": np.zeros(7)}}}, r"has shape \[7\], expected \[2, 2\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            run.plateau.load_state_dict({**state, **change})
    assert run.plateau.best_weights is state["best_weights"]
    run.plateau.load_state_dict(state)


@pytest.mark.parametrize("kind", [optim.LBFGS, optim.NAdam, optim.Rprop])
def test_states_of_every_form_are_put_back(kind):
    ct.random.seed(0)
    net = nn.Linear(2, 1)
    opt = kind(net.parameters(), lr=0.1)
    plateau = ReduceLROnPlateau(opt, factor=0.5, patience=0, model=net, restore_optimizer=True)

    def closure():
        opt.zero_grad()
        loss = (net(ct.ones((3, 2))) ** 2).mean()
        loss.backward()
        return loss

    seen = []
    for metric in (2.0, 1.0, 3.0, 3.0):
        opt.step(closure)
        plateau.step(metric)
        seen.append([value.numpy().tobytes() for value in net.state_dict().values()])
    assert seen[1] == seen[2] == seen[3] != seen[0]
    assert opt.param_groups[0]["lr"] == 0.025
    fresh = ReduceLROnPlateau(opt, model=net, restore_optimizer=True)
    fresh.load_state_dict(plateau.state_dict())
    opt.step(closure)
    fresh.restore_best()
    assert [value.numpy().tobytes() for value in net.state_dict().values()] == seen[1]


def test_restored_weights_reach_a_compiled_step():
    ct.random.seed(0)
    net = nn.Linear(3, 1)
    opt = optim.SGD(net.parameters(), lr=0.1)
    plateau = ReduceLROnPlateau(opt, factor=0.2, patience=0, model=net)

    @ct.compile
    def step(x):
        opt.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        opt.step()
        return loss

    x = ct.ones((4, 3))
    step(x)
    plateau.step(1.0)
    best = net.weight.detach().numpy().copy()
    second = step(x)
    plateau.step(2.0)
    np.testing.assert_array_equal(net.weight.detach().numpy(), best)
    assert opt.param_groups[0]["lr"] == pytest.approx(0.02)
    assert step(x).item() == second.item()  # the best weights again
    assert step._made == 1


def test_after_a_warm_up():
    run = Run(patience=0, max_divisions=1)
    scheduler = SequentialLR(run.opt, [LinearLR(run.opt, 0.5, 1.0, 2), run.plateau], [2])
    rates = []
    for metric in [None, None, 3.0, 2.0, 2.5]:
        rates.append(run.lr)
        run.opt.step()
        scheduler.step(metric)
    assert rates == [0.5, 0.75, 1.0, 1.0, 1.0]
    assert (run.lr, scheduler.stopped) == (0.5, False)
    with pytest.raises(TypeError, match="expected the validation metric"):
        scheduler.step()
    scheduler.step(2.5)
    assert scheduler.stopped


def test_together_with_another():
    run = Run(model=None, patience=0)
    scheduler = ChainedScheduler([ConstantLR(run.opt, 0.1, total_iters=3), run.plateau])
    for metric in [1.0, 2.0, 3.0]:
        run.opt.step(), scheduler.step(metric)
    assert run.lr == pytest.approx(0.25)
    with pytest.raises(TypeError, match="expected the validation metric"):
        scheduler.step()
    assert scheduler._schedulers[0].last_epoch == 3


def test_metrics():
    run = Run(model=None, patience=0)
    run.plateau.step(ct.tensor(2.0))
    run.plateau.step(np.float32(1.0))
    assert (run.plateau.best, run.lr) == (1.0, 1.0)
    run.plateau.step(float("nan"))  # no progress
    assert (run.plateau.best, run.lr) == (1.0, 0.5)
    assert run.plateau.get_last_lr() == [0.5]
    for wrong in (None, "loss", ct.ones(3)):
        with pytest.raises(TypeError, match="expected the validation metric"):
            run.plateau.step(wrong)
    assert run.plateau.last_epoch == 3
    assert math.isinf(Run().plateau.best)


OPT = optim.SGD([nn.Parameter(ct.zeros(1))], lr=0.1)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"mode": "least"}, ValueError, "mode got 'least'"),
        ({"factor": 2}, ValueError, r"factor got 2, expected a number below 1 \(0.5 divides by 2\)"),
        ({"factor": -0.5}, ValueError, "factor got -0.5"),
        ({"patience": -1}, ValueError, "patience got -1"),
        ({"threshold": -1}, ValueError, "threshold got -1"),
        ({"threshold_mode": "relative"}, ValueError, "threshold_mode got 'relative'"),
        ({"cooldown": 1.5}, ValueError, "cooldown got 1.5"),
        ({"min_lr": [0.1, 0.2]}, ValueError, "min_lr got 2 values, expected 1"),
        ({"min_lr": -1}, ValueError, "min_lr got -1"),
        ({"eps": -1}, ValueError, "eps got -1"),
        ({"max_divisions": -1}, ValueError, "max_divisions got -1"),
        ({"model": "net"}, TypeError, "model got a str, expected a Module"),
    ],
)
def test_wrong_arguments(options, kind, message):
    with pytest.raises(kind, match=message):
        ReduceLROnPlateau(OPT, **options)
