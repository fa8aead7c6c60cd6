"""A training step compiled by ct.compile beside the same step uncompiled, PyTorch's, jax.jit's and torch.compile's.

`pip install "jax[cpu]==0.10.0"` first; torch.compile needs a C++ compiler. JAX may write into its state (donation) and
gets images in either memory order; PyTorch gets what training.py gives it. "With the first call": a thousand steps of
which the first records, or compiles. Rows without a goal are for information.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable
from timeit import Timer
from typing import Any

import torch
from torch._inductor.utils import fresh_cache

import cinta as ct
import harness
import logistic
import peak_memory
import training

REGRESSION = "logistic regression, 100 steps"
# Ratio to PyTorch's fastest and to jax.jit that is hoped for.
GOALS = {
    "MLP 4-8-2, batch 16": (0.03, 0.25),
    "MLP 784-256-10, batch 128": (0.40, 0.55),
    "LeNet-5, batch 1": (0.06, 0.20),
    "LeNet-5, batch 128": (0.33, 0.16),
    REGRESSION: (0.02, 0.10),
}
RECORDING = 3  # steps that a recording may take
STEPS = 1000  # of which the first compiles
Rows = list[harness.Row]


class Sides:
    """What is compared: each library's step in its forms, and what their first calls gave and took."""

    def __init__(self, name: str, own: Callable[[training.Wrapper], Callable[[], Any]]) -> None:
        self.name = name
        self.timers: dict[tuple[str, str], Timer] = {}
        self.first: dict[tuple[str, str], float] = {}
        self.results: dict[str, Any] = {}
        forms: dict[str, Callable[..., Any]] = {
            "compiled": ct.compile, "uncompiled": training.as_it_is, "recording": recording, "replaying": first_replay,
        }  # fmt: skip
        for form, wrapper in forms.items():
            self.add("cinta", {form: own(wrapper)})
        del self.results["cinta replaying"]  # of two steps

    def add(self, library: str, forms: dict[str, Callable[[], Any]], timer: Callable[..., Timer] = Timer) -> None:
        for form, step in forms.items():
            start = time.perf_counter()
            self.results[f"{library} {form}"] = step().tolist()
            self.first[library, form] = time.perf_counter() - start
            self.timers[library, form] = timer(step)

    def add_torch_compile(self, forms: dict[str, Callable[[], Any]]) -> None:
        for form, step in forms.items():
            torch.compiler.reset()  # all steps share their code, and a function is compiled a few times only
            try:
                with fresh_cache():  # a first call that finds nothing made before
                    self.add("torch.compile", {form: step})
            except Exception as error:  # whatever its compiler lacks here
                what = f"torch.compile of {form} of {self.name}"
                print(f"{what} skipped: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)

    def rows(self, **how) -> Rows:
        """Ours, compiled, beside the fastest form of each other library, and recording beside an uncompiled step."""
        training.check_results(self.results)
        samples = dict(zip(self.timers, harness.alternate(*self.timers.values(), **how)))
        medians = {key: statistics.median(times) for key, times in samples.items()}

        def row(name: str, ours: tuple[str, str], peer: tuple[str, str], goal: float, forms: str = "") -> harness.Row:
            ratio = harness.ratio_of(samples[ours], samples[peer])
            made = harness.Row(f"{name} of {self.name}", medians[ours], medians[peer], *ratio, goal, forms=forms)
            print(made, flush=True)
            return made

        no_goal = float("inf")
        ours, plain = ("cinta", "compiled"), ("cinta", "uncompiled")
        to_pytorch, to_jax = GOALS.get(self.name, (no_goal, no_goal))
        rows = [row("step", ours, plain, no_goal, "cinta uncompiled")]
        for library, goal in (("PyTorch", to_pytorch), ("jax.jit", to_jax), ("torch.compile", no_goal)):
            forms = [key for key in samples if key[0] == library]
            if not forms:
                continue
            best = min(forms, key=medians.__getitem__)
            about = " ".join(filter(None, best))
            if library != "PyTorch":
                all_of_ours, all_of_theirs = (self.first[key] + (STEPS - 1) * medians[key] for key in (ours, best))
                first = harness.duration(self.first[best])
                about += f", first call {first}; {STEPS} steps with it {all_of_ours / all_of_theirs:.3f}"
            rows.append(row("step", ours, best, goal, about))
        rows.append(row("recording", ("cinta", "recording"), plain, RECORDING, "cinta uncompiled"))
        return [*rows, row("recording and first replay", ("cinta", "replaying"), plain, no_goal, "cinta uncompiled")]


def recording(step: Callable[..., Any]) -> Callable[..., Any]:
    """Every call records, none replays."""
    return lambda *inputs: ct.compile(step)(*inputs)


def first_replay(step: Callable[..., Any]) -> Callable[..., Any]:
    """Every call records and replays once, before which the passes run: two steps."""

    def twice(*inputs: Any) -> Any:
        compiled = ct.compile(step)
        result = compiled(*inputs)
        compiled(*inputs)
        return result

    return twice


def start_jax(threads: int):
    """The module jax_steps, or None where JAX is missing."""
    if threads == 1:  # read when JAX starts
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    try:
        import jax_steps
    except ModuleNotFoundError as error:
        print(f'jax.jit skipped: {error} (pip install "jax[cpu]==0.10.0")', flush=True)
        return None
    return jax_steps


def sides_of(name: str, network: training.Network, jax: Any) -> Sides:
    batches, weights = network.batches(), training.weights_of(network.build(ct.nn))
    sides = Sides(name, lambda wrapper: training.own_step(network, weights, batches, wrapper))
    sides.add("PyTorch", training.peer_steps(network, weights, batches))
    if jax:
        sides.add("jax.jit", jax.training_steps(network, weights, batches), jax.Dispatched)
    whole = training.peer_step(network, weights, batches, compiled=torch.compile)
    model = training.peer_step(network, weights, batches, options={"fused": True}, compiled_model=torch.compile)
    sides.add_torch_compile({"the step": whole, "the model": model})
    return sides


def regression(jax: Any) -> Sides:
    sides = Sides(REGRESSION, logistic.cinta)
    sides.add("PyTorch", {"": logistic.pytorch(training.as_it_is)})
    if jax:
        sides.add("jax.jit", {"": jax.regression()}, jax.Dispatched)
    sides.add_torch_compile({"the step": logistic.pytorch(torch.compile)})
    return sides


def main(threads: int = 1, only: str = "") -> Rows:
    harness.pin(threads)
    jax = start_jax(threads)
    makers: dict[str, Callable[[], Sides]] = {
        name: functools.partial(sides_of, name, network, jax) for name, network in training.NETWORKS.items()
    }
    makers[REGRESSION] = functools.partial(regression, jax)
    rows = []
    for name, make in makers.items():
        if only.lower() in name.lower():
            rows += make().rows(seconds=0.05, repeats=11)
    if only.lower() in "peak memory":
        rows += peak_memory.main()
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    args = parser.parse_args()
    print(harness.header("cinta compiled", "peer"))
    main(args.threads, args.only)
