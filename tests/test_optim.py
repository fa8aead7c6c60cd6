"""Optimizers against their formulas in NumPy float64, parameter groups, state, arguments out of range."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from optim_cases import CASES

SHAPES = [(3, 4), (7,), (), (2, 1, 3)]


def named(case):
    return case.__name__ if isinstance(case, type) else str(case) if isinstance(case, dict) else ""


def starts(dtype="float64"):
    rng = np.random.default_rng(5)
    return [nn.Parameter(ct.tensor(rng.normal(size=shape).astype(dtype))) for shape in SHAPES]


def numbers(params):
    return [param.detach().numpy().copy() for param in params]


@pytest.mark.parametrize(("kind", "formula", "options"), CASES, ids=named)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_twenty_steps_follow_the_formula(kind, formula, options, dtype, tolerance):
    params = starts(dtype)
    references = [value.astype(np.float64) for value in numbers(params)]
    rules = [formula(**options) for _ in params]
    for rule in rules:
        next(rule)
    opt = kind(params, **options)
    rng = np.random.default_rng(6)
    for _ in range(20):
        for i, param in enumerate(params):
            grad = rng.normal(size=param.shape).astype(dtype)
            param.grad = ct.tensor(grad)
            references[i] = rules[i].send((references[i], grad.astype(np.float64)))
        assert opt.step() is None
    for value, reference in zip(numbers(params), references, strict=True):
        np.testing.assert_allclose(value, reference, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kind", "formula", "options"), CASES, ids=named)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_and_strides(kind, formula, options, dtype):
    """Two steps from memory in any order, in float32 and rounded once, as exact as the dtype."""
    rng = np.random.default_rng(8)
    start = rng.normal(size=(5, 6))
    param = nn.Parameter(ct.tensor(start).astype(dtype).T[::2])
    reference, rule = param.detach().astype("float64").numpy().copy(), formula(**options)
    next(rule)
    opt = kind([param], **options)
    for _ in range(2):
        param.grad = ct.tensor(rng.normal(size=(3, 5))).astype(dtype)
        reference = rule.send((reference, param.grad.astype("float64").numpy()))
        opt.step()
    np.testing.assert_allclose(param.detach().astype("float64").numpy(), reference, rtol=0.03, atol=0.03)


@pytest.mark.parametrize(("kind", "formula", "options"), CASES, ids=named)
def test_parameters_without_a_gradient_are_passed_over(kind, formula, options):
    """Each parameter's state counts its own steps, whichever parameters move together."""
    params = starts()
    references = numbers(params)
    rules = [formula(**options) for _ in params]
    for rule in rules:
        next(rule)
    opt = kind(params, **options)
    rng = np.random.default_rng(7)
    for present in ["1011", "1011", "0111", "1111", "1111", "0000", "1111", "1000", "0111", "1111"]:
        opt.zero_grad()
        for i, param in enumerate(params):
            if present[i] == "1":
                grad = rng.normal(size=param.shape)
                param.grad = ct.tensor(grad)
                references[i] = rules[i].send((references[i], grad))
        opt.step()
    for value, reference in zip(numbers(params), references, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-12, atol=1e-12)


def train(opt, params, seed, steps=5):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for param in params:
            param.grad = ct.tensor(rng.normal(size=param.shape)).astype(param.dtype)
        opt.step()


@pytest.mark.parametrize(("kind", "formula", "options"), CASES, ids=named)
def test_state_dict_continues_where_it_was(kind, formula, options):
    params = starts()
    opt = kind(params, **options)
    train(opt, params, 1)
    saved = opt.state_dict()
    twins = [nn.Parameter(ct.tensor(value)) for value in numbers(params)]
    twin = kind(twins)
    twin.load_state_dict(saved)
    train(opt, params, 2)
    train(twin, twins, 2)
    for a, b in zip(numbers(params), numbers(twins), strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_dict_has_pytorchs_structure():
    params = starts()
    opt = optim.Adam([{"params": params[:1], "lr": 0.5}, {"params": params[1:]}], amsgrad=True)
    train(opt, params, 1)
    state = opt.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2, 3]]
    assert [group["lr"] for group in state["param_groups"]] == [0.5, 1e-3]
    assert sorted(state["state"]) == [0, 1, 2, 3]
    assert sorted(state["state"][3]) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]
    assert state["state"][3]["step"] == 5
    assert opt.state[params[3]]["exp_avg"].shape == SHAPES[3]


