"""Ensembles: every member is the network trained alone; what cannot be stacked says so."""

import warnings

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

F = nn.functional
loss_of = ct.ensemble.EnsembleLoss(F.cross_entropy)


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Residual(nn.Module):
    """A module as users write them."""

    def __init__(self, channels):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.norm(self.conv(x)))


class Convnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1, padding_mode="reflect")
        self.blocks = nn.ModuleList([Residual(6), Residual(6)])
        self.head = nn.Linear(96, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.reshape(-1, 96))


class Scale(nn.Module):
    """A layer with a parameter of its own."""

    def __init__(self, features):
        super().__init__()
        self.factor = nn.Parameter(ct.random.normal(1.0, 0.1, shape=(features,)))

    def forward(self, x):
        return x * self.factor


IMAGE, WORDS = (1, 8, 8), (5,)
NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)), (6,)),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), Scale(16), nn.Linear(16, 3)), (6,)),
    "plain average": (
        lambda: nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8, momentum=None), nn.Linear(8, 3)), (6,)),
    "layer norm": (
        lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), nn.LayerNorm((2, 3)), nn.Linear(3, 4), nn.Flatten(),
                              nn.GELU(), nn.LayerNorm(8, elementwise_affine=False), nn.Linear(8, 3)), (6,)),
    "lenet": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 2, groups=2),
                              nn.GroupNorm(2, 6), nn.Flatten(), nn.Linear(24, 3)), IMAGE),
    "modules of one's own": (Convnet, IMAGE),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(1, 2, 2, stride=2), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
                              nn.Linear(18, 3)), IMAGE),
    "sequences": (
        lambda: nn.Sequential(nn.Embedding(20, 4, padding_idx=0), nn.Unflatten(1, (5,)), nn.Linear(4, 4), nn.ReLU(),
                              nn.Flatten(), nn.Unflatten(1, (4, 5)), nn.Conv1d(4, 4, 3), nn.BatchNorm1d(4),
                              nn.Flatten(), nn.Linear(12, 3)), WORDS),
}  # fmt: skip


def batches(shape, count=6, size=12):
    rng = np.random.default_rng(4)
    inputs = rng.integers(0, 20, (count, size, *shape)) if shape == WORDS else rng.normal(size=(count, size, *shape))
    inputs = inputs if shape == WORDS else inputs.astype(np.float32)
    return [(ct.tensor(x), ct.tensor(y)) for x, y in zip(inputs, rng.integers(0, 3, (count, size)))]


def train(model, loss, data, compiled, **how):
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        total = loss(model(x, **how), y, **how)
        total.backward()
        optimizer.step()
        return total

    step = ct.compile(step) if compiled else step
    return [step(x, y).item() for x, y in data]


def alone(make, seed, data, compiled=False):
    ct.random.seed(seed)
    net = make()
    return net, train(net, F.cross_entropy, data, compiled)


