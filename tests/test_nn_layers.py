"""Layers: shapes, formulas, modes, arguments out of range. Values against PyTorch: peers/test_nn_torch.py."""

import inspect

import numpy as np
import pytest

import cinta as ct
from cinta import nn

LAYERS = [
    (nn.Identity(), (2, 3), (2, 3)),
    (nn.Linear(3, 5), (2, 4, 3), (2, 4, 5)),
    (nn.Linear(3, 5), (3,), (5,)),
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9), (2, 6, 5)),
    (nn.Conv1d(2, 3, 4, padding="same"), (1, 2, 7), (1, 3, 7)),
    (nn.Conv2d(1, 6, 5, padding=2), (2, 1, 8, 8), (2, 6, 8, 8)),
    (nn.Conv2d(2, 4, (3, 2), stride=(2, 1), dilation=(1, 2), padding="valid"), (2, 2, 9, 8), (2, 4, 4, 6)),
    (nn.Conv2d(1, 2, 3, padding=(2, 1), padding_mode="reflect"), (1, 1, 6, 6), (1, 2, 8, 6)),
    (nn.Conv2d(1, 2, 3, padding="same", padding_mode="circular"), (1, 1, 6, 5), (1, 2, 6, 5)),
    (nn.Conv2d(3, 2, 3, connections=[[1, 1, 0], [0, 1, 1]]), (2, 3, 8, 9), (2, 2, 6, 7)),
    (nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1), (2, 4, 5), (2, 2, 10)),
    (nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1, groups=2), (2, 4, 5, 5), (2, 2, 12, 12)),
    (nn.LocallyConnected1d(4, 6, 3, stride=2, groups=2, input_size=9), (2, 4, 9), (2, 6, 4)),
    (nn.LocallyConnected2d(2, 3, (3, 2), padding="same", input_size=(5, 4)), (2, 2, 5, 4), (2, 3, 5, 4)),
    (nn.MaxPool1d(2), (2, 3, 9), (2, 3, 4)),
    (nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 3, 8, 7), (2, 3, 5, 4)),
    (nn.AvgPool1d(2, ceil_mode=True), (2, 3, 9), (2, 3, 5)),
    (nn.AvgPool2d((2, 3)), (2, 3, 8, 9), (2, 3, 4, 3)),
    (nn.AdaptiveAvgPool1d(4), (2, 3, 9), (2, 3, 4)),
    (nn.AdaptiveAvgPool2d((2, None)), (2, 3, 9, 7), (2, 3, 2, 7)),
    (nn.Subsampling2d(3, 2), (2, 3, 8, 9), (2, 3, 4, 4)),
    (nn.RadialBasis(5, 4), (2, 3, 5), (2, 3, 4)),
    (nn.ScaledTanh(), (4, 3), (4, 3)),
    (nn.AdaptiveMaxPool1d(4), (2, 3, 9), (2, 3, 4)),
    (nn.AdaptiveMaxPool2d((2, None)), (2, 3, 9, 7), (2, 3, 2, 7)),
    (nn.LPPool1d(2, 2), (2, 3, 9), (2, 3, 4)),
    (nn.LPPool2d(2, (2, 3)), (2, 3, 8, 9), (2, 3, 4, 3)),
    (nn.FractionalMaxPool2d(output_ratio=(0.7, 0.5)), (2, 3, 10, 9), (2, 3, 7, 4)),
    (nn.Upsample(scale_factor=1.5, mode="bilinear"), (2, 3, 4, 5), (2, 3, 6, 7)),
    (nn.UpsamplingNearest2d((5, 9)), (2, 3, 4, 5), (2, 3, 5, 9)),
    (nn.UpsamplingBilinear2d(scale_factor=2), (2, 3, 4, 5), (2, 3, 8, 10)),
    (nn.PixelShuffle(2), (2, 8, 3, 5), (2, 2, 6, 10)),
    (nn.PixelUnshuffle(2), (2, 2, 6, 10), (2, 8, 3, 5)),
    (nn.BatchNorm1d(3), (4, 3), (4, 3)),
    (nn.BatchNorm1d(3), (4, 3, 5), (4, 3, 5)),
    (nn.BatchNorm2d(3), (4, 3, 5, 5), (4, 3, 5, 5)),
    (nn.LayerNorm((3, 5)), (4, 3, 5), (4, 3, 5)),
    (nn.GroupNorm(2, 6), (4, 6, 5), (4, 6, 5)),
    (nn.LocalResponseNorm(3), (4, 6, 5), (4, 6, 5)),
    (nn.Dropout(), (4, 3), (4, 3)),
    (nn.VariationalDropout(), (4, 3, 2), (4, 3, 2)),
    (nn.PositionalEncoding(5), (4, 3, 5), (4, 3, 5)),
    (nn.LearnedPositionalEncoding(5, 6, batch_first=True), (4, 6, 5), (4, 6, 5)),
    (nn.TransformerEncoderLayer(6, 2, 8), (4, 3, 6), (4, 3, 6)),
    (nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 2), (4, 3, 6), (4, 3, 6)),
    (nn.Dropout1d(), (4, 3, 5), (4, 3, 5)),
    (nn.Dropout2d(), (4, 3, 5, 5), (4, 3, 5, 5)),
    (nn.AlphaDropout(), (4, 3), (4, 3)),
    (nn.Flatten(), (4, 3, 5), (4, 15)),
    (nn.Flatten(0, 1), (4, 3, 5), (12, 5)),
    (nn.Unflatten(-1, (3, -1)), (4, 15), (4, 3, 5)),
    *((act(), (4, 3), (4, 3)) for act in (nn.Tanh, nn.Sigmoid, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU)),
    *((act(), (4, 3), (4, 3)) for act in (nn.Softplus, nn.Softmax, nn.LogSoftmax, nn.PReLU)),
]


