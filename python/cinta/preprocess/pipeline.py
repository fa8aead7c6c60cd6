"""Steps of preprocessing one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor, from_state_dict, parts_of, walked


class Pipeline(Preprocessor):
    """Steps one after the other, each fitted on what those before it make of the training data.

    steps: preprocessing steps, as arguments or as one list. `pipeline[i]` is one of them.
    `fit_batches` walks the batches once for every step that learns, so they must be there again: a DataLoader or a
    list, not a generator. `partial_fit` works where at most one step learns: others would see early results.
    Errors: those of the steps; TypeError for anything else than steps.

    Example:
        >>> prepare = preprocess.Pipeline(preprocess.Log1p(), preprocess.Standardize())
        >>> x = np.array([[1.0], [10.0], [100.0]])
        >>> y = prepare.fit(x)(x)
        >>> abs(float(y.mean())) < 1e-7, round(float(y.std()), 6)
        (True, 1.0)
    """

    def __init__(self, *steps: Any) -> None:
        found = list(steps[0]) if len(steps) == 1 and not isinstance(steps[0], Preprocessor) else list(steps)
        for step in found:
            if not isinstance(step, Preprocessor):
                raise TypeError(f"[Pipeline] got a {type(step).__name__}, expected steps of cinta.preprocess")
        self.steps: list[Preprocessor] = found

    def __getitem__(self, i: int) -> Preprocessor:
        return self.steps[i]

    def __len__(self) -> int:
        return len(self.steps)

    def fit(self, x: Any) -> Pipeline:
        """Fits every step on what those before it make of x; as they were where one of them fails."""
        return self._all_or_none(lambda: self._fit(x))

    def _fit(self, x: Any) -> None:
        for i, step in enumerate(self.steps):
            step.fit(x)
            if i + 1 < len(self.steps):
                x = step(x)

    def partial_fit(self, x: Any) -> Pipeline:
        """One more batch for the only step that learns."""
        learning = [step.name for step in self.steps if step.learns]
        if len(learning) > 1:
            raise ValueError(
                f"[Pipeline] got partial_fit with {len(learning)} steps that learn ({', '.join(learning)}), expected "
                "one: fit_batches walks the batches once for each"
            )
        last = next((i for i, step in enumerate(self.steps) if step.learns), len(self.steps) - 1)
        for step in self.steps[:last]:
            x = step(x)
        if self.steps:
            self.steps[last].partial_fit(x)
        return self

    def fit_batches(self, batches: Iterable[Any]) -> Pipeline:
        """Fits one step after the other, each by a walk over the batches."""
        learning = [i for i, step in enumerate(self.steps) if step.learns]
        if len(learning) > 1 and isinstance(batches, Iterator):
            raise ValueError(
                f"[Pipeline] got a {type(batches).__name__}, which can be walked once, expected batches that can be "
                f"walked {len(learning)} times: a DataLoader or a list"
            )

        def fit() -> None:
            for i in learning:
                self.steps[i].fit_batches(self._before(i, batches))

        return self._all_or_none(fit)

    def _before(self, i: int, batches: Iterable[Any]) -> Iterator[Any]:
        for x in walked(batches):
            for step in self.steps[:i]:
                x = step(x)
            yield x

    def _all_or_none(self, fit: Callable[[], None]) -> Pipeline:
        before = [copy.deepcopy(vars(step)) for step in self.steps]
        try:
            fit()
        except BaseException:
            for step, attributes in zip(self.steps, before):
                vars(step).update(attributes)
            raise
        return self

    def __call__(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x

    def inverse(self, y: Any) -> Any:
        """Back through all steps, the last one first."""
        for step in reversed(self.steps):
            y = step.inverse(y)
        return y

    def state_dict(self) -> dict[str, Any]:
        return {"kind": "Pipeline", "options": {}, "fitted": {"steps": [step.state_dict() for step in self.steps]}}

    def load_state_dict(self, state: Any) -> None:
        """Takes over the states of all steps; ValueError, with nothing changed, where one does not fit."""
        kind, _, fitted = parts_of(state)
        steps = (fitted or {}).get("steps")
        if kind != "Pipeline" or not isinstance(steps, (list, tuple)) or len(steps) != len(self.steps):
            got = f"{len(steps)} steps" if isinstance(steps, (list, tuple)) else f"the state of a {kind}"
            raise ValueError(f"[Pipeline] got {got}, expected the state of a Pipeline of {len(self.steps)} steps")

        def load() -> None:
            for step, own in zip(self.steps, steps):
                step.load_state_dict(own)

        self._all_or_none(load)

    def options(self) -> Options:
        return {}

    def fitted(self) -> Fitted | None:
        return self.state_dict()["fitted"]

    def restore(self, fitted: Fitted | None) -> None:
        steps = (fitted or {}).get("steps")
        if not isinstance(steps, (list, tuple)):
            raise ValueError("[Pipeline] got a state without steps, expected the states of its steps")
        self.steps = [from_state_dict(state) for state in steps]

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(repr, self.steps))})"