def assert_same(member, net, tolerance=2e-5):
    """Every weight and statistic agrees up to float32 rounding, grown over a few steps."""
    for (name, got), expected in zip(member.state_dict().items(), net.state_dict().values(), strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", NETWORKS)
def test_members_are_networks_trained_alone(name, compiled):
    make, shape = NETWORKS[name]
    if name == "plain average" and compiled:
        pytest.skip("momentum=None reads its count of batches, which no recording can")
    data = batches(shape)
    ensemble = ct.Ensemble(make, members=3, seed=7)
    assert ensemble.batched
    total = train(ensemble, loss_of, data, compiled)
    nets, losses = zip(*(alone(make, 7 + n, data, compiled) for n in range(3)))
    np.testing.assert_allclose(total, np.sum(losses, 0), rtol=1e-5)
    for member, net in zip(ensemble.members(), nets):
        assert_same(member, net)


@pytest.mark.parametrize("bootstrap", [False, True])
def test_each_member_its_own_minibatches(bootstrap):
    make, _ = NETWORKS["batch norm"]
    rng = np.random.default_rng(0)
    x, y = ct.tensor(rng.normal(size=(40, 6)).astype(np.float32)), ct.tensor(rng.integers(0, 3, 40))
    rows = ct.ensemble.orders(40, members=4, seed=2, bootstrap=bootstrap)
    ensemble = ct.Ensemble(make, members=4, seed=2)
    train(ensemble, loss_of, [(x[rows[:, i : i + 10]], y[rows[:, i : i + 10]]) for i in range(0, 40, 10)], True,
          each=True)  # fmt: skip
    for n, member in enumerate(ensemble.members()):
        order = ct.ensemble.orders(40, members=1, seed=2 + n, bootstrap=bootstrap)[0]
        net, _ = alone(make, 2 + n, [(x[order[i : i + 10]], y[order[i : i + 10]]) for i in range(0, 40, 10)])
        assert_same(member, net)


def test_orders():
    rows = ct.ensemble.orders(50, 3, seed=1)
    assert rows.shape == (3, 50)
    assert (np.sort(rows, axis=1) == np.arange(50)).all()
    assert (rows[1] == ct.ensemble.orders(50, 1, seed=2)[0]).all()
    assert (rows != ct.ensemble.orders(50, 3, seed=1, epoch=1)).any()
    bags = [ct.ensemble.orders(50, 3, epoch=epoch, bootstrap=True) for epoch in range(2)]
    assert (bags[0] != bags[1]).any()
    assert (np.sort(bags[0], axis=1) == np.sort(bags[1], axis=1)).all()  # a member's bag is the same in every epoch
    assert 20 < len(np.unique(bags[0][0])) < 45
    with pytest.raises(ValueError, match=r"\[orders\] samples got 0, expected at least 1"):
        ct.ensemble.orders(0, 3)


def test_same_bits_for_any_number_of_threads_compiled_or_not():
    make = lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(288, 3))  # noqa: E731
    threads, results = ct.get_num_threads(), []
    try:
        for count, compiled in ((1, False), (3, False), (1, True)):
            ct.set_num_threads(count)
            ensemble = ct.Ensemble(make, members=4)
            ct.random.seed(5)
            train(ensemble, loss_of, batches(IMAGE, size=32), compiled)
            results.append(ensemble.network[4].weight.detach().numpy().tobytes())
    finally:
        ct.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


