"""The advice of ct.Monitor: every planted fault gives its own and no other, and healthy trainings give none."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from monitor_parts import STEPS, centred, convolutional, digits, kinds, mlp, shaped, train

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

    @pytest.mark.parametrize("lr", [2.0, 5.0, 10.0])
    @pytest.mark.parametrize("seed", range(4))
    def test_too_large_where_it_kills_all_units_between_two_looks(self, lr, seed):
        """Dead units stand still: the few steps that were seen before have to tell why."""
        x, y = digits()
        order = np.random.default_rng(seed).permutation(len(x))
        net = mlp()
        monitor = train(net, optim.SGD(net.parameters(), lr=lr), centred(x)[order], y[order], steps=100, every=5)
        self.only(monitor, "update ratio too large")

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
