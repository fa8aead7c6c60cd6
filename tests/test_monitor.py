"""ct.Monitor: every planted fault gives its advice and no other, healthy trainings give none, and what it costs."""

from __future__ import annotations

import json
import math
import sys
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits

import cinta as ct
from cinta import nn, optim
from cinta.monitor import Advice

STEPS = 250


@cache
def digits():
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    return data.data[order].astype(np.float32), data.target[order]


def centred(x):
    return (x - x.mean()) / x.std()


def mlp(activation=nn.ReLU, width=64, dropout=0.0):
    ct.random.seed(0)
    middle = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.Linear(64, width), activation(), *middle, nn.Linear(width, width), activation(), nn.Linear(width, 10)
    )


def convolutional(activation=nn.Tanh):
    ct.random.seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), activation(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 32), activation(),
        nn.Linear(32, 10),
    )  # fmt: skip


def train(net, opt, x, y, steps=STEPS, batch=64, every=10, compiled=False, evaluate=None, **options):
    """The Monitor of a training by hand."""
    rng = np.random.default_rng(1)

    def step(images, labels):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        opt.step()
        return loss

    step = ct.compile(step) if compiled else step
    with ct.Monitor(net, opt, every=every, classes=10, **options) as monitor:
        for k in range(steps):
            chosen = rng.integers(0, len(x), batch)
            monitor.step(step(ct.tensor(x[chosen]), ct.tensor(y[chosen])))
            if evaluate and k % 20 == 19:
                monitor.validation(evaluate())
    return monitor


def kinds(monitor):
    return {advice.what for advice in monitor.advice()}


def shaped(net, x):
    return x.reshape(-1, 1, 8, 8) if isinstance(net[0], nn.Conv2d) else x


HEALTHY = {
    "ReLU, SGD": (mlp, lambda p: optim.SGD(p, lr=0.1)),
    "ReLU, momentum": (mlp, lambda p: optim.SGD(p, lr=0.01, momentum=0.9)),
    "ReLU, Adam": (mlp, lambda p: optim.Adam(p, lr=1e-3)),
    "tanh, SGD": (lambda: mlp(nn.Tanh), lambda p: optim.SGD(p, lr=0.1)),
    "tanh, convolutions": (convolutional, lambda p: optim.SGD(p, lr=0.05, momentum=0.9)),
    "ReLU, convolutions, Adam": (lambda: convolutional(nn.ReLU), lambda p: optim.Adam(p, lr=1e-3)),
    "sigmoid, Adam": (lambda: mlp(nn.Sigmoid), lambda p: optim.Adam(p, lr=3e-3)),
    "dropout": (lambda: mlp(dropout=0.3), lambda p: optim.SGD(p, lr=0.05, momentum=0.9)),
}


class TestHealthy:
    @pytest.mark.parametrize("name", HEALTHY)
    def test_no_advice(self, name):
        build, optimizer = HEALTHY[name]
        net = build()
        x, y = digits()
        x = shaped(net, centred(x))

        def evaluate():
            net.eval()
            with ct.no_grad():
                loss = nn.functional.cross_entropy(net(ct.tensor(x[:300])), ct.tensor(y[:300]))
            net.train()
            return loss

        monitor = train(net, optimizer(net.parameters()), x[300:], y[300:], evaluate=evaluate)
        assert monitor.advice() == []
        assert str(monitor) == "nothing to say: the training looks healthy"
        assert monitor.history[-1].loss < 0.5 * monitor.history[0].loss  # it did learn