def test_nadams_product_of_momenta_is_one_number():
    params = starts("float32")
    opt = optim.NAdam(params)
    train(opt, [param for param in params if param.ndim], 1)
    product = opt.state_dict()["state"][0]["mu_product"]
    assert (product.shape, str(product.dtype)) == ((), "float64")
    assert product.item() == pytest.approx(np.prod([0.9 * (1 - 0.5 * 0.96 ** (t * 4e-3)) for t in range(1, 6)]))
    with pytest.raises(ValueError, match=r"'mu_product' of parameter 0 has shape \[3, 4\], expected \[\]"):
        opt.load_state_dict({**opt.state_dict(), "state": {0: {"step": 5, "mu_product": np.ones((3, 4))}}})


@pytest.mark.parametrize("name", ["adam_step", "nadam_step", "radam_step", "lion_step", "rprop_step"])
def test_core_updates_refuse_missing_states(name):
    p = ct.ones(3)
    options = {"adam_step": [1, 0.1], "nadam_step": [0.1] * 8, "radam_step": [0.1] * 8, "lion_step": [0.1]}
    states = {"adam_step": 3, "nadam_step": 3, "lion_step": 1}.get(name, 2)
    with pytest.raises(ValueError, match="got 1 parameters and 0 states, expected as many"):
        getattr(ct._core, name)([p], [p], *[[]] * states, *options.get(name, []))
    assert p.tolist() == [1, 1, 1]


def test_rprop_lets_nan_through():
    p = nn.Parameter(ct.zeros(2))
    opt = optim.Rprop([p])
    p.grad = ct.tensor([float("nan"), 1.0])
    opt.step()
    assert np.isnan(p.detach().numpy()).tolist() == [True, False]


def test_changing_the_state_by_hand_counts():
    params = starts()
    opt = optim.SGD(params, lr=1.0, momentum=0.5)
    train(opt, params, 1)
    before = numbers(params)
    for param in params:
        opt.state[param]["momentum_buffer"].zero_()
        opt.state[param]["momentum_buffer"] = opt.state[param]["momentum_buffer"] + 2
        param.grad = ct.zeros(param.shape, dtype="float64")
    opt.step()
    for value, start in zip(numbers(params), before, strict=True):
        np.testing.assert_allclose(value, start - 1.0, rtol=1e-12)


def test_loading_a_state_that_does_not_fit_changes_nothing():
    params = starts()
    opt = optim.Adam(params)
    train(opt, params, 1)
    good = opt.state_dict()
    cases = [
        ({"state": {}}, "expected a dict with 'state' and 'param_groups'"),
        ({**good, "param_groups": [{"params": [0]}]}, r"groups of \[1\] parameters, expected \[4\]"),
        ({**good, "param_groups": [{**good["param_groups"][0], "lr": -1}]}, "lr got -1"),
        (
            {**good, "state": {**good["state"], 1: {"step": 1, "exp_avg": np.zeros(3)}}},
            r"'exp_avg' of parameter 1 has shape \[3\], expected \[7\]",
        ),
    ]
    for bad, message in cases:
        with pytest.raises(ValueError, match=message):
            opt.load_state_dict(bad)
    assert opt.param_groups[0]["lr"] == 1e-3
    assert opt.state_dict()["state"][0]["step"] == 5


