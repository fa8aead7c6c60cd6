"""Gradient rules written in Python, checkpoints, and arrays that programs fill piece by piece."""

import gc
import math
import weakref

import numpy
import pytest

import cinta as ct
import cinta.numpy as np
from cinta import grad
from cinta.autodiff import (
    custom_vjp,
    defjvp,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    hessian,
    jvp,
    primitive,
)

X = numpy.array([0.3, -1.2, 2.0])


def close(got, expected, rtol=1e-12):
    numpy.testing.assert_allclose(numpy.asarray(got), numpy.asarray(expected), rtol=rtol, atol=1e-12)


# rules of one's own


def make_clipped():
    @custom_vjp
    def clipped(x, limit):
        return np.sin(x)

    clipped.defvjp(
        lambda x, limit: (np.sin(x), (x, limit)), lambda res, dy: (np.clip(dy * np.cos(res[0]), -res[1], res[1]), None)
    )
    return clipped


def test_custom_vjp_replaces_the_gradient():
    f = make_clipped()
    close(f(X, 0.5), numpy.sin(X))
    close(grad(lambda x: np.sum(f(x, 0.5)))(X), numpy.clip(numpy.cos(X), -0.5, 0.5))
    close(grad(lambda x: np.sum(f(x, limit=0.5)))(X), numpy.clip(numpy.cos(X), -0.5, 0.5))


def test_custom_vjp_to_higher_orders():
    @custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, dy: (dy * 3 * x**2,))
    f, n = cube, [3 * 4.0, 6 * 2.0, 6.0, 0.0]
    for expected in n:
        f = grad(f)
        assert f(2.0).item() == expected
    close(jvp(cube, (X,), (X,))[1], 3 * X**3)


def test_custom_vjp_with_containers_and_nondiff_arguments():
    @(lambda f: custom_vjp(f, nondiff_argnums=(0,)))
    def apply(kind, p):
        return {"y": p["w"] * 2.0, "kind": p["b"]}

    apply.defvjp(
        lambda kind, p: (apply(kind, p), (p["w"],)),
        lambda kind, res, dy: ({"w": dy["y"] * 10.0, "b": None},) if kind == "ten" else (None,),
    )
    g = grad(lambda p: np.sum(apply("ten", p)["y"]))({"w": X, "b": 1.0})
    close(g["w"], numpy.full(3, 10.0))
    assert g["b"].item() == 0.0
    close(grad(lambda p: np.sum(apply("no", p)["y"]))({"w": X, "b": 1.0})["w"], numpy.zeros(3))


def test_custom_vjp_errors():
    f = custom_vjp(np.sin)
    with pytest.raises(RuntimeError, match="defvjp"):
        f(X)
    f.defvjp(lambda x: (np.sin(x), x), lambda x, dy: dy)
    with pytest.raises(ValueError, match="expected a tuple of 1"):
        grad(lambda x: np.sum(f(x)))(X)
    f.defvjp(lambda x: (np.sin(x), x), lambda x, dy: (dy[:2],))
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\), expected \(3,\)"):
        grad(lambda x: np.sum(f(x)))(X)
    f.defvjp(np.sin, lambda x, dy: (dy,))
    with pytest.raises(ValueError, match="expected the pair"):
        grad(lambda x: np.sum(f(x)))(X)


def test_custom_vjp_with_backward():
    f = make_clipped()
    w = ct.asarray(X.copy()).requires_grad_()
    f(w, 0.25).sum().backward()
    close(w.grad, numpy.clip(numpy.cos(X), -0.25, 0.25))


def test_primitive_gets_numpy_arrays():
    @primitive
    def logsumexp(x):
        assert type(x) is numpy.ndarray
        top = numpy.max(x)
        return top + numpy.log(numpy.sum(numpy.exp(x - top)))

    defvjp(logsumexp, lambda ans, x: lambda g: np.full(x.shape, g) * np.exp(x - np.full(x.shape, ans)))
    soft = numpy.exp(X) / numpy.exp(X).sum()
    close(grad(logsumexp)(X), soft)
    close(hessian(logsumexp)(X), numpy.diag(soft) - numpy.outer(soft, soft))
    assert logsumexp(X).dtype == ct.float64


