"""Row-sparse gradients of embeddings: the bits of dense training, lazy updates, all that meets a gradient."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

V, D, PADDING = 40, 5, 3
OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD upwards": lambda p: optim.SGD(p, lr=0.01, maximize=True),
    "SGD with momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "SGD with Nesterov's": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "SGD with decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AMSGrad with decay": lambda p: optim.Adam(p, lr=0.1, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "Adam upwards": lambda p: optim.Adam(p, lr=0.01, maximize=True),
}


class Tagger(nn.Module):
    """Words to numbers; `tied`: the table is the output layer too, and gets a dense gradient from there."""

    def __init__(self, sparse: bool, tied: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(V, D, padding_idx=PADDING, sparse=sparse)
        self.out = nn.Linear(D, 2)
        self.tied = tied

    def forward(self, words: ct.Tensor, scale: ct.Tensor) -> ct.Tensor:
        hidden = self.table(words) * scale
        return hidden @ self.table.weight.T if self.tied else self.out(hidden)


def batch(rng: np.random.Generator) -> tuple[ct.Tensor, ct.Tensor]:
    """Words of the first third, some by negative numbers, and factors."""
    words = rng.integers(0, V // 3, (4, 6)) - V * rng.integers(0, 2, (4, 6))
    return ct.tensor(words), ct.tensor(rng.normal(size=(4, 6, 1)), dtype="float32")


def trained(
    make: Callable[[Any], optim.Optimizer], sparse: bool, tied: bool, compiled: bool, backwards: int = 1
) -> list[np.ndarray]:
    """Losses, the last gradient and the weights after steps with clipping, a change of lr and a fixed seed."""
    ct.random.seed(1)
    net, rng = Tagger(sparse, tied), np.random.default_rng(0)
    opt = make(net.parameters())

    def step(words: ct.Tensor, scale: ct.Tensor) -> ct.Tensor:
        opt.zero_grad()
        for _ in range(backwards):
            loss = (net(words, scale) ** 2).mean()
            loss.backward()
        optim.clip_grad_value_(net.parameters(), 0.3)
        optim.clip_grad_norm_(net.parameters(), 0.5)
        opt.step()
        return loss

    run, losses = ct.compile(step) if compiled else step, []
    for number in range(8):
        losses.append(run(*batch(rng)).detach().numpy().copy())
        if number == 4:
            opt.param_groups[0]["lr"] *= 0.5
    gradient = net.table.weight.grad
    assert isinstance(gradient, ct.RowSparse) == (sparse and not tied)
    return [*losses, np.asarray(gradient), *(p.detach().numpy() for p in net.parameters())]


def same_bits(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_has_the_bits_of_dense_gradients(name: str, tied: bool) -> None:
    dense = trained(OPTIMIZERS[name], False, tied, False)
    assert same_bits(dense, trained(OPTIMIZERS[name], True, tied, False))
    assert same_bits(dense, trained(OPTIMIZERS[name], True, tied, True))


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_of_several_walks_add_up(compiled: bool) -> None:
    dense = trained(OPTIMIZERS["Adam"], False, False, False, backwards=3)
    assert same_bits(dense, trained(OPTIMIZERS["Adam"], True, False, compiled, backwards=3))


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_dtypes_have_the_bits_of_dense_gradients(dtype: str, rng: np.random.Generator) -> None:
    start, words = rng.normal(size=(9, 3)), [rng.integers(0, 9, 6) for _ in range(4)]
    ends = []
    for sparse in (False, True):
        weight = nn.Parameter(ct.tensor(start, dtype=dtype))
        opt = optim.Adam([weight], lr=0.1)
        for one in words:
            opt.zero_grad()
            for _ in range(2):
                (nn.functional.embedding(ct.tensor(one), weight, sparse=sparse) ** 3).sum().backward()
            opt.step()
        ends.append([weight.detach().astype("float64").numpy(), weight.grad.to_dense().astype("float64").numpy()]
                    if sparse else [x.astype("float64").numpy() for x in (weight.detach(), weight.grad)])  # fmt: skip
    assert same_bits(*ends)


# Lazy updates


LAZY: dict[str, tuple[type[optim.Optimizer], dict[str, Any]]] = {
    "SGD": (optim.SGD, {"lr": 0.1}),
    "SGD with Nesterov's": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    "Adam": (optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    "AMSGrad": (optim.Adam, {"lr": 0.1, "amsgrad": True, "maximize": True}),
    "AdamW": (optim.AdamW, {"lr": 0.1, "weight_decay": 0.1}),
}


def lazy_step(
    p: np.ndarray, g: np.ndarray, moments: list[Any], t: int, lr: float, momentum: float | None = None,
    weight_decay: float = 0.0, nesterov: bool = False, amsgrad: bool = False, maximize: bool = False,
    decoupled: bool = False,
) -> np.ndarray:  # fmt: skip
    """One row's step t in float64; its moments are those of the last step that had a gradient for it."""
    g = -g if maximize else g
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        g = g + weight_decay * p
    if momentum is not None:
        moments[0] = momentum * moments[0] + g
        return p - lr * (g + momentum * moments[0] if nesterov else moments[0])
    moments[0], moments[1] = 0.9 * moments[0] + 0.1 * g, 0.999 * moments[1] + 0.001 * g**2
    moments[2] = np.maximum(moments[2], moments[1]) if amsgrad else moments[1]
    return p - lr * moments[0] / (1 - 0.9**t) / (np.sqrt(moments[2] / (1 - 0.999**t)) + 1e-8)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", LAZY)
