"""The transforms of cinta.autodiff against closed forms, finite differences and each other."""

import gc
import math
import threading
import weakref
from collections import OrderedDict, namedtuple

import numpy
import pytest

import cinta as ct
import cinta.numpy as np
from cinta import autodiff, grad
from cinta.autodiff import (
    custom_vjp,
    defjvp,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    elementwise_grad,
    grad_and_aux,
    hessian,
    hessian_vector_product,
    hvp,
    jacobian,
    jvp,
    make_jvp,
    make_vjp,
    primitive,
    value_and_grad,
    vjp,
)

X = numpy.array([0.3, -1.2, 2.0])


def close(got, expected, rtol=1e-12):
    numpy.testing.assert_allclose(numpy.asarray(got), numpy.asarray(expected), rtol=rtol, atol=1e-12)


# grad


def test_grad_of_a_python_float_is_float64():
    g = grad(lambda x: x**3)(2.0)
    assert isinstance(g, ct.Tensor)
    assert g.dtype == ct.float64
    assert g.item() == 12.0
    assert not g.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_grad_keeps_dtype_and_shape(dtype):
    x = numpy.arange(6, dtype=dtype).reshape(2, 3)
    g = grad(lambda x: (x * x).sum())(x)
    assert (str(g.dtype), g.shape) == (dtype, (2, 3))
    close(g, 2 * x)


def test_grad_takes_arrays_tensors_and_numpy_scalars():
    for x in (X, ct.asarray(X), np.array(X), ct.asarray(X).requires_grad_()):
        close(grad(lambda x: np.sum(np.sin(x)))(x), numpy.cos(X))
    close(grad(lambda x: x * x)(numpy.float64(3.0)), 6.0)
    assert grad(lambda x: x * x)(numpy.float32(3.0)).dtype == ct.float32


def test_grad_does_not_touch_its_argument():
    x = ct.asarray(X.copy())
    grad(lambda x: (x * x).sum())(x)
    assert not x.requires_grad
    assert x.grad is None
    close(x, X)


def test_argnum_names_arguments():
    def f(a, b, *, c=1.0):
        return a * a * b * c

    assert grad(f, 1)(3.0, 5.0).item() == 9.0
    assert grad(f, -1)(3.0, 5.0).item() == 9.0
    assert [g.item() for g in grad(f, (1, 0))(3.0, 5.0)] == [9.0, 30.0]
    assert [g.item() for g in grad(f, [0])(3.0, 5.0, c=2.0)] == [60.0]
    with pytest.raises(IndexError, match=r"\[grad\] got argnum 2, expected one of the 2 positional arguments"):
        grad(f, 2)(3.0, 5.0)


def test_arguments_may_be_nested_containers():
    params = {"layers": [(X, 0.5), (2 * X, None)], "scale": numpy.float64(3.0)}

    def f(p):
        (w, b), (v, nothing) = p["layers"]
        assert nothing is None
        return p["scale"] * np.sum(w * v) + b

    g = grad(f)(params)
    assert isinstance(g, dict)
    assert isinstance(g["layers"], list)
    assert isinstance(g["layers"][0], tuple)
    close(g["layers"][0][0], 6 * X)
    close(g["layers"][1][0], 3 * X)
    assert g["layers"][1][1] is None
    close(g["scale"], numpy.sum(2 * X * X))
    assert g["layers"][0][1].item() == 1.0


def test_containers_keep_their_type():
    Point = namedtuple("Point", "x y")
    g = grad(lambda p: p.x * p.y)(Point(2.0, 3.0))
    assert isinstance(g, Point)
    assert (g.x.item(), g.y.item()) == (3.0, 2.0)
    g = grad(lambda p: p["a"])(OrderedDict(a=1.0, b=2.0))
    assert isinstance(g, OrderedDict)
    assert [v.item() for v in g.values()] == [1.0, 0.0]


def test_gradient_is_zero_where_nothing_depends():
    close(grad(lambda x, y: (y * y).sum())(X, X), numpy.zeros(3))
    assert grad(lambda x: 7.0)(2.0).item() == 0.0
    assert grad(lambda x: np.floor(x))(2.5).item() == 0.0
    assert grad(lambda x: np.argmax(x))(X).tolist() == [0.0, 0.0, 0.0]