def test_a_trainer_trains_it():
    make, shape = NETWORKS["mlp"]
    data = batches(shape)
    ensemble, hand = (ct.Ensemble(make, members=3, seed=1) for _ in range(2))
    optimizer = optim.SGD(ensemble.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    ct.Trainer(ensemble, optimizer, loss_of, progress=False).fit(data, shuffle=False)
    train(hand, loss_of, data, False)
    np.testing.assert_array_equal(ensemble.network[0].weight.detach().numpy(), hand.network[0].weight.detach().numpy())


class TestLoss:
    y = np.random.default_rng(1).normal(size=(3, 8, 4)).astype(np.float32)

    @pytest.mark.parametrize("each", [False, True])
    @pytest.mark.parametrize(
        "loss", [F.cross_entropy, nn.CrossEntropyLoss(), nn.CrossEntropyLoss(ct.tensor([1.0, 2.0, 0.5, 3.0])),
                 nn.CrossEntropyLoss(reduction="sum"), nn.CrossEntropyLoss(ignore_index=2, label_smoothing=0.1),
                 lambda y, t: F.cross_entropy(y, t) ** 2]
    )  # fmt: skip
    def test_is_the_sum_of_the_members_losses(self, loss, each):
        targets = np.random.default_rng(2).integers(0, 4, (3, 8) if each else 8)
        y = ct.tensor(self.y, requires_grad=True)
        got = ct.ensemble.EnsembleLoss(loss)(y, targets, each=each)
        got.backward()
        separate = [ct.tensor(part, requires_grad=True) for part in self.y]
        losses = [loss(part, ct.tensor(targets[n] if each else targets)) for n, part in enumerate(separate)]
        for value in losses:
            value.backward()
        assert got.item() == pytest.approx(sum(value.item() for value in losses), rel=1e-6)
        np.testing.assert_allclose(y.grad.numpy(), [part.grad.numpy() for part in separate], rtol=1e-5, atol=1e-8)
        each_loss = ct.ensemble.EnsembleLoss(loss, reduction="none")(y.detach(), targets, each=each)
        np.testing.assert_allclose(each_loss.numpy(), [value.item() for value in losses], rtol=1e-5)

    @pytest.mark.parametrize("loss", [F.mse_loss, nn.HuberLoss(), nn.KLDivLoss("batchmean")])
    def test_of_values(self, loss):
        targets = np.random.default_rng(2).uniform(size=(8, 4)).astype(np.float32)
        got = ct.ensemble.EnsembleLoss(loss)(ct.tensor(self.y), targets)
        assert got.item() == pytest.approx(sum(loss(ct.tensor(y), ct.tensor(targets)).item() for y in self.y), rel=1e-5)

    def test_bad_arguments(self):
        with pytest.raises(TypeError, match=r"\[EnsembleLoss\] loss got a str"):
            ct.ensemble.EnsembleLoss("mse")
        with pytest.raises(ValueError, match="reduction got 'mean'"):
            ct.ensemble.EnsembleLoss(F.mse_loss, reduction="mean")
        with pytest.raises(ValueError, match="for each=True"):
            loss_of(ct.tensor(self.y), np.zeros(8, np.int64), each=True)


class TestPredictions:
    def test_average_of_the_members(self):
        make, shape = NETWORKS["batch norm"]
        ensemble, x = ct.Ensemble(make, members=5), ct.random.normal(shape=(30, *shape))
        train(ensemble, loss_of, batches(shape), False)
        with ct.no_grad():
            every = np.stack([ct.softmax(member.eval()(x), axis=1).numpy() for member in ensemble.members()])
        np.testing.assert_allclose(ensemble.predictions(x, batch_size=7).numpy(), every, rtol=1e-5, atol=1e-7)
        mean, std = ensemble.predict(x, return_std=True)
        np.testing.assert_allclose(mean.numpy(), every.mean(0), rtol=1e-5)
        np.testing.assert_allclose(std.numpy(), every.std(0), rtol=1e-3, atol=1e-6)
        assert all(module.training for module in ensemble.modules())
        assert not mean.requires_grad
        assert ensemble.predict(ct.ones((0, *shape))).shape == (0, 3)

    def test_values(self):
        ensemble = ct.Ensemble([nn.Linear(4, 1) for _ in range(3)], activation="identity")
        x = ct.random.normal(shape=(5, 4))
        expected = np.mean([member(x).detach().numpy() for member in ensemble.members()], 0)
        np.testing.assert_allclose(ensemble.predict(x).numpy(), expected, rtol=1e-5, atol=1e-7)

    def test_monte_carlo_dropout_of_an_ensemble_layer_by_layer(self):
        make = lambda: nn.Sequential(nn.Linear(6, 30), nn.Dropout(0.5), nn.Linear(30, 3))  # noqa: E731
        ensemble = ct.Ensemble(make, members=4)
        y = ensemble(ct.ones((1, 6))).detach().numpy()
        ensemble.eval()
        assert (y != ensemble(ct.ones((1, 6))).detach().numpy()).any()
        masks = ct.Ensemble(lambda: nn.Sequential(nn.Dropout(0.5)), members=2, batched=True)
        assert len(masks.members()) == 2
        drawn = masks(ct.ones((1, 64))).numpy()
        assert (drawn[0] != drawn[1]).any()  # each member has draws of its own


class TestState:
    def test_both_forms(self):
        make, shape = NETWORKS["modules of one's own"]
        ensemble, other = (ct.Ensemble(make, members=3, seed=seed) for seed in (0, 10))
        x = ct.random.normal(shape=(4, *shape))
        other.load_state_dict(ensemble.state_dict())
        np.testing.assert_array_equal(other.predict(x).numpy(), ensemble.predict(x).numpy())
        states = ensemble.member_state_dicts()
        net = make()
        net.load_state_dict(states[2])
        assert_same(ensemble.members()[2], net, 0)
        third = ct.Ensemble(make, members=3, seed=20, batched=False)
        third.load_member_state_dicts([net.state_dict() for net in ensemble.members()])
        np.testing.assert_allclose(third.predict(x).numpy(), ensemble.predict(x).numpy(), rtol=1e-5, atol=1e-7)
        other.load_member_state_dicts(third.member_state_dicts())
        np.testing.assert_array_equal(other.predict(x).numpy(), ensemble.predict(x).numpy())

    def test_all_or_nothing(self):
        make, _ = NETWORKS["mlp"]
        ensemble = ct.Ensemble(make, members=2)
        before = ensemble.network[0].weight.detach().numpy().copy()
        good = make().state_dict()
        with pytest.raises(ValueError, match="shape"):
            ensemble.load_member_state_dicts([good, {**good, "2.bias": ct.ones(7)}])
        with pytest.raises(ValueError, match="got 1 members' state, expected 2"):
            ensemble.load_member_state_dicts([good])
        np.testing.assert_array_equal(ensemble.network[0].weight.detach().numpy(), before)

    def test_a_file(self, tmp_path):
        ensemble, other = (ct.Ensemble(NETWORKS["mlp"][0], members=2, seed=seed) for seed in (0, 10))
        ct.save(tmp_path / "ensemble.safetensors", ensemble.state_dict())
        other.load_state_dict(ct.load(tmp_path / "ensemble.safetensors"))
        np.testing.assert_array_equal(
            other.network[2].weight.detach().numpy(), ensemble.network[2].weight.detach().numpy()
        )

    def test_double_precision_stays(self):
        ensemble = ct.Ensemble(NETWORKS["batch norm"][0], members=2).double()
        x = ct.random.normal(shape=(4, 6), dtype="float64")
        assert ensemble(x).dtype is ct.float64
        states = [member.state_dict() for member in ensemble.members()]
        assert states[0]["0.weight"].dtype is ct.float64
        before = ensemble.predict(x).numpy()
        ensemble.load_member_state_dicts(states)
        np.testing.assert_array_equal(ensemble.predict(x).numpy(), before)

    def test_members_are_copies_with_the_modes(self):
        ensemble = ct.Ensemble(NETWORKS["batch norm"][0], members=2).eval()
        member = ensemble.members()[0]
        assert not any(module.training for module in member.modules())
        with ct.no_grad():
            member[0].weight.zero_()
        assert abs(ensemble.network[0].weight).sum().item() > 0


class TestWhatCannotBeStacked:
    def test_says_so_and_runs_one_after_the_other(self):
        class Token(nn.Module):
            def __init__(self):
                super().__init__()
                self.token, self.head = nn.Parameter(ct.random.normal(shape=(6,))), nn.Linear(6, 3)

            def forward(self, x):
                return self.head(x + self.token)

        with pytest.warns(RuntimeWarning, match=r"a Token has both parameters of its own \(token\)"):
            ensemble = ct.Ensemble(Token, members=3, seed=7)
        assert not ensemble.batched
        data = batches((6,))
        train(ensemble, loss_of, data, True)
        for n, member in enumerate(ensemble.members()):
            assert_same(member, alone(Token, 7 + n, data)[0])
        with pytest.raises(ValueError, match=r"\[stack\] a Token has both"):
            ct.Ensemble(Token, members=3, batched=True)

    @pytest.mark.parametrize("compiled", [False, True])
    def test_a_module_that_mixes_examples_is_found(self, compiled):
        class Centred(nn.Module):
            def forward(self, x):
                return x - x.mean(0) if self.training else x

        ensemble = ct.Ensemble(lambda: nn.Sequential(nn.Linear(6, 4), Centred(), nn.Linear(4, 3)), members=3)
        with pytest.raises(RuntimeError, match="stacked does not compute what its members compute"):
            train(ensemble, loss_of, batches((6,)), compiled)

    @pytest.mark.parametrize("layer", [nn.Softmax(0), nn.Unflatten(0, (2, -1))], ids=repr)
    def test_layers_along_the_first_axis_are_found(self, layer):
        ensemble = ct.Ensemble(lambda: nn.Sequential(nn.Linear(6, 4), layer), members=3)
        with pytest.raises(RuntimeError, match="stacked does not compute what its members compute"):
            ensemble(ct.random.normal(shape=(4, 6)))
        joined = ct.Ensemble(lambda: nn.Sequential(nn.Linear(6, 4), nn.Flatten(0, 1)), members=3)  # member by member
        assert joined(ct.ones((4, 6))).shape == (3, 16)

    def test_functional_dropout_is_fine_and_the_stream_goes_on_as_ever(self):
        class Noisy(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(6, 4)

            def forward(self, x):
                return F.dropout(self.layer(x), 0.5, self.training)

        x = ct.random.normal(shape=(4, 6))
        ensemble = ct.Ensemble(Noisy, members=3)
        ct.random.seed(1)
        first = ensemble(x)
        ct.random.seed(1)
        assert (first == ensemble(x)).all()

    def test_a_module_that_reaches_for_weights_is_found(self):
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 4)

            def forward(self, x):
                return self.layer(x) @ self.layer.weight

        with pytest.raises(RuntimeError, match="use its layers by calling them"):
            ct.Ensemble(Tied, members=3)(ct.ones((2, 4)))

    def test_networks_that_differ(self):
        pairs = {
            "different layers: ReLU and Tanh": (nn.ReLU(), nn.Tanh()),
            "differs in out_features": (nn.Linear(4, 3), nn.Linear(4, 2)),
            "differs in p": (nn.Dropout(0.1), nn.Dropout(0.2)),
            "differs in the shape or dtype of bias": (nn.Linear(4, 3), nn.Linear(4, 3, bias=False)),
            "differs in stride": (nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2)),
        }
        for message, (a, b) in pairs.items():
            with pytest.raises(ValueError, match=message):
                ct.ensemble.stack([nn.Sequential(a), nn.Sequential(b)])

    def test_shared_layers(self):
        def make():
            layer = nn.Linear(4, 4)
            return nn.Sequential(layer, nn.Tanh(), layer)

        ensemble = ct.Ensemble(make, members=2)
        assert ensemble.network[0] is ensemble.network[2]
        assert len(list(ensemble.parameters())) == 2
        with pytest.raises(ValueError, match="share a Linear between different places"):
            ct.ensemble.stack([make(), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))])
        tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        tied[1].weight = tied[0].weight
        with pytest.raises(ValueError, match="shares its weight with another layer"):
            ct.ensemble.stack([tied])

    def test_hooks(self):
        net = nn.Sequential(nn.Linear(4, 4))
        net[0].register_forward_hook(lambda *args: None)
        with pytest.raises(ValueError, match="forward hooks"):
            ct.ensemble.stack([net])


