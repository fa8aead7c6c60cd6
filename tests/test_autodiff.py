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
    elementwise_grad,
    grad_and_aux,
    hessian,
    hessian_vector_product,
    hvp,
    jacobian,
    jvp,
    make_jvp,
    make_vjp,
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