def test_groups_have_their_own_options():
    a, b, c = (nn.Parameter(ct.ones(2)) for _ in range(3))
    opt = optim.SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.25)
    opt.add_param_group({"params": iter([c]), "lr": 0.0})
    for param in (a, b, c):
        param.grad = ct.ones(2)
    opt.step()
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0.5, 0.5], [0.75, 0.75], [1.0, 1.0])
    opt.param_groups[2]["lr"] = 1.0
    opt.step()
    assert c.tolist() == [0.0, 0.0]
    assert "lr=0.5" in repr(opt)
    assert repr(opt).startswith("SGD(")


def test_options_that_change_between_steps():
    p = nn.Parameter(ct.tensor(np.array([1.0])))
    opt = optim.SGD([p], lr=1.0)
    p.grad = ct.tensor(np.array([1.0]))
    opt.step()
    opt.param_groups[0].update(momentum=0.5, dampening=0.5)
    opt.step()  # v = 1, the velocity's first step
    opt.step()  # v = 0.5 + 0.5
    assert p.tolist() == [1.0 - 1 - 1 - 1]
    opt.param_groups[0]["momentum"] = 0.0
    opt.step()
    assert p.tolist() == [-3.0]


def test_step_calls_its_closure_with_gradients_on():
    p = nn.Parameter(ct.tensor([2.0]))
    opt = optim.SGD([p], lr=0.25)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ct.no_grad():
        assert opt.step(closure).item() == 4.0
    assert p.tolist() == [1.0]


def test_zero_grad():
    p = nn.Parameter(ct.ones(2))
    opt = optim.SGD([p], lr=1.0)
    (p * 3).sum().backward()
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    opt.zero_grad()
    assert p.grad is None
    opt.step()
    assert p.tolist() == [1.0, 1.0]