def test_primitive_rules_by_argnum():
    def power(x, y):
        return numpy.power(x, y)

    def rule(argnum, ans, args, kwargs):
        x, y = args
        return lambda g: g * y * x ** (y - 1) if argnum == 0 else g * ans * np.log(x)

    one, many, only = primitive(power), primitive(power), primitive(power)
    defvjp_argnum(one, rule)
    defvjp_argnums(many, lambda argnums, ans, args, kwargs: lambda g: [rule(n, ans, args, kwargs)(g) for n in argnums])
    defvjp(only, lambda ans, x, y: lambda g: g * y * x ** (y - 1), argnums=[0])
    for f in (one, many):
        assert [g.item() for g in grad(f, (0, 1))(2.0, 3.0)] == [12.0, 8.0 * math.log(2.0)]
        close(grad(grad(f, 1), 1)(2.0, 3.0), 8.0 * math.log(2.0) ** 2)
    assert grad(only)(2.0, 3.0).item() == 12.0
    with pytest.raises(RuntimeError, match="got argument 1 with a gradient to compute"):
        grad(only, 1)(2.0, 3.0)
    defvjp(only, None, lambda ans, x, y: lambda g: g)
    assert [g.item() for g in grad(only, (0, 1))(2.0, 3.0)] == [0.0, 1.0]
    with pytest.raises(TypeError, match="expected a primitive"):
        defvjp(power, None)


def test_primitive_from_forward_rules_alone():
    cube = primitive(lambda x: numpy.power(x, 3))
    defjvp(cube, lambda v, ans, x: v * 3 * x**2)
    assert grad(cube)(2.0).item() == 12.0
    close(jvp(cube, (X,), (X,))[1], 3 * X**3)


def test_primitive_of_several_outputs():
    both = primitive(lambda x: (numpy.sin(x), numpy.argmax(x), numpy.cos(x)))
    defvjp(both, lambda ans, x: lambda g: g[0] * ans[2] - g[2] * ans[0])
    close(grad(lambda x: np.sum(both(x)[0]))(X), numpy.cos(X))
    close(grad(lambda x: np.sum(both(x)[2]))(X), -numpy.sin(X))
    assert both(X)[1].item() == 2


def test_primitive_is_not_moved_by_later_writes():
    double = primitive(lambda x: 2 * x)
    defvjp(double, lambda ans, x: lambda g: g * x)

    def f(x):
        y = x * 1.0
        z = double(y)
        y = y * 100.0
        return np.sum(z) + 0.0 * np.sum(y)

    close(grad(f)(X), X)


def test_rules_leave_no_cycles():
    f = make_clipped()
    cube = primitive(lambda x: numpy.power(x, 3))
    defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    gc.collect()
    gc.disable()
    try:
        for function in (lambda w: f(w, 0.5), cube):
            w = ct.asarray(X.copy()).requires_grad_()
            y = w * 1.0
            seen = weakref.ref(y)
            z = function(y).sum()
            z.backward()
            del y, z
            assert seen() is None
    finally:
        gc.enable()


# checkpoint


def test_checkpoint_gives_the_same_gradient():
    def block(x, w):
        return np.tanh(np.dot(w, x)) + x

    w = numpy.linspace(-1, 1, 9).reshape(3, 3)
    plain = grad(lambda x, w: np.sum(block(block(x, w), w)), (0, 1))(X, w)
    saved = ct.checkpoint(block)
    again = grad(lambda x, w: np.sum(saved(saved(x, w), w)), (0, 1))(X, w)
    for a, b in zip(plain, again):
        assert a.tolist() == b.tolist()
    close(hessian(lambda x: np.sum(saved(x, w)))(X), hessian(lambda x: np.sum(block(x, w)))(X))


