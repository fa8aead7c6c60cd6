"""Callbacks: what a Trainer calls on its way, and the two that most trainings want."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinta.training.trainer import Trainer


class Callback:
    """What a Trainer calls at the start and end of the whole, of each epoch and of each step.

    Subclasses override what they need; any object that has some of these methods will do. They may read the Trainer's
    `model`, `optimizer`, `epoch` (complete ones), `step` (updates), `batch` (inputs and targets; with accumulation a
    list of such pairs), `loss` (of the step), `history` (a dict of numbers for each epoch) and `score` (the number
    watched), and call its `stop(reason)`. One with a state has `state_dict` and `load_state_dict`, and is saved and
    taken up with the training.

    Example:
        >>> class Halve(ct.training.Callback):
        ...     def on_epoch_end(self, trainer):
        ...         for group in trainer.optimizer.param_groups:
        ...             group["lr"] /= 2
        >>> net = nn.Linear(2, 1)
        >>> trainer = ct.Trainer(net, optim.SGD(net.parameters(), lr=0.4), nn.MSELoss(), callbacks=[Halve()])
        >>> [epoch["lr"] for epoch in trainer.fit((ct.ones((8, 2)), ct.zeros((8, 1))), epochs=3)]
        [0.4, 0.2, 0.1]
    """

    def setup(self, trainer: Trainer) -> None:
        """Before a checkpoint is taken up, whose state may have to fit the Trainer's model."""

    def on_fit_start(self, trainer: Trainer) -> None:
        """Before the first epoch, after a checkpoint has been taken up."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch."""

    def on_batch_start(self, trainer: Trainer) -> None:
        """Before a step; `trainer.batch` holds what it is for."""

    def on_batch_end(self, trainer: Trainer) -> None:
        """After a step; `trainer.loss` is its loss. Gradients are still there."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """After an epoch and its validation; its numbers are `trainer.history[-1]`."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """After the last epoch, and after an error or an interruption."""


class _Best:
    """The best score so far, less being better, and the epoch it came from."""

    def __init__(self, min_delta: float = 0.0) -> None:
        self.min_delta = min_delta
        self.score = math.inf
        self.epoch = 0

    def improved(self, trainer: Trainer) -> bool:
        better = trainer.score < self.score - self.min_delta  # a NaN never is
        if better:
            self.score, self.epoch = trainer.score, trainer.epoch
        return better


class EarlyStopping(Callback):
    """Ends the training when the number watched has not become better for `patience` epochs.

    Args:
        patience: epochs to wait for something better.
        min_delta: by how much it has to be better to count.

    Errors: ValueError for a patience below 1 or a negative min_delta.
    Source: Prechelt, "Early Stopping - But When?", 1998.

    Example:
        >>> net = nn.Linear(2, 1)
        >>> trainer = ct.Trainer(net, optim.SGD(net.parameters(), lr=0.0), nn.MSELoss(),
        ...                      callbacks=[ct.training.EarlyStopping(patience=2)])
        >>> len(trainer.fit((ct.ones((8, 2)), ct.zeros((8, 1))), epochs=10))
        3
        >>> trainer.stop_reason
        'no better loss in 2 epochs'
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0) -> None:
        if patience < 1:
            raise ValueError(f"[EarlyStopping] patience got {patience}, expected at least 1")
        if not min_delta >= 0:
            raise ValueError(f"[EarlyStopping] min_delta got {min_delta}, expected >= 0")
        self.patience = patience
        self._best = _Best(min_delta)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compares the epoch with the best one."""
        if not self._best.improved(trainer) and trainer.epoch - self._best.epoch >= self.patience:
            trainer.stop(f"no better {trainer.monitor} in {self.patience} epochs")

    def state_dict(self) -> dict[str, Any]:
        """The best score and its epoch."""
        return {"score": self._best.score, "epoch": self._best.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state_dict`."""
        score, epoch = float(state["score"]), int(state["epoch"])
        self._best.score, self._best.epoch = score, epoch


class BestWeights(Callback):
    """Remembers the model of the best epoch and puts it back when the training ends.

    Checkpoints hold both, the running weights and the best, so a training that is taken up goes on from where it was.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> trainer = ct.Trainer(net, optim.SGD(net.parameters(), lr=1.5), nn.MSELoss(),
        ...                      callbacks=[ct.training.BestWeights()])
        >>> x, y = ct.ones((8, 1)), ct.zeros((8, 1))
        >>> history = trainer.fit((x, y), (x, y), epochs=5)
        >>> trainer.evaluate((x, y))["loss"] == min(epoch["validation_loss"] for epoch in history)
        True
    """

    def __init__(self) -> None:
        self._best = _Best()
        self._weights: dict[str, Any] | None = None
        self._shapes: dict[str, Any] | None = None

    def setup(self, trainer: Trainer) -> None:
        """Notes what weights the model has."""
        self._shapes = _shapes(trainer.model.state_dict())

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Copies the weights where they are the best so far."""
        if self._best.improved(trainer):
            self._weights = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}

    def on_fit_end(self, trainer: Trainer) -> None:
        """Puts the best weights back."""
        if self._weights is not None:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """The best score, its epoch and its weights."""
        return {"score": self._best.score, "epoch": self._best.epoch, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state_dict`; ValueError where its weights are not those of the model in training."""
        weights = state["weights"]
        if weights is not None and self._shapes is not None and _shapes(weights) != self._shapes:
            raise ValueError("[BestWeights] weights do not fit the model, expected the same names and shapes")
        score, epoch = float(state["score"]), int(state["epoch"])
        self._best.score, self._best.epoch = score, epoch
        self._weights = None if weights is None else dict(weights)


def _shapes(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}