def test_output_of_one_element_in_any_shape():
    close(grad(lambda x: np.sum(x, keepdims=True) ** 2)(X), numpy.full(3, 2 * X.sum()))


def test_errors_teach():
    with pytest.raises(TypeError, match=r"shape \(3,\), expected one number.*jacobian.*elementwise_grad"):
        grad(lambda x: x)(X)
    with pytest.raises(TypeError, match="2 arrays"):
        grad(lambda x: (x, x))(2.0)
    with pytest.raises(TypeError, match=r"argument 0 is a int, expected floats.*3\.0 for 3"):
        grad(lambda x: x)(3)
    with pytest.raises(TypeError, match=r"argument 0\['n'\]\[1\] has dtype int64, expected a floating"):
        grad(lambda p: p["n"][0])({"n": [1.0, numpy.arange(3)]})
    with pytest.raises(TypeError, match="is a str"):
        grad(lambda x: x)("3")


def test_an_error_inside_leaves_the_mode_as_it_was():
    with ct.no_grad():
        with pytest.raises(ZeroDivisionError):
            grad(lambda x: 1 / 0)(2.0)
        assert not autodiff.is_grad_enabled()
    assert autodiff.is_grad_enabled()
    from cinta.autodiff.trace import is_nested

    assert not is_nested()


def test_value_and_grad():
    value, g = value_and_grad(lambda x: np.sum(x**2))(X)
    close(value, numpy.sum(X**2))
    close(g, 2 * X)
    assert not value.requires_grad
    assert not g.requires_grad


def test_python_control_flow():
    def f(x):
        y = x
        while y < 100.0:
            y = y * x
        return y if y > 110.0 else 2 * y

    assert f(ct.tensor(3.0)).item() == 243.0
    assert grad(f)(3.0).item() == 5 * 3.0**4


def test_numpy_scalars_and_arrays_on_either_side():
    def f(x):
        y = numpy.float64(2) * x + x * numpy.float64(3) - numpy.array([1.0, 2.0, 3.0]) / (x + numpy.ones(3))
        assert isinstance(y, ct.Tensor)
        z = numpy.array([1.0, 1.0, 1.0]) @ y
        assert isinstance(z, ct.Tensor)
        return z ** numpy.float64(2)

    a = numpy.array([1.0, 2.0, 3.0])
    inner = (5 * X - a / (X + 1)).sum()
    close(grad(f)(ct.asarray(X)), 2 * inner * (5 + a / (X + 1) ** 2))


def test_item_assignment_inside():
    def f(x):
        y = np.zeros(4)
        for i in range(3):
            y[i + 1] = y[i] + x[i] ** 2
        y[0] = 5.0
        return np.sum(y)

    close(grad(f)(X), 2 * X * numpy.array([3, 2, 1]))


def test_item_assignment_to_a_copy_of_the_argument():
    def f(x):
        y = np.array(x)
        y[1] = y[0] * 3.0
        y[2] *= 2.0
        return np.sum(y * y)

    close(grad(f)(X), [2 * X[0] + 18 * X[0], 0.0, 8 * X[2]])


# closures and nesting


def test_closures_over_tensors_that_require_grad():
    w = ct.asarray(X.copy()).requires_grad_()
    h = w * w  # recorded before the trace
    close(grad(lambda x: (x * h).sum())(X), X * X)
    assert w.grad is None
    h.sum().backward()  # the trace left the graph behind it alone
    close(w.grad, 2 * X)


def test_create_graph_lets_backward_through():
    w = ct.tensor(3.0, dtype=ct.float64, requires_grad=True)
    g = grad(lambda x: w * x**2, create_graph=True)(2.0)
    assert g.requires_grad
    g.backward()
    assert w.grad.item() == 4.0
    assert not grad(lambda x: w * x**2)(2.0).requires_grad


def test_no_perturbation_confusion():
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(3.0).item() == 6.0
    assert grad(lambda x: grad(lambda y: x * y)(x))(3.0).item() == 1.0
    assert grad(lambda x: x * jvp(lambda y: x * y, (2.0,), (1.0,))[1])(3.0).item() == 6.0


