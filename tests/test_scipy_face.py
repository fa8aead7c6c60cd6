"""cinta.scipy against SciPy: values, gradients of two orders against finite differences."""

import numpy
import pytest

import cinta as ct
import cinta.scipy.special as special
from cinta import grad
from cinta.scipy.stats import norm

scipy_special = pytest.importorskip("scipy.special")
scipy_stats = pytest.importorskip("scipy.stats")

POSITIVE = numpy.array([0.3, 0.8, 1.7, 4.2])
FRACTIONS = numpy.array([0.1, 0.35, 0.6, 0.9])
REAL = numpy.array([-2.5, -0.4, 0.6, 3.1])

CASES = [
    ("expit", (REAL,)),
    ("logit", (FRACTIONS,)),
    ("erf", (REAL,)),
    ("erfc", (REAL,)),
    ("erfinv", (FRACTIONS,)),
    ("ndtr", (REAL,)),
    ("log_ndtr", (REAL,)),
    ("gamma", (POSITIVE,)),
    ("gammaln", (POSITIVE,)),
    ("digamma", (POSITIVE,)),
    ("psi", (POSITIVE,)),
    ("beta", (POSITIVE, FRACTIONS)),
    ("betaln", (POSITIVE, FRACTIONS)),
    ("i0", (REAL,)),
    ("i1", (REAL,)),
    ("j0", (REAL,)),
    ("j1", (REAL,)),
    ("xlogy", (POSITIVE, FRACTIONS)),
    ("entr", (FRACTIONS,)),
    ("logsumexp", (REAL,)),
    ("softmax", (REAL,)),
    ("log_softmax", (REAL,)),
]


def check_two_orders(function, points):
    ct.gradcheck(function, *points, order=2, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize(("name", "points"), CASES, ids=[name for name, _ in CASES])
def test_special(name, points):
    function = getattr(special, name)
    expected = getattr(scipy_special, name)(*points)
    numpy.testing.assert_allclose(numpy.asarray(function(*points)), expected, rtol=1e-12, atol=1e-14)
    assert function(*points).dtype == ct.float64
    check_two_orders(function, points)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_polygamma(n):
    numpy.testing.assert_allclose(numpy.asarray(special.polygamma(n, POSITIVE)), scipy_special.polygamma(n, POSITIVE))
    check_two_orders(lambda x: special.polygamma(n, x), (POSITIVE,))


def test_logsumexp_forms():
    x = numpy.array([[1.0, -800.0, 3.0], [0.5, 700.0, -numpy.inf]])
    b = numpy.array([[0.5, 2.0, 1.0]])
    for kwargs in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": (0, 1)}, {"axis": 1, "b": b}, {"b": 2.0}):
        got, expected = special.logsumexp(x, **kwargs), scipy_special.logsumexp(x, **kwargs)
        assert got.shape == numpy.shape(expected)
        numpy.testing.assert_allclose(numpy.asarray(got), expected, rtol=1e-12)
    check_two_orders(lambda x, b: special.logsumexp(x, axis=1, b=b), (numpy.outer(POSITIVE, REAL), FRACTIONS))


@pytest.mark.parametrize("name", ["pdf", "logpdf", "cdf", "sf", "logcdf", "logsf"])
def test_norm(name):
    points = (REAL, FRACTIONS, POSITIVE)
    function, theirs = getattr(norm, name), getattr(scipy_stats.norm, name)
    numpy.testing.assert_allclose(numpy.asarray(function(*points)), theirs(*points), rtol=1e-11)
    numpy.testing.assert_allclose(numpy.asarray(function(REAL)), theirs(REAL), rtol=1e-12)
    assert float(function(-30.0)) == pytest.approx(float(theirs(-30.0)), rel=1e-9)
    assert function(REAL.astype("float32"), 0.5, 2.0).dtype == ct.float32
    check_two_orders(function, points)


def test_values_at_the_border():
    assert special.xlogy(0.0, 0.0).item() == 0.0
    assert grad(lambda x: special.entr(x))(1.0).item() == -1.0
    assert float(special.erfc(20.0)) == pytest.approx(float(scipy_special.erfc(20.0)))