def test_lazy_updates_touch_the_rows_of_the_step_alone(name: str, compiled: bool, rng: np.random.Generator) -> None:
    make, options = LAZY[name]
    formula = {"momentum": 0.0, **options} if make is optim.SGD else {**options, "decoupled": make is optim.AdamW}
    exact, moments = rng.normal(size=(V, D)), [[0.0, 0.0, 0.0] for _ in range(V)]
    weight = nn.Parameter(ct.tensor(exact.copy()))
    opt = make([weight], lazy=True, **options)

    def step(words: ct.Tensor, seed: ct.Tensor) -> None:
        opt.zero_grad()
        nn.functional.embedding(words, weight, sparse=True).backward(seed)
        opt.step()

    run = ct.compile(step) if compiled else step
    for t in range(1, 7):
        words, seed, before = rng.integers(0, V, 12), rng.normal(size=(12, D)), weight.detach().numpy().copy()
        run(ct.tensor(words), ct.tensor(seed))
        gradient = np.zeros((V, D))
        np.add.at(gradient, words, seed)
        for row in np.unique(words):
            exact[row] = lazy_step(exact[row], gradient[row], moments[row], t, **formula)
        others = np.setdiff1d(np.arange(V), words)
        assert weight.detach().numpy()[others].tobytes() == before[others].tobytes()
    np.testing.assert_allclose(weight.detach().numpy(), exact, rtol=1e-12, atol=1e-12)


def test_lazy_is_an_option_of_each_step() -> None:
    weight = nn.Parameter(ct.ones((6, 2)))
    opt = optim.SGD([weight], lr=0.5, weight_decay=0.1, lazy=True)

    @ct.compile
    def step(words: ct.Tensor) -> None:
        opt.zero_grad()
        nn.functional.embedding(words, weight, sparse=True).sum().backward()
        opt.step()

    step(ct.tensor([1, 1]))
    assert weight[0].tolist() == [1.0, 1.0]
    opt.param_groups[0]["lazy"] = False
    step(ct.tensor([1, 1]))
    assert weight[0, 0].item() == pytest.approx(0.95)


# What a gradient meets


def rows_gradient(words: Any = (1, 4, 1), shape: tuple[int, int] = (6, 2)) -> nn.Parameter:
    weight = nn.Parameter(ct.ones(shape))
    nn.functional.embedding(ct.tensor(words, dtype="int64"), weight, sparse=True).sum().backward()
    return weight


def test_the_gradient_is_rows_and_values() -> None:
    g = rows_gradient().grad
    assert isinstance(g, ct.RowSparse)
    assert (g.shape, g.ndim, g.dtype, g.rows.tolist()) == ((6, 2), 2, ct.float32, [1, 4])
    assert g.values.tolist() == [[2.0, 2.0], [1.0, 1.0]]
    assert g.numpy().tolist() == [[0, 0], [2, 2], [0, 0], [0, 0], [1, 1], [0, 0]]
    assert np.array_equal(np.asarray(g), g.to_dense().numpy())
    assert repr(g) == "RowSparse(rows=[1, 4], values=[[2.0, 2.0], [1.0, 1.0]], shape=(6, 2))"
    assert (2 * g / 4).values.tolist() == [[1.0, 1.0], [0.5, 0.5]]
    assert (g + g).values.tolist() == [[4.0, 4.0], [2.0, 2.0]]
    assert (g + ct.RowSparse([0], [[5.0, 5.0]], (6, 2))).rows.tolist() == [0, 1, 4]
    for twin in (pickle.loads(pickle.dumps(g)), copy.deepcopy(g), g.clone()):
        twin.zero_()
        assert (twin.rows.tolist(), twin.numpy().any()) == ([1, 4], False)
    assert g.numpy().sum() == 6