class TestPlanted:
    """One fault each, on a training that is healthy without it."""

    def only(self, monitor, what):
        assert kinds(monitor) == {what}, str(monitor)
        return [advice for advice in monitor.advice() if advice.what == what]

    @pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
    @pytest.mark.parametrize("steps", [25, STEPS])
    def test_learning_rate_100_times_too_large(self, activation, steps):
        x, y = digits()
        net = mlp(activation)
        monitor = train(net, optim.SGD(net.parameters(), lr=10.0), centred(x), y, steps=steps)
        advice = self.only(monitor, "update ratio too large")
        assert max(one.value for one in advice) > 0.1
        if steps == STEPS:
            follows = {one.what: one.cause for one in monitor.advice(consequences=True) if one.cause}
            assert follows["dead ReLU" if activation is nn.ReLU else "saturated units"] == "update ratio too large"
        assert "unstable" in advice[0].reason
        assert "now 10" in advice[0].reason

    def test_learning_rate_100_times_too_small(self):
        x, y = digits()
        net = mlp()
        monitor = train(net, optim.SGD(net.parameters(), lr=0.001), centred(x), y)
        advice = self.only(monitor, "update ratio too small")
        assert {one.layer for one in advice} >= {"0", "2"}
        assert all(one.value < 1e-4 for one in advice)
        assert "too slow" in advice[0].reason

    def test_dead_relu(self):
        x, y = digits()
        net = mlp()
        with ct.no_grad():
            net[2].bias[:40].fill_(-50.0)
        (advice,) = self.only(train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y), "dead ReLU")
        assert advice.layer == "3"
        assert advice.value == pytest.approx(40 / 64, abs=0.1)
        assert "learning rate" in advice.reason

    def test_dead_channels(self):
        x, y = digits()
        net = convolutional(nn.ReLU)
        with ct.no_grad():
            net[0].bias[:4].fill_(-50.0)
        monitor = train(net, optim.Adam(net.parameters(), lr=1e-3), centred(x).reshape(-1, 1, 8, 8), y)
        (advice,) = self.only(monitor, "dead ReLU")
        assert (advice.layer, advice.value) == ("1", 0.5)

    @pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
    def test_saturated(self, activation):
        x, y = digits()
        net = mlp(activation)
        with ct.no_grad():
            net[0].weight.copy_(net[0].weight * 30)
        monitor = train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y)
        (advice,) = self.only(monitor, "saturated units")
        assert advice.layer == "1"
        assert advice.value > 0.5
        assert "gradient" in advice.reason

    def test_input_not_centred(self):
        x, y = digits()
        net = mlp()
        monitor = train(net, optim.SGD(net.parameters(), lr=0.01), centred(x) + 3, y)
        (advice,) = self.only(monitor, "input not centred")
        assert advice.layer is None
        assert advice.value == pytest.approx(3, abs=0.2)
        assert "mean" in advice.reason

    def test_input_not_scaled(self):
        x, y = digits()
        net = mlp()
        monitor = train(net, optim.Adam(net.parameters(), lr=1e-3), x - x.mean(), y)
        (advice,) = self.only(monitor, "input not scaled")
        assert advice.value == pytest.approx(np.sqrt(x.var(0).mean()), rel=0.05)

    def test_one_feature_of_another_scale(self):
        x, y = digits()
        x = np.concatenate([centred(x)[:, :-1], np.random.default_rng(0).normal(0, 3000, (len(x), 1))], 1)
        net = mlp()
        monitor = train(net, optim.Adam(net.parameters(), lr=1e-3), x.astype(np.float32), y, steps=30)
        scaled = [one for one in monitor.advice() if one.what == "input not scaled"]
        assert scaled[0].value > 1000
        assert "log(1 + x)" in scaled[0].reason

    def test_loss_at_start(self):
        x, y = digits()
        net = mlp()
        with ct.no_grad():
            net[4].weight.copy_(net[4].weight * 30)
        monitor = train(net, optim.Adam(net.parameters(), lr=1e-3), centred(x), y)
        (advice,) = self.only(monitor, "loss at start")
        assert advice.value > 1.5 * math.log(10)
        assert "ln(10) = 2.3" in advice.expected
        assert "smaller random weights" in advice.reason

    def test_dropout_off_in_training(self):
        x, y = digits()
        net = mlp(dropout=0.3).eval()
        monitor = train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y)
        (advice,) = self.only(monitor, "dropout off in training")
        assert advice.layer == "2"

    @pytest.mark.parametrize("compiled", [False, True])
    def test_dropout_on_in_evaluation(self, compiled):
        x, y = digits()
        x = centred(x)
        net = mlp(dropout=0.3)

        def evaluate():
            with ct.no_grad():
                return nn.functional.cross_entropy(net(ct.tensor(x[:300])), ct.tensor(y[:300]))

        opt = optim.SGD(net.parameters(), lr=0.1)
        monitor = train(net, opt, x[300:], y[300:], evaluate=evaluate, compiled=compiled)
        (advice,) = self.only(monitor, "dropout on in evaluation")
        assert advice.layer == "2"
        assert "model.eval()" in advice.reason

    def test_overfitting(self):
        """Few examples with a third of the labels wrong: learnt by heart, so that validation turns up."""
        x, y = digits()
        x = centred(x)
        y = np.where(np.arange(len(y)) % 3 == 0, np.random.default_rng(0).integers(0, 10, len(y)), y)
        net = mlp(width=128)

        def evaluate():
            with ct.no_grad():
                return nn.functional.cross_entropy(net(ct.tensor(x[900:])), ct.tensor(y[900:]))

        opt = optim.SGD(net.parameters(), lr=0.1)
        monitor = train(net, opt, x[:150], y[:150], steps=400, evaluate=evaluate)
        (advice,) = self.only(monitor, "validation turning up")
        assert advice.value > monitor.validations[0][1] * 0.5
        assert "by heart" in advice.reason
        assert "2 or 5" in advice.reason

    def test_loss_not_finite(self):
        x, y = digits()
        net = mlp()
        with ct.no_grad():
            net[4].weight.fill_(math.nan)
        monitor = train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y, steps=30)
        (advice,) = self.only(monitor, "loss not finite")
        assert math.isnan(advice.value)
        assert "ct.debug" in advice.reason