@pytest.mark.parametrize(("layer", "given", "expected"), LAYERS, ids=lambda value: str(value).partition("\n")[0])
def test_shapes_and_gradients(layer, given, expected):
    x = ct.tensor(np.linspace(-1, 1, int(np.prod(given)), dtype=np.float32).reshape(given), requires_grad=True)
    y = layer(x)
    assert y.shape == expected
    (y * y).sum().backward()
    for name, tensor in [("input", x), *layer.named_parameters()]:
        assert tensor.grad.shape == tensor.shape, name
        assert np.isfinite(tensor.grad.numpy()).all(), name


def test_every_layer_is_in_the_table():
    tabled = {type(layer) for layer, _, _ in LAYERS} | {nn.Embedding, nn.Module, nn.Parameter}
    containers = {nn.Sequential, nn.ModuleList, nn.ModuleDict}
    recurrent = {nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.LayerNormLSTM, nn.LayerNormGRU}
    attention = {nn.MultiheadAttention, nn.AdditiveAttention, nn.DotAttention}
    decoders = {nn.TransformerDecoderLayer, nn.TransformerDecoder, nn.Transformer}
    unpooling = {nn.MaxUnpool1d, nn.MaxUnpool2d}  # more than one input or result, as the next ones: test_unpooling.py
    elsewhere = unpooling | recurrent | attention | decoders  # test_recurrent*.py, test_attention.py
    public = {thing for thing in vars(nn).values() if inspect.isclass(thing)}
    losses = {thing for thing in public if thing.__name__.endswith("Loss")}
    assert public - losses - containers - elsewhere == tabled


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Linear(300, 200), 300),
        (nn.Conv1d(30, 100, 5), 150),
        (nn.Conv2d(32, 64, 3, groups=2), 144),
        (nn.ConvTranspose1d(100, 30, 5), 150),
        (nn.ConvTranspose2d(64, 32, 3, groups=2), 144),
    ],
    ids=str,
)
def test_weights_and_biases_start_uniform_within_one_over_root_fan_in(layer, fan_in):
    bound = fan_in**-0.5
    weight = layer.weight.detach().numpy().astype(np.float64)
    assert abs(weight).max() <= bound * (1 + 1e-6)
    assert abs(weight).max() > 0.99 * bound
    assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert abs(layer.bias.detach().numpy()).max() <= bound * (1 + 1e-6)
    before = weight.copy()
    layer.reset_parameters()
    assert (layer.weight.detach().numpy() != before).mean() > 0.99