def test_no_indices_leave_a_gradient_of_no_rows() -> None:
    weight = rows_gradient(())
    assert weight.grad.rows.shape == (0,)
    assert optim.clip_grad_norm_([weight], 1.0).item() == 0
    optim.Adam([weight]).step()
    assert weight.detach().tolist() == [[1.0, 1.0]] * 6
    for make in (OPTIMIZERS["SGD with Nesterov's"], OPTIMIZERS["AdamW"]):  # what moves the other rows moves them still
        ends = []
        for sparse in (False, True):
            weight = nn.Parameter(ct.ones((6, 2)))
            opt = make([weight])
            for words in ([1, 1], []):
                opt.zero_grad()
                indices = ct.tensor(words, dtype="int64")
                nn.functional.embedding(indices, weight, sparse=sparse).sum().backward()
                opt.step()
            ends.append([weight.detach().numpy()])
        assert same_bits(*ends)
    only_padding = nn.Embedding(4, 2, padding_idx=1, sparse=True)
    only_padding(ct.tensor([1, -3])).sum().backward()
    assert only_padding.weight.grad.rows.shape == (0,)


def test_padding_gets_no_gradient_whichever_way_it_is_counted() -> None:
    for sparse in (False, True):
        table = nn.Embedding(4, 2, padding_idx=1, sparse=sparse)
        table(ct.tensor([1, -3, 0])).sum().backward()
        assert np.asarray(table.weight.grad).tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


def test_setting_and_dropping() -> None:
    weight = rows_gradient()
    g = weight.grad
    weight.grad = None
    assert weight.grad is None
    weight.grad = g * 3
    assert weight.grad.values.tolist() == [[6.0, 6.0], [3.0, 3.0]]
    weight.grad = weight.grad.to_dense()
    assert isinstance(weight.grad, ct.Tensor)
    weight.grad = g
    opt = optim.SGD([weight], lr=1.0)
    opt.zero_grad(set_to_none=False)
    opt.step()
    assert weight.detach().tolist() == [[1.0, 1.0]] * 6
    with pytest.raises(ValueError, match=r"\[grad\] got a row-sparse gradient of shape \(6, 2\)"):
        nn.Parameter(ct.ones((5, 2))).grad = g


def test_beside_a_dense_gradient_it_becomes_dense() -> None:
    for dense_first in (False, True):
        weight = nn.Parameter(ct.ones((6, 2)))
        parts = [lambda w=weight: nn.functional.embedding(ct.tensor([1, 4, 1]), w, sparse=True).sum(),
                 lambda w=weight: (w * 2).sum()]  # fmt: skip
        for part in parts[::-1] if dense_first else parts:
            part().backward()
        assert weight.grad.tolist() == [[2, 2], [4, 4], [2, 2], [2, 2], [3, 3], [2, 2]]


def test_a_gradient_that_somebody_holds_stays_as_it_is() -> None:
    weight = nn.Parameter(ct.ones((6, 2)))
    (weight * 2).sum().backward()
    held = weight.grad
    nn.functional.embedding(ct.tensor([1]), weight, sparse=True).sum().backward()
    assert held.tolist() == [[2.0, 2.0]] * 6
    assert weight.grad.tolist()[1] == [3.0, 3.0]
    rows = (other := rows_gradient()).grad
    nn.functional.embedding(ct.tensor([1]), other, sparse=True).sum().backward()
    assert rows.values.tolist() == [[2.0, 2.0], [1.0, 1.0]]