def test_third_order_nested():
    def f(x):
        return grad(lambda y: y**3 * grad(lambda z: z**2 * y * x)(y))(x)

    # inner: 2 y^2 x; middle: d/dy 2 x y^5 = 10 x y^4, at y = x: 10 x^5; outer: 50 x^4
    close(grad(f)(1.5), 50 * 1.5**4)
    close(grad(grad(f))(1.5), 200 * 1.5**3)


def test_sixth_derivative_of_tanh():
    f = np.tanh
    for _ in range(6):
        f = grad(f)
    t = math.tanh(0.7)
    coefficients = numpy.poly1d([1.0, 0.0])
    for _ in range(6):
        coefficients = coefficients.deriv() * numpy.poly1d([-1.0, 0.0, 1.0])
    close(f(0.7), coefficients(t), rtol=1e-10)


def test_no_grad_inside_a_trace_cuts():
    def f(x):
        with ct.no_grad():
            inner = grad(lambda y: y**3)(x)
        return x * inner

    assert grad(f)(2.0).item() == 12.0


def test_grad_works_under_no_grad():
    with ct.no_grad():
        assert grad(lambda x: x**2)(3.0).item() == 6.0
        assert grad(grad(lambda x: x**3))(3.0).item() == 18.0
        assert not autodiff.is_grad_enabled()


def test_traces_in_two_threads_do_not_nest():
    seen = []

    def other():
        seen.append(grad(lambda x: x**2)(3.0).requires_grad)

    def f(x):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return x**2

    assert grad(f)(2.0).item() == 4.0
    assert seen == [False]


def test_a_trace_frees_what_it_made():
    held = []

    def f(x):
        y = np.exp(x)
        held.append(weakref.ref(y))
        return np.sum(y)

    gc.disable()
    try:
        grad(f)(X)
        assert held[0]() is None
    finally:
        gc.enable()


# products and matrices


def test_vjp():
    y, pull = vjp(lambda a, b: {"p": a * b, "q": (np.sum(a),)}, X, 2.0)
    close(y["p"], 2 * X)
    da, db = pull({"p": X, "q": (1.0,)})
    close(da, 2 * X + 1)
    close(db, X @ X)
    da, db = pull({"p": None, "q": (2.0,)})
    close(da, numpy.full(3, 2.0))
    assert db.item() == 0.0
    with pytest.raises(ValueError, match=r"\[vjp\] cotangent has shape \(2,\), expected \(3,\)"):
        pull({"p": [1.0, 2.0], "q": (1.0,)})
    with pytest.raises(ValueError, match="got a dict with keys"):
        pull({"p": X})


def test_vjp_is_differentiable_by_the_cotangent_and_the_primal():
    def f(x, u):
        return np.sum(vjp(lambda x: x**3, x)[1](u)[0])

    close(grad(f, 1)(X, X), 3 * X**2)
    close(grad(f, 0)(X, X), 6 * X * X)


def test_jvp():
    y, dy = jvp(lambda a, b: (a * b, np.sin(a)), (X, 2.0), (X, 1.0))
    close(y[0], 2 * X)
    close(dy[0], 3 * X)
    close(dy[1], numpy.cos(X) * X)
    assert not dy[0].requires_grad
    with pytest.raises(TypeError, match=r"jvp\(f, \(x,\), \(v,\)\)"):
        jvp(np.sin, X, X)


def test_jvp_of_constant_and_linear_functions():
    close(jvp(lambda x: np.ones(2), (X,), (X,))[1], numpy.zeros(2))
    close(jvp(lambda x: x, (X,), (2 * X,))[1], 2 * X)
    close(jvp(lambda x: 3.0 * x[::-1], (X,), (X,))[1], 3 * X[::-1])


def test_jvp_of_any_order():
    def directional(f):
        return lambda x: jvp(f, (x,), (1.0,))[1]

    f = np.tanh
    g = np.tanh
    for _ in range(4):
        f, g = directional(f), grad(g)
    close(f(0.4), g(0.4), rtol=1e-10)
    close(grad(directional(np.exp))(0.4), math.exp(0.4))


