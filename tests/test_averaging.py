"""EMA and SWA of weights against NumPy; evaluation with the average, states, compiled steps, batch norm."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

SHAPES = [(3, 2), (2,)]


def linear(dtype="float64"):
    return nn.Linear(2, 3).to(dtype=dtype)


def histories(net, count, seed=0):
    """Weights as they are at `count` moments; the network gets each in turn."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        values = {name: rng.normal(size=param.shape) for name, param in net.named_parameters()}
        net.load_state_dict(values)
        yield values


def ema(values, decay, corrected):
    if not corrected:
        average = values[0]
        for value in values[1:]:
            average = decay * average + (1 - decay) * value
        return average
    weights = [decay ** (len(values) - 1 - i) for i in range(len(values))]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


AVERAGES = {
    "EMA": (lambda net: optim.EMA(net, 0.9), lambda values: ema(values, 0.9, False)),
    "EMA, default": (lambda net: optim.EMA(net), lambda values: ema(values, 0.999, False)),
    "EMA, corrected": (
        lambda net: optim.EMA(net, 0.99, bias_correction=True),
        lambda values: ema(values, 0.99, True),
    ),
    "EMA of the last": (lambda net: optim.EMA(net, 0.0), lambda values: values[-1]),
    "SWA": (optim.SWA, lambda values: np.mean(values, axis=0)),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6), ("bfloat16", 1e-2)])
@pytest.mark.parametrize("name", AVERAGES)
def test_averages(name, dtype, tolerance):
    make, formula = AVERAGES[name]
    net = linear(dtype)
    average = make(net)
    seen = []
    for values in histories(net, 25):
        seen.append(values["weight"])
        average.update()
        with average.applied() as inside:
            assert inside is net
            value = net.weight.detach().astype("float64").numpy()
            np.testing.assert_allclose(value, formula(seen), rtol=tolerance, atol=tolerance)
        live = net.weight.detach().astype("float64").numpy()
        np.testing.assert_array_equal(live, ct.tensor(values["weight"]).astype(dtype).astype("float64").numpy())


def test_half_precision_is_averaged_in_float32():
    """Steps of 1/1000 would vanish in bfloat16."""
    net = linear("bfloat16")
    average = optim.EMA(net, 0.999)
    for value in [0.0, *[1.0] * 200]:
        nn.init.constant_(net.weight, value)
        average.update()
    kept = average.state_dict()["module.weight"]
    assert str(kept.dtype) == "float32"
    np.testing.assert_allclose(kept.numpy(), 1 - 0.999**200, rtol=1e-5)


def test_live_weights_come_back_after_an_error():
    net = linear()
    average = optim.SWA(net)
    values = list(histories(net, 2))
    average.update()
    net.load_state_dict(values[0])
    with pytest.raises(KeyError), average.applied():
        raise KeyError
    np.testing.assert_array_equal(net.weight.detach().numpy(), values[0]["weight"])
    average.update()  # works again
    assert average.state_dict()["n_averaged"].item() == 2


def test_wrong_order():
    net = linear()
    average = optim.EMA(net)
    with pytest.raises(RuntimeError, match=r"\[EMA\] the average is empty, expected an update"), average.applied():
        pass
    with pytest.raises(RuntimeError, match="empty"):
        average.copy_to(net)
    average.update()
    with average.applied():
        with pytest.raises(RuntimeError, match="update.. got called while the average is in place"):
            average.update()
        with pytest.raises(RuntimeError, match="inside another"), average.applied():
            pass
    average.update()


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_wrong_decay(decay):
    with pytest.raises(ValueError, match="decay got"):
        optim.EMA(linear(), decay)
    with pytest.raises(TypeError, match="model got a list"):
        optim.SWA([1])


@pytest.mark.parametrize("use_buffers", [False, True])
def test_buffers(use_buffers):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to(dtype="float64")
    average = optim.SWA(net, use_buffers=use_buffers)
    for value in (1.0, 2.0, 6.0):
        nn.init.constant_(net[1].running_mean, value)
        nn.init.constant_(net[1].num_batches_tracked, int(value))
        average.update()
    with average.applied():
        assert net[1].running_mean.tolist() == pytest.approx([3.0 if use_buffers else 6.0] * 3)
        assert net[1].num_batches_tracked.item() == 6
        optim.update_bn([np.random.default_rng(0).normal(size=(8, 2))], net)
        assert net[1].num_batches_tracked.item() == 1
    assert net[1].running_mean.tolist() == [6.0] * 3  # as they were
    assert net[1].num_batches_tracked.item() == 6


