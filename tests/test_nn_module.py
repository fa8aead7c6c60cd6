"""Module: registration, traversal, state dictionaries, hooks, error paths."""

import copy
import pickle

import numpy as np
import pytest

import cinta as ct
from cinta import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = nn.Parameter(ct.ones(4))
        self.register_buffer("seen", ct.zeros(4))
        self.register_buffer("scratch", ct.zeros(2), persistent=False)
        self.second = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        return self.second(self.first(x) * self.scale)


def values(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def test_names_come_in_the_order_of_registration():
    block = Block()
    assert [name for name, _ in block.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [name for name, _ in block.named_buffers()] == ["seen", "scratch"]
    assert [name for name, _ in block.named_modules()] == ["", "first", "second"]
    assert [name for name, _ in block.named_children()] == ["first", "second"]
    assert list(block.state_dict()) == ["scale", "seen", "first.weight", "first.bias", "second.weight"]
    assert len(list(block.parameters(recurse=False))) == 1


def test_prefixes_are_dotted():
    block = Block()
    assert [name for name, _ in block.named_parameters(prefix="net")][1] == "net.first.weight"
    assert next(iter(block.state_dict(prefix="net."))) == "net.scale"


def test_attributes_live_in_the_instance():
    block = Block()
    assert block.__dict__["first"] is block.first
    assert block.first.__dict__["weight"] is block.first.weight


def test_shared_modules_and_parameters_appear_once_but_are_stored_under_each_name():
    block = Block()
    block.again = block.first
    block.tied = block.scale
    assert [name for name, _ in block.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert len(list(block.modules())) == 3
    assert {"again.weight", "tied"} <= set(block.state_dict())
    assert {"again.bias", "tied"} <= {name for name, _ in block.named_parameters(remove_duplicate=False)}


def test_replacing_and_deleting_attributes():
    block = Block()
    block.first = nn.Identity()
    assert isinstance(block.get_submodule("first"), nn.Identity)
    block.second = None
    assert [name for name, _ in block.named_children()] == ["first"]
    del block.scale
    assert list(block.parameters()) == []
    assert not hasattr(block, "scale")
    block.first = nn.Parameter(ct.ones(1))
    assert [name for name, _ in block.named_parameters()] == ["first"]
    assert list(block.children()) == []


def test_an_attribute_named_by_its_kind_keeps_its_kind():
    block = Block()
    with pytest.raises(TypeError, match="parameter 'scale' got a Tensor, expected a Parameter or None"):
        block.scale = ct.ones(4)
    with pytest.raises(TypeError, match="submodule 'first' got a int"):
        block.first = 3
    with pytest.raises(TypeError, match="buffer 'seen' got a list"):
        block.seen = [0.0]
    block.seen = ct.ones(4)
    assert block.state_dict()["seen"].tolist() == [1.0] * 4


@pytest.mark.parametrize("name", ["", "a.b", 3])
def test_names_that_cannot_be_registered(name):
    with pytest.raises(ValueError, match="expected a string that is not empty and has no dot"):
        nn.Module().register_buffer(name, ct.zeros(1))


def test_registering_over_an_attribute_or_with_the_wrong_type():
    with pytest.raises(ValueError, match="the attribute exists already"):
        Block().register_parameter("forward", nn.Parameter(ct.ones(1)))
    with pytest.raises(TypeError, match="got a Tensor, expected a Parameter"):
        nn.Module().register_parameter("weight", ct.ones(1))
    with pytest.raises(TypeError, match="got a int, expected a Module"):
        nn.Module().add_module("part", 3)


def test_a_subclass_may_forget_super_init():
    class Forgetful(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(2, 2)

    assert len(list(Forgetful().parameters())) == 2


def test_train_eval_and_apply():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout()))
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    order = []
    net.apply(lambda module: order.append(type(module).__name__))
    assert order == ["Linear", "Dropout", "Sequential", "Sequential"]


def test_requires_grad_and_zero_grad():
    layer = nn.Linear(2, 1)
    layer(ct.ones((3, 2))).sum().backward()
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    layer.requires_grad_(False)
    assert not layer(ct.ones((3, 2))).requires_grad


def test_submodules_by_path():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
    assert net.get_submodule("0.1") is net[0][1]
    assert net.get_submodule("") is net
    with pytest.raises(AttributeError, match="Sequential has no submodule '7'"):
        net.get_submodule("0.7")


def test_state_dict_shares_storage_and_round_trips():
    a, b = Block(), Block()
    assert b.load_state_dict(a.state_dict()) == ([], [])
    for name, value in values(a).items():
        np.testing.assert_array_equal(value, values(b)[name])
    x = ct.random.normal(shape=(5, 3))
    np.testing.assert_array_equal(a(x).detach().numpy(), b(x).detach().numpy())
    assert not a.state_dict()["scale"].requires_grad


def test_loading_keeps_the_parameter_objects():
    block = Block()
    weight = block.first.weight
    block.load_state_dict({name: array + 1 for name, array in values(block).items()})
    assert block.first.weight is weight
    assert weight.requires_grad


def test_loading_takes_arrays_and_casts():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1, 2]]), "bias": np.array([0.5])})
    assert layer.weight.tolist() == [[1.0, 2.0]]
    assert layer.weight.dtype == ct.float32


