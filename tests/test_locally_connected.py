"""Locally connected layers: what makes them convolutions, memory orders, unbatched and empty input, errors, counts."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from cinta.nn.functional import conv1d, conv2d, locally_connected1d, locally_connected2d

RNG = np.random.default_rng(0)
HOW = [
    {"padding": 1},
    {"stride": 2, "dilation": 2},
    {"padding": "same", "stride": 2},
    {"groups": 2, "padding": (2, 0), "stride": (1, 3)},
]


def normal(*shape, dtype="float64"):
    return ct.tensor(RNG.normal(size=shape), dtype=dtype)


def same(a, b):
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("how", HOW, ids=str)
def test_the_same_kernel_everywhere_is_a_convolution(how):
    x, w = normal(2, 4, 9, 8), normal(6, 4 // how.get("groups", 1), 3, 2)
    y = conv2d(x, w, **how)
    everywhere = ct.broadcast_to(w.transpose(0, 2, 3, 1), (*y.shape[2:], 6, 3, 2, w.shape[1]))
    np.testing.assert_allclose(locally_connected2d(x, everywhere, **how).numpy(), y.numpy(), rtol=1e-12, atol=1e-12)


def test_one_axis_is_a_convolution_too():
    x, w = normal(2, 4, 11), normal(6, 4, 3)
    y = conv1d(x, w, stride=2, padding=1)
    everywhere = ct.broadcast_to(w.transpose(0, 2, 1), (y.shape[2], 6, 3, 4))
    np.testing.assert_allclose(
        locally_connected1d(x, everywhere, stride=2, padding=1).numpy(), y.numpy(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("layer", [nn.LocallyConnected1d, nn.LocallyConnected2d])
@pytest.mark.parametrize(
    "how", [{}, {"stride": 2, "padding": 1}, {"padding": "same", "stride": 3}, {"dilation": 3, "groups": 2}], ids=str
)
def test_layer_has_the_shapes_of_a_convolution(layer, how):
    size = (11, 9)[: layer.dims]
    shared = getattr(nn, f"Conv{layer.dims}d")(4, 6, 3, **how)
    local = layer(4, 6, 3, **how, input_size=size)
    x = ct.random.normal(shape=(2, 4, *size))
    y = local(x)
    assert y.shape == shared(x).shape
    assert local.output_size == y.shape[2:]
    assert local.weight.shape == (*y.shape[2:], 6, *shared.kernel_size, shared.weight.shape[1])
    assert local.bias.shape == y.shape[1:]
    bound = shared.weight.size**-0.5 * 6**0.5
    assert 0.9 * bound < float(abs(local.weight).max()) <= bound
    assert float(abs(local.bias).max()) <= bound


def test_images_without_a_batch_and_empty_batches():
    layer = nn.LocallyConnected2d(3, 4, 3, input_size=(5, 6))
    x = ct.random.normal(shape=(3, 5, 6))
    same(layer(x), layer(x[None])[0])
    layer.zero_grad()
    none = ct.zeros((0, 3, 5, 6)).requires_grad_()
    layer(none).sum().backward()
    assert none.grad.shape == none.shape
    assert float(abs(layer.weight.grad).max()) == float(abs(layer.bias.grad).max()) == 0
    sequences = nn.LocallyConnected1d(3, 4, 3, input_size=6)
    same(sequences(x[:, 0]), sequences(x[None, :, 0])[0])


def test_memory_orders_give_the_same_bits():
    layer = nn.LocallyConnected2d(3, 4, 3, padding=1, input_size=7)
    pixels = ct.random.normal(shape=(2, 7, 7, 3))
    results = []
    for x in (pixels.transpose(0, 3, 1, 2), ct.asarray(pixels.numpy().transpose(0, 3, 1, 2).copy())):
        layer.zero_grad()
        leaf = x.detach().requires_grad_()
        y = layer(leaf)
        (y * y).sum().backward()
        results.append([t.detach().numpy().copy() for t in (y, leaf.grad, layer.weight.grad, layer.bias.grad)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_blocks_of_images_give_the_same_bits():
    """Each image is computed as if it were alone, and gradients are summed in order."""
    layer = nn.LocallyConnected2d(64, 5, 9, input_size=10)
    x = ct.random.normal(shape=(30, 64, 10, 10))
    same(layer(x)[17:18], layer(x[17:18]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, x, w: f(x[:, :2], w), "weight has 3 input channels, expected 2"),
        (lambda f, x, w: f(x[..., :4], w), "weight has shape .* expected the input_size that the weight was made for"),
        (lambda f, x, w: f(x[0, 0, 0], w), r"input has shape \[6\], expected \[N,C,H,W\] or \[C,H,W\]"),
        (lambda f, x, w: f(x, w[0]), r"weight has shape .*, expected \[H',W',O,KH,KW,C/groups\]"),
        (lambda f, x, w: f(x, w, groups=2), "groups is 2, expected a divisor of the 3 input channels"),
        (lambda f, x, w: f(x, w, ct.zeros(4)), r"bias has shape \[4\], expected \[O,H',W'\] = \[4, ?3, ?4\]"),
        (lambda f, x, w: f(x, w, stride=0), "stride is 0, expected at least 1"),
        (lambda f, x, w: f(x, w, padding="full"), "padding is 'full', expected 'same', 'valid', a number"),
        (lambda f, x, w: f(x, w, dilation=3), "kernel of size 3 with dilation 3 covers 7 elements"),
    ],
)
def test_errors(call, message):
    layer = nn.LocallyConnected2d(3, 4, 3, input_size=(5, 6))
    with pytest.raises(ValueError, match=message):
        call(locally_connected2d, ct.zeros((2, 3, 5, 6)), layer.weight)


def test_dtypes_must_agree():
    layer = nn.LocallyConnected2d(3, 4, 3, input_size=5)
    with pytest.raises(TypeError, match="weight is float32, expected float64 as the input"):
        layer(normal(1, 3, 5, 5))
    with pytest.raises(TypeError, match="expected a floating dtype"):
        layer(ct.zeros((1, 3, 5, 5), dtype="int32"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_size": 2}, r"\[LocallyConnected2d\] kernel_size got \(3, 3\), which covers \(3, 3\) elements"),
        ({"input_size": (5, 6, 7)}, r"\[LocallyConnected2d\] input_size got \(5, 6, 7\)"),
        ({"groups": 3}, r"\[LocallyConnected2d\] groups got 3, expected a divisor of in_channels 4"),
        ({"padding": "full"}, r"padding got 'full', expected an int >= 0, 2 of them or 'same' or 'valid'"),
        ({"out_channels": 0}, "out_channels got 0"),
    ],
)
def test_layer_errors(given, message):
    with pytest.raises(ValueError, match=message):
        nn.LocallyConnected2d(**{"in_channels": 4, "out_channels": 6, "kernel_size": 3, "input_size": 8, **given})


def test_input_size_is_by_name():
    with pytest.raises(TypeError, match="input_size"):
        nn.LocallyConnected2d(4, 6, 3)


def test_repr():
    assert "4 -> 6, kernel_size=3, stride=2, padding='same', groups=2, bias=False, input_size=(8, 9)" in repr(
        nn.LocallyConnected2d(4, 6, 3, 2, "same", groups=2, bias=False, input_size=(8, 9))
    )


def test_summary_counts_multiply_adds():
    layer = nn.LocallyConnected2d(4, 6, 3, input_size=8)
    row = nn.summary(nn.Sequential(layer), (2, 4, 8, 8))["0"]
    assert row.parameters == 6 * 6 * 6 * (9 * 4 + 1)
    assert row.multiply_adds == 2 * 6 * 6 * 6 * 9 * 4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_dtypes_round_once(dtype):
    layer = nn.LocallyConnected2d(8, 6, 3, padding=1, input_size=6, dtype=dtype)
    x = ct.random.normal(shape=(3, 8, 6, 6)).astype(dtype)
    wide = locally_connected2d(x.astype("float32"), *(p.astype("float32") for p in layer.parameters()), padding=1)
    same(layer(x).astype("float32"), wide.astype(dtype).astype("float32"))


def test_autocast_computes_in_half():
    layer = nn.LocallyConnected2d(3, 4, 3, input_size=5)
    with ct.autocast("bfloat16"):
        assert str(layer(ct.ones((1, 3, 5, 5))).dtype).endswith("bfloat16")
