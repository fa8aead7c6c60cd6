"""`ct.Monitor`: watches a training from beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.nn.hooks import Handle
from cinta.nn.layers.dropout import Dropout
from cinta.nn.module import Module
from cinta.optim.optimizer import Optimizer

from . import rules
from .advice import Advice, in_words
from .looking import Look, watched_of
from .observation import Features, Observation, number, plain

_STEPS_OF_INPUT = 5  # that the input is looked at in
_KEPT = 4000  # observations; of the older half every second goes then


class Monitor:
    """Looks at every k-th step of a training and says what the lecture's advice would change.

    What it sees, by layer: |update| / |weight|, which should be about 1e-3; norms of weights and gradients; the size of
    activations; dead ReLUs; saturated tanh and sigmoid units. Of the whole: the loss at start beside ln(classes), input
    that is not centred or scaled, dropout in the wrong mode, validation that turns up. `advice()` gives all of it as
    data, `print(monitor)` in words; `table()`, `live()` and `plot()` show it.

    Call `step(loss)` after each `optimizer.step()`, before the next `zero_grad()`, and `validation(loss)` after each
    evaluation. As a callback of `ct.Trainer` it calls both by itself.

    `history` holds what was seen, an `Observation` each; a long training's is thinned out towards its beginning.

    A step that is looked at takes longer; with the default `every` all of it stays below 3 % of a step of LeNet-5 at
    batch 128 (bench/monitor.py). Between those steps no hook is left but one on each Dropout, and after `close()` none.
    It looks at activations that are modules: `ct.relu` called inside a forward is not seen. The steps that it looks at
    call functions compiled by `ct.compile` as they were written, with the same bits; recordings stay valid. Replays
    between them are not seen, and dropout's mode in evaluation only where the evaluation is not replayed.

    Args:
        model: the network.
        optimizer: for the learning rate in logs and words.
        every: looks at each of so many steps, the first one included.
        classes: how many there are, where the loss is a cross-entropy: the loss at start is checked against it.
        band: the ratios |update| / |weight| that are in order.
        patience: after so many validations above the best in a row they count as turning up.
        logger: anything with `log(step, values)`: gets what is seen, as for TensorBoard.

    Errors: ValueError for an argument out of range; RuntimeError where a step leaves no gradients to look at.
    Source: Sutskever, "A brief overview of deep learning", 2015: practical advice.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> optimizer = optim.SGD(model.parameters(), lr=100.0)
        >>> x, y = ct.random.normal(shape=(64, 4)), ct.random.integers(3, shape=(64,))
        >>> with ct.Monitor(model, optimizer, every=1, classes=3) as monitor:
        ...     for _ in range(3):
        ...         optimizer.zero_grad()
        ...         loss = nn.functional.cross_entropy(model(x), y)
        ...         loss.backward()
        ...         optimizer.step()
        ...         monitor.step(loss)
        >>> [advice.layer for advice in monitor.advice() if advice.what == "update ratio too large"]
        ['0', '2']
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer | None = None,
        *,
        every: int = 20,
        classes: int | None = None,
        band: tuple[float, float] = (1e-4, 1e-2),
        patience: int = 3,
        logger: Any = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"[Monitor] every got {every}, expected 1 or more")
        if classes is not None and classes < 2:
            raise ValueError(f"[Monitor] classes got {classes}, expected 2 or more")
        if not 0 < band[0] < band[1]:
            raise ValueError(f"[Monitor] band got {band}, expected two ratios, the smaller first")
        if patience < 1:
            raise ValueError(f"[Monitor] patience got {patience}, expected 1 or more")
        self.model = model
        self.optimizer = optimizer
        self.every = every
        self.classes = classes
        self.band = band
        self.patience = patience
        self.logger = logger
        self.history: list[Observation] = []
        self.validations: list[tuple[int, float, float]] = []  # (step, validation loss, training loss)
        self._count = 0
        self._features = Features()
        self._dropouts = [(n, m) for n, m in model.named_modules() if isinstance(m, Dropout) and m.p > 0]
        self._modes: dict[str, bool] = {}  # of dropouts that were called since the last step or validation
        self._off_in_training: dict[str, None] = {}
        self._on_in_evaluation: dict[str, None] = {}
        self._handles: list[Handle] = [m.register_forward_pre_hook(self._mode_of(n, m)) for n, m in self._dropouts]
        self._look: Look | None = None
        self._live: Any = None
        self._closed = False
        self._begin()

    # While training

    def step(self, loss: Any) -> None:
        """Takes note of a step of training, when its update is done; `loss`: a tensor of one number, or a number."""
        if self._look is not None:
            self._finish(loss)
        if self._modes or self._dropouts:
            self._see_training_mode()
        self._count += 1
        if not self._closed and self._count % self.every == 0:
            self._begin()

    def validation(self, loss: Any) -> None:
        """Takes note of an evaluation that has just run, by its loss."""
        value = float(loss)
        for name, training in self._modes.items():
            if training:
                self._on_in_evaluation[name] = None
        self._modes.clear()
        self.validations.append((self._count, value, self.history[-1].loss if self.history else math.nan))
        if self.logger is not None:
            self.logger.log(self._count, {"validation_loss": value})
        self._refresh()

    def close(self) -> None:
        """Takes all hooks off; what was seen stays."""
        self._closed = True
        if self._look is not None:
            self._look.abandon()
            self._look = None
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._dropouts = []
        self._modes.clear()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._watched = watched_of(self.model)  # layers may have been frozen or freed since
        features = self._features if len(self.history) < _STEPS_OF_INPUT else None
        self._look = Look(self.model, self._watched, features)

    def _finish(self, loss: Any) -> None:
        look, self._look = self._look, None
        assert look is not None
        layers = look.finish()
        value = float(loss.item() if isinstance(loss, Tensor) else loss)
        lr = self.optimizer.param_groups[0]["lr"] if self.optimizer is not None else math.nan
        self.history.append(Observation(self._count, value, float(lr), layers))
        for layer in self.history[-rules.RECENT - 1].layers.values() if len(self.history) > rules.RECENT else ():
            layer.dead_units = None  # no rule looks back as far
        if len(self.history) > _KEPT:
            half = len(self.history) // 2
            self.history[:half] = self.history[:half:2]
        if self.logger is not None:
            self.logger.log(self._count, self.history[-1].values())
        self._refresh()

    # Dropout

    def _mode_of(self, name: str, dropout: Module) -> Any:
        modes = self._modes

        def hook(module: Module, args: tuple[Any, ...]) -> None:
            if module is dropout and not _core.is_recording():
                modes[name] = module.training

        return hook

    def _see_training_mode(self) -> None:
        for name, module in self._dropouts:
            if not module.training and not self._modes.get(name):
                self._off_in_training[name] = None
        self._modes.clear()

    # What came of it

    def advice(self, consequences: bool = False) -> list[Advice]:
        """What is worth a word as things stand; empty where all is well.

        What probably follows from something else in the list (dead ReLUs from steps that are too large) is left out,
        for it is to be seen again once that is mended; `consequences` brings it in.
        """
        first = self.history[0].loss if self.history and self.history[0].step == 0 else None
        found = [
            *rules.loss(self.history),
            *rules.loss_at_start(first, self.classes),
            *rules.inputs(self._features),
            *rules.update_ratios(self.history, self.band, self.judged),
            *rules.units(self.history),
            *rules.dropout([*self._off_in_training], [*self._on_in_evaluation]),
            *rules.validation(self.validations, self.patience),
        ]
        return [one for one in rules.with_causes(found) if consequences or one.cause is None]

    def __str__(self) -> str:
        return "\n".join(in_words(self.advice())) or "nothing to say: the training looks healthy"

    @property
    def judged(self) -> list[str]:
        """The layers whose update ratio counts: those with weights of two axes and more."""
        return [one.name for one in self._watched if any(p.ndim > 1 for p in one.params)]

    def table(self) -> Any:
        """The latest look by layer, and the advice, for `rich` to print.

        Errors: ImportError where rich is missing.
        """
        from .table import table

        return table(self)

    @contextmanager
    def live(self) -> Iterator[Monitor]:
        """While it lasts the terminal shows the table, renewed as the training goes."""
        from .table import live

        with live(self) as self._live:
            try:
                yield self
            finally:
                self._refresh()
                self._live = None

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self.table())

    def plot(self, path: str | Path | None = None, axes: Any = None) -> Any:
        """Draws each layer's |update| / |weight| over steps with the band around 1e-3, and the losses.

        Args:
            path: where the figure is saved, if anywhere.
            axes: two of matplotlib's to draw into, for the ratios and the losses; a new figure's otherwise.

        Returns the matplotlib figure. Errors: ImportError where matplotlib is missing.
        """
        from .picture import picture

        return picture(self, path, axes)

    # A callback of ct.Trainer

    def on_batch_end(self, trainer: Any) -> None:
        """Takes note of the step: `step(trainer.loss)`."""
        self.step(trainer.loss)

    def on_epoch_end(self, trainer: Any) -> None:
        """Takes note of the epoch's evaluation, where there was one, as `validation` does."""
        value = trainer.history[-1].get("validation_loss")
        if value is not None:
            self.validation(value)

    def on_fit_end(self, trainer: Any) -> None:
        """Takes the hooks off."""
        self.close()

    # State

    def state_dict(self) -> dict[str, Any]:
        """The count of steps and what was seen, as plain values; None stands for what is not finite."""
        return {
            "count": self._count,
            "history": [one.state_dict() for one in self.history],
            "validations": [[step, plain(value), plain(training)] for step, value, training in self.validations],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a `state_dict`, all of it or nothing.

        Errors: ValueError naming what does not fit.
        """
        wanted = {"count", "history", "validations"}
        if set(state_dict) != wanted:
            raise ValueError(f"[Monitor] state_dict got {sorted(state_dict)}, expected {sorted(wanted)}")
        names = {name for name, _ in self.model.named_modules()}
        history = [Observation.from_state_dict(one) for one in state_dict["history"]]
        for one in history:
            if not names.issuperset(one.layers):
                raise ValueError(
                    f"[Monitor] state_dict has layers {sorted(one.layers)}, expected the model's, {sorted(names)}"
                )
        validations = [(int(step), number(value), number(loss)) for step, value, loss in state_dict["validations"]]
        self._count, self.history, self.validations = int(state_dict["count"]), history, validations
        if self._look is not None:
            self._look.abandon()
            self._look = None
        if not self._closed and self._count % self.every == 0:
            self._begin()
