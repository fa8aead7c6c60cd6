"""cinta.numpy against NumPy: every function's values, dtypes and gradients, and what it refuses."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy
import pytest

import cinta as ct
import cinta.numpy as np
from cinta import grad, hessian, jvp
from numpy_cases import CASES

ALONE = {  # tested one by one below, or values that are no functions
    "empty", "empty_like", "finfo", "iinfo",
}  # fmt: skip


def public(module):
    return {name for name in dir(module) if not name.startswith("_") and callable(getattr(module, name))}


def resolve(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def leaves(value):
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_values_and_dtypes(case):
    expected = leaves(resolve(numpy, case.like or case.name)(*case.args, **case.kwargs))
    got = leaves(resolve(np, case.name)(*case.args, **case.kwargs))
    assert len(got) == len(expected)
    for a, b in zip(got, expected):
        a, b = numpy.asarray(a), numpy.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if b.dtype.kind == "f":
            numpy.testing.assert_allclose(a, b, rtol=case.rtol, atol=1e-14)
        else:
            numpy.testing.assert_array_equal(a, b)


def floats(value):
    """The same containers with float64 arrays for what can be differentiated."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, (list, tuple, numpy.ndarray)) for v in value):
        return type(value)(map(floats, value))
    return numpy.asarray(value, dtype=float)


def combined(value, step, direction):
    if isinstance(value, (list, tuple)):
        return type(value)(combined(v, step, d) for v, d in zip(value, direction))
    return value + step * direction


def random_like(value, rng):
    if isinstance(value, (list, tuple)):
        return type(value)(random_like(v, rng) for v in value)
    return rng.standard_normal(value.shape)


def inner(a, b):
    return sum(float(numpy.sum(numpy.asarray(x) * y)) for x, y in zip(leaves(a), leaves(b)))


@pytest.mark.parametrize("case", [case for case in CASES if case.wrt], ids=repr)
def test_gradients(case):
    """<w, f> has the directional derivative of central differences; so has <gradient, v>, the second order."""
    rng = numpy.random.default_rng(3)
    function = resolve(np, case.name)
    points = tuple(floats(case.args[i]) for i in case.wrt)
    weights = None

    def projected(*values):
        nonlocal weights
        args = list(case.args)
        for i, value in zip(case.wrt, values):
            args[i] = value
        outputs = [
            y for y in leaves(function(*args, **case.kwargs)) if isinstance(y, ct.Tensor) and y.dtype.is_floating
        ]
        weights = weights or [rng.standard_normal(y.shape) for y in outputs]
        return sum((np.sum(y * w) for y, w in zip(outputs, weights)), 0.0)

    argnums = tuple(range(len(points)))
    first = tuple(random_like(p, rng) for p in points)
    second = tuple(random_like(p, rng) for p in points)

    def along(*values):
        gradients = grad(projected, argnums)(*values)
        return sum((np.sum(g * d) for g, d in zip(leaves(gradients), leaves(first))), 0.0)

    h = 1e-6
    for f, direction in ((projected, first), (along, second)):
        gradient = grad(f, argnums)(*points)
        ahead = tuple(combined(p, h, d) for p, d in zip(points, direction))
        behind = tuple(combined(p, -h, d) for p, d in zip(points, direction))
        numeric = (float(f(*ahead)) - float(f(*behind))) / (2 * h)
        assert inner(gradient, direction) == pytest.approx(numeric, rel=2e-6, abs=2e-7)
    forward = jvp(projected, points, first)[1]
    assert float(forward) == pytest.approx(float(along(*points)), rel=1e-9, abs=1e-12)


def test_every_function_has_a_case():
    tested = {case.name for case in CASES} | ALONE
    dtypes = {name for name in public(np) if isinstance(getattr(np, name), type)}
    assert public(np) - dtypes - tested == set()
    functions = {
        f"linalg.{name}"
        for name in np.linalg.__dict__
        if name in dir(numpy.linalg) and name.islower() and callable(getattr(np.linalg, name))
    }
    assert functions - tested == {"linalg.eigh"}
    assert len(public(np) - dtypes) >= 190


