"""Random arrays from NumPy's own generators, so that a seed gives the numbers it gives in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.random as _numpy_random

from cinta._core import Tensor

from .hosted import as_tensors
from .promotion import host


def _drawing(draw: Callable[..., Any]) -> Callable[..., Any]:
    """The drawing function, with tensors for its arrays both ways; what it writes in place it writes in the tensor."""

    def function(*args: Any, **kwargs: Any) -> Any:
        return as_tensors(draw(*map(host, args), **{key: host(value) for key, value in kwargs.items()}))

    function.__name__ = function.__qualname__ = draw.__name__
    function.__doc__ = f"NumPy's `{draw.__name__}`, with tensors for its arrays."
    return function


class _Source:
    """A generator of NumPy's whose methods give tensors."""

    def __init__(self, generator: Any):
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._generator, name)
        return _drawing(found) if callable(found) else found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._generator})"


class RandomState(_Source):
    """NumPy's `RandomState` with tensors for its arrays: `rand`, `randn`, `normal`, `permutation`, ...

    >>> np.random.RandomState(0).randn(2).tolist()
    [1.764052345967664, 0.4001572083672233]
    """

    def __init__(self, seed: Any = None):
        super().__init__(_numpy_random.RandomState(host(seed)))


class Generator(_Source):
    """NumPy's `Generator` with tensors for its arrays: `random`, `normal`, `integers`, `permutation`, ..."""


def default_rng(seed: Any = None) -> Generator:
    """NumPy's default generator with tensors for its arrays.

    >>> np.random.default_rng(0).random(2).shape
    (2,)
    """
    return Generator(_numpy_random.default_rng(host(seed)))


def seed(seed: Any = None) -> None:
    """Starts NumPy's global generator, from which the functions here draw, at a seed.

    >>> np.random.seed(0)
    """
    _numpy_random.seed(host(seed))  # noqa: NPY002 - the generator that NumPy-style programs draw from


beta = _drawing(_numpy_random.beta)
binomial = _drawing(_numpy_random.binomial)
choice = _drawing(_numpy_random.choice)
dirichlet = _drawing(_numpy_random.dirichlet)
exponential = _drawing(_numpy_random.exponential)
gamma = _drawing(_numpy_random.gamma)
laplace = _drawing(_numpy_random.laplace)
logistic = _drawing(_numpy_random.logistic)
lognormal = _drawing(_numpy_random.lognormal)
multinomial = _drawing(_numpy_random.multinomial)
multivariate_normal = _drawing(_numpy_random.multivariate_normal)
normal = _drawing(_numpy_random.normal)
permutation = _drawing(_numpy_random.permutation)
poisson = _drawing(_numpy_random.poisson)
rand = _drawing(_numpy_random.rand)
randint = _drawing(_numpy_random.randint)
randn = _drawing(_numpy_random.randn)
random = _drawing(_numpy_random.random)
random_sample = _drawing(_numpy_random.random_sample)
shuffle = _drawing(_numpy_random.shuffle)
standard_normal = _drawing(_numpy_random.standard_normal)
standard_t = _drawing(_numpy_random.standard_t)
uniform = _drawing(_numpy_random.uniform)
get_state = _numpy_random.get_state
set_state = _numpy_random.set_state


def __getattr__(name: str) -> Any:
    found = getattr(_numpy_random, name, None)
    if found is None or not callable(found):
        raise AttributeError(f"[numpy.random] got {name!r}, expected a drawing function that NumPy has")
    return _drawing(found)


__all__ = ["Generator", "RandomState", "Tensor", "default_rng", "seed"]
