"""Recurrent layers: cells in a loop against the layer, padding that is never read, threads, dropout, errors."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
CELLS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_of_cells_is_the_layer(kind):
    layer, cell = KINDS[kind](6, 9), CELLS[kind](6, 9)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x = ct.random.normal(shape=(7, 5, 6))
    state, steps = None, []
    for t in range(7):
        state = cell(x[t], state)
        steps.append(hidden(state))
    y, last = layer(x)
    np.testing.assert_allclose(ct.stack(steps).detach().numpy(), y.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(hidden(state).detach().numpy(), hidden(last)[0].detach().numpy(), atol=1e-6)
    for model, outputs in ((layer, y), (cell, ct.stack(steps))):
        (outputs**2).sum().backward()
        assert all(p.grad is not None for p in model.parameters())
    for a, b in zip(layer.parameters(), cell.parameters()):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_never_read(kind):
    layer = KINDS[kind](3, 4, num_layers=2, bidirectional=True)
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    lengths = [2, 6, 0, 4]
    poisoned = x.copy()
    for b, length in enumerate(lengths):
        poisoned[length:, b] = np.nan
    results = []
    for values in (x, poisoned):
        tensor = ct.tensor(values, requires_grad=True)
        y, last = layer(tensor, lengths=lengths)
        (y.sum() + hidden(last).sum()).backward()
        results.append([y.detach().numpy(), hidden(last).detach().numpy(), tensor.grad.numpy()])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)
    assert not results[0][0][4:, 3].any()
    assert not results[0][2][2:, 0].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, "some"])
def test_same_bits_on_two_threads(kind, lengths):
    rng = np.random.default_rng(0)
    layer = KINDS[kind](40, 70)
    x = ct.tensor(rng.normal(size=(12, 23, 40)).astype(np.float32))
    given = rng.integers(1, 13, 23) if lengths else None
    before, found = ct.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            ct.set_num_threads(threads)
            layer.zero_grad()
            y, _ = layer(x, lengths=given)
            (y * y).sum().backward()
            found.append([y.detach().numpy().copy(), *(p.grad.numpy().copy() for p in layer.parameters())])
    finally:
        ct.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_may_change_under_compile(kind):
    layer = KINDS[kind](5, 8)

    @ct.compile
    def loss(x, lengths):
        layer.zero_grad()
        y, last = layer(x, lengths=lengths)
        value = (y * y).sum() + hidden(last).sum()
        value.backward()
        return value

    rng = np.random.default_rng(0)
    for _ in range(4):
        x, lengths = ct.tensor(rng.normal(size=(6, 3, 5)).astype(np.float32)), ct.tensor(rng.integers(0, 7, 3))
        compiled = loss(x, lengths).item(), [p.grad.numpy().copy() for p in layer.parameters()]
        layer.zero_grad()
        y, last = layer(x, lengths=lengths)
        value = (y * y).sum() + hidden(last).sum()
        value.backward()
        assert compiled[0] == value.item()
        for a, p in zip(compiled[1], layer.parameters()):
            np.testing.assert_array_equal(a, p.grad.numpy())


def test_dropout_lies_between_layers_and_only_in_training():
    layer = nn.GRU(4, 50, num_layers=2, dropout=0.9)
    x = ct.random.normal(shape=(3, 8, 4))
    first, second = layer(x)[0], layer(x)[0]
    assert not np.array_equal(first.detach().numpy(), second.detach().numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0, 3, 4), (5, 0, 4)], ids=["no steps", "no sequences"])
def test_empty(kind, shape):
    layer = KINDS[kind](4, 6)
    x = ct.zeros(shape).requires_grad_()
    y, last = layer(x)
    assert y.shape == (*shape[:2], 6)
    assert hidden(last).shape == (1, shape[1], 6)
    (y.sum() + hidden(last).sum()).backward()
    assert x.grad.shape == shape
    assert all(not p.grad.numpy().any() for p in layer.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.RNN(4, 6)(ct.zeros((3, 2, 5))), r"input has 5 features .* expected 4"),
        (lambda: nn.LSTM(4, 6)(ct.zeros((3,))), r"\[LSTM\] input has shape \[3\], expected \[T,B,I\]"),
        (lambda: nn.GRU(4, 6)(ct.zeros((3, 2, 4)), ct.zeros((1, 3, 6))), r"initial state has shape \[1, 3, 6\]"),
        (lambda: nn.GRU(4, 6)(ct.zeros((3, 2, 4)), lengths=[3, 4]), r"lengths\[1\] is 4, expected 0 to 3"),
        (lambda: nn.GRU(4, 6)(ct.zeros((3, 2, 4)), lengths=[3]), r"lengths has shape \[1\], expected \[2\]"),
        (lambda: nn.GRU(4, 6)(ct.zeros((3, 4)), lengths=[3]), "for one sequence"),
        (lambda: nn.LSTM(4, 6, proj_size=6), "proj_size got 6, expected 0 or less than hidden_size 6"),
        (lambda: nn.LSTM(4, 6)(ct.zeros((3, 2, 4)), (ct.zeros((1, 2, 6)),)), r"expected the pair \(h_0, c_0\)"),
        (lambda: nn.RNN(4, 6, nonlinearity="sin"), "expected 'tanh' or 'relu'"),
        (lambda: nn.RNN(4, 6, dropout=0.5), "dropout got 0.5 with one layer"),
        (lambda: nn.GRU(0, 6), "input_size got 0"),
        (lambda: nn.GRUCell(4, 6)(ct.zeros((1, 2, 4))), r"\[GRUCell\] input has shape \[1, 2, 4\]"),
    ],
)  # fmt: skip
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lengths_of_a_floating_dtype():
    with pytest.raises(TypeError, match="lengths of an integer dtype"):
        nn.GRU(4, 6)(ct.zeros((3, 2, 4)), lengths=[3.0, 1.0])
