"""nn.Conv2d with a table of connections: the dense convolution's numbers, without what is absent."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import cinta as ct
from cinta import nn

RNG = np.random.default_rng(5)
TABLE = RNG.random((7, 6)) < 0.4
TABLE[3] = False
TABLE[:, 4] = False
TABLE[0, 0] = True

# Input, kernel and options: in blocks of 5, 7 and 8 rows, on both sides of a vector's width, or with lanes along
# images; the last ones are computed whole.
CASES = [
    ((2, 6, 14, 14), 5, {}),
    ((3, 6, 28, 28), 3, {"padding": 1}),
    ((2, 6, 16, 33), (4, 3), {"padding": (0, 2)}),
    ((1, 6, 9, 50), (1, 7), {"padding": "same"}),
    ((2, 6, 20, 16), 3, {"padding": 2, "dilation": 2}),
    ((17, 6, 14, 14), 5, {}),  # lanes along images; their last vector is not full
    ((32, 6, 9, 28), (2, 3), {"padding": (1, 2)}),
    ((16, 6, 40, 40), (3, 7), {"padding": "same"}),  # in bands
    ((16, 6, 12, 12), 3, {"padding": 2, "dilation": (2, 1)}),
    ((16, 6, 12, 12), 3, {"padding": 2, "dilation": 2}),
    ((2, 6, 12, 12), 2, {"padding": 3}),  # more padding than the kernel reaches
    ((2, 6, 12, 12), 3, {"padding": 1, "padding_mode": "reflect"}),
    ((2, 6, 13, 12), 3, {"padding": 1, "stride": 2}),
    ((2, 6, 4, 3), 3, {"padding": 1}),
    ((2, 6, 12, 12), 9, {"padding": 4}),
    ((0, 6, 8, 8), 3, {}),
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("size", "kernel", "options"), CASES)
def test_equals_the_dense_convolution(size, kernel, options, dtype, bias):
    ct.random.seed(1)
    sparse = nn.Conv2d(6, 7, kernel, bias=bias, connections=TABLE, dtype=dtype, **options)
    dense = nn.Conv2d(6, 7, kernel, bias=bias, dtype=dtype, **options)
    state = {"weight": sparse.dense_weight().detach(), "bias": sparse.bias}
    dense.load_state_dict({name: state[name] for name in dense.state_dict()})
    images = RNG.normal(size=size)
    x, z = (ct.tensor(images, dtype=dtype, requires_grad=True) for _ in range(2))
    y, whole = sparse(x), dense(z)
    assert y.shape == whole.shape
    slope = ct.tensor(RNG.normal(size=y.shape), dtype=dtype)
    (y * slope).sum().backward()
    (whole * slope).sum().backward()
    close = {"float32": {"rtol": 2e-5, "atol": 2e-4}, "float64": {"rtol": 1e-12, "atol": 1e-12}}[dtype]
    np.testing.assert_allclose(y.detach().numpy(), whole.detach().numpy(), **close)
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), **close)
    np.testing.assert_allclose(sparse.weight.grad.numpy()[:, 0], dense.weight.grad.numpy()[TABLE], **close)
    if bias:
        np.testing.assert_allclose(sparse.bias.grad.numpy(), dense.bias.grad.numpy(), **close)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 2, "dilation": 2}, {"padding": "same"}, {"padding": 1, "padding_mode": "circular"}]
)
@pytest.mark.parametrize("batch", [(), (2,), (20,)])
def test_sequences(batch, options):
    sparse, dense = nn.Conv1d(6, 7, 3, connections=TABLE, **options), nn.Conv1d(6, 7, 3, **options)
    dense.load_state_dict({"weight": sparse.dense_weight().detach(), "bias": sparse.bias})
    x = ct.tensor(RNG.normal(size=(*batch, 6, 30)), dtype="float32")
    y = sparse(x)
    np.testing.assert_allclose(y.detach().numpy(), dense(x).detach().numpy(), rtol=2e-5, atol=2e-6)
    (y * y).sum().backward()
    (dense(x) ** 2).sum().backward()
    ours, whole = sparse.weight.grad.numpy()[:, 0], dense.weight.grad.numpy()[TABLE]
    np.testing.assert_allclose(ours, whole, rtol=2e-4, atol=2e-4)


def test_absent_connections_are_no_parameters():
    layer = nn.Conv2d(6, 7, 5, connections=TABLE)
    count = int(TABLE.sum())
    assert sum(p.size for p in layer.parameters()) == 25 * count + 7
    assert layer.weight.shape == (count, 1, 5, 5)
    assert repr(layer) == f"Conv2d(6 -> 7, kernel_size=5, connections={count} of 42)"
    assert nn.summary(layer, (6, 14, 14), batch_size=2).parameters == 25 * count + 7


def test_work_is_counted_by_connections():
    sparse, dense = nn.Conv2d(6, 7, 5, connections=TABLE), nn.Conv2d(6, 7, 5)
    ours, whole = (nn.summary(layer, (6, 14, 14), batch_size=1).multiply_adds for layer in (sparse, dense))
    assert ours / whole == pytest.approx(TABLE.mean(), rel=1e-3)


def test_starts_by_the_inputs_of_each_output():
    table = np.zeros((2, 50), bool)
    table[0], table[1, :2] = True, True
    layer = nn.Conv2d(50, 2, 3, connections=table)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for part, inputs, b in ((weight[:50], 450, bias[0]), (weight[50:], 18, bias[1])):
        assert 0.8 / inputs**0.5 < abs(part).max() <= 1 / inputs**0.5
        assert abs(b) <= 1 / inputs**0.5


def test_state_comes_with_its_table():
    a, b = nn.Conv2d(6, 7, 3, connections=TABLE), nn.Conv2d(6, 7, 3, connections=TABLE[::-1])
    b.load_state_dict(a.state_dict())
    x = ct.tensor(RNG.normal(size=(2, 6, 12, 12)), dtype="float32")
    assert (b(x) == a(x)).all()
    assert (copy.deepcopy(a)(x) == a(x)).all()
    assert set(a.state_dict()) == {"weight", "bias", "connections"}
    assert "connections" not in nn.Conv2d(6, 7, 3).state_dict()


def test_dense_weight_differentiates():
    layer = nn.Conv2d(6, 7, 3, connections=TABLE)
    (layer.dense_weight() ** 2).sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), 2 * layer.weight.detach().numpy())
    plain = nn.Conv2d(6, 7, 3)
    assert plain.dense_weight() is plain.weight


def test_the_same_bits_for_any_number_of_threads():
    layer = nn.Conv2d(6, 7, 5, connections=TABLE)
    images = ct.tensor(RNG.normal(size=(40, 6, 28, 28)), dtype="float32")
    before, seen = ct.config()["threads"], []
    try:
        for threads in (1, 2):
            ct.set_num_threads(threads)
            x = images.clone().requires_grad_()
            y = layer(x)
            layer.zero_grad()
            (y * y).sum().backward()
            seen.append([t.numpy() for t in (y.detach(), x.grad, layer.weight.grad)])
    finally:
        ct.set_num_threads(before)
    for one, two in zip(*seen, strict=True):
        assert (one == two).all()


def test_infinities_stay_where_they_are():
    table = np.eye(3, dtype=bool)
    layer = nn.Conv2d(3, 3, 3, padding=1, connections=table)
    x = np.ones((1, 3, 16, 16), np.float32)
    x[0, 1, 5, 5] = np.inf
    finite = np.isfinite(layer(ct.tensor(x)).detach().numpy()).all(axis=(0, 2, 3))
    assert finite.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": TABLE.T}, r"connections got shape \[6, 7\], expected \[7, 6\]"),
        ({"connections": np.zeros((7, 6), bool)}, "true at least once"),
        ({"connections": TABLE * 2.0}, "expected true and false"),
        (
            {"connections": [[True] * 6] * 2, "groups": 2, "out_channels": 2},
            "groups got 2, expected 1 with connections",
        ),
    ],
)
def test_tables_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        nn.Conv2d(**{"in_channels": 6, "out_channels": 7, "kernel_size": 3, **options})


def test_arguments_of_the_operation():
    x, w, table = ct.ones((2, 3, 8, 8)), ct.ones((4, 1, 3, 3)), ct.tensor([[True, True, False], [False, True, True]])
    assert ct.sparse_conv2d(x, w, table).shape == (2, 2, 6, 6)
    assert ct.sparse_conv2d(x[0], w, table).shape == (2, 6, 6)
    for change, error, message in [
        ({"connections": table.astype("int64")}, TypeError, "connections is int64, expected bool"),
        ({"connections": table.T}, ValueError, r"connections has shape \[3,2\], expected \[O,3\]"),
        ({"weight": ct.ones((4, 3, 3, 3))}, ValueError, r"expected \[P,1,KH,KW\]"),
        ({"weight": w[:3]}, ValueError, "connections has 4 true places, expected 3"),
        ({"bias": ct.ones(3)}, ValueError, r"bias has shape \[3\], expected \[2\]"),
        ({"weight": w.astype("float64")}, TypeError, "weight is float64, expected float32"),
        ({"x": x[0, 0]}, ValueError, r"expected \[N,C,H,W\] or \[C,H,W\]"),
        ({"padding": "full"}, ValueError, "'same', 'valid'"),
    ]:
        with pytest.raises(error, match=message):
            ct.sparse_conv2d(**{"x": x, "weight": w, "connections": table, **change})
