"""ct.debug(): planted NaNs and infinities are found at their line, module and operation; everything else stays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.debugging import NonFiniteError
from cinta.debugging.ranges import Range

HERE = Path(__file__)
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def line_of(mark: str) -> str:
    """Where this file says `# <- mark`."""
    found = [n for n, text in enumerate(HERE.read_text().splitlines(), 1) if text.endswith(f"# <- {mark}")]
    assert len(found) == 1, mark
    return f"{HERE}:{found[0]}"


def leaf(*values, dtype="float32"):
    return ct.tensor(list(values), dtype=dtype, requires_grad=True)


class Calls(nn.Module):
    """A module that calls a function."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


# Each planted case prepares, says what the error must name (operation, backward, module's path, what the results hold),
# and goes wrong under ct.debug in the line that is marked with its name.


@case
def log_of_zero():
    yield "log", False, "1", "1 -inf"
    net = nn.Sequential(nn.ReLU(), Calls(lambda x: ct.log(x)))  # <- log_of_zero
    net(ct.tensor([1.0, 0.0, 2.0]))


@case
def sqrt_gradient_at_zero():
    yield "sqrt", True, "1", "1 inf"
    net = nn.Sequential(nn.ReLU(), Calls(lambda x: ct.sqrt(x)))  # <- sqrt_gradient_at_zero
    x = leaf(4.0, 0.0)
    net(x).sum().backward()


@case
def zero_by_zero():
    yield "divide", False, None, "1 NaN"
    counts = ct.tensor([2.0, 0.0])
    sums = ct.tensor([1.0, 0.0])
    sums / counts  # <- zero_by_zero


@case
def overflow_of_exp():
    yield "exp", False, "0", "1 inf"
    net = nn.Sequential(Calls(lambda x: ct.exp(x)), nn.ReLU())  # <- overflow_of_exp
    net(ct.tensor([1.0, 100.0]))


@case
def inf_in_the_input():
    net = nn.Sequential(nn.Linear(2, 2))
    with ct.no_grad():
        net[0].weight.copy_(ct.ones((2, 2)))
    x = ct.tensor([[1.0, math.inf]])
    yield "matmul", False, "0", "2 inf"
    net(x)  # <- inf_in_the_input


@case
def nan_in_the_target():
    net = nn.Linear(2, 1)
    target = ct.tensor([[0.0], [math.nan], [1.0]])
    yield "subtract", False, None, "NaN"
    y = net(ct.ones((3, 2)))
    nn.functional.mse_loss(y, target)  # <- nan_in_the_target


@case
def exploding_learning_rate():
    yield "power", False, None, "inf"
    w = leaf(1.0)
    opt = optim.SGD([w], lr=1e6)
    for _ in range(10):
        opt.zero_grad()
        loss = (w**4).sum()  # <- exploding_learning_rate
        loss.backward()
        opt.step()


@case
def inf_minus_inf():
    a = ct.tensor([math.inf, 1.0])
    yield "subtract", False, None, "1 NaN"
    a - a  # <- inf_minus_inf


@case
def norm_gradient_at_zero():
    yield "sqrt", True, "", "inf"
    norm = Calls(lambda x: ct.sqrt((x * x).sum()))  # <- norm_gradient_at_zero
    norm(leaf(0.0, 0.0)).backward()


@case
def float16_overflow():
    yield "astype", False, None, "1 inf"
    x = ct.tensor([1.0, 70000.0])
    x.astype("float16")  # <- float16_overflow


@case
def bfloat16_overflow():
    yield "multiply", False, "0", "1 inf"
    net = nn.Sequential(Calls(lambda x: x * x))  # <- bfloat16_overflow
    net(ct.tensor([2.0, 1e20], dtype="bfloat16"))


@case
def power_of_negative():
    yield "power", False, None, "1 NaN"
    x = ct.tensor([4.0, -1.0])
    x**0.5  # <- power_of_negative


@case
def nan_parameter_loaded():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    net.load_state_dict({**net.state_dict(), "2.weight": np.full((1, 3), np.nan, np.float32)})
    yield "matmul", False, "2", "NaN"
    net(ct.ones((4, 2)))  # <- nan_parameter_loaded


@case
def bad_custom_vjp():
    yield "custom", True, "1", "2 NaN"
    square = ct.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, dy: (np.full(2, np.nan, np.float32),))
    net = nn.Sequential(nn.Tanh(), Calls(lambda x: square(x)))  # <- bad_custom_vjp
    net(leaf(1.0, 2.0)).sum().backward()