class TestNumbers:
    def observed(self, net, x, y=None, lr=0.5):
        opt = optim.SGD(net.parameters(), lr=lr)
        with ct.Monitor(net, opt, every=1) as monitor:
            before = {name: p.detach().numpy().copy() for name, p in net.named_parameters()}
            loss = (net(x) ** 2).mean()
            loss.backward()
            opt.step()
            monitor.step(loss)
        return monitor.history[0], before

    @pytest.mark.parametrize("order", ["contiguous", "strided"])
    def test_beside_numpy(self, order):
        ct.random.seed(1)
        net = nn.Sequential(
            nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 3, 1), nn.Tanh(), nn.Flatten(), nn.Linear(48, 2), nn.Sigmoid()
        )
        x = ct.random.normal(shape=(7, 2, 6, 6)) * 3
        if order == "strided":
            x = ct.tensor(np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        with ct.no_grad():
            values = [x]
            for layer in net:
                values.append(layer(values[-1]))
            values = [v.numpy().astype(np.float64) for v in values[1:]]
        seen, before = self.observed(net, x)
        layers = seen.layers
        assert list(layers) == ["0", "1", "2", "3", "5", "6"]
        for name, layer in layers.items():
            assert layer.activation == pytest.approx(np.sqrt((values[int(name)] ** 2).mean()), rel=1e-5)
        assert layers["1"].dead == ((values[1] <= 0).all(axis=(0, 2, 3))).mean()
        assert layers["3"].saturated == pytest.approx((abs(values[3]) >= 0.97).mean(), abs=1e-3)
        assert layers["6"].output
        for name in ("0", "2", "5"):
            w = net.get_submodule(name).weight
            after, was = w.detach().numpy().astype(np.float64), before[f"{name}.weight"].astype(np.float64)
            gradients = [p.grad.numpy().astype(np.float64).ravel() for p in net.get_submodule(name).parameters()]
            assert layers[name].weight_norm == pytest.approx(np.linalg.norm(was), rel=1e-5)
            assert layers[name].update_ratio == pytest.approx(
                np.linalg.norm(after - was) / np.linalg.norm(was), rel=1e-4
            )
            assert layers[name].gradient_norm == pytest.approx(np.linalg.norm(np.concatenate(gradients)), rel=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
    @pytest.mark.parametrize(
        ("shape", "axis"),
        [((50, 7), 1), ((3, 5, 11, 13), 1), ((3, 40, 9), -1), ((17,), 0), ((0, 4), 1), ((2, 3, 2100), 1)],
    )
    def test_unit_statistics(self, dtype, shape, axis):
        x = ct.tensor(np.random.default_rng(0).normal(size=shape), dtype=dtype)
        wide = x.astype("float64").numpy()
        others = tuple(k for k in range(len(shape)) if k != axis % len(shape))
        got = ct._core.unit_statistics(x, axis, -0.5, 1.0).numpy()
        wanted = [wide.sum(others), (wide**2).sum(others), ((wide <= -0.5) | (wide >= 1.0)).sum(others)]
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(got[2], wanted[2])

    def test_unit_statistics_of_channels_last(self):
        values = np.random.default_rng(0).normal(size=(4, 6, 5, 3)).astype(np.float32)
        x = ct.tensor(values).transpose(0, 3, 1, 2)
        got = ct._core.unit_statistics(x, 1, -math.inf, 0.0).numpy()
        np.testing.assert_allclose(got[0], values.astype(np.float64).sum((0, 1, 2)), rtol=1e-5)
        np.testing.assert_array_equal(got[2], (values >= 0).sum((0, 1, 2)))

    def test_unit_statistics_refuses(self):
        with pytest.raises(IndexError, match="axis got 2"):
            ct._core.unit_statistics(ct.ones((2, 2)), 2, 0, 1)
        with pytest.raises(TypeError, match="floating"):
            ct._core.unit_statistics(ct.tensor([1, 2]), 0, 0, 1)

    def test_the_same_for_any_number_of_threads(self):
        x = ct.random.normal(shape=(64, 24, 20, 20))
        results = []
        threads = ct.get_num_threads()
        for n in (1, 2, 3):
            ct.set_num_threads(n)
            results.append(ct._core.unit_statistics(x, 1, -1.0, 1.0).numpy().tobytes())
        ct.set_num_threads(threads)
        assert len(set(results)) == 1


def hooks_of(net):
    return [sorted(module.__dict__) for module in net.modules()]


class TestBeside:
    """It stands beside the training and changes nothing."""

    @pytest.mark.parametrize("compiled", [False, True])
    def test_the_same_bits(self, compiled):
        x, y = digits()
        results = []
        for every in (3, 1000):
            net = mlp(dropout=0.3)
            train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y, steps=20, every=every, compiled=compiled)
            results.append([p.detach().numpy().tobytes() for p in net.parameters()])
        assert results[0] == results[1]

    def test_no_hooks_are_left(self):
        net = mlp(dropout=0.3)
        before = hooks_of(net)
        monitor = ct.Monitor(net, every=2)
        assert hooks_of(net) != before
        monitor.close()
        assert hooks_of(net) == before
        monitor.close()
        assert not ct._core._is_eager()

    def test_between_looks_only_dropout_is_hooked(self):
        net = mlp(dropout=0.3)
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=5) as monitor:
            loss = net(ct.ones((2, 64))).sum()
            loss.backward()
            opt.step()
            monitor.step(loss)
            hooked = [type(m).__name__ for m in net.modules() if "_hooks" in m.__dict__]
        assert hooked == ["Dropout"]

    def test_recordings_stay_valid(self):
        x, y = digits()
        net = mlp(dropout=0.3)
        opt = optim.SGD(net.parameters(), lr=0.1)

        @ct.compile
        def step(images, labels):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            opt.step()
            return loss

        images, labels = ct.tensor(centred(x)[:32]), ct.tensor(y[:32])
        programs = set()
        with ct.Monitor(net, opt, every=4) as monitor:
            for k in range(16):
                monitor.step(step(images, labels))
                if k > 0:
                    programs.add(id(step.program()))
        assert [one.step for one in monitor.history] == [0, 4, 8, 12]
        assert all(math.isfinite(one.layers["1"].dead) for one in monitor.history)  # seen inside, too
        assert len(programs) == 1

    def test_evaluation_between_replays_is_no_training(self):
        net = mlp(dropout=0.3)
        opt = optim.SGD(net.parameters(), lr=0.1)

        @ct.compile
        def step(x):
            opt.zero_grad()
            loss = net(x).sum()
            loss.backward()
            opt.step()
            return loss

        x = ct.ones((4, 64))
        with ct.Monitor(net, opt, every=100) as monitor:
            for _ in range(4):
                monitor.step(step(x))
                net.eval()
                with ct.no_grad():
                    net(x)  # of which nothing is said
                net.train()
        assert not monitor._off_in_training

    def test_a_long_history_is_thinned_out(self, monkeypatch):
        monkeypatch.setattr("cinta.monitor.monitor._KEPT", 20)
        net = nn.Linear(2, 1)
        opt = optim.SGD(net.parameters(), lr=0.01)
        with ct.Monitor(net, opt, every=1) as monitor:
            for _ in range(100):
                opt.zero_grad()
                loss = net(ct.ones((2, 2))).sum()
                loss.backward()
                opt.step()
                monitor.step(loss)
        steps = [one.step for one in monitor.history]
        assert len(steps) <= 20
        assert steps[0] == 0
        assert steps[-8:] == list(range(92, 100))
        assert steps == sorted(steps)

    def test_evaluation_in_a_step_that_is_looked_at_is_not_counted(self):
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = net(ct.ones((2, 64))).sum()
            loss.backward()
            opt.step()
            with ct.no_grad():
                net(ct.full((2, 64), 1e6))
            monitor.step(loss)
        assert monitor.history[0].layers["0"].activation < 100

    def test_gradient_accumulation(self):
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            for part in (1.0, 3.0):
                loss = net(ct.full((5, 64), part)).mean()
                loss.backward()
            opt.step()
            monitor.step(loss)
        with ct.no_grad():
            assert monitor.history[0].layers["1"].dead_units.shape == (128,)

    def test_a_copy_of_the_model_is_not_looked_at(self):
        net = mlp(dropout=0.3)
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            copy = deepcopy(net).eval()
            loss = net(ct.ones((2, 64))).sum()
            loss.backward()
            copy(ct.full((2, 64), 1e6))
            opt.step()
            monitor.step(loss)
        assert monitor.history[0].layers["0"].activation < 100
        assert monitor.advice() == []

    def test_inputs_that_are_integers(self):
        net = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 10))
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = net(ct.tensor([[1, 2, 3]])).mean()
            loss.backward()
            opt.step()
            monitor.step(loss)
        assert monitor.history[0].layers["2"].dead_units.shape == (4,)
        assert monitor.advice() == []

    @pytest.mark.parametrize("shape", ["sequences", "signals"])
    def test_three_axes(self, shape):
        if shape == "sequences":
            net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
            x = ct.random.normal(shape=(40, 7, 5)) + ct.tensor([0.0, 0.0, 0.0, 0.0, 100.0])
        else:
            net = nn.Sequential(nn.Conv1d(5, 8, 3), nn.ReLU(), nn.Conv1d(8, 3, 1))
            x = ct.random.normal(shape=(40, 5, 7)) + ct.tensor([[0.0], [0.0], [0.0], [0.0], [100.0]])
        opt = optim.SGD(net.parameters(), lr=1e-6)
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = net(x).mean()
            loss.backward()
            opt.step()
            monitor.step(loss)
        assert monitor.history[0].layers["1"].dead_units.shape == (8,)
        assert monitor._features.mean.shape == (5,)
        assert kinds(monitor) == {"input not centred"}

    def test_recurrent_layers(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn, self.last = nn.LSTM(5, 8, batch_first=True), nn.Linear(8, 3)

            def forward(self, x):
                return self.last(self.rnn(x)[0])

        net = Net()
        opt = optim.SGD(net.parameters(), lr=0.1)
        x = ct.random.normal(shape=(4, 7, 5))
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = (net(x) ** 2).mean()
            expected = float((net.rnn(x)[0] ** 2).mean()) ** 0.5
            loss.backward()
            opt.step()
            monitor.step(loss)
        assert monitor.history[0].layers["rnn"].activation == pytest.approx(expected, rel=1e-4)
        assert monitor.history[0].layers["rnn"].update_ratio > 0

    def test_frozen_layers_have_no_ratio(self):
        net = mlp()
        net[0].requires_grad_(False)
        opt = optim.SGD(net[2:].parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = net(ct.ones((2, 64))).sum()
            loss.backward()
            opt.step()
            monitor.step(loss.item())
        assert "0" not in monitor.history[0].layers

    def test_layers_that_are_freed_on_the_way(self, tmp_path):
        net = mlp()
        net[0].requires_grad_(False)
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            for _ in range(3):
                loss = net(ct.ones((2, 64))).sum()
                loss.backward()
                opt.step()
                monitor.step(loss)
                net[0].requires_grad_(True)
        assert ["0" in one.layers for one in monitor.history] == [False, False, True]
        monitor.plot(tmp_path / "freed.png")
        assert monitor.judged == ["0", "2", "4"]

    def test_called_too_late(self):
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            loss = net(ct.ones((2, 64))).sum()
            loss.backward()
            opt.step()
            opt.zero_grad()
            with pytest.raises(RuntimeError, match="before the next zero_grad"):
                monitor.step(loss)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"every": 0}, "every"),
            ({"classes": 1}, "classes"),
            ({"band": (1.0, 0.1)}, "band"),
            ({"patience": 0}, "patience"),
        ],
    )
    def test_refusals(self, options, says):
        with pytest.raises(ValueError, match=says):
            ct.Monitor(mlp(), **options)


