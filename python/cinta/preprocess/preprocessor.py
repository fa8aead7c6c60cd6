"""What every step of preprocessing is: fitted on training data, applied anywhere, saved as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np

import cinta as ct
from cinta._core import Tensor

Self = TypeVar("Self", bound="Preprocessor")
Options = dict[str, Any]  # arguments of a constructor, plain values
Fitted = dict[str, Any]  # what was learnt from data: numbers and arrays


class Preprocessor:
    """The base of preprocessing steps: `fit(x)` on training data, then `step(x)` on any data, tensors or arrays.

    Statistics are computed in float64 whatever the data's dtype, results are float32 of the kind that came in. `fit`
    starts anew, `partial_fit` goes on with another batch, `fit_batches` walks batches. Calls with tensors work inside
    `ct.compile`, and gradients pass through them.

    Example:
        >>> step = preprocess.Standardize().fit([[1.0, 10.0], [3.0, 30.0]])
        >>> step([[2.0, 40.0]]).tolist()
        [[0.0, 2.0]]
        >>> again = preprocess.from_state_dict(step.state_dict())  # what a checkpoint keeps
        >>> isinstance(again, preprocess.Preprocessor)
        True
    """

    learns: ClassVar[bool] = True  # whether it must see data first
    _watched: ClassVar[bool] = True  # ct.compile records anew where an attribute has changed
    kinds: ClassVar[dict[str, type[Preprocessor]]] = {}

    def __init_subclass__(cls, **how: Any) -> None:
        super().__init_subclass__(**how)
        Preprocessor.kinds[cls.__name__] = cls

    # ---- for subclasses

    def options(self) -> Options:
        """The arguments that make such a step again."""
        raise NotImplementedError(f"[{type(self).__name__}] has no options(), expected its class to give one")

    def fitted(self) -> Fitted | None:
        """What was learnt, or None."""
        raise NotImplementedError(f"[{type(self).__name__}] has no fitted(), expected its class to give one")

    def restore(self, fitted: Fitted | None) -> None:
        """Takes over what `fitted` gave; ValueError, with nothing changed, for anything else."""
        raise NotImplementedError(f"[{type(self).__name__}] has no restore(), expected its class to give one")

    def update(self, x: np.ndarray, fresh: bool) -> None:
        """Learns from [N,...], all of it or, with an error, nothing; forgets earlier data where `fresh`."""
        raise NotImplementedError(f"[{type(self).__name__}] has no update(), expected its class to give one")

    def settle(self) -> None:
        """Finds what is left to be found once all data was seen."""

    def forward(self, x: Tensor) -> Tensor:
        """The step on float64 data."""
        raise NotImplementedError(f"[{type(self).__name__}] has no forward(), expected its class to give one")

    def backward(self, y: Tensor) -> Tensor:
        """Its inverse on float64 data."""
        raise NotImplementedError(f"[{self.name}] has no inverse")

    # ---- for users

    @property
    def name(self) -> str:
        return type(self).__name__

    def fit(self: Self, x: Any) -> Self:
        """Learns from training data [N,...] alone, forgetting what it learnt before; returns the step itself."""
        with self._all_or_nothing():
            self.update(samples(self.name, x), fresh=True)
            self.settle()
        return self

    def partial_fit(self: Self, x: Any) -> Self:
        """Learns from one more batch [N,...]: after all batches it knows what `fit` of all data at once knows."""
        self.update(samples(self.name, x), fresh=False)
        return self

    def fit_batches(self: Self, batches: Iterable[Any]) -> Self:
        """Learns from batches, such as a DataLoader's: arrays, tensors, or tuples whose first field is the data."""
        with self._all_or_nothing():
            fresh = True
            for x in walked(batches):
                self.update(samples(self.name, x), fresh)
                fresh = False
            if fresh and self.learns:
                raise ValueError(f"[{self.name}] got no batches, expected at least one")
            self.settle()
        return self

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Attributes are as they were where the block fails: steps replace what they know and never write into it."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).update(before)
            raise

    def __call__(self, x: Any) -> Any:
        """The data [N,...], preprocessed: float32, a tensor where x is one, else an array."""
        return self._run(x, self.forward)

    def transform(self, x: Any) -> Any:
        """The step's call under scikit-learn's name."""
        return self(x)

    def fit_transform(self, x: Any) -> Any:
        """`fit(x)`, then the preprocessed x."""
        return self.fit(x)(x)

    def inverse(self, y: Any) -> Any:
        """What was preprocessed, as it was before: float32, as far as the step loses nothing."""
        return self._run(y, self.backward)

    def _run(self, x: Any, function: Callable[[Tensor], Tensor]) -> Any:
        if self.learns and self.fitted() is None:
            raise ValueError(f"[{self.name}] has seen no data yet, expected fit(training data) before it is used")
        tensor = x if isinstance(x, Tensor) else ct.asarray(np.asarray(x))
        y = function(tensor.astype("float64")).astype("float32")
        return y if isinstance(x, Tensor) else y.numpy()

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to make this step again, in plain values and arrays: what `ct.save` writes."""
        return {"kind": self.name, "options": self.options(), "fitted": self.fitted()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a state of a step of the same kind and options; ValueError, with nothing changed, for another."""
        kind, options, fitted = parts_of(state)
        if kind != self.name:
            raise ValueError(f"[{self.name}] got the state of a {kind}, expected one of a {self.name}")
        for key, own in self.options().items():
            if key not in options or plain(options[key]) != plain(own):
                got = repr(options[key]) if key in options else "nothing"
                raise ValueError(f"[{self.name}] got a state with {key} {got}, expected {own!r} as here")
        self.restore(fitted)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.options().items())})"


