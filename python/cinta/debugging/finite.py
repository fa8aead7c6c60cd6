"""`ct.debug`: the first NaN or infinity, by module, line, operation and the ranges of its inputs."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from functools import wraps
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.nn.calls import Calls
from cinta.nn.error_path import label
from cinta.nn.module import Module

from .ranges import Range


class NonFiniteError(FloatingPointError):
    """What `ct.debug` raises at the first result that is not finite.

    Attributes: `op`, the operation; `backward`, whether its gradient is meant; `module`, the dotted path of the module
    that called it, as seen from the outermost one ("" for that one itself, None outside of any); `line`, "file:number"
    of the program that called it; `inputs` and `outputs`, a `Range` each.

    Example:
        >>> from cinta.debugging import NonFiniteError
        >>> try:
        ...     with ct.debug():
        ...         y = ct.exp(ct.tensor([0.0, 1000.0]))
        ... except NonFiniteError as error:
        ...     print(error.op, error.outputs[0])
        exp float32 [2] in [1, 1], 1 inf
    """

    def __init__(
        self,
        op: str,
        backward: bool,
        module: str | None,
        line: str,
        inputs: list[Range],
        outputs: list[Range],
        message: str,
    ) -> None:
        super().__init__(message)
        self.op = op
        self.backward = backward
        self.module = module
        self.line = line
        self.inputs = inputs
        self.outputs = outputs


class debug:
    """Stops at the first NaN or infinity that an operation gives, forward, backward or in an update.

    The error says which operation it was, in which module and line of the program, and what range its inputs had. For
    a gradient it names the line and the module of the operation whose gradient it was, not the line of `backward()`. A
    number that was not finite before (in the data, in a parameter that was loaded) is found where it is first read,
    and said to come from there. Context manager and decorator.

    Inside, results are the same as outside, at up to 3 times the time of a step; functions compiled by `ct.compile`
    run as they were written, for a replay has no lines. It watches the thread that enters it.

    Args:
        infinity: whether infinities stop it too; False where they belong to the method (masks of -inf).

    Errors: NonFiniteError, a FloatingPointError, at the first fault; RuntimeError where it is on already, or inside
    of a function that `ct.compile` is recording.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> with ct.debug():
        ...     loss = net(ct.ones((1, 2))).sum()
        ...     loss.backward()
    """

    def __init__(self, infinity: bool = True) -> None:
        if callable(infinity):
            raise TypeError("[debug] infinity got a function, expected True or False: write @ct.debug()")
        self._infinity = infinity
        self._watch: Any = None

    def __enter__(self) -> debug:
        if self._watch is not None:
            raise RuntimeError("[debug] is on already, expected one `with` at a time: make another with ct.debug()")
        self._scopes = _Scopes()
        watch = _core._FiniteWatch(self._infinity, self._fault)
        watch.start()
        self._watch = self._scopes.watch = watch
        self._scopes.__enter__()
        _core._want_eager(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._scopes.__exit__()
        _core._want_eager(False)
        self._watch.stop()
        self._watch = None
        del self._scopes  # holds modules

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        infinity = self._infinity

        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with debug(infinity):
                return function(*args, **kwargs)

        return watched

    def _fault(
        self, op: str, backward: bool, scope: int, line: str, now: str, given: list[Tensor], gave: list[Tensor]
    ) -> None:
        if op == "copy" and given and given[0] is not None and given[0].dtype != gave[0].dtype:
            op = "astype"
        root, module = self._scopes.known[scope]
        path, where = _place(root, module)
        inputs = [Range.of(x, self._scopes.name_of(x)) for x in given if x is not None]
        outputs = [Range.of(y, self._scopes.name_of(y)) for y in gave if y is not None]
        written = {id(y) for y in gave}
        before = [r for x, r in zip((x for x in given if x is not None), inputs) if id(x) not in written]
        message = _message(op, backward, where, line, now, before, [r for r in outputs if r.faults])
        raise NonFiniteError(op, backward, path, line, inputs, outputs, message)


class _Scopes(Calls):
    """Numbers for places in networks, which the watch keeps for each instruction: (outermost module, innermost)."""

    watch: Any

    def __init__(self) -> None:
        super().__init__()
        self.known: list[tuple[Module | None, Module | None]] = [(None, None)]
        self._numbers: dict[Module, dict[Module, int]] = {}  # by outermost module and innermost
        self._of_root: dict[Module, int] = {}
        self._stack = [0]

    def entered(self, module: Module) -> None:
        stack = self._stack
        if len(stack) == 1:
            self._root = module
            self._of_root = self._numbers.setdefault(module, {})
        number = self._of_root.get(module)
        if number is None:
            number = self._of_root[module] = len(self.known)
            self.known.append((self._root, module))
        stack.append(number)
        self.watch.scope = number

    def left(self, module: Module) -> None:
        stack = self._stack
        stack.pop()
        self.watch.scope = stack[-1]

    def name_of(self, x: Tensor) -> str:
        """What a network that was called has under this memory: "parameter 0.weight", "buffer 1.running_mean"."""
        for root in {id(root): root for root, _ in self.known if root is not None}.values():
            for kind, named in (("parameter", root.named_parameters()), ("buffer", root.named_buffers())):
                for name, tensor in named:
                    if x.size and tensor.size and _core._overlap(tensor, x):
                        return f"{kind} {name}"
        return ""


def _place(root: Module | None, module: Module | None) -> tuple[str | None, str]:
    """The path of a module, and the path with its label as errors show it."""
    if root is None or module is None:
        return None, ""
    path = next((name for name, below in root.named_modules() if below is module), type(module).__name__)
    whole = f"{type(root).__name__}.{path}" if path else ""
    return path, f"{whole} ({label(module)})" if whole else label(module)


def _message(
    op: str, backward: bool, where: str, line: str, now: str, inputs: list[Range], outputs: list[Range]
) -> str:
    subject = f"the gradient of {op}" if backward else op
    gave = " and ".join(f"{', '.join(y.faults)} among {y.size}{y.name and f' ({y.name})'}" for y in outputs)
    lines = [f"[debug] {subject} gave {gave}"]
    if where:
        lines.append(f"  in {where}")
    lines.append(f"  {'of the operation at' if backward else 'at'} {line}{_source(line)}")
    if backward and now and now != line:
        lines.append(f"  while {now} ran{_source(now)}")
    lines += [f"  input {k}: {x}" for k, x in enumerate(inputs)]
    stale = [k for k, x in enumerate(inputs) if x.faults]
    if stale:
        names = ", ".join(f"{inputs[k].name or f'input {k}'}" for k in stale)
        lines.append(f"  {names} held it before: it was not computed under ct.debug, look at where it comes from")
    return "\n".join(lines)


def _source(line: str) -> str:
    file, _, number = line.rpartition(":")
    text = linecache.getline(file, int(number)).strip() if number.isdigit() else ""
    return f": {text}" if text else ""