def test_jacobian():
    a = numpy.arange(6.0).reshape(2, 3)
    close(jacobian(lambda x: np.dot(a, x))(X), a)
    close(
        jacobian(lambda x: np.outer(x, x))(X),
        numpy.einsum("ik,j->ijk", numpy.eye(3), X) + numpy.einsum("jk,i->ijk", numpy.eye(3), X),
    )
    assert jacobian(lambda x: x[:0])(X).shape == (0, 3)
    close(jacobian(lambda x: np.ones(2))(X), numpy.zeros((2, 3)))
    both = jacobian(lambda x, y: x * y, (0, 1))(X, 2 * X)
    close(both[0], numpy.diag(2 * X))
    close(both[1], numpy.diag(X))


def test_jacobian_of_trees():
    j = jacobian(lambda p: {"y": p["w"] * p["b"]})({"w": X, "b": 2.0})
    close(j["y"]["w"], 2 * numpy.eye(3))
    close(j["y"]["b"], X)


def test_hessian_against_closed_form():
    a = numpy.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 4.0]])
    close(hessian(lambda x: 0.5 * np.dot(x, np.dot(a, x)))(X), a)
    expected = numpy.diag(-numpy.sin(X)) + 2 * numpy.ones((3, 3))
    close(hessian(lambda x: np.sum(np.sin(x)) + np.sum(x) ** 2)(X), expected)
    close(hessian(lambda x: np.sum(x) * 2.0)(X), numpy.zeros((3, 3)))


def test_hvp_against_hessian():
    def f(x, y):
        return np.sum(np.exp(x) * y**2)

    v = numpy.array([1.0, -2.0, 0.5])
    close(hvp(lambda x: f(x, X), X, v), hessian(f)(X, X) @ v)
    hx, hy = hvp(f, (X, 2 * X), (v, v))
    close(hx, numpy.exp(X) * 4 * X**2 * v + numpy.exp(X) * 4 * X * v)
    close(hy, numpy.exp(X) * 4 * X * v + 2 * numpy.exp(X) * v)


def test_autograd_names():
    v = numpy.array([1.0, -2.0, 0.5])
    close(elementwise_grad(np.sin)(X), numpy.cos(X))
    close(elementwise_grad(elementwise_grad(np.sin))(X), -numpy.sin(X))
    pull, y = make_vjp(lambda x: x**2)(X)
    close(pull(v), 2 * X * v)
    close(y, X**2)
    y, dy = make_jvp(lambda x, z: x * z, 1)(X, X)(v)
    close(dy, X * v)
    close(hessian_vector_product(lambda x: np.sum(x**3))(X, v), 6 * X * v)
    gradient, aux = grad_and_aux(lambda x: (np.sum(x**2), {"twice": 2 * x}))(X)
    close(gradient, 2 * X)
    close(aux["twice"], 2 * X)
    times, g = autodiff.make_hvp(lambda x: np.sum(x**3))(X)
    close(times(v), 6 * X * v)
    close(times(2 * v), 12 * X * v)
    close(g, 3 * X**2)
    close(autodiff.tensor_jacobian_product(lambda x: x**2)(X, v), 2 * X * v)
    close(autodiff.make_ggnvp(lambda x: x**2)(X)(v), 4 * X**2 * v)
    close(autodiff.make_ggnvp(lambda x: x**2, lambda y: y**2)(X)(v), 8 * X**2 * v)
    close(autodiff.deriv(lambda x: np.array([1.0, 2.0]) * x**2)(3.0), [6.0, 12.0])
    named = autodiff.multigrad_dict(lambda a, b=2.0: a * b)(3.0)
    assert {k: g.item() for k, g in named.items()} == {"a": 2.0, "b": 3.0}
    assert autodiff.grad_named(lambda a, b: a * b, "b")(2.0, 5.0).item() == 2.0


# modes


def test_modes_nest_and_decorate():
    w = ct.ones(2).requires_grad_()
    off = ct.no_grad()
    with off:
        with off, ct.enable_grad():
            assert (w * 2).requires_grad
        assert not (w * 2).requires_grad
    assert (w * 2).requires_grad

    @ct.no_grad()
    def quiet():
        return w * 2

    @ct.no_grad
    def also_quiet():
        return w * 2

    assert not quiet().requires_grad
    assert not also_quiet().requires_grad
    assert quiet.__name__ == "quiet"


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