def from_state_dict(state: Mapping[str, Any]) -> Preprocessor:
    """Makes the step, or pipeline, whose `state_dict()` this is, from the data alone.

    Kinds are looked up by name among the steps of this package and the subclasses of `Preprocessor` that are loaded;
    nothing else can be made. Errors: ValueError for an unknown kind and for a damaged state.

    Example:
        >>> step = preprocess.Standardize().fit(np.array([[0.0], [2.0]]))
        >>> ct.save("step.safetensors", step.state_dict())
        >>> preprocess.from_state_dict(ct.load("step.safetensors"))(np.array([[4.0]])).tolist()
        [[3.0]]
    """
    kind, options, fitted = parts_of(state)
    if kind not in Preprocessor.kinds:
        raise ValueError(f"[preprocess] got the state of a {kind!r:.60}, expected one of {sorted(Preprocessor.kinds)}")
    try:
        step = Preprocessor.kinds[kind](**options)
    except TypeError as error:
        raise ValueError(f"[preprocess] got options {options!r:.120} for {kind}: {error}") from error
    step.restore(fitted)
    return step


def parts_of(state: Any) -> tuple[str, Options, Fitted | None]:
    if not isinstance(state, Mapping) or set(state) != {"kind", "options", "fitted"}:
        got = sorted(map(str, state)) if isinstance(state, Mapping) else f"a {type(state).__name__}"
        raise ValueError(f"[preprocess] got a state with {got}, expected a dict with kind, options and fitted")
    kind, options, fitted = state["kind"], state["options"], state["fitted"]
    if not (isinstance(kind, str) and isinstance(options, Mapping) and isinstance(fitted, (Mapping, type(None)))):
        raise ValueError("[preprocess] got a damaged state, expected a name, a dict of options and what was fitted")
    return kind, dict(options), None if fitted is None else dict(fitted)


def plain(value: Any) -> Any:
    """Lists for tuples and arrays, so that options compare equal however they were stored."""
    if isinstance(value, (Tensor, np.ndarray)):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def samples(owner: str, x: Any) -> np.ndarray:
    """Training data as an array [N,...] of at least one sample."""
    if isinstance(x, Tensor):
        half = x.dtype.is_floating and x.dtype.itemsize == 2
        x = (x.detach().astype("float32") if half else x.detach()).numpy()
    x = np.asarray(x)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(
            f"[{owner}] got data of shape {x.shape}, expected [N,...] with at least one sample to learn from"
        )
    return x


def walked(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        yield batch[0] if isinstance(batch, (tuple, list)) else batch


def array_of(owner: str, fitted: Fitted, name: str, ndim: int | None = None) -> np.ndarray:
    """A finite float64 array out of a state."""
    value = fitted.get(name)
    if not isinstance(value, (Tensor, np.ndarray, np.generic)):
        raise ValueError(f"[{owner}] got a state whose {name} is a {type(value).__name__}, expected an array")
    array = np.array(value.detach().numpy() if isinstance(value, Tensor) else value)
    if array.dtype != np.float64 or not np.isfinite(array).all() or ndim not in (None, array.ndim):
        expected = "finite float64" if ndim is None else f"finite float64 of {ndim} axes"
        got = f"{name} has dtype {array.dtype} and shape {array.shape}"
        raise ValueError(f"[{owner}] got a state whose {got}, expected {expected}")
    return array


def keys_of(owner: str, fitted: Fitted, *names: str) -> None:
    if set(fitted) != set(names):
        raise ValueError(f"[{owner}] got a state that holds {sorted(map(str, fitted))}, expected {sorted(names)}")
