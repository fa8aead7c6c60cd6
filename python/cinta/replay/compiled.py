"""`ct.compile`: record once, replay natively."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from functools import update_wrapper
from threading import RLock
from types import MethodType
from typing import Any, overload

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import tree

from .call import Call
from .captured import Captured
from .differentiable import Differentiable
from .hosts import Hosts
from .layers import Layers
from .names import ModuleNames, Names
from .program import Program

PASSES: tuple[str, ...] = tuple(_core._pass_names())
_recordings = RLock()  # a recording changes what modules and optimizers do when they are called


@overload
def compile(
    f: Callable[..., Any], *, max_recordings: int = ..., passes: tuple[str, ...] | list[str] | None = ...
) -> Compiled: ...
@overload
def compile(
    f: None = None, *, max_recordings: int = ..., passes: tuple[str, ...] | list[str] | None = ...
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    f: Callable[..., Any] | None = None,
    *,
    max_recordings: int = 8,
    passes: tuple[str, ...] | list[str] | None = None,
) -> Any:
    """The function `f`, recorded at its first call and from then on replayed with no Python in between.

    Recorded is everything that is computed: forward, backward, the optimizer's updates, running statistics, random
    draws. A replay gives the same bits as the call without it. It is taken where the arguments' shapes, dtypes and
    strides, their Python numbers, and what the function sees of the world around it (training or evaluation, captured
    numbers, the modules' parameters) are as they were; else the function is recorded once more. An optimizer's
    options (`lr` ...) are read at every call. Inside of `ct.debug`, and in the steps that a `ct.Monitor` looks at, the
    function runs as it is. Results that can be differentiated, as those of `ct.compile(model)`, can
    be so after a replay too (once, not with create_graph); fastest is a whole step in one function.

    Args:
        f: takes and returns tensors, in nested lists, tuples and dicts if need be; also a decorator `@ct.compile`.
        max_recordings: kept at a time; the one unused for longest goes, with a warning.
        passes: which passes improve the program, all of them by default (see `ct.replay.PASSES`).

    Errors: RuntimeError where the function reads a tensor's value (`.item()`, `if t > 0`, `print(t)`), changes
    captured Python values or keeps tensors elsewhere, all of which a replay would not do; where another thread runs
    it. ValueError for an unknown pass.

    >>> import cinta as ct
    >>> from cinta import nn, optim
    >>> model = nn.Linear(3, 1)
    >>> opt = optim.SGD(model.parameters(), lr=0.1)
    >>> @ct.compile
    ... def step(x, y):
    ...     opt.zero_grad()
    ...     loss = ((model(x) - y) ** 2).mean()
    ...     loss.backward()
    ...     opt.step()
    ...     return loss
    >>> x, y = ct.random.normal(shape=(8, 3)), ct.zeros((8, 1))
    >>> losses = [step(x, y).item() for _ in range(3)]
    >>> losses[2] < losses[0]
    True
    """
    if f is None:
        return lambda function: Compiled(function, max_recordings, passes)
    return Compiled(f, max_recordings, passes)


class _Recorded:
    """A replay and what its use depends on."""

    __slots__ = ("captured", "program", "replay")

    def __init__(self, replay: Any, captured: Captured, program: Program) -> None:
        self.replay = replay
        self.captured = captured
        self.program = program


class Compiled(_core.CompiledFunction):
    """What `ct.compile` returns: call it as the function."""

    def __init__(
        self, f: Callable[..., Any], max_recordings: int = 8, passes: tuple[str, ...] | list[str] | None = None
    ) -> None:
        if not callable(f):
            raise TypeError(f"[compile] got a {type(f).__name__}, expected a function")
        if max_recordings < 1:
            raise ValueError(f"[compile] max_recordings got {max_recordings}, expected 1 or more")
        for name in passes or ():
            if name not in PASSES:
                raise ValueError(f"[compile] passes got {name!r}, expected some of {list(PASSES)}")
        self._f = f
        self._name = getattr(f, "__qualname__", type(f).__name__).rsplit("<locals>.", 1)[-1]
        self._passes = list(PASSES if passes is None else passes)
        self._max = max_recordings
        self._recordings: dict[Any, _Recorded] = {}
        self._latest: _Recorded | None = None
        self._why = "it had not been called before"
        self._made = 0
        update_wrapper(self, f, updated=())

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<ct.compile of {self._name}, {len(self._recordings)} recordings>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            f"[compile] {self._name} cannot be copied or pickled, its recordings belong to the tensors it was recorded "
            "with: copy or pickle what it was made from, and call ct.compile there"
        )

    def program(self) -> Program:
        """The program that the latest call ran.

        Errors: RuntimeError before the first call.
        """
        if self._latest is None:
            raise RuntimeError(f"[compile] {self._name} has no program yet: call it once")
        return self._latest.program

    def clear(self) -> None:
        """Forgets all recordings; the next call records again."""
        self._recordings.clear()
        self._latest = None
        _core._set_last(self, None)

    # Calls that the fast path does not take

    def _record_or_replay(self, *args: Any, **kwargs: Any) -> Any:
        # Inside another it is part of that one's program; what ct.debug and ct.Monitor look at they see in Python.
        if _core.is_recording() or _core._is_eager():
            return self._f(*args, **kwargs)
        call = Call(args, kwargs)
        key = self._signature(call)
        recorded = self._recordings.get(key)
        if recorded is not None:
            why = recorded.captured.changed(recorded.replay) or recorded.replay.why_not(call.tensors)
            if not why:
                self._use(key, recorded)
                result = recorded.replay.call(call.tensors)
                if result is not NotImplemented:
                    return result
                why = "an optimizer's parameters, or the state that its options call for, are others"
            self._why = why
            del self._recordings[key]
        elif self._latest is not None:
            self._why = "the arguments' shapes, dtypes, numbers or the modes around the call are new"
        return self._record(key, call)

    def _signature(self, call: Call) -> Any:
        """What a recording must have in common with this call."""
        kinds: list[Any] = []
        for position, leaf in enumerate(call.leaves):
            if isinstance(leaf, Tensor):
                if not leaf.is_leaf:
                    raise RuntimeError(
                        f"[compile] argument {tree.path((call.args, call.kwargs), position)} of {self._name} is the "
                        "result of an operation that is recorded for backward, expected one without history: call "
                        ".detach(), or compile the whole step"
                    )
                kinds.append(Tensor)
            elif isinstance(leaf, (bool, int, float, complex, str, bytes)):
                kinds.append((type(leaf), leaf))
            else:
                kinds.append((type(leaf), id(leaf)))
        modes = (_core.is_grad_enabled(), _core.get_float32_matmul_precision(), str(_core.get_autocast()))
        containers = len(call.args) if call.flat else repr(call.skeleton)
        return containers, tuple(kinds), _core._forms(call.tensors), modes

    def _use(self, key: Any, recorded: _Recorded) -> None:
        self._recordings[key] = self._recordings.pop(key)  # the youngest
        self._latest = recorded
        _core._set_last(self, recorded.replay)

    def _record(self, key: Any, call: Call) -> Any:
        captured = Captured(self._f, call.others())
        tensors = call.tensors
        told_apart = _core._apart(tensors, captured.tensors)
        args, kwargs = call.with_tensors(told_apart)
        hosts, modules = Hosts(), ModuleNames(captured.modules)
        backward = None
        with _recordings, Layers(modules) as layers:
            recording = _core._Recording(self._name, told_apart, layers.stack)
            try:
                with hosts.recorded(recording):
                    output = self._f(*args, **kwargs)
                results = [leaf for leaf in tree.leaves(output) if isinstance(leaf, Tensor)]
                rebuild: Callable[..., Any] | None = self._rebuild(output, results)
                if any(map(_core._has_history, results)):
                    program, rebuild, backward = self._record_backward(recording, told_apart, results, rebuild)
                else:
                    program = recording.finish(results)
            finally:
                recording.abandon()
        guards = captured.checked_guards(self._name)
        if backward is None:  # else the tape keeps what the program's second half reads
            self._check_kept(recording)
        host = hosts if hosts.updates else None
        replay = _core._Replay(program, self._passes, guards, captured.tensors, host, rebuild, tensors)
        replay.differentiable = backward is not None
        replay.set_arguments(call.positional())
        names = Names(self._f, call.skeleton, call.positions(), modules, captured, hosts)
        shapes = [(x.shape, x.strides, x.dtype.name) for x in tensors]
        live = sum(map(_core._has_history, results))
        gradient = None
        if isinstance(rebuild, Differentiable):
            gradient = Program(self._name, rebuild.backward, names, [], live, leaves=rebuild.leaves)
        seen = Program(self._name, replay, names, shapes, len(results), gradient)
        recorded = _Recorded(replay, captured, seen)
        if len(self._recordings) >= self._max:
            del self._recordings[next(iter(self._recordings))]
            warnings.warn(
                f"[compile] {self._name} was recorded {self._made + 1} times and keeps {self._max}: each recording "
                f"costs a call without replay. The last was made because {self._why}. Pass numbers that vary as "
                "tensors, pad to a few sizes, or raise max_recordings",
                RuntimeWarning,
                stacklevel=3,
            )
        self._made += 1
        self._recordings[key] = recorded
        self._use(key, recorded)
        return output

    def _record_backward(
        self, recording: Any, inputs: list[Tensor], results: list[Tensor], rebuild: Any
    ) -> tuple[Any, Differentiable, Any]:
        """The results can still be differentiated: their gradient becomes a program of its own."""
        live = [result for result in results if _core._has_history(result)]
        leaves = recording.leaves()
        seeds = [_core.ones_like(result.detach()) for result in live]
        recording.begin_backward(seeds)
        gradients = _core.backward(live, seeds, leaves, retain_graph=True)
        program, second = recording.finish_both(results, gradients)
        backward = _core._Replay(second, self._passes, _core._Guards([]), [], None, list, [])
        numbers = {id(tensor): number for number, tensor in enumerate(inputs)}
        wanted = [numbers.get(id(leaf), leaf) for leaf in leaves]
        plain = (lambda tensors: tensors[0]) if rebuild is None else rebuild
        return program, Differentiable(self._name, plain, results, wanted, backward, seeds), backward

    def _check_kept(self, recording: Any) -> None:
        if not recording.leaked():
            return
        gc.collect()
        sites = recording.leaked()
        if sites:
            raise RuntimeError(
                f"[compile] {self._name} keeps a tensor that it computes at {sites[0]} somewhere outside (a list, an "
                "attribute, a global), where a replay would not renew it: return the tensor instead"
            )

    def _rebuild(self, output: Any, results: list[Tensor]) -> Callable[[list[Tensor]], Any] | None:
        """From a replay's tensors to the function's result; None where that is one tensor or None."""
        if output is None or (isinstance(output, Tensor) and len(results) == 1):
            return None
        is_tensor = [isinstance(leaf, Tensor) for leaf in tree.leaves(output)]
        others = [None if isinstance(leaf, Tensor) else leaf for leaf in tree.leaves(output)]
        shape = tree.skeleton(output)

        def rebuild(tensors: list[Tensor]) -> Any:
            given = iter(tensors)
            return tree.rebuild(shape, [next(given) if t else other for t, other in zip(is_tensor, others)])

        return rebuild