@case
def where_gradient_trap():
    yield "sqrt", True, None, "1 NaN"
    x = leaf(4.0, 0.0)
    safe = x > 0
    root = ct.sqrt(x)  # <- where_gradient_trap
    ct.where(safe, root, 0.0).sum().backward()


@case
def overflow_in_the_update():
    yield "sgd_step", False, None, "inf"
    net = nn.Linear(1, 1)
    opt = optim.SGD(net.parameters(), lr=1e30)
    (net(ct.tensor([[1.0]])) * 1e10).sum().backward()
    opt.step()  # <- overflow_in_the_update


@case
def variance_that_is_negative():
    yield "sqrt", False, "norm", "NaN"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = Calls(lambda x: ct.sqrt(ct.mean(x * x) - 1.0))  # <- variance_that_is_negative

        def forward(self, x):
            return self.norm(x * 0.5)

    Net()(ct.ones(4))


@case
def log_softmax_by_hand():
    yield "log", False, "loss", "-inf"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(1, 2)
            self.loss = Calls(self.cross_entropy)

        @staticmethod
        def cross_entropy(x):
            p = ct.softmax(x)
            return -ct.log(p)  # <- log_softmax_by_hand

        def forward(self, x):
            return self.loss(self.body(x) * 0 + ct.tensor([0.0, 1000.0]))

    Net()(ct.ones((1, 1)))


@pytest.mark.parametrize("name", CASES)
def test_planted(name):
    running = CASES[name]()
    op, backward, module, holds = next(running)
    with pytest.raises(NonFiniteError) as caught, ct.debug():
        next(running)
    error = caught.value
    assert (error.op, error.backward, error.module) == (op, backward, module), str(error)
    assert error.line == line_of(name), str(error)
    assert holds in " ".join(", ".join(y.faults) for y in error.outputs), str(error)
    assert f"# <- {name}" in str(error)  # the line itself is shown


def test_the_message():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), Calls(lambda x: ct.log(x)))
    with ct.no_grad():
        net[0].weight.copy_(ct.tensor([[1.0, 0.0], [0.0, -1.0]]))
        net[0].bias.zero_()
    with pytest.raises(NonFiniteError) as caught, ct.debug():
        net(ct.tensor([[1.0, 2.0], [3.0, 4.0]]))
    lines = str(caught.value).splitlines()
    assert lines[0] == "[debug] log gave 2 -inf among 4"
    assert lines[1] == "  in Sequential.2 (Calls)"
    assert lines[2].startswith(f"  at {HERE}:")
    assert lines[3] == "  input 0: float32 [2, 2] in [0, 3]"
    assert caught.value.inputs == [Range("", "float32", (2, 2), 0.0, 3.0, 0, 0, 0)]


def test_what_was_there_before_is_said_to_come_from_there():
    net = nn.Sequential(nn.Linear(2, 3))
    with ct.no_grad():
        net[0].weight.copy_(ct.full((3, 2), math.nan))
    with pytest.raises(NonFiniteError, match=r"parameter 0\.weight held it before") as caught, ct.debug():
        net(ct.ones((1, 2)))
    assert [x.name for x in caught.value.inputs if x.faults] == ["parameter 0.weight"]


def test_an_update_names_the_parameter():
    net = nn.Linear(1, 1)
    opt = optim.Adam(net.parameters(), lr=math.inf)
    with pytest.raises(NonFiniteError) as caught, ct.debug():  # noqa: PT012
        net(ct.ones((1, 1))).sum().backward()
        opt.step()
    assert "parameter weight" in str(caught.value)


def test_infinity_may_be_allowed():
    with ct.debug(infinity=False):
        scores = ct.where(ct.tensor([True, False]), ct.tensor([1.0, 2.0]), -math.inf)
        assert ct.softmax(scores).tolist() == [1.0, 0.0]
    with pytest.raises(NonFiniteError) as caught, ct.debug(infinity=False):  # noqa: PT012
        x = ct.exp(ct.tensor([1000.0]))
        x - x
    assert caught.value.op == "subtract"


def test_as_a_decorator():
    @ct.debug()
    def f(x):
        return ct.log(x)

    assert f(ct.tensor([1.0])).tolist() == [0.0]
    with pytest.raises(NonFiniteError):
        f(ct.tensor([0.0]))
    assert ct.log(ct.tensor([0.0])).tolist() == [-math.inf]  # off again