class TestArguments:
    def test_errors(self):
        make = NETWORKS["mlp"][0]
        with pytest.raises(TypeError, match="expected a function that builds one"):
            ct.Ensemble(make())
        with pytest.raises(TypeError, match="got a int, expected Modules"):
            ct.Ensemble(lambda: 3)
        with pytest.raises(ValueError, match="members got 0, expected at least 1"):
            ct.Ensemble(make, members=0)
        with pytest.raises(ValueError, match="got 2 networks, expected 3"):
            ct.Ensemble([make(), make()], members=3)
        with pytest.raises(ValueError, match="activation got 'relu'"):
            ct.Ensemble(make, activation="relu")
        with pytest.raises(ValueError, match=r"expected \[10, batch, ...\] for each=True"):
            ct.Ensemble(make)(ct.ones((4, 6)), each=True)
        with pytest.raises(ValueError, match="no networks"):
            ct.ensemble.stack([])

    def test_seeds(self):
        make = NETWORKS["mlp"][0]
        state = ct.random.get_state()
        ensemble = ct.Ensemble(make, members=3, seed=5)
        assert ct.random.get_state() == state
        ct.random.seed(7)
        assert_same(ensemble.members()[2], make(), 0)

    def test_frozen_layers_stay_frozen(self):
        def make():
            net = NETWORKS["mlp"][0]()
            net[0].requires_grad_(False)
            return net

        ensemble = ct.Ensemble(make, members=2)
        assert [p.requires_grad for p in ensemble.parameters()] == [False, False, True, True]
        assert not ensemble.members()[1][0].weight.requires_grad

    def test_repr(self):
        text = repr(ct.Ensemble(NETWORKS["mlp"][0], members=2))
        assert "2 members" in text
        assert "StackedLinear(2 x Linear(6 -> 16))" in text


