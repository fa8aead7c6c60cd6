"""LBFGS: Newton's direction from the last few gradients, for losses without noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cinta._core import Tensor, concat, zeros_like
from cinta.autodiff import enable_grad, no_grad
from cinta.optim.checks import at_least_zero, outside_recording
from cinta.optim.line_search import Point, strong_wolfe
from cinta.optim.optimizer import Optimizer, refuse_rows
from cinta.optim.state import as_tensor

_VECTORS = ("d", "prev_flat_grad")
_NUMBERS = ("H_diag", "t", "prev_loss")
_COUNTS = ("func_evals", "n_iter")
_HISTORY = ("old_dirs", "old_stps", "ro")  # lists: changes of the gradient, steps, 1 / (their product)


class LBFGS(Optimizer):
    """Quasi-Newton steps p = p + t d with d = -H g, H an inverse Hessian built from the last history_size steps.

    s = p_k - p_{k-1}, y = g_k - g_{k-1}; H by the two-loop recursion over (s, y), starting from (s y / y y) I
    t = lr (min(1, 1 / |g|_1) lr at first), or what the strong Wolfe conditions allow with line_search_fn "strong_wolfe"

    Each `step(closure)` makes up to max_iter iterations; the closure clears the gradients, computes the loss, calls
    `backward` and returns the loss. It may be a function that `ct.compile` made. For whole data sets, not for noisy
    minibatches. One parameter group; float64 parameters converge further.
    Errors: ValueError for options out of range or a second group; TypeError for a step without closure; RuntimeError
    for a step inside ct.compile.
    Source: Liu and Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989.

    Example:
        >>> p = nn.Parameter(ct.tensor([3.0, -1.0], dtype="float64"))
        >>> opt = optim.LBFGS([p], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = ((p - ct.tensor([1.0, 2.0])) ** 2 * ct.tensor([1.0, 10.0])).sum()
        ...     loss.backward()
        ...     return loss
        >>> opt.step(closure).item()
        94.0
        >>> [round(x, 4) for x in p.tolist()]
        [1.0, 2.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = dict(
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("LBFGS", group, "lr", "tolerance_grad", "tolerance_change")
        for option in ("max_iter", "max_eval", "history_size"):
            if not isinstance(group[option], int) or group[option] < 1:
                raise ValueError(f"[LBFGS] {option} got {group[option]!r}, expected an integer of at least 1")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"[LBFGS] line_search_fn got {group['line_search_fn']!r}, expected 'strong_wolfe' or None")

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Refuses a second group: the direction belongs to all parameters together."""
        if self.param_groups:
            raise ValueError("[LBFGS] got a second parameter group, expected one")
        super().add_param_group(param_group)

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to max_iter iterations; returns the closure's first loss, that of the parameters before the step."""
        if closure is None:
            raise TypeError("[LBFGS] step() got no closure, expected a function that computes loss and gradients anew")
        outside_recording("[LBFGS] step()")
        self._stepped = True
        group = self.param_groups[0]
        first = self._evaluated(closure)
        loss, grad = float(first), self._flat_grad()
        memory = self._memory()
        memory["func_evals"] += 1
        with no_grad():
            if grad.size and not _largest(grad) <= group["tolerance_grad"]:
                self._iterate(closure, group, memory, loss, grad)
        return first

    def _iterate(
        self, closure: Callable[[], Any], group: dict[str, Any], memory: dict[str, Any], loss: float, grad: Tensor
    ) -> None:
        evaluations, tolerance = 1, group["tolerance_change"]
        for iteration in range(1, group["max_iter"] + 1):
            memory["n_iter"] += 1
            d = memory["d"] = self._direction(memory, grad, group["history_size"])
            memory["prev_flat_grad"], memory["prev_loss"] = grad, loss
            t = group["lr"]
            if memory["n_iter"] == 1:
                t *= min(1.0, 1.0 / abs(grad).sum().item())
            memory["t"] = t
            slope = _dot(grad, d)
            if slope > -tolerance:
                return
            spent = 0
            if group["line_search_fn"]:
                origin = [param.detach().clone() for param in group["params"]]

                def evaluate(t: float, origin: list[Tensor] = origin, d: Tensor = d) -> Point:
                    try:
                        self._move(origin, d, t)
                        loss, grad = float(self._evaluated(closure)), self._flat_grad()
                    finally:
                        self._move(origin, d, 0.0)
                    return Point(t, loss, _dot(grad, d), grad)

                point, spent = strong_wolfe(
                    evaluate, Point(0.0, loss, slope, grad), t, _largest(d), most=group["max_eval"] - evaluations
                )
                t, loss, grad = point.t, point.loss, point.grad
                memory["t"] = t
                self._move(origin, d, t)
            else:
                self._move([param.detach() for param in group["params"]], d, t)
                if iteration != group["max_iter"]:
                    loss, grad, spent = float(self._evaluated(closure)), self._flat_grad(), 1
            evaluations += spent
            memory["func_evals"] += spent
            if (
                evaluations >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(d) * abs(t) <= tolerance
                or abs(loss - memory["prev_loss"]) < tolerance
            ):
                return

    def _direction(self, memory: dict[str, Any], grad: Tensor, history_size: int) -> Tensor:
        """-H grad, after the newest step has gone into H."""
        if memory["n_iter"] == 1:
            memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -grad
        y, s = grad - memory["prev_flat_grad"], memory["d"] * memory["t"]
        ys = _dot(y, s)
        if ys > 1e-10:  # else H would not stay positive
            for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1.0 / ys)):
                memory[name] = [*memory[name], value][-history_size:]
            memory["H_diag"] = ys / _dot(y, y)
        pairs = list(zip(memory["old_dirs"], memory["old_stps"], memory["ro"]))
        q, shares = -grad, []
        for y, s, ro in reversed(pairs):
            share = _dot(s, q) * ro
            shares.append(share)
            q = q - y * share
        d = q * memory["H_diag"]
        for (y, s, ro), share in zip(pairs, reversed(shares)):
            d = d + s * (share - _dot(y, d) * ro)
        return d

    def _evaluated(self, closure: Callable[[], Any]) -> Any:
        with enable_grad():
            return closure()

    def _flat_grad(self) -> Tensor:
        with no_grad():
            for p in self.param_groups[0]["params"]:
                refuse_rows("LBFGS", p)
            grads = [zeros_like(p) if p.grad is None else p.grad for p in self.param_groups[0]["params"]]
            return concat([grad.detach().reshape(-1) for grad in grads])

    def _move(self, origin: list[Tensor], d: Tensor, t: float) -> None:
        """Parameters at origin + t d."""
        offset = 0
        for param, start in zip(self.param_groups[0]["params"], origin):
            part = d[offset : offset + param.size].reshape(param.shape)
            param.copy_(start + part * t if t else start)
            offset += param.size

    # State

    def _memory(self) -> dict[str, Any]:
        return self._state.setdefault(self.param_groups[0]["params"][0], {"func_evals": 0, "n_iter": 0})

    def _unpacked(self, state_dict: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[Tensor, dict[str, Any]]]:
        entries = state_dict.get("state") if isinstance(state_dict, Mapping) else None
        if not isinstance(entries, Mapping) or any(int(number) != 0 for number in entries):
            raise ValueError(f"[LBFGS] state_dict got {state_dict!r:.60}, expected state of the first parameter alone")
        fitted = {key: self._fitted(key, value) for entry in entries.values() for key, value in entry.items()}
        memory = {key: value for key, value in fitted.items() if value is not None}
        needed = _COUNTS if memory and not memory.get("n_iter") else (*_COUNTS, *_NUMBERS, *_VECTORS, *_HISTORY)
        if missing := [key for key in needed if memory and key not in memory]:
            raise ValueError(f"[LBFGS] state lacks {missing}, expected {list(needed)}")
        groups, _ = super()._unpacked({**state_dict, "state": {}})
        return groups, {self.param_groups[0]["params"][0]: memory} if memory else {}

    def _fitted(self, key: str, value: Any) -> Any:
        """A piece of state, copied; PyTorch keeps some numbers as tensors, and room for shares that are made anew."""
        size, params = sum(p.size for p in self.param_groups[0]["params"]), self.param_groups[0]["params"]
        if isinstance(value, (list, tuple)) and key in _HISTORY:
            return [float(entry) if key == "ro" else self._fitted("d", entry) for entry in value]
        if key in _COUNTS:
            return int(value)
        if value is None or key == "al":
            return None
        if key in _NUMBERS:
            return float(value)
        if key not in _VECTORS:
            known = [*_COUNTS, *_NUMBERS, *_VECTORS, *_HISTORY]
            raise ValueError(f"[LBFGS] state has unknown {key!r} or no list for it, expected {known}")
        vector = as_tensor(value)
        if vector.shape != (size,):
            raise ValueError(f"[LBFGS] state {key!r} has shape {list(vector.shape)}, expected {[size]}")
        return vector.detach().astype(params[0].dtype).clone()


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a @ b).item())


def _largest(x: Tensor) -> float:
    return float(abs(x).max().item())
