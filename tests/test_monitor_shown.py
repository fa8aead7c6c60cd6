"""What ct.Monitor shows: its numbers beside NumPy's, in words, as a table, a picture and a log."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.monitor import Advice
from monitor_parts import Logger, centred, digits, mlp, train


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

    @pytest.mark.parametrize(
        ("library", "show", "extra"), [("rich.table", "table", "training"), ("matplotlib.figure", "plot", "plot")]
    )
    def test_what_is_missing_is_named(self, monitor, monkeypatch, library, show, extra):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ImportError, match=rf"pip install cinta\[{extra}\]"):
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
