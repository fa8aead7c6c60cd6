"""Optimizers and clipping beside PyTorch's: twenty steps on the same gradients, state dictionaries exchanged."""

import copy

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "momentum": 0.5, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adagrad", {"lr": 0.3, "eps": 1e-3, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.05, "etas": (0.4, 1.5), "step_sizes": (0.02, 0.08), "maximize": True}),
]
SHAPES = [(4, 3), (5,), (2, 1, 3)]


@pytest.fixture(autouse=True)
def exact_counts():
    """NAdam keeps its product of momenta in PyTorch's default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def twins(dtype="float64"):
    rng = np.random.default_rng(1)
    starts = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    return [nn.Parameter(ct.tensor(x)) for x in starts], [torch.nn.Parameter(torch.tensor(x)) for x in starts]


def advance(opt, params, other, others, seed, steps):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p, q in zip(params, others, strict=True):
            grad = rng.normal(size=p.shape)
            p.grad, q.grad = ct.tensor(grad).astype(p.dtype), torch.tensor(grad).to(q.dtype)
        opt.step(), other.step()


def assert_equal(params, others, tolerance=1e-11):
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 1e-5)])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_twenty_steps(name, options, dtype, tolerance):
    params, others = twins(dtype)
    opt, other = getattr(optim, name)(params, **options), getattr(torch.optim, name)(others, **options)
    for key, value in opt.param_groups[0].items():
        assert key in ("params", "lazy") or other.param_groups[0][key] == value, key
    advance(opt, params, other, others, 2, 20)
    assert_equal(params, others, tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_state_from_pytorch(name, options):
    params, others = twins()
    opt, other = getattr(optim, name)(params), getattr(torch.optim, name)(others, **options)
    scratch, _ = twins()
    advance(getattr(optim, name)(scratch), scratch, other, others, 3, 4)
    for p, q in zip(params, others, strict=True):
        with ct.no_grad():
            p.copy_(ct.asarray(q.detach().numpy()))
    opt.load_state_dict(copy.deepcopy(other.state_dict()))
    advance(opt, params, other, others, 5, 4)
    assert_equal(params, others)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_state_to_pytorch(name, options):
    params, others = twins()
    opt, other = getattr(optim, name)(params, **options), getattr(torch.optim, name)(others)
    rng = np.random.default_rng(3)
    for _ in range(4):
        for p in params:
            p.grad = ct.tensor(rng.normal(size=p.shape))
        opt.step()
    for p, q in zip(params, others, strict=True):
        q.data.copy_(torch.tensor(p.detach().numpy()))
    packed = other.state_dict()
    mine = opt.state_dict()
    for group, given in zip(packed["param_groups"], mine["param_groups"], strict=True):
        group.update(given)
    packed["state"] = {
        number: {
            key: torch.tensor(float(value)) if key == "step" else torch.tensor(value.detach().numpy())
            for key, value in entry.items()
        }
        for number, entry in mine["state"].items()
    }
    other.load_state_dict(packed)
    advance(opt, params, other, others, 5, 4)
    assert_equal(params, others)


# LBFGS asks for losses: Rosenbrock's valley, whose bottom is at (1, 1), and a quadratic in the other parameters.


def valley(params, sum_of):
    x, y = params[1][0], params[1][1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2 + sum(sum_of((p - 0.5) ** 2) for p in (params[0], params[2]))


def closure_of(opt, params, sum_of):
    def closure():
        opt.zero_grad()
        loss = valley(params, sum_of)
        loss.backward()
        return loss

    return closure


LBFGS = [
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "lr": 0.1, "max_eval": 7},
    {"lr": 0.002, "max_iter": 5},
    {"lr": 0.002, "max_iter": 5, "history_size": 2, "tolerance_change": 1e-3},
]


@pytest.mark.parametrize("options", LBFGS, ids=str)
def test_lbfgs(options):
    params, others = twins()
    opt, other = optim.LBFGS(params, **options), torch.optim.LBFGS(others, **options)
    mine, its = closure_of(opt, params, lambda t: t.sum()), closure_of(other, others, torch.sum)
    for _ in range(12):
        loss, expected = opt.step(mine), other.step(its)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-9)
        assert_equal(params, others, 1e-6)
    ours, theirs = opt.state_dict()["state"][0], other.state_dict()["state"][0]
    assert (ours["n_iter"], ours["func_evals"]) == (theirs["n_iter"], theirs["func_evals"])
    assert set(theirs) - set(ours) <= {"al"}


@pytest.mark.parametrize("options", LBFGS[:2] + LBFGS[3:4], ids=str)
def test_lbfgs_state_from_pytorch(options):
    params, others = twins()
    opt, other = optim.LBFGS(params), torch.optim.LBFGS(others, **options)
    mine, its = closure_of(opt, params, lambda t: t.sum()), closure_of(other, others, torch.sum)
    for _ in range(2):
        other.step(its)
    for p, q in zip(params, others, strict=True):
        with ct.no_grad():
            p.copy_(ct.asarray(q.detach().numpy()))
    opt.load_state_dict(copy.deepcopy(other.state_dict()))
    opt.step(mine), other.step(its)
    assert_equal(params, others, 1e-8)


def test_averages():
    """AveragedModel's weights, and its state read by EMA and SWA."""
    net, other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), None
    net.double()
    other = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
    swa_utils = torch.optim.swa_utils
    pairs = [
        (optim.EMA(net, 0.9), swa_utils.AveragedModel(other, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))),
        (optim.SWA(net), swa_utils.AveragedModel(other)),
        (optim.SWA(net, use_buffers=True), swa_utils.AveragedModel(other, use_buffers=True)),
    ]
    rng = np.random.default_rng(0)
    for _ in range(5):
        for name, q in other.state_dict().items():
            value = rng.normal(size=tuple(q.shape))
            q.copy_(torch.tensor(value))
            net.state_dict()[name].copy_(ct.tensor(value).astype(net.state_dict()[name].dtype))
        for average, theirs in pairs:
            average.update(), theirs.update_parameters(other)
    for average, theirs in pairs:
        state = theirs.state_dict()
        for name, value in average.state_dict().items():
            if "num_batches" not in name:
                np.testing.assert_allclose(value.numpy(), state[name].numpy(), rtol=1e-12)
        fresh = type(average)(net, use_buffers=average.use_buffers)
        fresh.load_state_dict(state)
        np.testing.assert_array_equal(fresh.state_dict()["module.0.weight"].numpy(), state["module.0.weight"].numpy())


