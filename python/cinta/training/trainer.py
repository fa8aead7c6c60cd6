"""Trainer: the loop that one writes by hand, with what is easily forgotten in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cinta._core import Tensor, concat, float32
from cinta.autodiff import no_grad
from cinta.optim.optimizer import Optimizer
from cinta.training import batches, rotation, steps
from cinta.training.fitting import Fitting, Saving
from cinta.training.metrics import Mean, as_metrics
from cinta.training.progress import Progress
from cinta.training.random_state import GLOBAL


class Trainer:
    """Trains a model on batches, validates, saves, logs and stops; the bits are those of the loop written by hand.

    for x, y in train: optimizer.zero_grad(); loss(model(x), y).backward(); optimizer.step()

    Args:
        model: a module; called with a batch's inputs.
        optimizer: over its parameters.
        loss: a function of (outputs, targets), the mean over the batch.
        scheduler: its `step(metric)` is called after each epoch with the number watched, or `step()` after each update
            with scheduler_interval="step".
        preprocessing: a fitted object applied to the inputs of every batch, in training, evaluation and prediction,
            and saved with the model.
        metrics: metrics and functions of (outputs, targets), in a list or a dict by name; computed in training (on
            the outputs that the step had) and evaluation.
        monitor: the number watched, of those in the history; the validation loss, or the loss without validation.
        mode: "min" where less of it is better, "max" where more is.
        callbacks: see `ct.training.Callback`; `EarlyStopping` and `BestWeights` are there.
        loggers: see `ct.training.Logger`.
        compile: record the step with `ct.compile` and replay it; a dict holds options of `ct.compile`, such as
            {"max_recordings": 32} for batches of many shapes.
        accumulate: batches for one update; the gradient is that of the mean over all their samples.
        clip_grad_norm: the norm that gradients may have together.
        weight: a function of (inputs, targets) that says how much a batch counts in the mean loss and in accumulation,
            e.g. its number of valid tokens; its samples otherwise.
        parts: what checkpoints hold besides, by name, e.g. {"vocabulary": vocabulary}: objects with a `state_dict`,
            which a training that is taken up fills, and plain values, for `ct.load_checkpoint` to return.
        progress: a line on the terminal; None shows one where there is a terminal, and rich.

    `epoch` and `step` count what is complete, `history` holds a dict of numbers for each epoch, `stop_reason` says why
    the latest `fit` ended early ("interrupted" after Ctrl-C) and is None where it did not.

    Errors: TypeError or ValueError for an argument that is none of these.

    Example:
        >>> x = ct.random.normal(shape=(256, 2))
        >>> y = (x[:, 0] * x[:, 1] > 0).astype("int64")
        >>> model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        >>> optimizer = optim.Adam(model.parameters(), lr=0.03)
        >>> trainer = ct.Trainer(model, optimizer, nn.CrossEntropyLoss(), metrics=[ct.training.Accuracy()])
        >>> history = trainer.fit((x[:192], y[:192]), (x[192:], y[192:]), epochs=30, batch_size=32)
        >>> history[-1]["validation_accuracy"] > 0.9
        True
        >>> trainer.predict(x[:3]).shape
        (3, 2)
    """

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        loss: Callable[[Any, Any], Tensor],
        *,
        scheduler: Any = None,
        scheduler_interval: str = "epoch",
        preprocessing: Any = None,
        metrics: Any = (),
        monitor: str | None = None,
        mode: str = "min",
        callbacks: Iterable[Any] = (),
        loggers: Iterable[Any] = (),
        compile: bool | Mapping[str, Any] = False,
        accumulate: int = 1,
        clip_grad_norm: float | None = None,
        weight: Callable[[Any, Any], float] | None = None,
        parts: Mapping[str, Any] | None = None,
        progress: bool | None = None,
    ) -> None:
        if not callable(model) or not hasattr(model, "state_dict"):
            raise TypeError(f"[Trainer] model got a {type(model).__name__}, expected a module")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"[Trainer] optimizer got a {type(optimizer).__name__}, expected one of cinta.optim")
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(f"[Trainer] loss got {loss!r:.60}, expected a function of (outputs, targets)")
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f"[Trainer] scheduler_interval got {scheduler_interval!r}, expected 'epoch' or 'step'")
        if mode not in ("min", "max"):
            raise ValueError(f"[Trainer] mode got {mode!r}, expected 'min' or 'max'")
        _positive("Trainer", "accumulate", accumulate)
        if clip_grad_norm is not None and not clip_grad_norm > 0:
            raise ValueError(f"[Trainer] clip_grad_norm got {clip_grad_norm}, expected > 0, or None")
        self.model, self.optimizer = model, optimizer
        self.scheduler, self.scheduler_interval, self.preprocessing = scheduler, scheduler_interval, preprocessing
        self.callbacks, self.loggers = list(callbacks), list(loggers)
        self.mode, self.accumulate, self.weight, self.show_progress = mode, accumulate, weight, progress
        self.parts = dict(parts or {})
        self.progress = Progress(as_metrics(metrics))
        self.stop_reason: str | None = None
        self.batch: Any = None
        self.loss = float("nan")
        self._monitor = monitor
        self.monitor = monitor or "loss"
        self._loss, self._clip, self._compile = loss, clip_grad_norm, compile
        self._steps: dict[str, Any] = {}

    # What callbacks read

    @property
    def epoch(self) -> int:
        """Epochs that are complete, over all fits."""
        return self.progress.epoch

    @property
    def step(self) -> int:
        """Updates that were made, over all fits."""
        return self.progress.step

    @property
    def history(self) -> list[dict[str, float]]:
        """A dict of numbers for each epoch: epoch, step, lr, loss, metrics, and those of validation."""
        return self.progress.history

    @property
    def score(self) -> float:
        """The number watched after the latest epoch, with its sign turned where more is better: less is better."""
        value = self.history[-1][self.monitor]
        return -value if self.mode == "max" else value

    @property
    def lr(self) -> float:
        """The learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def dtype(self) -> Any:
        """That of the first parameter, which arrays of floats are cast to."""
        return next((param.dtype for group in self.optimizer.param_groups for param in group["params"]), float32)

    def stop(self, reason: str) -> None:
        """Ends the training after the step, or the epoch where it is over; for callbacks."""
        self.progress.stopped = reason

    # What one calls

    def fit(
        self,
        train: Any,
        validation: Any = None,
        epochs: int = 1,
        *,
        batch_size: int = 128,
        shuffle: bool = True,
        checkpoint: str | os.PathLike[str] | None = None,
        save_every: int | None = None,
        keep: int | None = None,
        log_every: int | None = None,
        resume: bool | str | os.PathLike[str] | None = None,
        random: Sequence[str] = ("cinta",),
    ) -> list[dict[str, float]]:
        """Trains for `epochs` epochs and returns the history.

        Ctrl-C ends the training after the running step, with a checkpoint where one is asked for; a second one ends it
        at once.

        Args:
            train: batches (inputs, targets), from anything that can be iterated for every epoch, or a pair of arrays,
                which becomes a DataLoader with `batch_size` and `shuffle`.
            validation: the same, looked at after each epoch without training on it.
            epochs: how many; those that a training that is taken up has behind it count.
            checkpoint: file that everything is saved to after each epoch, and after every `save_every` updates; a
                series of which the `keep` latest and the best stay, where `keep` is given (see `ct.save_checkpoint`).
            log_every: updates after which loggers are given the loss of a step, besides each epoch's numbers.
            resume: a checkpoint, or the name of a series, to take up; True takes up the latest of `checkpoint` where
                there is one and begins otherwise.
            random: global streams that checkpoints hold, "numpy" and "python" where batches or model draw from them.

        Errors: ValueError for arguments out of range, and for a checkpoint that is damaged or does not fit, which
        leaves everything as it was.
        """
        _positive("fit", "epochs", epochs)
        _positive("fit", "batch_size", batch_size)
        for name, value in (("save_every", save_every), ("keep", keep), ("log_every", log_every)):
            if value is not None:
                _positive("fit", name, value)
        if checkpoint is None and (save_every is not None or keep is not None or resume is True):
            raise ValueError("[fit] checkpoint got None, expected a path, which save_every, keep and resume=True need")
        if unknown := [name for name in random if name not in GLOBAL]:
            raise ValueError(f"[fit] random got {unknown[0]!r}, expected some of {list(GLOBAL)}")
        source = _checkpoint_to_resume(checkpoint, keep, resume)
        loader = batches.as_loader("[fit] train", train, batch_size, shuffle, self.dtype)
        if validation is not None:
            validation = batches.as_loader("[fit] validation", validation, batch_size, False, self.dtype)
        self.monitor = self._watched(validation is not None)
        path = None if checkpoint is None else Path(checkpoint)
        fitting = Fitting(self, loader, validation, Saving(path, save_every, keep, random), log_every)
        if source is not None:
            fitting.resume(source)
        else:
            if path is not None and keep is not None:
                rotation.check_not_past(path, self.step)
            self.progress.first, self.progress.batch, self.progress.stopped = self.epoch, 0, None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.stop_reason = self.progress.stopped
        training = getattr(self.model, "training", True)
        if not training:
            self.model.train()
        try:
            fitting.run(epochs)
        finally:
            if not training:
                self.model.eval()
        return self.history

    def evaluate(self, data: Any, *, batch_size: int = 256) -> dict[str, float]:
        """Loss and metrics over all batches, in evaluation mode and without gradients; every module keeps its mode.

        Args:
            data: batches (inputs, targets) or a pair of arrays.

        Errors: ValueError where there are no batches.
        """
        dtype = self.dtype
        loader = (
            data if isinstance(data, Iterator) else batches.as_loader("[evaluate] data", data, batch_size, False, dtype)
        )
        loss, metrics = Mean(self._loss, "loss"), self.progress.metrics
        training = [metric.state_dict() for metric in metrics]
        for metric in metrics:
            metric.reset()
        try:
            with no_grad(), steps.evaluating(self.model):
                step = self._made("evaluation", lambda: steps.evaluation_step(self.model, self._loss))
                for batch in loader:
                    x, y = batches.pair("[evaluate] data", batch, dtype)
                    value, outputs = step(self.preprocessed(x), y)
                    loss.add(value.item(), batches.samples(y) if self.weight is None else float(self.weight(x, y)))
                    for metric in metrics:
                        metric.update(outputs, y)
            if not loss.totals:
                raise ValueError("[evaluate] data gave no samples, expected at least one")
            return {metric.name: metric.compute() for metric in (loss, *metrics)}
        finally:
            for metric, state in zip(metrics, training):
                metric.load_state_dict(state)

    def predict(self, data: Any, *, batch_size: int = 256) -> Tensor:
        """The model's outputs for all inputs, in evaluation mode and without gradients, as one tensor.

        Args:
            data: an array of inputs [N, ...], or batches of them; of pairs (inputs, targets) the inputs.

        Errors: ValueError where there are no batches; TypeError where the outputs are no tensors.
        """
        inputs: Any = data
        if batches.is_array(data):
            whole = batches.as_tensors(data, self.dtype)
            inputs = (whole[i : i + batch_size] for i in range(0, max(len(whole), 1), batch_size))
        outputs = []
        with no_grad(), steps.evaluating(self.model):
            step = self._made("prediction", lambda: steps.prediction_step(self.model))
            for batch in inputs:
                x = batch[0] if isinstance(batch, (tuple, list)) else batch
                output = step(self.preprocessed(batches.as_tensors(x, self.dtype)))
                if not isinstance(output, Tensor):
                    raise TypeError(f"[predict] the model gave a {type(output).__name__}, expected a tensor")
                outputs.append(output)
        if not outputs:
            raise ValueError("[predict] data gave no batches, expected at least one")
        return outputs[0] if len(outputs) == 1 else concat(outputs)

    # What the loop calls

    def training_step(self) -> Callable[..., Any]:
        """The function for one update, recorded where that is wanted."""
        make = steps.training_step if self.accumulate == 1 else steps.accumulated_step
        outputs = bool(self.progress.metrics)
        return self._made("training", lambda: make(self.model, self.optimizer, self._loss, self._clip, outputs))

    def preprocessed(self, x: Any) -> Any:
        """A batch's inputs as the model wants them."""
        if self.preprocessing is None:
            return x
        with no_grad():
            return self.preprocessing(x)

    def _made(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._steps:
            if self._compile is not False:
                from cinta.replay import compile

                options: Any = {} if self._compile is True else self._compile
                self._steps[name] = compile(make(), **options)
            else:
                self._steps[name] = make()
        return self._steps[name]

    def _watched(self, validation: bool) -> str:
        names = ["loss", *(metric.name for metric in self.progress.metrics)]
        names += [f"validation_{name}" for name in names] if validation else []
        watched = self._monitor or ("validation_loss" if validation else "loss")
        if watched not in names:
            raise ValueError(f"[fit] monitor got {watched!r}, expected one of {names}")
        return watched


def _positive(function: str, name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"[{function}] {name} got {value!r}, expected an int of at least 1")


def _checkpoint_to_resume(checkpoint: Any, keep: int | None, resume: Any) -> Path | None:
    if resume is None or resume is False:
        return None
    path = Path(checkpoint if resume is True else resume)
    if path.is_file() and (keep is None or resume is not True):  # not of a series that is there too
        return path
    found = None if keep is None and resume is True else rotation.latest_checkpoint(path)
    if found is None and resume is not True:
        raise FileNotFoundError(f"[fit] resume got {path}, where there is no checkpoint, expected one")
    return found