def test_every_function_says_what_it_does():
    for name in public(np):
        assert getattr(np, name).__doc__, name


def modules():
    names = ["cinta.numpy", "cinta.autodiff", "cinta.scipy"]
    found = list(names)
    for name in names:
        package = importlib.import_module(name)
        found += [m.name for m in pkgutil.walk_packages(package.__path__, name + ".")]
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    tests = finder.find(module, globs={**vars(module), "np": np})
    for key, value in vars(module).items():  # what a table made says it is of another module
        if callable(value) and getattr(value, "__module__", None) == name and not isinstance(value, type):
            tests += [t for t in finder.find(value, key, module=False, globs={"np": np, **vars(module)}) if t.examples]
    for test in tests:
        result = runner.run(test)
        assert result.failed == 0, test.name


# NumPy's defaults, scalars, containers of tensors


def test_numpy_defaults():
    assert np.array(1.5).dtype == ct.float64
    assert np.array([1, 2]).dtype == ct.int64
    assert np.array([True]).dtype == ct.bool_
    assert np.array(numpy.float32(1)).dtype == ct.float32
    assert np.zeros(2).dtype == ct.float64
    assert (np.arange(3) * 0.5).dtype == ct.float64
    assert (np.arange(3) / 2).dtype == ct.float64
    assert (1 - np.array([True, False])).tolist() == [0, 1]
    assert np.empty((2, 3)).shape == np.empty_like(np.zeros((2, 3))).shape == (2, 3)
    assert isinstance(np.zeros(2), np.ndarray)


def test_numbers_print_as_in_numpy():
    assert str(np.sum([0.5, 1.25])) == "1.75"
    assert f"{np.mean([1.0, 2.0]):.3f}" == "1.500"
    assert str(np.array([1.0, 2.5])) == "[1.  2.5]"
    assert float(np.float64(np.sum([0.5]))) == 0.5


def test_arrays_of_tensors():
    def f(x):
        m = np.array([[x[0], 1.0], [x[1] * x[2], x[0]]])
        assert m.shape == (2, 2)
        return np.linalg.det(m)

    numpy.testing.assert_allclose(grad(f)(numpy.array([3.0, 2.0, 5.0])), [6.0, -5.0, -2.0])
    with pytest.raises(ValueError, match=r"shapes \[\(\), \(2,\)\], expected one shape"):
        np.array([np.array(1.0), np.array([1.0, 2.0])])


def test_array_copies_and_asarray_does_not():
    x = np.array([1.0, 2.0])
    y, z = np.array(x), np.asarray(x)
    y[0] = 5.0
    assert z is x
    assert x.tolist() == [1.0, 2.0]
    held = numpy.ones(3)
    np.asarray(held)[0] = 7.0
    assert held[0] == 7.0
    assert np.array(held).dtype == ct.float64


def test_finfo_of_a_tensors_dtype():
    assert np.finfo(np.zeros(2).dtype).eps == numpy.finfo(float).eps
    assert np.iinfo(np.arange(2).dtype).max == numpy.iinfo(int).max
    assert np.result_type(np.zeros(2), np.float32) == numpy.float64


# what is refused


@pytest.mark.parametrize(
    "name", ["exp", "add", "sum", "mean", "clip", "concatenate", "dot", "cumsum", "argmax", "bincount"]
)
def test_out_is_refused(name):
    args = {"add": (1.0, 2.0), "concatenate": ([[1.0]],), "dot": (1.0, 2.0), "bincount": ([1],)}.get(name, ([1.0],))
    with pytest.raises(TypeError, match=r"got out=, expected no out \(assign the result instead"):
        getattr(np, name)(*args, out=numpy.zeros(1))