def test_checkpoint_reaches_closures_and_parameters():
    w = ct.asarray(X.copy()).requires_grad_()
    h = w * 2.0
    f = ct.checkpoint(lambda x: np.sum(np.sin(x * h)))
    x = ct.asarray(X.copy())
    f(x).backward()  # no argument requires grad, the closure does
    close(w.grad, 2 * X * numpy.cos(2 * X * X))
    close(grad(lambda s: ct.checkpoint(lambda x: np.sum(x * s * s))(X))(3.0), 6 * X.sum())


def test_checkpoint_draws_the_same_random_numbers():
    def block(x):
        return np.sum(x * ct.dropout(x, 0.5, True))

    x = numpy.ones(1000)
    ct.random.seed(5)
    plain = grad(block)(x)
    after = ct.random.get_state()
    ct.random.seed(5)
    again = grad(ct.checkpoint(block))(x)
    assert ct.random.get_state() == after
    assert plain.tolist() == again.tolist()


def test_checkpoint_saves_memory():
    def block(x):
        for _ in range(20):
            x = np.tanh(x)
        return x

    def peak(f):
        ct.empty_cache()
        held = ct.memory_stats()["live"]
        x = ct.asarray(numpy.ones(100_000)).requires_grad_()
        y = f(f(f(f(x)))).sum()
        forward = ct.memory_stats()["live"] - held
        y.backward()
        return forward, x.grad

    plain, g = peak(block)
    saved, again = peak(ct.checkpoint(block))
    assert saved < plain / 8
    assert g.tolist()[:10] == again.tolist()[:10]


def test_checkpoint_keeps_containers_and_names():
    @ct.checkpoint
    def block(p, *, scale):
        return {"y": p["w"] * scale, "n": np.argmax(p["w"]), "note": None}

    g = grad(lambda p: np.sum(block(p, scale=2.0)["y"]))({"w": X, "b": 1.0})
    close(g["w"], numpy.full(3, 2.0))
    assert block.__name__ == "block"
    assert block({"w": X}, scale=1.0)["n"].item() == 2


def test_rules_and_checkpoints_may_call_transforms():
    f = custom_vjp(lambda x: x**4)
    f.defvjp(lambda x: (x**4, x), lambda x, dy: (dy * grad(lambda y: y**4)(x),))
    g = f
    for expected in (32.0, 48.0, 48.0, 24.0, 0.0):
        g = grad(g)
        assert g(2.0).item() == expected
    slope = ct.checkpoint(grad(lambda x: x**4))
    assert grad(slope)(2.0).item() == 48.0
    assert grad(grad(slope))(2.0).item() == 48.0


def test_arrays_filled_element_by_element():
    def recurrence(x):
        y = np.ones(4)
        for i in range(3):
            y[i + 1] = y[i] * x[i] + np.sin(y[i])
        y[0] *= 3.0
        y[1] += y[0] * y[2]
        return np.prod(y)

    def plain(x):
        y = [np.array(1.0)]
        for i in range(3):
            y.append(y[i] * x[i] + np.sin(y[i]))
        first = y[0] * 3.0
        return first * (y[1] + first * y[2]) * y[2] * y[3]

    close(recurrence(X), plain(X))
    close(grad(recurrence)(X), grad(plain)(X))
    close(hessian(recurrence)(X), hessian(plain)(X))


def test_arrays_filled_row_by_row():
    def recurrence(x):
        h = np.zeros((4, 3))
        for t in range(3):
            h[t + 1] = h[t] * 0.5 + np.tanh(x * np.array(h[t]) + x)
        return np.sum(h**2)

    def plain(x):
        h = [np.zeros(3)]
        for t in range(3):
            h.append(h[t] * 0.5 + np.tanh(x * h[t] + x))
        return sum(np.sum(row**2) for row in h)

    close(grad(recurrence)(X), grad(plain)(X))


def test_checkpoint_of_a_module():
    from cinta import nn

    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 2))
    x = ct.asarray(X.astype("float32")).reshape(1, 3)

    def gradients(f):
        ct.random.seed(3)
        net.zero_grad()
        (f(x) ** 2).sum().backward()
        return [p.grad.tolist() for p in net.parameters()]

    assert gradients(net) == gradients(ct.checkpoint(net))