def test_loading_lists_every_problem_and_writes_nothing():
    block = Block()
    before = values(block)
    bad = {name: array + 1 for name, array in before.items()}
    del bad["scale"]
    bad["extra"] = np.zeros(1)
    bad["first.weight"] = np.zeros((4, 5))
    with pytest.raises(ValueError, match=r"\[load_state_dict\] Block was not loaded") as error:
        block.load_state_dict(bad)
    text = str(error.value)
    assert "first.weight has shape [4, 5], expected [4, 3]" in text
    assert "missing: scale" in text
    assert "unexpected: extra" in text
    for name, value in values(block).items():
        np.testing.assert_array_equal(value, before[name])


def test_loading_not_strictly_returns_what_was_left_aside_but_refuses_shapes():
    block = Block()
    state = {"scale": np.full(4, 2.0), "extra": np.zeros(1)}
    result = block.load_state_dict(state, strict=False)
    assert result.unexpected_keys == ["extra"]
    assert "first.weight" in result.missing_keys
    assert block.scale.tolist() == [2.0] * 4
    with pytest.raises(ValueError, match="scale has shape"):
        block.load_state_dict({"scale": np.zeros(3)}, strict=False)


def test_loading_what_is_no_tensor():
    with pytest.raises(TypeError, match="weight got a str"):
        nn.Linear(2, 1).load_state_dict({"weight": "abc", "bias": np.zeros(1)})
    with pytest.raises(TypeError, match="expected a dict"):
        nn.Linear(2, 1).load_state_dict([1])


def test_casting():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    net.tied = net[0].weight
    assert net.double() is net
    assert net[0].weight.dtype == ct.float64
    assert net[1].running_mean.dtype == ct.float64
    assert net[1].num_batches_tracked.dtype == ct.int64
    assert net.tied is net[0].weight
    assert isinstance(net.tied, nn.Parameter)
    assert net.tied.requires_grad
    weight = net[0].weight
    assert net.to(ct.float64).to("cpu")[0].weight is weight
    assert net(ct.ones((2, 3), dtype="float64")).dtype == ct.float64
    assert net.float()[0].weight.dtype == ct.float32
    with pytest.raises(TypeError, match="expected at least one"):
        net.to()


def test_copies_are_independent():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    net.tied = net[0].weight
    twin = copy.deepcopy(net)
    assert twin.tied is twin[0].weight
    assert isinstance(twin.tied, nn.Parameter)
    before = values(net)
    nn.init.zeros_(twin[0].weight)
    np.testing.assert_array_equal(values(net)["0.weight"], before["0.weight"])
    again = pickle.loads(pickle.dumps(nn.Linear(3, 4)))
    assert isinstance(again.weight, nn.Parameter)
    assert again.weight.requires_grad


def test_call_passes_arguments_on():
    class Echo(nn.Module):
        def forward(self, *args, **kwargs):
            return args, kwargs

    echo = Echo()
    assert echo() == ((), {})
    assert echo(1) == ((1,), {})
    assert echo(1, 2, x=3) == ((1, 2), {"x": 3})
    assert echo(x=3) == ((), {"x": 3})
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_hooks_see_replace_and_leave():
    layer = nn.Identity()
    seen = []
    before = layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    after = layer.register_forward_hook(lambda module, args, output: seen.append((args, output)))
    assert layer(1) == 2
    assert seen == [((2,), 2)]
    before.remove()
    with layer.register_forward_hook(lambda module, args, output: output * 10):
        assert layer(1) == 10
    after.remove()
    after.remove()
    assert layer(1) == 1
    assert len(seen) == 2
    assert "forward" not in layer.__dict__
    with pytest.raises(TypeError, match="expected a function"):
        layer.register_forward_hook(3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList([nn.Sequential(nn.Flatten(), nn.Linear(100, 10))])

    def forward(self, x):
        return self.body[0](x)


def test_errors_name_the_path_and_what_came_before():
    with pytest.raises(ValueError, match="Linear") as error:
        Net()(ct.ones((2, 3, 50)))
    text = str(error.value)
    assert text.startswith("Net.body.0.1 (Linear 100 -> 10): ")
    assert text.endswith("; the Flatten before it gives [2, 150]")


def test_errors_of_one_layer_name_the_layer():
    with pytest.raises(ValueError, match=r"^Linear 100 -> 10: "):
        nn.Linear(100, 10)(ct.ones((2, 3)))


def test_errors_that_are_not_plain_keep_their_text():
    class Odd(nn.Module):
        def forward(self, x):
            raise KeyError("key")

    with pytest.raises(KeyError) as error:
        nn.Sequential(Odd())(1)
    assert error.value.args == ("key",)


def test_errors_through_an_unregistered_module_keep_the_path_known():
    layer = nn.Linear(100, 10)

    class Outer(nn.Module):
        def forward(self, x):
            return layer(x)

    with pytest.raises(ValueError, match=r"^Linear 100 -> 10: "):
        Outer()(ct.ones((2, 3)))


def test_parameter():
    array = np.ones(3, np.float32)
    parameter = nn.Parameter(array)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert isinstance(parameter, ct.Tensor)
    assert type(parameter * 2) is ct.Tensor
    assert repr(parameter).startswith("Parameter(")
    assert not nn.Parameter(array, requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="dtype int64, expected a floating one"):
        nn.Parameter(ct.arange(3))
    assert nn.Parameter(ct.arange(3), requires_grad=False).dtype == ct.int64


def test_repr_reads():
    net = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Sequential(nn.Tanh(), nn.Linear(4, 2, bias=False)))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Conv2d(1 -> 6, kernel_size=5, padding=2)\n"
        "  (1): Sequential(\n"
        "    (0): Tanh()\n"
        "    (1): Linear(4 -> 2, bias=False)\n"
        "  )\n"
        ")"
    )