def test_update_bn():
    rng = np.random.default_rng(0)
    batches = [rng.normal(1, 2, size=(n, 3)).astype("float32") for n in (8, 8, 5)]
    net, other = nn.Sequential(nn.BatchNorm1d(3)), torch.nn.Sequential(torch.nn.BatchNorm1d(3)).float()
    optim.update_bn(batches, net)
    torch.optim.swa_utils.update_bn([torch.tensor(batch) for batch in batches], other)
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(value.numpy(), other.state_dict()[name].numpy(), rtol=1e-5)


def test_clipping():
    params, others = twins()
    for norm_type in (2.0, 1.0, 3, 0.5, float("inf"), "inf"):
        rng = np.random.default_rng(4)
        for p, q in zip(params, others, strict=True):
            grad = rng.normal(size=p.shape)
            p.grad, q.grad = ct.tensor(grad), torch.tensor(grad)
        norm = optim.clip_grad_norm_(params, 0.7, norm_type)
        expected = torch.nn.utils.clip_grad_norm_(others, 0.7, norm_type)
        assert norm.item() == pytest.approx(expected.item(), rel=1e-6)
        for p, q in zip(params, others, strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)
    optim.clip_grad_value_(params, 0.1), torch.nn.utils.clip_grad_value_(others, 0.1)
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_clipping_what_is_not_finite(norm_type, value):
    params, others = twins()
    for p, q in zip(params, others, strict=True):
        grad = np.ones(p.shape)
        grad.flat[0] = value
        p.grad, q.grad = ct.tensor(grad), torch.tensor(grad)
    with pytest.raises(RuntimeError):
        optim.clip_grad_norm_(params, 0.7, norm_type, error_if_nonfinite=True)
    with pytest.raises(RuntimeError):
        torch.nn.utils.clip_grad_norm_(others, 0.7, norm_type, error_if_nonfinite=True)
    norm = optim.clip_grad_norm_(params, 0.7, norm_type)
    np.testing.assert_equal(norm.item(), torch.nn.utils.clip_grad_norm_(others, 0.7, norm_type).item())
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_clipping_values_of_parts():
    """NaN stays, parameters without gradient are passed over, one tensor will do."""
    params, others = twins()
    grad = np.array([np.nan, -5.0, np.inf, 0.05, 0.1])
    params[1].grad, others[1].grad = ct.tensor(grad), torch.tensor(grad)
    optim.clip_grad_value_(params, 0.1), torch.nn.utils.clip_grad_value_(others, 0.1)
    np.testing.assert_array_equal(params[1].grad.numpy(), others[1].grad.numpy())
    optim.clip_grad_value_(params[1], 0.01), torch.nn.utils.clip_grad_value_(others[1], 0.01)
    np.testing.assert_array_equal(params[1].grad.numpy(), others[1].grad.numpy())
