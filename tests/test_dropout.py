"""Dropout layers, what they do at test time, and Monte-Carlo dropout."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn


def network(p=0.5):
    ct.random.seed(1)
    return nn.Sequential(nn.Linear(6, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 3))


def test_inverted_dropout_is_weights_times_one_minus_p_at_test_time():
    """The lecture's form: masks alone in training, weights behind them times 1 - p at test time."""
    p, rng = 0.3, np.random.default_rng(0)
    w, x = rng.normal(size=(5, 40)), rng.normal(size=(8, 40))
    layer = nn.Sequential(nn.Dropout(p), nn.Linear(40, 5, bias=False)).double()
    layer[1].load_state_dict({"weight": w * (1 - p)})  # what is learned with inverted dropout, from the lecture's w
    np.testing.assert_allclose(layer.eval()(ct.tensor(x)).detach().numpy(), x @ ((1 - p) * w).T, rtol=1e-12)
    ct.random.seed(3)
    y = layer.train()(ct.tensor(x)).detach().numpy()
    ct.random.seed(3)
    mask = nn.Dropout(p)(ct.ones((8, 40), dtype="float64")).numpy() > 0
    np.testing.assert_allclose(y, (x * mask) @ w.T, rtol=1e-12)  # in training the lecture's net, to the digit


@pytest.mark.parametrize("layer", [nn.Dropout, nn.Dropout1d, nn.AlphaDropout])
def test_mean_is_kept(layer):
    x = ct.random.normal(shape=(200, 100, 8))
    y = layer(0.4)(x)
    assert abs(float((y - x).mean())) < 0.02


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "AlphaDropout"])
def test_probability_is_checked(name):
    with pytest.raises(ValueError, match=rf"\[{name}\] p got 1.5, expected a probability"):
        getattr(nn, name)(1.5)


def test_channel_dropout_checks_the_rank_and_takes_empty_batches():
    with pytest.raises(ValueError, match=r"input has shape \[2, 3\], expected \[N, C, H, W\]"):
        nn.Dropout2d()(ct.ones((2, 3)))
    assert nn.Dropout2d()(ct.ones((0, 3, 4, 4))).shape == (0, 3, 4, 4)


def test_gradient_goes_where_values_went():
    x = ct.tensor(np.ones((20, 6, 3, 3)), requires_grad=True)
    y = nn.Dropout2d(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


class TestMonteCarlo:
    def test_mean_and_spread_are_those_of_passes_by_hand(self):
        net, x = network().eval(), ct.random.normal(shape=(7, 6))
        got = ct.mc_dropout(net, x, samples=5, seed=9)
        ct.random.seed(9)
        net[3].training = True
        with ct.no_grad():
            passes = np.stack([ct.softmax(net(x), axis=1).numpy() for _ in range(5)])
        np.testing.assert_allclose(got.mean.numpy(), passes.mean(0), rtol=1e-6)
        np.testing.assert_allclose(got.std.numpy(), passes.std(0), rtol=1e-4, atol=1e-7)

    def test_is_deterministic_by_seed_and_leaves_the_stream_and_the_modes(self):
        net, x = network(), ct.random.normal(shape=(7, 6))
        net[0].eval()
        before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
        modes, state = [module.training for module in net.modules()], ct.random.get_state()
        first, second = (ct.mc_dropout(net, x, samples=3, seed=5) for _ in range(2))
        np.testing.assert_array_equal(first.mean.numpy(), second.mean.numpy())
        assert [module.training for module in net.modules()] == modes
        assert ct.random.get_state() == state
        for name, value in net.state_dict().items():  # running statistics too
            np.testing.assert_array_equal(value.numpy(), before[name])
        third = ct.mc_dropout(net, x, samples=3)
        assert ct.random.get_state() != state
        assert (third.mean.numpy() != first.mean.numpy()).any()

    def test_modes_come_back_after_an_error(self):
        net = network()
        with pytest.raises(ValueError, match="features"):
            ct.mc_dropout(net, ct.ones((2, 5)), seed=1)
        assert all(module.training for module in net.modules())

    def test_values_and_sigmoid(self):
        net, x = network(0.5), ct.random.normal(shape=(300, 6))
        values = ct.mc_dropout(net, x, samples=2, seed=1, activation="identity", batch_size=300)
        probabilities = ct.mc_dropout(net, x, samples=2, seed=1, activation="sigmoid", batch_size=300)
        assert values.mean.numpy().min() < 0 < probabilities.mean.numpy().min()
        assert ct.mc_dropout(net, ct.ones((0, 6)), samples=2).mean.shape == (0, 3)

    def test_bad_arguments(self):
        net, x = network(), ct.ones((2, 6))
        with pytest.raises(ValueError, match=r"\[mc_dropout\] Linear has no dropout layers"):
            ct.mc_dropout(nn.Linear(6, 3), x)
        with pytest.raises(ValueError, match=r"samples got 0"):
            ct.mc_dropout(net, x, samples=0)
        with pytest.raises(ValueError, match=r"batch_size got 0"):
            ct.mc_dropout(net, x, batch_size=0)
        with pytest.raises(ValueError, match=r"activation got 'tanh'"):
            ct.mc_dropout(net, x, activation="tanh")
