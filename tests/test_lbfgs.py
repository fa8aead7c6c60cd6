"""L-BFGS: minima known in closed form, the line search's conditions, state, closures that are compiled or fail."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.optim.line_search import Point, strong_wolfe

RNG = np.random.default_rng(3)
A = RNG.normal(size=(12, 6))
B = RNG.normal(size=12)
SOLUTION = np.linalg.lstsq(A, B, rcond=None)[0]


class LeastSquares:
    """|A p - b|^2 over parameters of several shapes; a step reaches the solution of the normal equations."""

    def __init__(self, compiled=False, **options):
        self.params = [nn.Parameter(ct.zeros(shape, dtype="float64")) for shape in [(2, 2), (), (1,)]]
        self.opt = optim.LBFGS(self.params, **options)
        self.gradient = ct.compile(self.loss) if compiled else self.loss
        self.calls = 0

    def loss(self):
        self.opt.zero_grad()
        p = ct.concat([param.reshape(-1) for param in self.params])
        loss = ((ct.tensor(A) @ p - ct.tensor(B)) ** 2).sum()
        loss.backward()
        return loss.detach()

    def closure(self):
        self.calls += 1
        return self.gradient()

    def values(self):
        return np.concatenate([param.detach().numpy().reshape(-1) for param in self.params])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("options", [{"line_search_fn": "strong_wolfe"}, {"lr": 0.5}, {"history_size": 2}], ids=str)
def test_least_squares(options, compiled):
    problem = LeastSquares(compiled, tolerance_change=1e-16, **options)
    first = problem.opt.step(problem.closure)
    assert first.item() == pytest.approx(B @ B)  # the loss before the step, as PyTorch's
    for _ in range(10):
        problem.opt.step(problem.closure)
    np.testing.assert_allclose(problem.values(), SOLUTION, atol=1e-6)
    assert problem.opt.state_dict()["state"][0]["func_evals"] == problem.calls


def test_a_compiled_closure_gives_the_same_bits():
    eager, compiled = (LeastSquares(c, line_search_fn="strong_wolfe", max_iter=3) for c in (False, True))
    for _ in range(4):
        assert eager.opt.step(eager.closure).item() == compiled.opt.step(compiled.closure).item()
        np.testing.assert_array_equal(eager.values(), compiled.values())


def test_rosenbrock():
    p = nn.Parameter(ct.tensor([-1.2, 1.0], dtype="float64"))
    opt = optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=100, tolerance_change=0)

    def closure():
        opt.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    opt.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), [1, 1], atol=1e-8)


FUNCTIONS = {
    "quadratic": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "steep": (lambda t: 100 * (t - 0.01) ** 2, lambda t: 200 * (t - 0.01)),
    "far": (lambda t: -t / (t**2 + 2), lambda t: (t**2 - 2) / (t**2 + 2) ** 2),
    "wavy": (lambda t: np.cos(3 * t) / 3 + t**2 / 5 - t, lambda t: -np.sin(3 * t) + 0.4 * t - 1),
    "quartic": (lambda t: (t - 1) ** 4, lambda t: 4 * (t - 1) ** 3),
}


@pytest.mark.parametrize("start", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_strong_wolfe_conditions(name, start):
    value, slope = FUNCTIONS[name]
    seen = []

    def evaluate(t):
        seen.append(t)
        return Point(t, float(value(t)), float(slope(t)), ct.tensor([slope(t)]))

    found, calls = strong_wolfe(evaluate, evaluate(0.0), start, 1.0)
    assert calls == len(seen) - 1
    assert value(found.t) <= value(0) + 1e-4 * found.t * slope(0)
    assert abs(slope(found.t)) <= 0.9 * abs(slope(0))


def test_state_goes_on_with_the_same_bits(tmp_path):
    options = {"line_search_fn": "strong_wolfe", "max_iter": 2}
    problem, twin = LeastSquares(**options), LeastSquares(**options)
    problem.opt.step(problem.closure)
    ct.save(tmp_path / "state", {"params": problem.params, "opt": problem.opt.state_dict()})
    saved = ct.load(tmp_path / "state")
    with ct.no_grad():
        for param, value in zip(twin.params, saved["params"], strict=True):
            param.copy_(value)
    twin.opt.load_state_dict(saved["opt"])
    for _ in range(2):
        problem.opt.step(problem.closure), twin.opt.step(twin.closure)
        np.testing.assert_array_equal(problem.values(), twin.values())


def test_a_state_that_does_not_fit_changes_nothing():
    problem = LeastSquares()
    problem.opt.step(problem.closure)
    good = problem.opt.state_dict()
    for entry, message in [
        ({"d": np.zeros(3)}, r"'d' has shape \[3\], expected \[6\]"),
        ({"old_dirs": [np.zeros(2)]}, r"shape \[2\]"),
        ({"exp_avg": 1}, "unknown 'exp_avg'"),
        ({"ro": 1.0}, "'ro' or no list for it"),
        ({"t": None}, r"lacks \['t'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            problem.opt.load_state_dict({**good, "state": {0: {**good["state"][0], **entry}}})
    with pytest.raises(ValueError, match="first parameter alone"):
        problem.opt.load_state_dict({**good, "state": {1: good["state"][0]}})
    with pytest.raises(ValueError, match="max_iter got 0"):
        problem.opt.load_state_dict({**good, "param_groups": [{**good["param_groups"][0], "max_iter": 0}]})
    assert problem.opt.state_dict()["state"][0]["n_iter"] == good["state"][0]["n_iter"]


def test_a_closure_that_fails_leaves_the_parameters():
    problem = LeastSquares(line_search_fn="strong_wolfe")
    before = problem.values()

    def closure():
        if problem.calls == 1:
            raise KeyError("no more data")
        return problem.closure()

    with pytest.raises(KeyError):
        problem.opt.step(closure)
    np.testing.assert_array_equal(problem.values(), before)


def test_parameters_without_gradient_stay():
    p, q = nn.Parameter(ct.ones(2)), nn.Parameter(ct.ones(3))
    opt = optim.LBFGS([p, q], line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ct.no_grad():
        opt.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), 0, atol=1e-5)
    assert q.tolist() == [1, 1, 1]


P = nn.Parameter(ct.ones(3))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: optim.LBFGS([P], lr=-1), ValueError, r"\[LBFGS\] lr got -1"),
        (lambda: optim.LBFGS([P], max_iter=0), ValueError, "max_iter got 0"),
        (lambda: optim.LBFGS([P], history_size=1.5), ValueError, "history_size got 1.5"),
        (lambda: optim.LBFGS([P], line_search_fn="armijo"), ValueError, "expected 'strong_wolfe' or None"),
        (lambda: optim.LBFGS([{"params": [P]}, {"params": [nn.Parameter(ct.ones(1))]}]), ValueError, "second"),
        (lambda: optim.LBFGS([P]).step(), TypeError, "got no closure"),
        (lambda: ct.compile(lambda: optim.LBFGS([P]).step(lambda: 0.0))(), RuntimeError, "inside ct.compile"),
    ],
)
def test_wrong_use(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