def test_dense_where_a_gradient_is_computed_with() -> None:
    weight, words = ct.tensor(np.arange(12.0).reshape(6, 2), requires_grad=True), ct.tensor([1, 4, 1])

    def loss(w: ct.Tensor) -> ct.Tensor:
        return (nn.functional.embedding(words, w, 4, sparse=True) ** 3).sum()

    expected = np.zeros((6, 2))
    expected[1] = 2 * 3 * np.array([2.0, 3.0]) ** 2
    assert ct.grad(loss)(weight.detach()).numpy().tolist() == expected.tolist()
    assert ct.hessian(loss)(weight.detach())[1, 0, 1, 0].item() == 2 * 6 * 2
    loss(weight).backward(create_graph=True)
    assert weight.grad.detach().numpy().tolist() == expected.tolist()
    weight.grad = None
    loss(weight * 1).backward()  # the table is no leaf
    assert weight.grad.numpy().tolist() == expected.tolist()
    weight.grad = None
    ct.checkpoint(loss)(weight).backward()
    assert np.asarray(weight.grad).tolist() == expected.tolist()


def test_accumulation_over_parts() -> None:
    whole, parts = Tagger(False), Tagger(True)
    parts.load_state_dict(whole.state_dict())
    words, scale = batch(np.random.default_rng(2))
    (whole(words, scale) ** 2).mean().backward()
    accumulation = optim.GradientAccumulation(parts.parameters())
    for begin, end in ((0, 3), (3, 4)):
        accumulation.backward((parts(words[begin:end], scale[begin:end]) ** 2).mean(), weight=end - begin)
    accumulation.average()
    assert isinstance(parts.table.weight.grad, ct.RowSparse)
    np.testing.assert_allclose(parts.table.weight.grad.numpy(), whole.table.weight.grad.numpy(), atol=1e-7)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, "inf"])
def test_norms(norm_type: Any, rng: np.random.Generator) -> None:
    norms = []
    for shape in ((200, 5), (300, 64), (5, 40_000)):  # within a block of the sum, over several, rows over several
        words, seed = ct.tensor(rng.integers(0, shape[0], 50)), rng.normal(size=(50, shape[1]))
        for sparse in (False, True):
            weight = nn.Parameter(ct.ones(shape))
            nn.functional.embedding(words, weight, sparse=sparse).backward(ct.tensor(seed, dtype="float32"))
            norms.append(optim.clip_grad_norm_([weight], 1e9, norm_type).item())
    assert norms[::2] == (norms[1::2] if norm_type in (2.0, "inf") else pytest.approx(norms[1::2], rel=1e-6))


def test_the_monitor_sees_the_gradient_and_goes_on() -> None:
    seen = []
    for sparse in (False, True):
        ct.random.seed(1)
        net, rng = Tagger(sparse), np.random.default_rng(0)
        opt = optim.SGD(net.parameters(), lr=0.1)
        with ct.Monitor(net, opt, every=1) as monitor:
            for _ in range(3):
                opt.zero_grad()
                loss = (net(*batch(rng)) ** 2).mean()
                loss.backward()
                opt.step()
                monitor.step(loss)
        seen.append([(one.layers["table"].gradient_norm, one.layers["table"].update_ratio) for one in monitor.history])
    assert seen[0] == seen[1]


def test_debug_finds_a_fault_in_the_gradient() -> None:
    table, seed = nn.Embedding(4, 2, sparse=True), ct.tensor([[1.0, 3e38], [1.0, 3e38]])
    with pytest.raises(ct.debugging.NonFiniteError, match="the gradient of embedding gave 1 inf"), ct.debug():
        table(ct.tensor([1, 1])).backward(seed)


def test_checkpoints_keep_state_and_option(tmp_path: Any) -> None:
    net = Tagger(True)
    opt = optim.Adam(net.parameters(), lazy=True)
    (net(*batch(np.random.default_rng(0))) ** 2).mean().backward()
    opt.step()
    ct.save_checkpoint(tmp_path / "net.safetensors", model=net, optimizer=opt)
    other = Tagger(True)
    twin = optim.Adam(other.parameters())
    ct.load_checkpoint(tmp_path / "net.safetensors", model=other, optimizer=twin)
    assert twin.param_groups[0]["lazy"] is True
    assert same_bits(
        *([opt.state[p]["exp_avg"].numpy() for p in n.parameters()] for n, opt in ((net, opt), (other, twin)))
    )


