"""DeepFace's shapes and parameters, and its ways to tell faces apart, beside formulas in NumPy."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from cinta.models import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare

SMALL = {"in_channels": 1, "image_size": 32, "channels": (8, 8, 4, 4, 4), "kernel_sizes": (5, 3, 3, 3, 3)}
RNG = np.random.default_rng(0)


def array(tensor):
    return tensor.detach().numpy()


def test_the_papers_network():
    model = DeepFace()
    shapes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, inputs, y, name=name: shapes.update({name: y.shape[1:]}))
    with ct.no_grad():
        assert model.eval()(ct.zeros((1, 3, 152, 152))).shape == (1, 4030)
    maps = {"c1": (32, 142), "m2": (32, 71), "c3": (16, 63), "l4": (16, 55), "l5": (16, 25), "l6": (16, 21)}
    expected = {name: (channels, side, side) for name, (channels, side) in maps.items()}
    assert shapes == {**expected, "f7": (4096,), "dropout": (4096,), "f8": (4030,)}
    weights = {"c1": 11 * 11 * 3 * 32, "c3": 9 * 9 * 32 * 16, "l4": 55**2 * 9 * 9 * 16 * 16,
               "l5": 25**2 * 7 * 7 * 16 * 16, "l6": 21**2 * 5 * 5 * 16 * 16, "f7": 21**2 * 16 * 4096,
               "f8": 4096 * 4030}  # fmt: skip
    assert {name: getattr(model, name).weight.size for name in weights} == weights
    biases = 32 + 16 + 16 * (55**2 + 25**2 + 21**2) + 4096 + 4030
    # The paper rounds this to "more than 120 million".
    assert sum(p.size for p in model.parameters()) == sum(weights.values()) + biases == 118_923_774


def test_representation_precedes_dropout():
    model = DeepFace(5, features=32, dropout=1.0, **SMALL)
    x = ct.random.normal(shape=(3, 1, 32, 32))
    features = model.representation(x)
    assert float(features.min()) >= 0
    assert float(features.max()) > 0
    np.testing.assert_array_equal(array(model(x)), np.broadcast_to(array(model.f8.bias), (3, 5)))
    np.testing.assert_allclose(array(model.eval()(x)), array(model.f8(features)), rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image_size": 9}, r"\[DeepFace\] image_size got 9"),
        ({"channels": (1, 2, 3)}, r"\[DeepFace\] channels got \(1, 2, 3\), expected five numbers"),
        ({"people": 0}, r"\[DeepFace\] people got 0"),
        ({"kernel_sizes": (5, 3, 3, 3, 9)}, r"kernel_size got \(9, 9\)"),
    ],
)
def test_errors(given, message):
    with pytest.raises(ValueError, match=message):
        DeepFace(**{"people": 5, **SMALL, **given})


def test_normalized_features():
    train, x = RNG.uniform(0, 3, (20, 6)), RNG.uniform(0, 3, (4, 6))
    train[:, 2] = 0.001  # rarely active: divided by eps
    got = NormalizedFeatures(6).fit(train.astype(np.float32))(ct.tensor(x, dtype="float32")).numpy()
    expected = x / np.maximum(train.max(0), 0.05)
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)
    with pytest.raises(ValueError, match=r"\[NormalizedFeatures\] x got shape \(20, 5\), expected \[N, 6\]"):
        NormalizedFeatures(6).fit(train[:, :5])
    state = NormalizedFeatures(6)
    state.load_state_dict(NormalizedFeatures(6).fit(train).state_dict())
    np.testing.assert_allclose(state.largest.numpy(), train.max(0), rtol=1e-6)


def pairs(features=12, count=200):
    """Faces of 20 people: six features tell them apart, the others are noise; and whether pairs are one person."""
    people = RNG.uniform(0, 1, (20, features // 2))
    first, second = RNG.integers(0, 20, (2, count))
    second = np.where(RNG.random(count) < 0.5, first, second)
    faces = [np.hstack([people[who] + 0.05 * RNG.random((count, features // 2)), RNG.random((count, features // 2))])
             for who in (first, second)]  # fmt: skip
    return (*(ct.tensor(f, dtype="float32") for f in faces), first == second)


@pytest.mark.parametrize("metric", [WeightedChiSquare, SiameseL1])
def test_metrics(metric):
    a, b, same = pairs()
    x, y = a.numpy().astype(np.float64), b.numpy().astype(np.float64)
    terms = (x - y) ** 2 / (x + y) if metric is WeightedChiSquare else abs(x - y)
    model = metric(12)
    np.testing.assert_allclose(array(model(a, b)), terms.sum(1), rtol=1e-5)
    before = ((array(model.same(a, b)) > 0) == same).mean()
    assert model.fit(a, b, same, C=100.0) is model
    weight = array(model.weight)
    np.testing.assert_allclose(array(model(a, b)), terms @ weight, rtol=1e-4, atol=1e-5)
    assert ((array(model.same(a, b)) > 0) == same).mean() > max(before, 0.97)
    assert abs(weight[:6]).min() > 3 * abs(weight[6:]).max()  # noise is found out
    with pytest.raises(ValueError, match="expected some of one person and some of two"):
        model.fit(a, b, np.ones(200, bool))
    with pytest.raises(ValueError, match=r"got shapes \(200, 12\), \(200, 12\) and \(199,\)"):
        model.fit(a, b, same[1:])


def test_chi_square_of_nothing_and_below_zero():
    metric = WeightedChiSquare(3)
    zeros = ct.zeros((2, 3)).requires_grad_()
    metric(zeros, ct.zeros((2, 3))).sum().backward()
    np.testing.assert_array_equal(zeros.grad.numpy(), np.zeros((2, 3)))
    metric.load_state_dict({**metric.state_dict(), "weight": ct.tensor([-1.0, 2.0, 0.0])})
    assert metric(ct.ones((1, 3)), ct.zeros((1, 3))).tolist() == [2.0]
    a, b, same = pairs()
    assert float(WeightedChiSquare(12).fit(a, b, same).weight.min()) >= 0


def test_siamese_trains_the_network_below():
    ct.random.seed(0)
    model, metric = DeepFace(2, features=16, **SMALL), SiameseL1(16)
    a, b = ct.random.normal(shape=(2, 4, 1, 32, 32))
    logits = metric.same(model.representation(a), model.representation(b))
    nn.BCEWithLogitsLoss()(logits, ct.tensor([1.0, 0.0, 1.0, 0.0])).backward()
    for name in ("c1", "c3", "l4", "l5", "l6", "f7"):
        assert float(abs(getattr(model, name).weight.grad).max()) > 0, name