@pytest.fixture(scope="module")
def monitor():
    """Of a training with two faults."""
    x, y = digits()
    net = mlp(nn.Tanh, dropout=0.3).eval()
    return train(net, optim.SGD(net.parameters(), lr=2.0), centred(x), y, steps=40, logger=Logger())


class TestShown:
    def test_words(self, monitor):
        lines = str(monitor).splitlines()
        assert any(line.startswith("update ratio too large in ") for line in lines)
        assert any(line.startswith("dropout off in training in 2: ") for line in lines)

    def test_table(self, monitor):
        from rich.console import Console

        console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(monitor.table())
        text = console.export_text()
        assert "step 30: loss" in text
        assert "0 (Linear)" in text
        assert "• update ratio too large" in text

    def test_live(self):
        x, y = digits()
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        monitor = ct.Monitor(net, opt, every=2)
        with monitor.live() as shown, monitor:
            assert shown is monitor
            for _ in range(4):
                opt.zero_grad()
                loss = nn.functional.cross_entropy(net(ct.tensor(centred(x)[:32])), ct.tensor(y[:32]))
                loss.backward()
                opt.step()
                monitor.step(loss)
            monitor.validation(loss)
        assert monitor._live is None

    def test_plot(self, monitor, tmp_path):
        figure = monitor.plot(tmp_path / "monitor.png")
        above, below = figure.axes
        assert above.get_yscale() == "log"
        assert [line.get_label() for line in above.get_lines() if line.get_label()[0] != "_"] == [
            "0 Linear", "3 Linear", "5 Linear",
        ]  # fmt: skip
        drawn = above.get_lines()[-1].get_ydata()
        np.testing.assert_allclose(drawn, [one.layers["5"].update_ratio for one in monitor.history])
        assert below.get_xlabel() == "step"
        assert (tmp_path / "monitor.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(("library", "show"), [("rich.table", "table"), ("matplotlib.figure", "plot")])
    def test_what_is_missing_is_named(self, monitor, monkeypatch, library, show):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ImportError, match=r"pip install .* \(or cinta\[examples\]\)"):
            getattr(monitor, show)()

    def test_before_the_first_step(self, tmp_path):
        from rich.console import Console

        monitor = ct.Monitor(mlp())
        console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(monitor.table())
        assert "before the first step" in console.export_text()
        monitor.plot(tmp_path / "empty.png")
        monitor.close()

    def test_logger(self, monitor):
        logged = monitor.logger.lines
        assert [step for step, _ in logged] == [0, 10, 20, 30]
        assert {"loss", "lr", "update_ratio/0", "gradient_norm/3", "saturated/1", "activation/5"} <= set(logged[0][1])
        assert all(isinstance(value, float) for _, values in logged for value in values.values())

    def test_advice_is_data(self, monitor):
        assert Advice("dead ReLU", "1", 0.5, "at most 0.2", "why.") == Advice(
            "dead ReLU", "1", 0.5, "at most 0.2", "why."
        )
        for one in monitor.advice():
            assert one.reason.endswith(".")
            assert one.expected


