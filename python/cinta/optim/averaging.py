"""Averages of weights over training: EMA and SWA, and batch norm's statistics for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cinta._core import Tensor, asarray, lerp_, tensor, where, zeros_like
from cinta.autodiff import no_grad
from cinta.optim.state import as_tensor

if TYPE_CHECKING:
    from cinta.nn import Module


class _Average:
    """An average of a model's weights, in float32 where they are in half precision, and how many went into it."""

    def __init__(self, model: Module, use_buffers: bool = False) -> None:
        if not hasattr(model, "named_parameters"):
            raise TypeError(f"[{self._name}] model got a {type(model).__name__}, expected a Module")
        self.model = model
        self.use_buffers = use_buffers
        self.n_averaged = tensor(0)  # a tensor, so that a compiled step counts too
        self._averages = {name: self._empty(live) for name, live in self._live().items()}
        self._given: dict[str, Tensor] | None = None

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _share(self, count: Tensor) -> Tensor:
        """What the newest weights get, `count` [] float64 being how many they are with it."""
        raise NotImplementedError

    def _live(self) -> dict[str, Tensor]:
        buffers = dict(self.model.named_buffers()) if self.use_buffers else {}
        return {**dict(self.model.named_parameters()), **buffers}

    @staticmethod
    def _empty(live: Tensor) -> Tensor:
        half = live.dtype.is_floating and live.dtype.itemsize < 4
        return zeros_like(live.detach(), dtype="float32" if half else None)

    def update(self) -> None:
        """Takes the present weights into the average; after `optimizer.step()`, also inside ct.compile.

        Errors: RuntimeError while the average is in the weights' place.
        """
        if self._given is not None:
            raise RuntimeError(f"[{self._name}] update() got called while the average is in place of the weights")
        with no_grad():
            self.n_averaged += 1
            share = self._share(self.n_averaged.astype("float64"))
            pairs = [(self._averages[name], live.detach()) for name, live in self._live().items()]
            moving = [(average, live.astype(average.dtype)) for average, live in pairs if average.dtype.is_floating]
            lerp_([average for average, _ in moving], [live for _, live in moving], share)
            for average, live in pairs:
                if not average.dtype.is_floating:
                    average.copy_(live)

    @contextmanager
    def applied(self) -> Iterator[Module]:
        """Puts the average in the weights' place for a `with` block, and gives the live weights and buffers back.

        Errors: RuntimeError before the first `update`, and inside another such block.
        """
        if self._given is not None:
            raise RuntimeError(f"[{self._name}] applied() got called inside another, expected one at a time")
        kept = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        given = {name: live.detach().clone() for name, live in kept.items()}
        self.copy_to(self.model)
        self._given = given
        try:
            yield self.model
        finally:
            self._given = None
            with no_grad():
                for name, live in kept.items():
                    live.copy_(given[name])

    def copy_to(self, model: Module) -> None:
        """Writes the average into a model of the same kind for good: the one in training at its end, or a copy.

        Errors: RuntimeError before the first `update`; ValueError where the model has other weights.
        """
        if self.n_averaged.item() == 0:
            raise RuntimeError(f"[{self._name}] the average is empty, expected an update() before")
        targets = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, average in self._averages.items():
            shape = list(targets[name].shape) if name in targets else "nothing"
            if shape != list(average.shape):
                raise ValueError(f"[{self._name}] model has {shape} for {name}, expected {list(average.shape)}")
        with no_grad():
            for name, average in self._averages.items():
                targets[name].copy_(average)

    # State

    def state_dict(self) -> dict[str, Tensor]:
        """Count and averages as PyTorch's AveragedModel names them; later updates show in them."""
        return {"n_averaged": self.n_averaged} | {f"module.{name}": value for name, value in self._averages.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a `state_dict`, or that of PyTorch's AveragedModel, all of it or nothing.

        Errors: ValueError naming what is missing, unknown or of another shape.
        """
        mine = self.state_dict()
        if not isinstance(state_dict, Mapping):
            raise ValueError(f"[{self._name}] state_dict got {state_dict!r:.60}, expected a dict with {list(mine)}")
        others = {f"module.{name}" for name, _ in self.model.named_buffers()}  # AveragedModel keeps them too
        problems = [f"lacks {name}" for name in mine if name not in state_dict]
        problems += [f"has unknown {name}" for name in state_dict if name not in mine and name not in others]
        given = {name: as_tensor(state_dict[name]) for name in mine if name in state_dict}
        problems += [
            f"{name} has shape {list(value.shape)}, expected {list(mine[name].shape)}"
            for name, value in given.items()
            if value.shape != mine[name].shape
        ]
        if problems:
            raise ValueError(f"[{self._name}] state_dict was not loaded: " + ", ".join(problems))
        with no_grad():
            for name, value in given.items():
                mine[name].copy_(value)


class EMA(_Average):
    """An exponential moving average of a model's weights, which forgets what lies 1 / (1 - decay) updates behind.

    a_1 = w_1, a_t = decay a_{t-1} + (1 - decay) w_t
    bias_correction: a_t = (1 - decay) / (1 - decay^t) sum_i decay^(t - i) w_i, the first weights count no more than
    others: a plain mean at first, for a decay that is long beside the training

    Evaluate inside `with ema.applied():`. `use_buffers=True` averages buffers too, which keeps batch norm's statistics
    about right; or call `update_bn` inside the block, which is undone with it.
    Errors: ValueError for a decay outside [0, 1).
    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; bias correction as in
    Adam.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> ema = optim.EMA(net, decay=0.5)
        >>> for value in [1.0, 2.0, 3.0]:
        ...     _ = nn.init.constant_(net.weight, value)
        ...     ema.update()
        >>> with ema.applied():
        ...     net.weight.item()
        2.25
        >>> net.weight.item()
        3.0
    """

    def __init__(
        self, model: Module, decay: float = 0.999, *, bias_correction: bool = False, use_buffers: bool = False
    ) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"[EMA] decay got {decay}, expected a share in [0, 1)")
        self.decay = float(decay)
        self.bias_correction = bias_correction
        super().__init__(model, use_buffers)

    def _share(self, count: Tensor) -> Tensor:
        fresh = 1.0 - self.decay
        return fresh / (1.0 - self.decay**count) if self.bias_correction else where(count == 1, 1.0, fresh + 0 * count)


class SWA(_Average):
    """The plain mean of a model's weights at several times late in training, which often generalizes better.

    a = (w_1 + w_2 + ... + w_n) / n

    Call `update` once an epoch, when the learning rate is constant or at the foot of each cycle; at the end
    `swa.copy_to(model)` and `update_bn(loader, model)`, since batch norm has seen other weights.
    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> swa = optim.SWA(net)
        >>> for value in [1.0, 2.0, 6.0]:
        ...     _ = nn.init.constant_(net.weight, value)
        ...     swa.update()
        >>> swa.copy_to(net)
        >>> round(net.weight.item(), 6)
        3.0
    """

    def _share(self, count: Tensor) -> Tensor:
        return 1.0 / count


def update_bn(loader: Iterable[Any], model: Module) -> None:
    """Sets the running statistics of every batch norm to the plain mean over the loader's batches.

    Batches are tensors or arrays, or tuples, lists whose first entry is the model's input.
    Nothing happens where the model has no batch norm. Modes and momenta are as before afterwards.
    Errors: ValueError for a loader without batches, before which the statistics are as they were.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(1))
        >>> optim.update_bn([(ct.tensor([[1.0], [3.0]]), ct.tensor([0, 1]))], net)
        >>> net[0].running_mean.tolist(), net[0].running_var.tolist()
        ([2.0], [2.0])
    """
    from cinta.nn.layers.normalization import _BatchNorm

    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    batches = iter(loader)
    batch = next(batches, None)
    if batch is None:
        raise ValueError("[update_bn] loader got no batches, expected at least one")
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    model.train()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        with no_grad():
            while batch is not None:
                inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
                model(inputs if isinstance(inputs, Tensor) else asarray(inputs))
                batch = next(batches, None)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