def test_threads_change_nothing(rng: np.random.Generator) -> None:
    words, seed = rng.integers(0, 500, 3000), rng.normal(size=(3000, 64)).astype("float32")
    ends = []
    for threads in (1, 2, 3):
        ct.set_num_threads(threads)
        weight = nn.Parameter(ct.ones((2000, 64)))
        opt = optim.Adam([weight])
        nn.functional.embedding(ct.tensor(words), weight, sparse=True).backward(ct.tensor(seed))
        opt.step()
        ends.append([weight.grad.numpy(), weight.detach().numpy()])
    assert same_bits(ends[0], ends[1])
    assert same_bits(ends[0], ends[2])


# Refusals


@pytest.mark.parametrize(
    "name", ["RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax", "Lion", "Rprop", "LBFGS"]
)
def test_other_optimizers_say_what_to_do(name: str) -> None:
    weight, dense = rows_gradient(), nn.Parameter(ct.ones(3))
    dense.grad = ct.ones(3)
    groups = [weight] if name == "LBFGS" else [{"params": [dense]}, {"params": [weight]}]
    opt = getattr(optim, name)(groups)
    with pytest.raises(TypeError, match=rf"\[{name}\].*row-sparse.*SGD, Adam and AdamW.*sparse=False.*to_dense"):
        opt.step(lambda: 0.0)
    assert dense.detach().tolist() == [1.0, 1.0, 1.0]
    weight.grad = weight.grad.to_dense()
    opt.step(lambda: 0.0)


def test_errors() -> None:
    g = rows_gradient().grad
    for wrong, error, text in [
        (lambda: g.sum(), AttributeError, "'sum'.*to_dense"),
        (lambda: ct.sum(g), TypeError, "row-sparse gradient, expected a tensor.*to_dense"),
        (lambda: g * ct.ones(2), ValueError, "expected one number"),
        (lambda: g + ct.RowSparse([0], [[1.0]], (6, 1)), ValueError, r"\+ got shape \[6, 1\]"),
        (lambda: ct.RowSparse([0, 1], [[1.0]], (6, 1)), ValueError, "rows have shape"),
        (lambda: ct.RowSparse([6], [[1.0]], (6, 1)), IndexError, "expected 0 to 5"),
        (lambda: ct.RowSparse([0.5], [[1.0]], (6, 1)), TypeError, "integer dtype"),
        (lambda: ct.embedding(ct.tensor([6]), ct.ones((6, 2)), sparse=True), IndexError, "index 6 is out of range"),
        (lambda: ct.embedding(ct.tensor([0.5]), ct.ones((6, 2)), sparse=True), TypeError, "integer dtype"),
        (lambda: ct.embedding(ct.tensor([0]), ct.ones((6, 2)), 6, sparse=True), IndexError, "padding_idx is 6"),
        (lambda: ct.embedding(ct.tensor([0]), ct.ones(6), sparse=True), ValueError, "weight has shape"),
    ]:
        with pytest.raises(error, match=text):
            wrong()


def test_a_compiled_function_makes_the_gradient_itself_or_none() -> None:
    net = Tagger(True)
    words, scale = batch(np.random.default_rng(0))
    run = ct.compile(net)
    with pytest.raises(ValueError, match=r"\[compile\].*sparse=True at .*test_row_sparse.*compile the whole step"):
        run(words, scale)
    with ct.no_grad():
        assert same_bits(*([f(words, scale).numpy() for _ in range(2)] for f in (run, net)))


def test_compiled_functions_begin_without_a_row_sparse_gradient() -> None:
    weight = rows_gradient()
    opt = optim.SGD([weight], lr=0.1)

    @ct.compile
    def accumulate(words: ct.Tensor) -> None:
        nn.functional.embedding(words, weight, sparse=True).sum().backward()

    with pytest.raises(ValueError, match=r"\[compile\].*row-sparse from before accumulate.*zero_grad"):
        accumulate(ct.tensor([0]))
    opt.zero_grad()
    accumulate(ct.tensor([0, 0]))
    assert weight.grad.rows.tolist() == [0]  # a place of the two stays unused
    assert weight.grad.values.tolist() == [[2.0, 2.0]]
    opt.step()
    assert weight[0, 0].item() == pytest.approx(0.8)
    with pytest.raises(ValueError, match="row-sparse from before accumulate"):
        accumulate(ct.tensor([0, 0]))
    opt.zero_grad()
    accumulate(ct.tensor([5, 2]))
    assert weight.grad.rows.tolist() == [2, 5]
    assert "weight.grad.rows" in str(accumulate.program())