def test_the_seed_fixes_a_network():
    ct.random.seed(3)
    first = nn.Linear(4, 4).weight.tolist()
    ct.random.seed(3)
    assert nn.Linear(4, 4).weight.tolist() == first
    assert nn.Linear(4, 4).weight.tolist() != first


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("make", [nn.Linear, nn.Embedding, lambda i, o, dtype: nn.Conv2d(i, o, 3, dtype=dtype)])
def test_dtype(make, dtype):
    assert {str(param.dtype) for param in make(2, 3, dtype=dtype).parameters()} == {dtype}


def test_batch_norm_tracks_statistics():
    norm = nn.BatchNorm2d(3, momentum=0.25, eps=1e-3)
    rng = np.random.default_rng(0)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(4):
        x = rng.normal(2, 3, (4, 3, 5, 6)).astype(np.float32)
        y = norm(ct.asarray(x)).detach().numpy()
        batch_mean, batch_var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        expected = (x - batch_mean[:, None, None]) / np.sqrt(batch_var + 1e-3)[:, None, None]
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
        mean = 0.75 * mean + 0.25 * batch_mean
        var = 0.75 * var + 0.25 * x.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), var, rtol=1e-5)
    assert norm.num_batches_tracked.item() == 4
    y = norm.eval()(ct.asarray(x)).detach().numpy()
    expected = (x - mean[:, None, None]) / np.sqrt(var + 1e-3)[:, None, None]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert norm.num_batches_tracked.item() == 4
    norm.reset_parameters()
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_var.tolist() == [1.0] * 3


def test_batch_norm_without_momentum_keeps_the_plain_average():
    norm = nn.BatchNorm1d(2, momentum=None)
    batches = np.random.default_rng(1).normal(size=(5, 8, 2)).astype(np.float32)
    for batch in batches:
        norm(ct.asarray(batch))
    np.testing.assert_allclose(norm.running_mean.numpy(), batches.mean(1).mean(0), atol=1e-6)
    np.testing.assert_allclose(norm.running_var.numpy(), batches.var(1, ddof=1).mean(0), rtol=1e-5)


def test_batch_norm_without_tracking_uses_the_batch_in_evaluation_too():
    norm = nn.BatchNorm1d(2, affine=False, track_running_stats=False).eval()
    assert norm.state_dict() == {}
    assert list(norm.parameters()) == []
    x = np.random.default_rng(1).normal(5, 2, size=(50, 2)).astype(np.float32)
    np.testing.assert_allclose(norm(ct.asarray(x)).numpy(), (x - x.mean(0)) / x.std(0), rtol=1e-3, atol=1e-4)


def test_norms_without_affine_parameters():
    assert list(nn.LayerNorm(3, elementwise_affine=False).state_dict()) == []
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    assert list(nn.GroupNorm(1, 3, affine=False).state_dict()) == []


def test_dropout():
    x = ct.ones((200, 100))
    drop = nn.Dropout(0.3)
    y = drop(x).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert (drop(x).numpy() != y).any()
    np.testing.assert_array_equal(drop.eval()(x).numpy(), x.numpy())
    assert nn.Dropout(1.0)(x).sum().item() == 0
    np.testing.assert_array_equal(nn.Dropout(0.0)(x).numpy(), x.numpy())


def test_embedding():
    layer = nn.Embedding(6, 3, padding_idx=-6)
    assert layer.padding_idx == 0
    assert layer.weight[0].tolist() == [0.0] * 3
    indices = ct.tensor([[1, 0], [1, 5]])
    y = layer(indices)
    np.testing.assert_array_equal(y.detach().numpy(), layer.weight.detach().numpy()[indices.numpy()])
    y.sum().backward()
    assert layer.weight.grad.numpy()[:, 0].tolist() == [0, 2, 0, 0, 0, 1]
    with pytest.raises(IndexError, match="Embedding 6, 3, padding_idx=0: "):
        layer(ct.tensor([6]))


