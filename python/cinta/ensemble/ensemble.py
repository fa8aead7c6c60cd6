"""Ensemble: N networks that train in one program and predict together."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cinta._core import Tensor, asarray, broadcast_to, concat, random
from cinta._core import stack as stack_tensors
from cinta.autodiff import no_grad
from cinta.ensemble.checking import check_once
from cinta.ensemble.prediction import Prediction, activation_of, parts_of
from cinta.ensemble.stacking import Looped, stack, unstack
from cinta.nn.module import Module


class Ensemble(Module):
    """N networks of one architecture, trained side by side, whose predictions are averaged.

    y_n = f(x_n; w_n), x [B, ...] for all or [N, B, ...] with `each`, y [N, B, ...]; p = 1/N sum_n activation(y_n)

    Where the members can be stacked, one program does the work of all: every parameter has the members as its first
    axis (`cinta.ensemble.stack`). Else, with a warning that says why, they run one after the other. Member n starts
    as `ct.random.seed(seed + n); make()` gives it and, with the loss of `EnsembleLoss`, becomes what it would become
    alone on the same minibatches, up to rounding: its gradients are its own, and optimizers work element by element
    (clipping by the norm of all gradients, and what else looks at more than one parameter, sees all members at once).
    Dropout draws for all members from one stream: each gets draws of its own, and others than alone.

    Args:
        make: a function without arguments that builds a network, or a list of networks, whose weights are copied.
        members: N; not with a list.
        seed: of the first member; the stream of `ct.random` stays where it was.
        activation: what `predict` averages: "softmax" over axis 1 (classes), "sigmoid", or "identity" (regression).
        batched: True to refuse what cannot be stacked, False to run the members one after the other.

    Errors: ValueError for networks that differ in their layers or shapes. A module of one's own that mixes examples
    of a batch raises RuntimeError at the first call.
    Source: Hansen and Salamon, "Neural Network Ensembles", 1990; Lakshminarayanan, Pritzel and Blundell, "Simple and
    Scalable Predictive Uncertainty Estimation using Deep Ensembles", 2017.

    Example:
        >>> ensemble = ct.Ensemble(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), members=10)
        >>> optimizer = optim.SGD(ensemble.parameters(), lr=0.1)
        >>> loss_of = ct.ensemble.EnsembleLoss(nn.functional.cross_entropy)
        >>> x, y = ct.random.normal(shape=(32, 4)), ct.random.integers(3, shape=(32,))
        >>> loss_of(ensemble(x), y).backward()
        >>> optimizer.step()
        >>> ensemble(x).shape, ensemble.predict(x).shape, len(ensemble.members())
        ((10, 32, 3), (32, 3), 10)
    """

    def __init__(
        self,
        make: Callable[[], Module] | Sequence[Module],
        members: int | None = None,
        seed: int = 0,
        activation: str = "softmax",
        batched: bool | None = None,
    ) -> None:
        super().__init__()
        activation_of(activation, "Ensemble")
        networks = _networks(make, members, seed)
        self.count = len(networks)
        self.activation = activation
        self.batched = batched is not False
        if self.batched:
            try:
                self.network: Any = stack(networks)
            except ValueError as error:
                if batched:
                    raise
                warnings.warn(
                    f"[Ensemble] {str(error).removeprefix('[stack] ')}: the {self.count} members run one after the "
                    "other (batched=False says that this is meant)",
                    RuntimeWarning,
                    stacklevel=2,
                )
                self.batched = False
        if not self.batched:
            self.network = Looped([copy.deepcopy(network) for network in networks])
        self._form = (copy.deepcopy(networks[0]),)  # in a tuple, as it is no submodule: what members look like

    def forward(self, x: Any, each: bool = False) -> Tensor:
        x = asarray(x)
        if each and (x.ndim < 2 or x.shape[0] != self.count):
            raise ValueError(f"input has shape {list(x.shape)}, expected [{self.count}, batch, ...] for each=True")
        batch = x.shape[1] if each else x.shape[0]
        examples = x if each else broadcast_to(x, (self.count, *x.shape))
        examples = examples.reshape(self.count * batch, *examples.shape[2:])
        if self.batched and batch:
            check_once(self, examples)
        y = self.network(examples)
        return y.reshape(self.count, len(y) // self.count, *y.shape[1:])

    # Predictions

    def predictions(self, x: Any, batch_size: int = 256) -> Tensor:
        """What each member predicts, [N, B, ...], in evaluation mode and without a tape."""
        x, transform = asarray(x), activation_of(self.activation, "Ensemble.predictions")
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            with no_grad():
                parts = []
                for part in parts_of(x, batch_size, "Ensemble.predictions"):
                    y = self(part)
                    merged = transform(y.reshape(self.count * len(part), *y.shape[2:]))
                    parts.append(merged.reshape(self.count, len(part), *merged.shape[1:]))
        finally:
            for module, mode in modes:
                module.training = mode
        return parts[0] if len(parts) == 1 else concat(parts, axis=1)

    def predict(self, x: Any, return_std: bool = False, batch_size: int = 256) -> Any:
        """The members' mean prediction [B, ...]; with `return_std` a `Prediction` that has their spread as well."""
        every = self.predictions(x, batch_size)
        mean = every.mean(0)
        return Prediction(mean, every.std(0)) if return_std else mean

    # Members

    def members(self) -> list[Module]:
        """The networks as ordinary modules, with copies of their weights and with the ensemble's modes."""
        if self.batched:
            return unstack(self.network, self._form[0], self.count)
        return [copy.deepcopy(member) for member in self.network.children()]

    def member_state_dicts(self) -> list[dict[str, Tensor]]:
        """A `state_dict` for each member, as it would have alone; the tensors share storage with the ensemble."""
        if not self.batched:
            return [member.state_dict() for member in self.network.children()]
        stacked = self.network.state_dict()
        return [{name: tensor[n] for name, tensor in stacked.items()} for n in range(self.count)]

    def load_member_state_dicts(self, state_dicts: Sequence[Mapping[str, Any]]) -> None:
        """Takes over N members' state dictionaries, all or nothing.

        Errors: ValueError for another number of them, or names and shapes that do not fit.
        """
        if len(state_dicts) != self.count:
            raise ValueError(f"[Ensemble] got {len(state_dicts)} members' state, expected {self.count}")
        loaded = []
        for member, values in zip(self.members(), state_dicts):
            member.load_state_dict(values)
            loaded.append(member.state_dict())
        if self.batched:
            self.network.load_state_dict({name: stack_tensors([m[name] for m in loaded]) for name in loaded[0]})
        else:
            for member, values in zip(self.network.children(), loaded):
                member.load_state_dict(values)

    def __len__(self) -> int:
        return self.count

    def extra_repr(self) -> str:
        return f"{self.count} members" + ("" if self.batched else ", one after the other")


def _networks(make: Any, members: int | None, seed: int) -> list[Module]:
    """The members as they start."""
    if isinstance(make, Module):
        raise TypeError(
            f"[Ensemble] make got a {type(make).__name__}, expected a function that builds one (lambda: ...) or a list"
        )
    if not callable(make):
        networks = list(make)
        if not networks or members not in (None, len(networks)):
            raise ValueError(f"[Ensemble] got {len(networks)} networks, expected {members or 'at least one'}")
    else:
        count = 10 if members is None else members
        if count < 1:
            raise ValueError(f"[Ensemble] members got {count}, expected at least 1")
        state, networks = random.get_state(), []
        try:
            for n in range(count):
                random.seed(seed + n)
                networks.append(make())
        finally:
            random.set_state(state)
    for network in networks:
        if not isinstance(network, Module):
            raise TypeError(f"[Ensemble] got a {type(network).__name__}, expected Modules")
    return networks
