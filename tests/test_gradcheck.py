"""ct.gradcheck, overfit_one_batch and find_lr."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.debugging import GradientError


def rule(factor=2.0, cut=None):
    """x^2 with a gradient of factor x, wrong at one element where asked."""

    def bwd(x, dy):
        gradient = dy * x * factor
        return (gradient * ct.tensor(cut) if cut else gradient,)

    square = ct.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), bwd)
    return square


class TestGradcheck:
    def test_right_gradients(self):
        x, w = np.random.default_rng(0).normal(size=(2, 3, 4))
        assert ct.gradcheck(lambda a, b: ct.exp(a) * b, x, w)
        assert ct.gradcheck(lambda a, b: ct.exp(a) * b, x, w, order=2)
        assert ct.gradcheck(lambda a, b: (a * b).sum(), x, w, order=3)
        assert ct.gradcheck(lambda a: [a.sum(), {"y": a * 2}], x)
        assert ct.gradcheck(rule(), x, order=2)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_inputs_are_converted_and_left_alone(self, dtype):
        x = ct.tensor([1.0, 2.0], dtype=dtype, requires_grad=True)
        seen = []
        assert ct.gradcheck(lambda a: seen.append(a.dtype.name) or ct.sin(a), x)
        assert set(seen) == {"float64"}
        assert x.tolist() == [1.0, 2.0]
        assert x.grad is None

    def test_a_wrong_factor(self):
        with pytest.raises(GradientError, match=r"input 0 at index \(0,\): the gradient is") as caught:
            ct.gradcheck(rule(1.0), ct.tensor([3.0, 4.0]))
        error = caught.value
        assert (error.input, error.index, error.order) == ("input 0", (0,), 1)
        assert error.numeric == pytest.approx(2 * error.analytic)

    def test_one_wrong_element_of_one_input(self):
        square = rule(2.0, [[1.0, 1.0], [1.0, 1.001]])
        x, y = np.random.default_rng(1).normal(size=(2, 2, 2)) + 3
        with pytest.raises(GradientError) as caught:
            ct.gradcheck(lambda a, b: a * square(b), x, y, rtol=1e-6)
        assert (caught.value.input, caught.value.index) == ("input 1", (1, 1))

    def test_a_scalar_gives_its_own_numbers(self):
        with pytest.raises(GradientError) as caught:
            ct.gradcheck(lambda x: rule(3.0)(x).sum(), np.array([5.0]))
        assert caught.value.analytic == pytest.approx(15)
        assert caught.value.numeric == pytest.approx(10)

    def test_a_gradient_whose_own_gradient_is_wrong(self):
        wrong = rule(1.0)
        outer = ct.custom_vjp(lambda x: x**3 / 3)
        outer.defvjp(lambda x: (x**3 / 3, x), lambda x, dy: (dy * wrong(x),))
        assert ct.gradcheck(outer, np.array([2.0]))
        with pytest.raises(GradientError, match="gradient of order 2") as caught:
            ct.gradcheck(outer, np.array([2.0]), order=2)
        assert caught.value.order == 2

    def test_modules_and_their_parameters(self):
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Dropout(0.5),
                            nn.Linear(8, 3))  # fmt: skip
        before = {key: value.numpy().copy() for key, value in net.state_dict().items()}
        state = ct.random.get_state()
        assert ct.gradcheck(net, ct.random.normal(shape=(4, 1, 4, 4)), order=2, fast_mode=True)
        assert ct.gradcheck(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), np.ones((3, 2)))
        assert net[0].weight.dtype.name == "float32"
        for key, value in net.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), before[key])
        assert ct.random.get_state() != state  # the input drew, the check did not move it on
        ct.random.set_state(state)

    def test_a_module_with_a_wrong_parameter_gradient(self):
        class Scale(nn.Module):
            def __init__(self):
                super().__init__()
                self.factor = nn.Parameter(ct.tensor([1.5, 2.5]))
                self.square = rule(1.0)

            def forward(self, x):
                return x * self.square(self.factor)

        with pytest.raises(GradientError, match=r"parameter factor at index \(0,\)"):
            ct.gradcheck(Scale(), np.ones((3, 2)))

    def test_fast_mode(self):
        x = np.random.default_rng(0).normal(size=(10, 10))
        calls = []
        assert ct.gradcheck(lambda a: calls.append(1) or ct.sin(a), x, fast_mode=True, order=2)
        assert len(calls) < 20
        with pytest.raises(GradientError, match="along a random direction"):
            ct.gradcheck(rule(2.01), x, fast_mode=True)

    def test_integers_are_passed_on(self):
        x = np.random.default_rng(0).normal(size=(4, 3))
        assert ct.gradcheck(nn.functional.cross_entropy, x, np.array([0, 1, 2, 0]), order=2)
        assert ct.gradcheck(lambda a, axis: a.sum(axis), x, 0)

    def test_a_linear_function_has_no_second_gradient_to_be_wrong(self):
        assert ct.gradcheck(lambda x: 3 * x, np.ones(3), order=2)

    @pytest.mark.parametrize(
        ("call", "says"),
        [
            (lambda: ct.gradcheck(lambda x: x, np.array([1, 2])), "no input of a floating dtype"),
            (lambda: ct.gradcheck(lambda x: x.detach(), np.ones(2)), "no result depends on the inputs"),
            (lambda: ct.gradcheck(lambda x: x, np.ones(2), order=0), "order got 0"),
            (lambda: ct.gradcheck(lambda x: x, np.ones(2), eps=0.0), "eps got 0"),
        ],
    )
    def test_refusals(self, call, says):
        with pytest.raises(ValueError, match=says):
            call()


def everything(net, opt=None):
    """All that a trial might change."""
    state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    grads = [None if p.grad is None else p.grad.numpy().copy() for p in net.parameters()]
    options = opt and repr(opt.state_dict())
    hooks = [sorted(m.__dict__) for m in net.modules()]
    return state, modes, grads, options, ct.random.get_state(), hooks


def assert_same(before, after):
    for key, value in before[0].items():
        np.testing.assert_array_equal(value, after[0][key], err_msg=key)
    for a, b in zip(before[2], after[2], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)
    assert before[1] == after[1]
    assert before[3:] == after[3:]


def classifier():
    ct.random.seed(0)
    return nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))


def some_batch(n=16):
    rng = np.random.default_rng(0)
    return ct.tensor(rng.normal(size=(n, 4)).astype(np.float32)), ct.tensor(rng.integers(0, 3, n))


class TestOverfit:
    @pytest.mark.parametrize("given", [None, optim.SGD, optim.Adam])
    def test_a_network_that_learns(self, given):
        net = classifier().eval()
        opt = given and given(net.parameters(), lr=0.2)
        x, y = some_batch()
        nn.functional.cross_entropy(net(x), y).backward()
        before = everything(net, opt)
        result = ct.overfit_one_batch(net, nn.functional.cross_entropy, (x, y), opt)
        assert_same(before, everything(net, opt))
        assert result.ok
        assert result.advice == []
        assert result.losses[-1] < 0.05 * result.losses[0]
        assert "learnt by heart" in str(result)

    def test_an_optimizer_goes_on_where_it_stood(self):
        def trained(interrupted):
            net = classifier()
            opt = optim.Adam(net.parameters(), lr=0.01)
            x, y = some_batch()
            for k in range(4):
                opt.zero_grad()
                nn.functional.cross_entropy(net(x), y).backward()
                opt.step()
                if interrupted and k == 1:
                    ct.overfit_one_batch(net, nn.functional.cross_entropy, (x, y), opt, steps=5)
            return everything(net)[0]

        for a, b in zip(trained(True).values(), trained(False).values(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_a_network_that_is_cut_off(self):
        class Cut(nn.Module):
            def __init__(self):
                super().__init__()
                self.below, self.above = nn.Linear(4, 8), nn.Linear(8, 3)

            def forward(self, x):
                return self.above(self.below(x).detach() * 0)

        result = ct.overfit_one_batch(Cut(), nn.functional.cross_entropy, some_batch(), steps=40)
        assert not result.ok
        assert "was not learnt by heart" in str(result)

    def test_the_monitor_says_why(self):
        net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
        with ct.no_grad():
            net[0].bias.fill_(-100.0)
        result = ct.overfit_one_batch(net, nn.functional.cross_entropy, some_batch(64), steps=40)
        assert not result.ok
        assert "dead ReLU" in {advice.what for advice in result.advice}
        assert "dead ReLU in 1" in str(result)

    def test_state_comes_back_after_an_error(self):
        net = classifier()
        before = everything(net)
        with pytest.raises(ValueError, match="expected one number"):
            ct.overfit_one_batch(net, lambda y, t: y, some_batch())
        assert_same(before, everything(net))

    def test_refusals(self):
        for batch, steps, says in ((some_batch()[0], 3, "batch got"), (some_batch(), 0, "steps got 0")):
            with pytest.raises(ValueError, match=says):
                ct.overfit_one_batch(classifier(), nn.functional.cross_entropy, batch, steps=steps)


class Loader:
    """Batches with a position."""

    def __init__(self, batches):
        self.batches, self.at = batches, 0

    def __iter__(self):
        self.at = 0
        for batch in self.batches:
            self.at += 1
            yield batch

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


class TestFindLr:
    def quadratic(self):
        """Loss |w|^2 / 2 by gradient descent: diverges beyond lr 2."""
        net = nn.Linear(4, 1, bias=False)
        with ct.no_grad():
            net.weight.copy_(ct.ones((1, 4)))
        return net, lambda y, target: (net.weight**2).sum() / 2

    def test_a_quadratic(self):
        net, loss = self.quadratic()
        opt = optim.SGD(net.parameters(), lr=0.3)
        loader = Loader([(ct.ones((2, 4)), ct.ones(2))] * 7)
        loader.at = 3
        before = everything(net, opt)
        found = ct.find_lr(net, opt, loss, loader)
        assert_same(before, everything(net, opt))
        assert loader.at == 3
        assert 0.01 < found.suggestion < 2
        assert found.lrs[0] == pytest.approx(1e-6)
        assert found.lrs == sorted(found.lrs)
        assert len(found.lrs) == len(found.losses) == len(found.smoothed)
        assert all(map(math.isfinite, found.smoothed))

    def test_the_suggestion_trains(self):
        ct.random.seed(0)
        net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
        x, y = some_batch(64)
        opt = optim.SGD(net.parameters(), lr=1e-9, momentum=0.9)
        opt.param_groups[0]["lr"] = ct.find_lr(net, opt, nn.functional.cross_entropy, [(x, y)]).suggestion
        losses = []
        for _ in range(60):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        assert np.mean(losses[-5:]) < 0.8 * losses[0]

    def test_groups_keep_their_ratio(self):
        net = classifier()
        opt = optim.SGD([{"params": net[0].parameters(), "lr": 0.1}, {"params": net[4].parameters(), "lr": 0.01}], lr=1)
        seen = []

        def loss(y, t):
            seen.append([group["lr"] for group in opt.param_groups])
            return nn.functional.cross_entropy(y, t)

        ct.find_lr(net, opt, loss, [some_batch()], steps=12)
        np.testing.assert_allclose([b / a for a, b in seen[1:]], 0.1)
        assert [group["lr"] for group in opt.param_groups] == [0.1, 0.01]

    def test_plot(self, tmp_path):
        net, loss = self.quadratic()
        found = ct.find_lr(net, optim.SGD(net.parameters(), lr=0.3), loss, [(ct.ones((2, 4)), ct.ones(2))])
        figure = found.plot(tmp_path / "lr.png")
        axes = figure.axes[0]
        assert axes.get_xscale() == "log"
        for line, values in zip(axes.lines, (found.losses, found.smoothed, [0, 1])):
            np.testing.assert_array_equal(line.get_ydata(), values)
        assert axes.lines[2].get_xdata()[0] == found.suggestion
        assert found.plot(ax=axes) is figure
        assert (tmp_path / "lr.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"lr_min": 1.0, "lr_max": 0.1}, "lr_min and lr_max"),
            ({"steps": 3}, "steps"),
            ({"smoothing": 1.0}, "smoothing"),
        ],
    )
    def test_refusals(self, options, says):
        net = classifier()
        opt = optim.SGD(net.parameters(), lr=0.1)
        with pytest.raises(ValueError, match=says):
            ct.find_lr(net, opt, nn.functional.cross_entropy, [some_batch()], **options)
        with pytest.raises(ValueError, match="loader got no batches"):
            ct.find_lr(net, opt, nn.functional.cross_entropy, [])