class Logger:
    """As training/logs.py's are."""

    def __init__(self):
        self.lines = []

    def log(self, step, values):
        self.lines.append((step, values))

    def close(self):
        pass


class TestState:
    def test_goes_on(self):
        x, y = digits()
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        first = train(net, opt, centred(x), y, steps=20)
        first.validation(1.5)
        state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
        second = ct.Monitor(net, opt, every=10)
        second.load_state_dict(state)
        assert [one.step for one in second.history] == [0, 10]
        assert second.validations == first.validations
        assert [one.values() for one in second.history] == [one.values() for one in first.history]
        loss = nn.functional.cross_entropy(net(ct.tensor(centred(x)[:32])), ct.tensor(y[:32]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        second.step(loss)
        assert [one.step for one in second.history] == [0, 10, 20]
        second.close()

    def test_refuses_what_does_not_fit(self):
        x, y = digits()
        net = mlp()
        state = train(net, optim.SGD(net.parameters(), lr=0.1), centred(x), y, steps=2).state_dict()
        other = ct.Monitor(nn.Sequential(nn.Linear(2, 2)))
        with pytest.raises(ValueError, match="state_dict has layers"):
            other.load_state_dict(state)
        with pytest.raises(ValueError, match="state_dict got"):
            other.load_state_dict({"count": 3})
        assert other.history == []
        other.close()

    def test_as_a_callback(self):
        class Trainer:
            loss = None
            history = [{"loss": 2.0}]  # noqa: RUF012

        x, y = digits()
        net = mlp()
        opt = optim.SGD(net.parameters(), lr=0.1)
        monitor, trainer = ct.Monitor(net, opt, every=1), Trainer()
        trainer.loss = nn.functional.cross_entropy(net(ct.tensor(centred(x)[:32])), ct.tensor(y[:32]))
        trainer.loss.backward()
        opt.step()
        monitor.on_batch_end(trainer)
        monitor.on_epoch_end(trainer)
        assert monitor.validations == []
        trainer.history = [{"loss": 2.0, "validation_loss": 1.25}]
        monitor.on_epoch_end(trainer)
        monitor.on_fit_end(trainer)
        assert len(monitor.history) == 1
        assert monitor.validations[0][:2] == (1, 1.25)
        assert all("_hooks" not in module.__dict__ for module in net.modules())