def test_copies_for_good():
    net, other = linear(), linear()
    average = optim.SWA(net)
    seen = [values["weight"] for values in histories(net, 3) if average.update() is None]
    average.copy_to(other)
    np.testing.assert_allclose(other.weight.detach().numpy(), np.mean(seen, axis=0))
    for wrong, message in [(nn.Linear(1, 1), r"model has \[1, 1\] for weight"), (nn.Tanh(), "has nothing for weight")]:
        with pytest.raises(ValueError, match=message):
            average.copy_to(wrong)


def test_shared_weights_and_buffers_that_are_not_saved():
    net = nn.Sequential(linear(), nn.Linear(3, 2))
    net.tied = net[0]
    net.register_buffer("scratch", ct.ones(2), persistent=False)
    average = optim.SWA(net, use_buffers=True)
    average.update()
    nn.init.constant_(net[0].weight, 7.0)
    net.scratch.copy_(ct.zeros(2))
    average.update()
    with average.applied():
        assert net.scratch.tolist() == [0.5, 0.5]
        assert net.tied.weight is net[0].weight
        assert net[0].weight.tolist() != [[7.0] * 2] * 3
    assert net.scratch.tolist() == [0.0, 0.0]
    assert net[0].weight.tolist() == [[7.0] * 2] * 3


@pytest.mark.parametrize("name", AVERAGES)
def test_a_saved_state_goes_on_with_the_same_bits(name, tmp_path):
    make, _ = AVERAGES[name]
    net, twin = linear("float32"), linear("float32")
    average, other = make(net), make(twin)
    for _ in histories(net, 4):
        average.update()
    ct.save(tmp_path / "average", average.state_dict())
    other.load_state_dict(ct.load(tmp_path / "average"))
    for _ in zip(histories(net, 4, 1), histories(twin, 4, 1), strict=True):
        average.update(), other.update()
    for key, value in average.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), other.state_dict()[key].numpy())


def test_a_state_that_does_not_fit_changes_nothing():
    average = optim.SWA(linear())
    average.update()
    good = {name: value.numpy().copy() for name, value in average.state_dict().items()}
    for bad, message in [
        (None, "expected a dict"),
        ({"n_averaged": 3}, "lacks module.weight, lacks module.bias"),
        ({**good, "module.scale": 1.0}, "has unknown module.scale"),
        ({**good, "n_averaged": 9, "module.bias": np.ones(2)}, r"module.bias has shape \[2\], expected \[3\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            average.load_state_dict(bad)
    for name, value in average.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), good[name])


@pytest.mark.parametrize("name", AVERAGES)
def test_inside_and_after_a_compiled_step(name):
    """The same bits eagerly, after a compiled step, and inside of it."""
    results = []
    for where in ("eager", "after", "inside"):
        ct.random.seed(1)
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        opt = optim.Adam(net.parameters(), lr=0.05)
        average = AVERAGES[name][0](net)

        def step(x, net=net, opt=opt, average=average, where=where):
            opt.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            opt.step()
            if where == "inside":
                average.update()
            return loss

        run = step if where == "eager" else ct.compile(step)
        losses = []
        rng = np.random.default_rng(0)
        x = ct.tensor(rng.normal(size=(5, 3)).astype("float32"))
        for number in range(8):
            losses.append(run(x).item())
            if where != "inside":
                average.update()
            if number == 4:  # evaluation in between does not disturb the training
                with average.applied(), ct.no_grad():
                    losses.append(net(x).sum().item())
        results.append([losses, *(value.numpy().tobytes() for value in average.state_dict().values())])
    assert results[0] == results[1] == results[2]


def test_update_bn():
    rng = np.random.default_rng(0)
    batches = [rng.normal(1, 2, size=(n, 3)) for n in (8, 6)]
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).to(dtype="float64")
    net[1].eval()
    nn.init.constant_(net[0].running_mean, 7.0)
    optim.update_bn([(ct.tensor(batch), None) for batch in batches], net)
    np.testing.assert_allclose(net[0].running_mean.numpy(), np.mean([b.mean(0) for b in batches], axis=0))
    np.testing.assert_allclose(net[0].running_var.numpy(), np.mean([b.var(0, ddof=1) for b in batches], axis=0))
    assert (net[0].momentum, net[0].training, net[1].training) == (0.1, True, False)
    before = net[0].running_mean.tolist()
    with pytest.raises(ValueError, match="loader got no batches"):
        optim.update_bn([], net)
    assert net[0].running_mean.tolist() == before
    optim.update_bn([], linear())  # nothing to do
