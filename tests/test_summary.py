"""nn.summary: counts against hand counts, foretold memory against what memory_stats measures, the model untouched."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim


class Block(nn.Module):
    """Of a ResNet."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.short = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        y = nn.functional.relu(self.bn1(self.conv1(x)))
        return nn.functional.relu(self.bn2(self.conv2(y)) + self.short(x))


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 128), nn.BatchNorm1d(128), nn.Tanh(),
        nn.Linear(128, 10),
    )  # fmt: skip


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def vgg() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 64, 10),
    )  # fmt: skip


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16, 16), Block(16, 32, 2),
        Block(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (128, 784)),
    "mlp, many rows": (mlp, (400, 784)),
    "lenet": (lenet, (128, 1, 28, 28)),
    "lenet, one image": (lenet, (1, 1, 28, 28)),
    "vgg": (vgg, (72, 3, 32, 32)),
    "resnet": (resnet, (70, 3, 32, 32)),
}


def measured(
    make: Callable[[], nn.Module], shape: tuple[int, ...], optimizer: type[optim.Optimizer]
) -> tuple[int, int]:
    """Peaks of training steps and of inference, as a user's loop has them."""
    gc.collect()
    base = ct.memory_stats()["live"]
    net, x, labels = make(), ct.random.normal(shape=shape), ct.zeros(shape[0], dtype="int64")
    ct.reset_peak_memory()  # drawing the weights takes memory for a moment, too
    opt = optimizer(net.parameters(), lr=1e-4)
    for _ in range(3):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        opt.step()
    training = ct.memory_stats()["peak"] - base
    del net, x, labels, opt, loss
    gc.collect()
    base = ct.memory_stats()["live"]
    net, x = make().eval(), ct.random.normal(shape=shape)
    ct.reset_peak_memory()
    with ct.no_grad():
        for _ in range(2):
            net(x)
    return training, ct.memory_stats()["peak"] - base


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("network", NETWORKS)
def test_foretold_peak_is_what_is_measured(network: str, optimizer: type[optim.Optimizer]) -> None:
    make, shape = NETWORKS[network]
    costs = nn.summary(make(), shape, optimizer=optimizer)
    training, inference = measured(make, shape, optimizer)
    assert costs.optimizer == optimizer.__name__
    assert costs.training_peak_bytes == pytest.approx(training, rel=0.1)
    assert costs.inference_peak_bytes == pytest.approx(inference, rel=0.1)


@pytest.mark.parametrize("network", ["mlp", "lenet", "resnet"])
def test_activation_memory_is_what_lives_between_forward_and_backward(network: str) -> None:
    make, shape = NETWORKS[network]
    net, x = make(), ct.random.normal(shape=shape)
    opt = optim.SGD(net.parameters(), lr=1e-4)
    for _ in range(2):  # until packed weights have their memory
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), ct.zeros(shape[0], dtype="int64")).backward()
        opt.step()
    opt.zero_grad()
    before = ct.memory_stats()["live"]
    y = net(x)
    held = ct.memory_stats()["live"] - before
    assert y.requires_grad
    assert nn.summary(net, shape).activation_bytes == pytest.approx(held, rel=0.02)


def test_little_memory_is_used_to_foretell() -> None:
    gc.collect()
    base = ct.memory_stats()["live"]
    ct.reset_peak_memory()
    costs = nn.summary(vgg(), (4096, 3, 32, 32))
    assert costs.training_peak_bytes > 10 * (ct.memory_stats()["peak"] - base)
    assert costs.layers[1].output_shape == (4096, 32, 32, 32)


def test_counts_of_lenet_by_hand() -> None:
    costs = nn.summary(lenet(), (1, 28, 28), batch_size=32)
    by_hand = {
        "0": (6 * 25 + 6, 28 * 28 * 6 * 25),
        "3": (16 * 6 * 25 + 16, 10 * 10 * 16 * 6 * 25),
        "7": (400 * 120 + 120, 400 * 120),
        "9": (120 * 84 + 84, 120 * 84),
        "11": (84 * 10 + 10, 84 * 10),
    }
    for name, (parameters, products) in by_hand.items():
        assert (costs[name].parameters, costs[name].multiply_adds) == (parameters, 32 * products)
    assert costs.parameters == costs.trainable_parameters == 61_706
    assert costs.parameter_bytes == 4 * 61_706
    assert costs.multiply_adds == 32 * sum(products for _, products in by_hand.values())
    shapes = [layer.output_shape for layer in costs.layers[1:]]
    assert shapes[:4] == [(32, 6, 28, 28), (32, 6, 28, 28), (32, 6, 14, 14), (32, 16, 10, 10)]
    assert shapes[-1] == costs[""].output_shape == (32, 10)
    assert costs["7"].input_shape == (32, 400)


