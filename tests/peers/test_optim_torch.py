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
]
SHAPES = [(4, 3), (5,), (2, 1, 3)]


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
        assert key == "params" or other.param_groups[0][key] == value, key
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


def test_clipping():
    params, others = twins()
    for norm_type in (2.0, 1.0, float("inf")):
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