class TestDiversity:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(6, 50))

    def test_disagreement(self):
        named = self.p.argmax(2)
        pairs = [(named[a] != named[b]).mean() for a in range(6) for b in range(a)]
        assert ct.ensemble.disagreement(self.p) == pytest.approx(np.mean(pairs))
        assert ct.ensemble.disagreement(np.repeat(self.p[:1], 3, 0)) == 0
        with pytest.raises(ValueError, match="got 1 member, expected at least 2"):
            ct.ensemble.disagreement(self.p[:1])
        with pytest.raises(ValueError, match=r"expected \[N, B, C, ...\]"):
            ct.ensemble.disagreement(self.p[0])

    def test_entropies(self):
        entropy = lambda p: -(p * np.log(p)).sum(-1)  # noqa: E731
        np.testing.assert_allclose(ct.ensemble.predictive_entropy(self.p).numpy(), entropy(self.p.mean(0)))
        expected = entropy(self.p.mean(0)) - entropy(self.p).mean(0)
        np.testing.assert_allclose(ct.ensemble.mutual_information(self.p).numpy(), expected, atol=1e-12)
        sure = np.eye(3)[np.array([[0, 1], [0, 2]])]  # zeros are fine
        np.testing.assert_allclose(ct.ensemble.predictive_entropy(sure).numpy(), [0, np.log(2)], atol=1e-12)
