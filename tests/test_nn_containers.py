"""Sequential, ModuleList and ModuleDict behave as the list and the dictionary they look like."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn


def test_sequential_runs_in_order():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = ct.random.normal(shape=(5, 3))
    w0, b0, w1, b1 = (tensor.numpy() for tensor in net.state_dict().values())
    expected = np.tanh(x.numpy() @ w0.T + b0) @ w1.T + b1
    np.testing.assert_allclose(net(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert nn.Sequential()(x) is x


def test_sequential_indexes_and_slices():
    layers = [nn.Linear(1, 1) for _ in range(4)]
    net = nn.Sequential(*layers)
    assert len(net) == 4
    assert net[0] is layers[0]
    assert net[-1] is layers[3]
    assert list(net) == layers
    assert isinstance(net[1:3], nn.Sequential)
    assert list(net[1:3]) == layers[1:3]
    assert list(net[1:3].state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    with pytest.raises(IndexError, match="index got 4, expected one of 4 modules"):
        net[4]
    with pytest.raises(IndexError):
        net[-5]


def test_sequential_changes():
    net = nn.Sequential(nn.Linear(1, 1))
    assert net.append(nn.Tanh()) is net
    assert net.insert(0, nn.ReLU()) is net
    assert net.extend([nn.ELU()]) is net
    assert [type(layer).__name__ for layer in net] == ["ReLU", "Linear", "Tanh", "ELU"]
    assert list(net.state_dict()) == ["1.weight", "1.bias"]
    net[0] = nn.Sigmoid()
    del net[1:3]
    assert [type(layer).__name__ for layer in net] == ["Sigmoid", "ELU"]
    with pytest.raises(TypeError, match="got a int, expected a Module"):
        net.append(3)
    with pytest.raises(TypeError, match="expected a Module"):
        nn.Sequential(nn.Tanh(), ct.tanh)
    assert len(net) == 2


def test_sequential_takes_names():
    net = nn.Sequential({"hidden": nn.Linear(3, 4), "act": nn.Tanh(), "out": nn.Linear(4, 2)})
    assert list(net.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert net.hidden is net[0]
    assert net(ct.ones((1, 3))).shape == (1, 2)


def test_module_list():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert len(layers) == 3
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[:2], nn.ModuleList)
    with pytest.raises(NotImplementedError):
        layers(1)
    assert len(nn.ModuleList()) == 0


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(2, 3)
    heads["a"] = nn.Identity()
    assert list(heads) == ["a", "b"] == list(heads.keys())
    assert len(heads) == 2
    assert "b" in heads
    assert heads.items()[1] == ("b", heads["b"])
    assert heads.values()[1] is heads["b"]
    assert list(heads.state_dict()) == ["b.weight", "b.bias"]
    del heads["b"]
    assert list(heads.parameters()) == []
    with pytest.raises(KeyError):
        heads["b"]
    with pytest.raises(KeyError):
        del heads["b"]