def test_embedding_from_a_table():
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert layer(ct.tensor([2])).tolist() == [[4.0, 5.0]]
    assert not layer.weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match=r"expected \[V, D\]"):
        nn.Embedding.from_pretrained(table[0])


def test_max_pool_can_give_positions():
    values, places = nn.MaxPool1d(2, return_indices=True)(ct.tensor([[[1.0, 3.0, 2.0, 0.0]]]))
    assert values.tolist() == [[[3.0, 2.0]]]
    assert places.tolist() == [[[1, 2]]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), r"\[Conv2d\] groups got 2, expected a divisor"),
        (lambda: nn.Conv2d(0, 4, 3), "in_channels got 0"),
        (lambda: nn.Conv2d(3, 4, 0), "kernel_size got 0, expected an int >= 1 or 2 of them"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size got"),
        (lambda: nn.Conv2d(3, 4, 2.5), "kernel_size got 2.5"),
        (lambda: nn.Conv2d(3, 4, 3, padding="some"), "padding got 'some'"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding got -1"),
        (lambda: nn.Conv1d(3, 4, 3, padding_mode="mirror"), "padding_mode got 'mirror'"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), "padding got 'same'"),
        (lambda: nn.ConvTranspose1d(3, 4, 3, padding_mode="reflect"), "padding_mode got 'reflect'"),
        (lambda: nn.MaxPool2d(2, padding=2), "padding got 2, expected at most half"),
        (lambda: nn.AvgPool1d(2, stride=0), "stride got 0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "output_size got"),
        (lambda: nn.BatchNorm1d(0), "num_features got 0"),
        (lambda: nn.GroupNorm(4, 6), "num_groups got 4, expected a divisor"),
        (lambda: nn.LayerNorm((3, 0)), "normalized_shape got"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx got 3"),
        (lambda: nn.Dropout(1.5), r"p got 1.5, expected a probability in \[0, 1\]"),
        (lambda: nn.GELU("erf"), "approximate got 'erf'"),
        (lambda: nn.BatchNorm1d(3)(ct.ones((2, 3, 4, 5))), r"expected \[N, C\] or \[N, C, L\]"),
        (lambda: nn.BatchNorm2d(3)(ct.ones((2, 3))), r"expected \[N, C, H, W\]"),
        (lambda: nn.BatchNorm1d(3)(ct.ones((2, 4))), "BatchNorm1d 3"),
        (lambda: nn.LayerNorm(3)(ct.ones((2, 4))), "LayerNorm 3"),
        (lambda: nn.Conv2d(3, 4, 3)(ct.ones((2, 1, 8, 8))), "Conv2d 3 -> 4, kernel_size=3: "),
        (lambda: nn.Unflatten(1, (2, 3))(ct.ones((2, 7))), "Unflatten"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_unflatten_of_a_dimension_that_does_not_exist():
    with pytest.raises(IndexError, match="dim got 2, expected one of 2"):
        nn.Unflatten(2, (2, 3))(ct.ones((2, 6)))


def test_max_pool_windows_of_nothing_but_padding_give_minus_infinity_and_no_gradient():
    for size, kernel, padding, dilation in [((1, 5), 2, 1, 2), ((5, 1), 2, 1, 2), ((1, 40), 2, 1, 2)]:
        x = ct.random.normal(shape=(2, 3, *size)).requires_grad_()
        y, index = ct.max_pool2d(x, kernel, 1, padding, dilation, return_indices=True)
        nothing = y.detach().numpy() == -np.inf
        assert nothing.all(axis=(0, 1)).any()
        assert (index.numpy()[nothing] == -1).all()
        ct.where(ct.tensor(nothing), 0.0, y).sum().backward()
        assert x.grad.sum().item() == (~nothing).sum()


@pytest.mark.parametrize("layer", [nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d])
def test_convolution_of_one_image_without_its_axis(layer: type[nn.Module], rng: np.random.Generator) -> None:
    conv = layer(3, 5, 3, padding=1)
    x = ct.tensor(rng.normal(size=(3, 8, 8)[: 2 if "1d" in layer.__name__ else 3]), dtype="float32")
    np.testing.assert_array_equal(conv(x).detach().numpy(), conv(x[None])[0].detach().numpy())
