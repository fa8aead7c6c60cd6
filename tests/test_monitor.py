"""ct.Monitor beside a training: it changes nothing, goes on from its state, and serves as a callback of ct.Trainer."""

from __future__ import annotations

import json
import math
from copy import deepcopy

import pytest

import cinta as ct
from cinta import nn, optim
from monitor_parts import Logger, centred, digits, kinds, mlp, train


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


class TestInATrainer:
    def fit(self, dropout=0.0, **options):
        x, y = digits()
        x = centred(x)
        net = mlp(dropout=dropout)
        opt = optim.SGD(net.parameters(), lr=0.1)
        monitor = ct.Monitor(net, opt, every=10, classes=10, logger=Logger())
        trainer = ct.Trainer(net, opt, nn.CrossEntropyLoss(), callbacks=[monitor], **options)
        history = trainer.fit((x[300:], y[300:]), (x[:300], y[:300]), epochs=6)
        return monitor, history, net

    @pytest.mark.parametrize("compiled", [False, True])
    def test_as_a_callback(self, compiled):
        monitor, history, net = self.fit(dropout=0.3, compile=compiled)
        assert monitor.advice() == []
        assert [one.step for one in monitor.history[:3]] == [0, 10, 20]
        assert [value for _, value, _ in monitor.validations] == [epoch["validation_loss"] for epoch in history]
        assert all("_hooks" not in module.__dict__ for module in net.modules())
        assert {"loss", "update_ratio/0"} <= set(monitor.logger.lines[0][1])

    def test_the_state_is_one_that_checkpoints_take(self):
        monitor = self.fit()[0]
        other = ct.Monitor(monitor.model)
        other.load_state_dict(json.loads(json.dumps(monitor.state_dict(), allow_nan=False)))
        assert other.state_dict() == monitor.state_dict()
        other.close()