def test_products_outside_of_layers_count() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(8, 8)

        def forward(self, x: ct.Tensor) -> ct.Tensor:
            scores = ct.einsum("bqd,bkd->bqk", x, x)
            return self.mix(ct.softmax(scores, axis=-1) @ x)

    costs = nn.summary(Attention(), (20, 5, 8))
    assert costs[""].multiply_adds == 20 * 2 * 5 * 5 * 8
    assert costs["mix"].multiply_adds == 20 * 5 * 8 * 8


def test_strides_groups_and_transposes() -> None:
    net = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, groups=2), nn.ConvTranspose2d(8, 2, 3), nn.Conv1d(2, 3, 1))
    del net[2]
    costs = nn.summary(net, (2, 4, 9, 9))
    assert costs["0"].multiply_adds == 2 * 8 * 4 * 4 * 2 * 9
    assert costs["1"].multiply_adds == 2 * 8 * 4 * 4 * 2 * 9  # every input pixel meets every tap
    assert nn.summary(nn.Conv1d(2, 3, 5), (1, 2, 10)).multiply_adds == 3 * 6 * 2 * 5


def test_the_model_stays_as_it_is() -> None:
    net, x = vgg(), ct.random.normal(shape=(20, 3, 32, 32))
    net(x).sum().backward()
    net[1].eval()
    ct.random.seed(3)
    state = ct.random.get_state()
    grads = {name: p.grad for name, p in net.named_parameters()}
    values = {name: (t.numpy().copy(), t.version) for name, t in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    data = x.numpy().copy()
    nn.summary(net, x)
    nn.summary(net, (80, 3, 32, 32))
    assert ct.random.get_state() == state
    assert modes == [module.training for module in net.modules()]
    for name, p in net.named_parameters():
        assert p.grad is grads[name] or np.array_equal(p.grad, grads[name])
    for name, t in net.state_dict().items():
        np.testing.assert_array_equal(t, values[name][0])
        assert t.version == values[name][1]
    assert not any("_hooks" in module.__dict__ for module in net.modules())
    np.testing.assert_array_equal(x, data)


def test_memory_is_given_back() -> None:
    net = lenet()
    nn.summary(net, (80, 1, 28, 28))
    gc.collect()
    before = ct.memory_stats()["live"]
    nn.summary(net, (80, 1, 28, 28))
    gc.collect()
    assert ct.memory_stats()["live"] == before


def test_shapes_tensors_and_batch_sizes_agree() -> None:
    net = lenet()
    x = np.random.default_rng(0).normal(size=(24, 1, 28, 28)).astype(np.float32)
    told = [
        nn.summary(net, (24, 1, 28, 28)),
        nn.summary(net, [24, 1, 28, 28]),
        nn.summary(net, (1, 28, 28), batch_size=24),
        nn.summary(net, x),
        nn.summary(net, ct.tensor(x)),
        nn.summary(net, x[:2], batch_size=24),
        nn.summary(net, (ct.tensor(x),)),
    ]
    assert len({summary.table() for summary in told}) == 1


def test_several_inputs_and_integers() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(10, 4)
            self.join = nn.Linear(7, 2)

        def forward(self, words: ct.Tensor, x: ct.Tensor) -> tuple[ct.Tensor, ct.Tensor]:
            y = self.join(ct.concat([self.words(words), x], axis=1))
            return y, y.sum(axis=1)

    costs = nn.summary(Pair(), [(50,), (50, 3)], dtype=["int64", "float32"])
    assert costs[""].output_shapes == ((50, 2), (50,))
    assert costs[""].output_shape is None
    assert costs[""].input_shapes == ((50,), (50, 3))
    assert costs.input_dtypes == ("int64", "float32")
    assert costs.title() == "Pair on [50] int64, [50, 3] float32"
    words = ct.tensor([9, 3, 1], dtype="int64")
    assert nn.summary(Pair(), [words, ct.ones((3, 3))]).multiply_adds == 3 * 14


def test_shared_frozen_and_idle_modules() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight
            self.idle = nn.Linear(4, 100)
            self.a.bias.requires_grad_(False)

        def forward(self, x: ct.Tensor) -> ct.Tensor:
            return self.b(self.a(self.a(x)))

    costs = nn.summary(Odd(), (3, 4))
    assert (costs["a"].parameters, costs["a"].calls, costs["a"].multiply_adds) == (20, 2, 96)
    assert (costs["b"].parameters, costs["b"].multiply_adds) == (0, 48)
    assert (costs["idle"].calls, costs["idle"].output_shape) == (0, None)
    assert (costs.parameters, costs.trainable_parameters) == (520, 516)
    assert "516 trained, 4 frozen" in costs.table()
    assert "not called" in costs.table()


def test_networks_that_do_other_work_on_small_batches_run_at_full_size() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Linear(4, 64)

        def forward(self, x: ct.Tensor) -> ct.Tensor:
            if x.shape[0] < 70:
                raise ValueError("too few rows")
            if float(x.sum()) == 0.5:  # reads on the host
                return x
            return self.wide(x)

    costs = nn.summary(Picky(), (90, 4))
    assert costs["wide"].output_shape == (90, 64)
    with pytest.raises(ValueError, match="too few rows"):
        nn.summary(Picky(), (18, 4))
    vector = nn.summary(nn.Linear(90, 2), (90,))  # no batch axis: not to be tried on few rows
    assert vector.multiply_adds == 180


def test_networks_without_parameters_or_in_evaluation() -> None:
    costs = nn.summary(nn.Sequential(nn.Tanh(), nn.Flatten()), (20, 3, 4))
    assert (costs.parameters, costs.optimizer, costs[""].output_shape) == (0, "", (20, 12))
    net = mlp().eval()
    assert nn.summary(net, (64, 784)).training_peak_bytes == nn.summary(net.train(), (64, 784)).training_peak_bytes
    assert (
        nn.summary(net, (64, 784), optimizer=optim.Adam(net.parameters())).table() == nn.summary(net, (64, 784)).table()
    )


def test_loss_and_optimizer() -> None:
    net = nn.Linear(1000, 1000)
    small, large = (nn.summary(net, (20, 1000), optimizer=kind).training_peak_bytes for kind in (optim.SGD, optim.Adam))
    assert large - small == pytest.approx(2 * net.weight.nbytes, rel=0.1)

    def loss(y: ct.Tensor) -> ct.Tensor:
        return ((y - 1).abs().exp() * y).sum()

    assert (
        nn.summary(net, (2000, 1000), loss=loss).training_peak_bytes > nn.summary(net, (2000, 1000)).training_peak_bytes
    )


def test_modes_around_it() -> None:
    net = lenet()
    outside = nn.summary(net, (80, 1, 28, 28))
    with ct.no_grad():
        assert nn.summary(net, (80, 1, 28, 28)) == outside
    with ct.autocast():
        assert nn.summary(net, (80, 1, 28, 28)).multiply_adds == outside.multiply_adds


def test_a_wrong_shape_is_told_before_memory_is_taken_for_it() -> None:
    before = ct.memory_stats()["peak"]
    with pytest.raises(ValueError, match="channels"):
        nn.summary(lenet(), (100_000, 3, 128, 128))  # 20 GB
    assert ct.memory_stats()["peak"] < before + (1 << 28)


@pytest.mark.parametrize("good_calls", [0, 1, 2, 3])
def test_an_error_anywhere_leaves_no_trace(good_calls: int) -> None:
    calls = []

    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(3, 3)

        def forward(self, x: ct.Tensor) -> ct.Tensor:
            calls.append(x.shape)
            if len(calls) > good_calls:
                raise RuntimeError("no more")
            return self.body(x)

    with pytest.raises(RuntimeError, match="no more"):
        nn.summary(Fails(), (4, 3))
    assert len(calls) == good_calls + 1
    assert gc.isenabled()
    assert not ct.is_recording()
    assert nn.summary(nn.Linear(3, 2), (4, 3)).multiply_adds == 24


def test_printed() -> None:
    costs = nn.summary(lenet(), (128, 1, 28, 28))
    lines = str(costs).splitlines()
    assert lines[0] == "Sequential on [128, 1, 28, 28] float32"
    assert lines[2].split() == ["layer", "output", "parameters", "multiply-adds", "activations"]
    assert " ".join(lines[5].split()) == "0 Conv2d(1 -> 6, kernel_size=5, padding=2) [128, 6, 28, 28] 156 15,052,800"
    assert any(line.startswith("peak memory") and "training step with Adam" in line for line in lines)
    rich = pytest.importorskip("rich.console")
    console = rich.Console(width=160, record=True, file=io.StringIO())
    console.print(costs)
    assert "15,052,800" in console.export_text()


def test_errors() -> None:
    net = nn.Linear(3, 2)
    with pytest.raises(TypeError, match=r"\[summary\] model got a function"):
        nn.summary(lambda x: x, (1, 3))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"\[summary\] input got a str"):
        nn.summary(net, "images")
    with pytest.raises(ValueError, match="no negative numbers"):
        nn.summary(net, (-1, 3))
    with pytest.raises(ValueError, match="batch_size got 0"):
        nn.summary(net, (3,), batch_size=0)
    with pytest.raises(ValueError, match="expected as many in each"):
        nn.summary(net, [(2, 3), (3, 3)])
    with pytest.raises(ValueError, match="dtype got 2 entries"):
        nn.summary(net, (2, 3), dtype=["float32", "int64"])
    with pytest.raises(ValueError, match="empty list"):
        nn.summary(net, [])
    with pytest.raises(TypeError, match=r"\[summary\] optimizer got a float"):
        nn.summary(net, (2, 3), optimizer=0.1)
    with pytest.raises(ValueError, match="4 features"):
        nn.summary(net, (20, 4))
    with pytest.raises(KeyError, match="no layer 'conv9'"):
        nn.summary(net, (2, 3))["conv9"]