def test_a_decorator_without_brackets():
    with pytest.raises(TypeError, match=r"write @ct\.debug\(\)"):
        ct.debug(lambda x: x)


def test_nested_and_inside_a_recording_are_errors():
    with ct.debug(), pytest.raises(RuntimeError, match="is on already"), ct.debug():
        pass
    watch = ct.debug()
    with watch, pytest.raises(RuntimeError, match="is on already"):
        watch.__enter__()

    @ct.compile
    def f(x):
        with ct.debug():
            return x + 1

    with pytest.raises(RuntimeError, match="recorded by ct.compile"):
        f(ct.ones(2))
    assert (ct.ones(2) + 1).tolist() == [2.0, 2.0]


def test_compiled_functions_run_as_they_are():
    net = nn.Sequential(nn.Linear(2, 2), Calls(lambda x: ct.log(x * 0)))
    f = ct.compile(lambda x: net(x))
    x = ct.ones((1, 2))
    f(x)
    program = f.program()
    with pytest.raises(NonFiniteError) as caught, ct.debug():
        f(x)
    assert caught.value.module == "1"
    f(x)
    assert f.program() is program  # the recording is as good as before


def weights(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_bits_as_without(dropout):
    def trained(watch):
        ct.random.seed(3)
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(dropout),
            nn.Linear(36, 5), nn.LayerNorm(5),
        )  # fmt: skip
        opt = optim.Adam(net.parameters(), lr=0.01)
        rng = np.random.default_rng(0)
        for _ in range(3):
            x, y = ct.tensor(rng.normal(size=(8, 1, 8, 8)).astype(np.float32)), ct.tensor(rng.integers(0, 5, 8))

            def step(x=x, y=y):
                opt.zero_grad()
                nn.functional.cross_entropy(net(x), y).backward()
                opt.step()

            if watch:
                with ct.debug():
                    step()
            else:
                step()
        return weights(net)

    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gradient_recorded_before():
    x = leaf(0.0)
    y = ct.sqrt(x)  # <- recorded before
    with pytest.raises(NonFiniteError) as caught, ct.debug():
        y.backward()
    assert caught.value.line == line_of("recorded before")


def test_a_gradient_of_a_gradient():
    net = Calls(lambda x: x**1.5)  # <- recorded for two orders
    x = leaf(0.0, 4.0, dtype="float64")
    with pytest.raises(NonFiniteError) as caught, ct.debug():  # noqa: PT012
        (gradient,) = ct._core.backward([net(x).sum()], [ct.tensor(1.0, dtype="float64")], [x], create_graph=True)
        assert gradient.tolist() == [0.0, 3.0]
        gradient.sum().backward()
    assert caught.value.backward
    assert caught.value.module == ""
    assert caught.value.line == line_of("recorded for two orders")


def test_checkpointed_and_transformed_functions():
    f = ct.checkpoint(lambda x: ct.sin(x) * x)
    with ct.debug():
        assert ct.grad(f)(ct.tensor(0.5)).item() == ct.grad(lambda x: ct.sin(x) * x)(ct.tensor(0.5)).item()
        assert ct.hessian(lambda x: (x**3).sum())(ct.tensor([1.0, 2.0])).tolist() == [[6.0, 0.0], [0.0, 12.0]]
        assert ct.jvp(ct.exp, (ct.tensor(0.0),), (ct.tensor(2.0),))[1].item() == 2.0
    with pytest.raises(NonFiniteError) as caught, ct.debug():
        ct.grad(ct.checkpoint(lambda x: ct.sqrt(x)))(ct.tensor(0.0))  # <- checkpointed
    assert caught.value.backward
    assert caught.value.line == line_of("checkpointed")


def test_backward_after_an_error_in_a_rule():
    square = ct.custom_vjp(lambda x: x * x)

    def bwd(x, dy):
        raise KeyError("no")

    square.defvjp(lambda x: (x * x, x), bwd)
    with ct.debug():
        with pytest.raises(KeyError):
            square(leaf(1.0)).backward()
        with pytest.raises(NonFiniteError) as caught:
            ct.log(ct.tensor([0.0]))
    assert not caught.value.backward


def test_double_overflow_of_squares_is_no_fault():
    x = np.array([1e200, -1e200])
    with ct.debug():
        y = ct.tensor(x) * 2
    assert y.tolist() == [2e200, -2e200]