def test_missing_functions_say_so():
    with pytest.raises(AttributeError, match=r"got 'fft', which NumPy has and cinta.numpy has not.*primitive"):
        np.fft  # noqa: B018
    with pytest.raises(AttributeError, match="got 'no_such_thing', expected one of"):
        np.no_such_thing  # noqa: B018
    assert not hasattr(np, "matrix")


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: np.array(1j), TypeError, "complex128"),
        (lambda: np.array(["a"]), TypeError, "expected booleans, integers or floats"),
        (lambda: np.where(True, 1.0), TypeError, "got 1 choices, expected both"),
        (lambda: np.select([True], []), ValueError, "1 conditions and 0 choices"),
        (lambda: np.choose([2], [1.0, 2.0]), ValueError, "outside the 2 choices"),
        (lambda: np.diff([1.0], n=-1), ValueError, "got n = -1"),
        (lambda: np.diff(1.0), ValueError, "got a number"),
        (lambda: np.gradient([1.0]), ValueError, "has 1 samples, expected 2"),
        (lambda: np.gradient([1.0, 2.0], 1.0, 2.0), TypeError, "got 2 spacings"),
        (lambda: np.quantile([1.0], 1.5), ValueError, r"expected values in \[0, 1\]"),
        (lambda: np.average([1.0, 2.0], weights=[1.0]), ValueError, r"weights have shape \(1,\)"),
        (lambda: np.split(np.zeros(5), 2), ValueError, "does not divide by 2"),
        (lambda: np.array_split(np.zeros(5), 0), ValueError, "got 0 sections"),
        (lambda: np.reshape([1.0], 1, order="X"), ValueError, "got order 'X'"),
        (lambda: np.cross([1.0, 2.0], [1.0, 2.0]), ValueError, "have 2 and 2 elements, expected 3"),
        (lambda: np.meshgrid([1.0], indexing="x"), ValueError, "got indexing 'x'"),
        (lambda: np.convolve([], [1.0]), ValueError, "expected two sequences that are not empty"),
        (lambda: np.convolve([1.0], [1.0], "half"), ValueError, "got mode 'half'"),
        (lambda: np.interp(0.5, [1.0, 2.0], [1.0]), ValueError, "expected two equal lengths"),
        (lambda: np.linalg.norm(np.zeros((2, 2, 2)), 1), ValueError, "got 3 axes"),
        (lambda: np.linalg.norm(np.zeros((2, 2)), 7), ValueError, "got ord 7"),
        (lambda: np.linalg.norm(np.zeros(2), "fro"), ValueError, "got ord 'fro' for vectors"),
        (lambda: np.linalg.svd(np.zeros((3, 2))), ValueError, "full_matrices=False"),
        (lambda: np.linalg.inv(np.zeros((2, 2))), np.linalg.LinAlgError, "Singular"),
        (lambda: np.cov([1.0, 2.0], 1.0, 2.0, 3.0, 4.0, 5.0), TypeError, "positional"),
    ],
)
def test_errors_say_what_was_got_and_expected(call, error, text):
    with pytest.raises(error, match=text):
        call()


# linear algebra whose factors have free signs or a symmetric argument


def symmetric(x):
    return 0.5 * (x + np.swapaxes(x, -1, -2))


A = numpy.array([[4.0, 1.0, 0.5], [0.7, 3.0, -0.4], [0.1, 0.6, 2.0]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.linalg.cholesky(np.dot(x, x.T)) ** 3),
        lambda x: np.sum(np.linalg.eigh(symmetric(x)).eigenvalues ** 3),
        lambda x: np.sum(np.linalg.eigh(symmetric(x)).eigenvectors[:, 0] ** 4 * np.array([1.0, 2.0, 3.0])),
        lambda x: np.sum(np.linalg.svd(x).U ** 4 * np.array([1.0, 2.0, 3.0])),
        lambda x: np.sum(np.linalg.svd(x).Vh ** 4 * np.array([1.0, 2.0, 3.0])),
        lambda x: np.sum(np.linalg.svd(x[:, :2], full_matrices=False).U ** 4),
        lambda x: np.sum(np.linalg.svd(x[:2], full_matrices=False).Vh ** 4),
        lambda x: np.linalg.slogdet(x)[1] * np.linalg.det(x),
    ],
)
def test_decompositions_have_gradients(f):
    assert ct.gradcheck(f, A, order=2, atol=1e-6, rtol=1e-5)


