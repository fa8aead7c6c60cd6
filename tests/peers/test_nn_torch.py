"""Layers and losses beside PyTorch's: the same weights by state_dict, the same outputs and gradients."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
tnn = torch.nn

# Name, arguments, keyword arguments, input shape.
LAYERS = [
    ("Identity", (), {}, (2, 3)),
    ("Linear", (7, 5), {}, (4, 7)),
    ("Linear", (7, 5), {"bias": False}, (2, 3, 7)),
    ("Conv1d", (4, 6, 3), {}, (2, 4, 11)),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}, (2, 4, 11)),
    ("Conv1d", (4, 6, 4), {"padding": "same"}, (2, 4, 11)),
    ("Conv1d", (4, 6, 3), {"padding": 2, "padding_mode": "replicate"}, (2, 4, 11)),
    ("Conv2d", (1, 6, 5), {"padding": 2}, (2, 1, 12, 12)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (0, 1), "dilation": (1, 2), "groups": 2}, (2, 4, 9, 8)),
    ("Conv2d", (4, 4, 3), {"groups": 4, "bias": False}, (2, 4, 9, 8)),
    ("Conv2d", (2, 3, 3), {"padding": "same", "dilation": 2}, (2, 2, 9, 8)),
    ("Conv2d", (2, 3, 3), {"padding": "valid"}, (2, 2, 9, 8)),
    ("Conv2d", (2, 3, 3), {"padding": (2, 1), "padding_mode": "reflect"}, (2, 2, 9, 8)),
    ("Conv2d", (2, 3, 4), {"padding": "same", "padding_mode": "circular"}, (2, 2, 9, 8)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, (2, 4, 7)),
    ("ConvTranspose2d", (4, 6, 3), {}, (2, 4, 5, 6)),
    ("ConvTranspose2d", (4, 6, (4, 3)), {"stride": (2, 3), "padding": 1, "dilation": (1, 2)}, (2, 4, 5, 6)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "output_padding": 1, "groups": 2, "bias": False}, (2, 4, 5, 6)),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "dilation": 2}, (2, 3, 12)),
    ("MaxPool2d", (2,), {}, (2, 3, 8, 8)),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": (1, 0), "ceil_mode": True}, (2, 3, 8, 7)),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 12)),
    ("AvgPool2d", (2,), {}, (2, 3, 8, 8)),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, (2, 3, 8, 7)),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 8, 7)),
    ("AvgPool2d", (2,), {"divisor_override": 3}, (2, 3, 8, 7)),
    ("AdaptiveAvgPool1d", (5,), {}, (2, 3, 12)),
    ("AdaptiveAvgPool2d", ((3, None),), {}, (2, 3, 8, 7)),
    ("AdaptiveMaxPool1d", (5,), {}, (2, 3, 12)),
    ("AdaptiveMaxPool2d", ((3, None),), {}, (2, 3, 8, 7)),
    ("LPPool1d", (2, 3), {"stride": 2, "ceil_mode": True}, (2, 3, 12)),
    ("LPPool2d", (2, (3, 2)), {"ceil_mode": True}, (2, 3, 8, 7)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 5)),
    ("Upsample", (), {"size": 13, "mode": "linear"}, (2, 3, 5)),
    ("Upsample", (), {"scale_factor": (2, 1.5), "mode": "bilinear"}, (2, 3, 5, 7)),
    ("Upsample", (), {"size": (9, 3), "mode": "bicubic", "align_corners": True}, (2, 3, 5, 7)),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, (2, 3, 5, 7)),
    ("UpsamplingBilinear2d", ((9, 10),), {}, (2, 3, 5, 7)),
    ("PixelShuffle", (2,), {}, (2, 12, 3, 4)),
    ("PixelUnshuffle", (3,), {}, (2, 2, 6, 3)),
    ("BatchNorm1d", (4,), {}, (6, 4)),
    ("BatchNorm1d", (4,), {"momentum": None, "eps": 1e-3}, (6, 4, 5)),
    ("BatchNorm2d", (4,), {"momentum": 0.3}, (3, 4, 5, 6)),
    ("BatchNorm2d", (4,), {"affine": False, "track_running_stats": False}, (3, 4, 5, 6)),
    ("LayerNorm", (6,), {}, (3, 5, 6)),
    ("LayerNorm", ((5, 6),), {"eps": 1e-2, "bias": False}, (3, 5, 6)),
    ("GroupNorm", (2, 6), {}, (3, 6, 5)),
    ("LocalResponseNorm", (5,), {}, (2, 7, 4, 3)),
    ("LocalResponseNorm", (4,), {"alpha": 0.3, "beta": 0.6, "k": 2.0}, (2, 7, 5)),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Flatten", (), {"start_dim": 0, "end_dim": 1}, (2, 3, 4)),
    ("Unflatten", (1, (3, 4)), {}, (2, 12)),
    ("Tanh", (), {}, (4, 9)),
    ("Sigmoid", (), {}, (4, 9)),
    ("ReLU", (), {}, (4, 9)),
    ("LeakyReLU", (0.2,), {}, (4, 9)),
    ("PReLU", (), {}, (4, 9)),
    ("PReLU", (3,), {"init": 0.1}, (4, 3, 5)),
    ("ELU", (), {"alpha": 0.7}, (4, 9)),
    ("GELU", (), {}, (4, 9)),
    ("GELU", (), {"approximate": "tanh"}, (4, 9)),
    ("SiLU", (), {}, (4, 9)),
    ("Softplus", (), {"beta": 2, "threshold": 3}, (4, 9)),
    ("Softmax", (), {"dim": 0}, (4, 9)),
    ("LogSoftmax", (), {"dim": -1}, (4, 9)),
]


def ids(value):
    return value if isinstance(value, str) else ""


def close(actual, expected, what):
    actual = actual.detach().numpy()
    expected = expected.detach().numpy()
    assert actual.shape == expected.shape, what
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-10, err_msg=what)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS, ids=ids)
def test_layer(name, args, options, shape, training):
    theirs = getattr(tnn, name)(*args, **options).double()
    ours = getattr(nn, name)(*args, **options).double()
    for param in theirs.parameters():
        torch.nn.init.normal_(param)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(3)
    for _ in range(2):  # the second pass in evaluation mode: what the first one tracked is used
        x = rng.normal(size=shape)
        a, b = ct.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = ours(a), theirs(b)
        close(y, z, "output")
        slope = rng.normal(size=shape)[(0,) * len(shape)] + rng.normal(size=tuple(z.shape))
        (y * ct.tensor(slope)).sum().backward()
        (z * torch.tensor(slope)).sum().backward()
        close(a.grad, b.grad, "gradient of the input")
        for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            close(p.grad, q.grad, f"gradient of {key}")
        ours.train(training), theirs.train(training)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for key, tensor in ours.state_dict().items():
        close(tensor, state[key], key)


def test_embedding():
    theirs, ours = tnn.Embedding(7, 3, padding_idx=2).double(), nn.Embedding(7, 3, padding_idx=2).double()
    ours.load_state_dict(theirs.state_dict())
    indices = np.array([[1, 2, 1], [6, 0, 2]])
    y, z = ours(ct.tensor(indices)), theirs(torch.tensor(indices))
    close(y, z, "output")
    (y * y).sum().backward()
    (z * z).sum().backward()
    close(ours.weight.grad, theirs.weight.grad, "gradient")


RNG = np.random.default_rng(4)
SCORES = RNG.normal(size=(5, 4, 3))
CLASSES = RNG.integers(0, 4, (5, 3))
WEIGHTS = RNG.uniform(0.5, 2, 4)
UNIT = RNG.uniform(0.02, 0.98, (5, 4))
LOG = np.log(UNIT / UNIT.sum(1, keepdims=True))
TARGET = RNG.normal(size=(5, 4))

# Name, keyword arguments, input, target.
LOSSES = [
    ("CrossEntropyLoss", {}, SCORES, CLASSES),
    ("CrossEntropyLoss", {"weight": WEIGHTS, "label_smoothing": 0.1, "ignore_index": 2}, SCORES, CLASSES),
    ("CrossEntropyLoss", {"weight": WEIGHTS, "label_smoothing": 0.1}, TARGET, np.exp(LOG)),
    ("NLLLoss", {"weight": WEIGHTS, "ignore_index": 0}, LOG, CLASSES[:, 0]),
    ("MSELoss", {}, UNIT, TARGET),
    ("L1Loss", {}, UNIT, TARGET),
    ("HuberLoss", {"delta": 0.4}, UNIT, TARGET),
    ("SmoothL1Loss", {"beta": 0.4}, UNIT, TARGET),
    ("BCELoss", {"weight": WEIGHTS}, UNIT, UNIT[::-1].copy()),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHTS, "weight": WEIGHTS[::-1].copy()}, TARGET, UNIT),
    ("KLDivLoss", {}, LOG, np.exp(LOG[::-1])),
    ("KLDivLoss", {"log_target": True}, LOG, LOG[::-1].copy()),
    ("MultiMarginLoss", {}, TARGET, CLASSES[:, 0]),
    ("MultiMarginLoss", {"p": 2, "margin": 0.6, "weight": WEIGHTS}, TARGET, CLASSES[:, 0]),
    ("MultiMarginLoss", {}, TARGET[0], CLASSES[0, 0]),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "x", "target"), LOSSES, ids=ids)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_loss(name, options, x, target, reduction):
    def build(kinds, tensor):
        given = {key: tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
        return getattr(kinds, name)(**given, reduction=reduction)

    a, b = ct.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = build(nn, ct.tensor)(a, ct.tensor(target)), build(tnn, torch.tensor)(b, torch.tensor(target))
    close(y, z, "loss")
    (y * y).sum().backward()
    (z * z).sum().backward()
    close(a.grad, b.grad, "gradient")


def test_a_whole_networks_state_goes_both_ways():
    def build(kinds):
        return kinds.Sequential(
            kinds.Conv2d(1, 4, 3), kinds.BatchNorm2d(4), kinds.ReLU(), kinds.Flatten(), kinds.Linear(144, 5)
        )

    ours, theirs = build(nn), build(tnn)
    x = RNG.normal(size=(2, 1, 8, 8)).astype(np.float32)
    theirs(torch.tensor(x))
    ours.load_state_dict(theirs.state_dict())
    expected = theirs.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(ct.tensor(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    ours.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
    theirs.load_state_dict({key: torch.from_numpy(t.numpy().copy()) for key, t in ours.state_dict().items()})
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(ct.tensor(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_bfloat16_weights_load():
    theirs = tnn.Linear(4, 3, dtype=torch.bfloat16)
    ours = nn.Linear(4, 3, dtype="bfloat16")
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(
        ours.weight.detach().astype("float32").numpy(), theirs.weight.detach().float().numpy()
    )


def test_default_initialisation_has_pytorchs_spread():
    for name, args in [("Linear", (300, 400)), ("Conv2d", (64, 64, 3)), ("ConvTranspose2d", (32, 96, 3))]:
        for key, ours in getattr(nn, name)(*args).named_parameters():
            theirs = dict(getattr(tnn, name)(*args).named_parameters())[key].detach().numpy()
            ours = ours.detach().numpy()
            count = min(ours.size, 1000)
            assert ours.std() == pytest.approx(theirs.std(), rel=3 / count**0.5), (name, key)
            assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=0.1), (name, key)


def test_gains():
    for name in ["linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"]:
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name)), name
    assert nn.init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


@pytest.mark.parametrize(
    ("name", "shape"), [("Dropout", (40, 50)), ("Dropout1d", (40, 30, 5)), ("Dropout2d", (40, 30, 4, 3)),
                        ("Dropout1d", (400, 5)), ("AlphaDropout", (40, 50))]
)  # fmt: skip
def test_dropout(name, shape):
    """The same values, in the same patterns, about as often."""
    x = np.ones(shape, np.float32)
    ours, theirs = getattr(nn, name)(0.3), getattr(tnn, name)(0.3)
    y, z = ours(ct.tensor(x)).numpy(), theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(np.unique(y), np.unique(z), rtol=1e-6)
    assert abs((y == y.min()).mean() - 0.3) < 0.08
    channels = {"Dropout1d": shape[:-1], "Dropout2d": shape[:-2]}.get(name, shape)
    for values in (y, z):
        assert (np.ptp(values.reshape(*channels, -1), axis=-1) == 0).all()
    ours.eval()
    np.testing.assert_array_equal(ours(ct.tensor(x)).numpy(), x)
    for p in (0.0, 1.0):
        y, z = getattr(nn, name)(p)(ct.tensor(x)).numpy(), getattr(tnn, name)(p)(torch.from_numpy(x)).numpy()
        np.testing.assert_array_equal(y, z)