def test_updates_reach_the_network_and_are_not_recorded():
    net = nn.Linear(2, 1)
    weight = net.weight
    opt = optim.Adam(net.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        (net(ct.ones((4, 2))) ** 2).mean().backward()
        before = weight.detach().clone()
        opt.step()
        assert net.weight is weight
        assert weight.is_leaf
        assert weight.requires_grad
        assert (weight.detach() != before).all()


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: optim.SGD([]), ValueError, r"\[SGD\] params got no parameters"),
        (lambda: optim.SGD(iter(())), ValueError, "no parameters"),
        (lambda: optim.SGD([{"params": []}]), ValueError, "no parameters"),
        (lambda: optim.SGD(ct.ones(2)), TypeError, "params got one Tensor, expected an iterable"),
        (lambda: optim.SGD(nn.Linear(1, 1).named_parameters()), TypeError, "params got a tuple, expected tensors"),
        (lambda: optim.SGD([np.ones(2)]), TypeError, "params got a ndarray"),
        (lambda: optim.SGD([ct.arange(3)]), TypeError, "got a tensor of int64"),
        (lambda: optim.SGD([nn.Parameter(ct.ones(1)) * 2]), ValueError, "expected leaf tensors"),
        (lambda: optim.SGD([P, P]), ValueError, r"shape \[3\] twice"),
        (lambda: optim.SGD([{"params": [P]}, {"params": [P]}]), ValueError, "twice"),
        (lambda: optim.SGD([{"parameters": [P]}]), TypeError, "expected a dict with 'params'"),
        (lambda: optim.SGD([{"params": [P], "rate": 1}]), ValueError, "option 'rate'"),
        (lambda: optim.SGD([P], lr=-0.1), ValueError, r"\[SGD\] lr got -0.1, expected >= 0"),
        (lambda: optim.SGD([P], lr=float("nan")), ValueError, "lr got nan"),
        (lambda: optim.SGD([P], momentum=-1), ValueError, "momentum got -1"),
        (lambda: optim.SGD([P], nesterov=True), ValueError, "nesterov got momentum 0"),
        (lambda: optim.SGD([P], nesterov=True, momentum=0.9, dampening=0.1), ValueError, "nesterov"),
        (lambda: optim.SGD([{"params": [P], "weight_decay": -1}]), ValueError, "weight_decay got -1"),
        (lambda: optim.Adam([P], betas=(0.9, 1.0)), ValueError, r"\[Adam\] betas\[1\] got 1.0"),
        (lambda: optim.Adam([P], betas=0.9), ValueError, "expected a pair"),
        (lambda: optim.AdamW([P], eps=-1), ValueError, r"\[AdamW\] eps got -1"),
        (lambda: optim.RMSprop([P], alpha=1.5), ValueError, "alpha got 1.5"),
        (lambda: optim.Adagrad([P], lr_decay=-1), ValueError, "lr_decay got -1"),
        (lambda: optim.Adadelta([P], rho=1.1), ValueError, r"\[Adadelta\] rho got 1.1, expected a share"),
        (lambda: optim.NAdam([P], momentum_decay=-1), ValueError, "momentum_decay got -1"),
        (lambda: optim.RAdam([P], betas=(1.0, 0.9)), ValueError, r"\[RAdam\] betas\[0\] got 1.0"),
        (lambda: optim.Adamax([P], betas=(0.9,)), ValueError, "expected a pair"),
        (lambda: optim.Lion([P], weight_decay=-1), ValueError, "weight_decay got -1"),
        (lambda: optim.Rprop([P], etas=(1.2, 0.5)), ValueError, "0 < etas"),
        (lambda: optim.Rprop([P], step_sizes=(1, 0.5)), ValueError, "least <= most"),
        (lambda: optim.Rprop([P], step_sizes=3), ValueError, "expected a pair of numbers"),
    ],
)
def test_wrong_arguments(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


P = nn.Parameter(ct.ones(3))


def with_gradients(*gradients):
    params = [nn.Parameter(ct.zeros(len(gradient))) for gradient in gradients]
    for param, gradient in zip(params, gradients, strict=True):
        param.grad = ct.tensor(gradient)
    return params


@pytest.mark.parametrize(("norm_type", "norm"), [(2.0, 13.0), (1, 19.0), (float("inf"), 12.0), (3, 1819 ** (1 / 3))])
def test_clip_grad_norm(norm_type, norm):
    params = [*with_gradients([3.0, -4.0], [12.0]), nn.Parameter(ct.zeros(2))]
    total = optim.clip_grad_norm_(params, 6.5, norm_type)
    assert total.item() == pytest.approx(norm, rel=1e-6)
    factor = 6.5 / norm
    np.testing.assert_allclose(params[0].grad.numpy(), [3 * factor, -4 * factor], rtol=1e-5)
    np.testing.assert_allclose(params[1].grad.numpy(), [12 * factor], rtol=1e-5)
    assert params[2].grad is None


def test_clip_grad_norm_leaves_small_gradients():
    params = with_gradients([3.0, 4.0])
    assert optim.clip_grad_norm_(iter(params), 5.1).item() == 5.0
    assert params[0].grad.tolist() == [3.0, 4.0]
    assert optim.clip_grad_norm_(params[0], 5.1).item() == 5.0
    assert optim.clip_grad_norm_([nn.Parameter(ct.zeros(2))], 1.0).item() == 0.0


def test_clip_grad_norm_of_what_is_not_finite():
    params = with_gradients([1.0, float("nan")])
    with pytest.raises(RuntimeError, match="norm is nan"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert params[0].grad.tolist()[0] == 1.0
    optim.clip_grad_norm_(params, 1.0)
    assert np.isnan(params[0].grad.numpy()).all()


def test_clip_grad_value():
    params = with_gradients([3.0, -4.0, 0.5], [12.0])
    optim.clip_grad_value_(params, 2.0)
    assert [param.grad.tolist() for param in params] == [[2.0, -2.0, 0.5], [2.0]]


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (lambda: optim.clip_grad_norm_([P], -1), "max_norm got -1"),
        (lambda: optim.clip_grad_norm_([P], 1, 0), "norm_type got 0"),
        (lambda: optim.clip_grad_norm_([P], 1, -1), "norm_type got -1"),
        (lambda: optim.clip_grad_value_([P], -1), "clip_value got -1"),
    ],
)
def test_clipping_out_of_range(clip, message):
    with pytest.raises(ValueError, match=message):
        clip()
