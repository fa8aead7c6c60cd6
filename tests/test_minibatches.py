"""Losses average over the minibatch and over valid tokens, so gradients do not depend on its size; accumulation."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

F = nn.functional
RNG = np.random.default_rng(0)
CLASSES, FEATURES = 4, 3


# Losses of outputs [N, 4], with targets for them.
CASES = {
    "cross_entropy": (F.cross_entropy, lambda n: RNG.integers(0, CLASSES, n)),
    "nll_loss": (lambda y, t: F.nll_loss(F.log_softmax(y, 1), t), lambda n: RNG.integers(0, CLASSES, n)),
    "mse_loss": (F.mse_loss, lambda n: RNG.normal(size=(n, CLASSES))),
    "l1_loss": (F.l1_loss, lambda n: RNG.normal(size=(n, CLASSES))),
    "huber_loss": (F.huber_loss, lambda n: RNG.normal(size=(n, CLASSES))),
    "smooth_l1_loss": (F.smooth_l1_loss, lambda n: RNG.normal(size=(n, CLASSES))),
    "hinge_loss": (F.hinge_loss, lambda n: RNG.choice([-1.0, 1.0], size=(n, CLASSES))),
    "kl_div": (lambda y, t: F.kl_div(F.log_softmax(y, 1), t), lambda n: RNG.uniform(size=(n, CLASSES))),
    "binary_cross_entropy": (
        lambda y, t: F.binary_cross_entropy(F.sigmoid(y), t),
        lambda n: RNG.uniform(size=(n, CLASSES)),
    ),
    "binary_cross_entropy_with_logits": (
        F.binary_cross_entropy_with_logits,
        lambda n: RNG.uniform(size=(n, CLASSES)),
    ),
}


def gradients(loss, weight, x, target):
    w = ct.tensor(weight, requires_grad=True)
    value = loss(ct.tensor(x) @ w, ct.tensor(target))
    value.backward()
    return value.item(), w.grad.numpy()


@pytest.mark.parametrize("name", CASES)
def test_doubling_a_batch_leaves_the_gradient(name):
    loss, draw = CASES[name]
    weight, x, target = RNG.normal(size=(FEATURES, CLASSES)), RNG.normal(size=(6, FEATURES)), draw(6)
    once = gradients(loss, weight, x, target)
    twice = gradients(loss, weight, np.concatenate([x, x]), np.concatenate([target, target]))
    np.testing.assert_allclose(twice[0], once[0], rtol=1e-13)
    np.testing.assert_allclose(twice[1], once[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_the_mean_is_over_valid_tokens(name):
    """Padding changes nothing, however much of it there is."""
    loss, draw = CASES[name]
    weight, x, target = RNG.normal(size=(FEATURES, CLASSES)), RNG.normal(size=(6, FEATURES)), draw(6)
    padding, ignored = RNG.normal(size=(9, FEATURES)), np.full(9, -100)
    plain = gradients(loss, weight, x, target)
    padded = gradients(loss, weight, np.concatenate([padding, x]), np.concatenate([ignored, target]))
    np.testing.assert_allclose(padded[0], plain[0], rtol=1e-13)
    np.testing.assert_allclose(padded[1], plain[1], rtol=1e-12, atol=1e-15)


def network():
    ct.random.seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, CLASSES))


TOKENS = RNG.normal(size=(24, FEATURES)).astype("float32")
TARGETS = np.where(RNG.uniform(size=24) < 0.4, -100, RNG.integers(0, CLASSES, 24))
TARGETS[16:20] = -100  # a part without any valid token
PARTS = [slice(0, 5), slice(5, 16), slice(16, 20), slice(20, 24)]


def whole_batch():
    net = network()
    F.cross_entropy(net(ct.tensor(TOKENS)), ct.tensor(TARGETS)).backward()
    return [param.grad.numpy() for param in net.parameters()]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("count", ["tensor", "number"])
def test_accumulated_parts_give_the_whole_batchs_gradient(count, compiled):
    net = network()
    accumulation = optim.GradientAccumulation(net.parameters())

    def run(tokens, targets):
        for part in PARTS:
            loss = F.cross_entropy(net(tokens[part]), targets[part])
            valid = (targets[part] != -100).sum() if count == "tensor" else int((TARGETS[part] != -100).sum())
            accumulation.backward(loss, weight=valid)
        accumulation.average()

    run = ct.compile(run) if compiled else run
    for _ in range(3):  # what an earlier round left does not count
        run(ct.tensor(TOKENS), ct.tensor(TARGETS))
    for param, expected in zip(net.parameters(), whole_batch(), strict=True):
        np.testing.assert_allclose(param.grad.numpy(), expected, rtol=2e-5, atol=1e-8)


def test_equal_parts_need_no_weights():
    """(loss / parts).backward(), the pattern that the docstring names, and the class with its default weight."""
    plain, whole, helped = network(), network(), network()
    target = ct.tensor(np.arange(24) % CLASSES)
    accumulation = optim.GradientAccumulation(helped.parameters())
    for part in np.split(np.arange(24), 4):
        (F.cross_entropy(plain(ct.tensor(TOKENS[part])), target[part]) / 4).backward()
        accumulation.backward(F.cross_entropy(helped(ct.tensor(TOKENS[part])), target[part]))
    accumulation.average()
    F.cross_entropy(whole(ct.tensor(TOKENS)), target).backward()
    for a, b, c in zip(plain.parameters(), whole.parameters(), helped.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=2e-5, atol=1e-8)
        np.testing.assert_allclose(c.grad.numpy(), b.grad.numpy(), rtol=2e-5, atol=1e-8)


def test_nothing_valid_at_all():
    net = network()
    accumulation = optim.GradientAccumulation(net.parameters())
    for weight in (ct.tensor(0), 0):
        accumulation.backward(F.cross_entropy(net(ct.tensor(TOKENS[:2])), ct.tensor([-100, -100])), weight)
        accumulation.average()
        assert all((param.grad == 0).all() for param in net.parameters())


def test_wrong_use():
    net = network()
    accumulation = optim.GradientAccumulation(net.parameters())
    with pytest.raises(ValueError, match="average.. got nothing"):
        accumulation.average()
    loss = net(ct.tensor(TOKENS)).sum()
    with pytest.raises(ValueError, match="weight got -1"):
        accumulation.backward(loss, -1)
    with pytest.raises(ValueError, match=r"weight has shape \[2\], expected one number"):
        accumulation.backward(loss, ct.ones(2))
    with pytest.raises(ValueError, match="no parameters"):
        optim.GradientAccumulation([])
    accumulation.backward(loss)


def test_clipping_after_accumulation_in_a_compiled_step():
    results = []
    for compiled in (False, True):
        net = network()
        opt = optim.SGD(net.parameters(), lr=0.5)
        accumulation = optim.GradientAccumulation(net.parameters())

        def step(tokens, targets, net=net, opt=opt, accumulation=accumulation):
            for part in PARTS:
                loss = F.cross_entropy(net(tokens[part]), targets[part])
                accumulation.backward(loss, (targets[part] != -100).sum())
            accumulation.average()
            norm = optim.clip_grad_norm_(net.parameters(), 0.1)
            optim.clip_grad_value_(net.parameters(), 0.02)
            opt.step()
            return norm

        run = ct.compile(step) if compiled else step
        norms = [run(ct.tensor(TOKENS), ct.tensor(TARGETS)).item() for _ in range(4)]
        results.append([norms, *(param.detach().numpy().tobytes() for param in net.parameters())])
    assert results[0] == results[1]


def test_a_check_for_finite_norms_inside_ct_compile():
    p = nn.Parameter(ct.ones(2))

    @ct.compile
    def step(x):
        p.grad = None
        (p * x).sum().backward()
        return optim.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)

    with pytest.raises(RuntimeError, match="reads a tensor's value while step is being recorded"):
        step(ct.ones(2))