def test_decompositions_compose():
    w, v = np.linalg.eigh(symmetric(A))
    numpy.testing.assert_allclose(np.dot(v * w, v.T), symmetric(A), atol=1e-12)
    u, s, vh = np.linalg.svd(A[:, :2], full_matrices=False)
    numpy.testing.assert_allclose(np.dot(u * s, vh), A[:, :2], atol=1e-12)


# random numbers


def test_random_numbers_are_numpys():
    np.random.seed(3)
    a = np.random.randn(2, 3)
    numpy.random.seed(3)  # noqa: NPY002
    assert isinstance(a, ct.Tensor)
    assert a.tolist() == numpy.random.randn(2, 3).tolist()  # noqa: NPY002
    mine, theirs = np.random.RandomState(5), numpy.random.RandomState(5)
    for name, args in (("rand", (3,)), ("normal", (0.0, 2.0, (2, 2))), ("permutation", (5,)), ("randint", (0, 9, 4))):
        assert getattr(mine, name)(*args).tolist() == getattr(theirs, name)(*args).tolist()
    assert isinstance(mine.randint(5), int)
    assert np.random.default_rng(1).uniform(size=3).tolist() == numpy.random.default_rng(1).uniform(size=3).tolist()
    x = np.arange(10)
    mine.shuffle(x)
    assert sorted(x.tolist()) == list(range(10))
    assert x.tolist() != list(range(10))
    assert np.random.normal(np.array([0.0, 100.0]), 0.1).shape == (2,)
    with pytest.raises(AttributeError, match="no_such"):
        np.random.no_such  # noqa: B018


def test_importing_cinta_loads_no_face():
    code = "import sys, cinta; print([m for m in sys.modules if m.startswith(('cinta.numpy', 'cinta.scipy', 'scipy'))])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_hessian_of_a_small_network():
    w = numpy.linspace(-0.5, 0.5, 6)

    def loss(w):
        hidden = np.tanh(np.dot(np.array([[0.1, 0.2], [0.3, -0.4]]), np.reshape(w[:4], (2, 2))))
        return np.mean((np.dot(hidden, w[4:]) - np.array([1.0, -1.0])) ** 2)

    h = numpy.asarray(hessian(loss)(w))
    numeric = numpy.stack(
        [(numpy.asarray(grad(loss)(w + d)) - numpy.asarray(grad(loss)(w - d))) / 2e-6 for d in 1e-6 * numpy.eye(6)]
    )
    numpy.testing.assert_allclose(h, numeric, atol=1e-8)
    numpy.testing.assert_allclose(h, h.T, atol=1e-14)


@pytest.mark.parametrize(
    "key",
    [slice(0, 3), (slice(0, 3), 7, [8, 9]), (slice(1, 2, 5j), 0.5), (numpy.eye(2), numpy.ones((1, 2)))],
    ids=str,
)
def test_rows_and_columns_in_short(key):
    numpy.testing.assert_allclose(np.r_[key].numpy(), numpy.r_[key])
    assert str(np.r_[key].dtype) == str(numpy.r_[key].dtype)


def test_columns_in_short():
    a, b = numpy.arange(3.0), numpy.ones((3, 2))
    numpy.testing.assert_array_equal(np.c_[a, b, a].numpy(), numpy.c_[a, b, a])
    numpy.testing.assert_array_equal(np.c_[1:4].numpy(), numpy.c_[1:4])
    with pytest.raises(ValueError, match="directive"):
        np.r_["r", [1, 2]]


@pytest.mark.parametrize("name", ["max", "min"])
def test_a_choice_of_extremes_needs_an_initial_value(name):
    with pytest.raises(ValueError, match="initial"):
        getattr(np, name)([1.0, 2.0], where=[True, False])
