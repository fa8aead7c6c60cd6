"""Random shapes in search of cliffs: convolutions beside cinta's own product of their im2col matrix, products of
transposed and sliced matrices beside the same product of contiguous ones, denormal inputs beside normal ones.

    python bench/sweep.py                    2400 cases, one thread, some minutes
    python bench/sweep.py --case 17 93       these cases of the seed again, with more repeats
    python bench/sweep.py --output all.csv   every case with its parameters and times

A case is drawn from (seed, index) alone, so --case repeats it. A convolution is held to the fastest of cinta's ways to
multiply matrices of the shapes of its im2col product: per group [O,C KH KW] x [C KH KW,N OH OW] for the output,
[C KH KW,O] x [O,N OH OW] for the gradient of the input, [O,N OH OW] x [N OH OW,C KH KW] for that of the weight. Writing
the im2col matrix is not added. Below 20 us a fixed cost of 10 us is allowed for. What is listed, and every fifth case,
is compared with float64. Ends with 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import math
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

import cinta as ct
import harness
from cinta import _core

LIMIT, DENORMAL_LIMIT = 1.5, 1.2
SHORT, FIXED_COST = 20e-6, 10e-6
MAX_MULTIPLIES, MAX_ELEMENTS = 1.5e8, 4e6  # of one case: some milliseconds, 16 MB of float32
CHECKED = 5  # the result of every fifth case is compared with float64
MAX_ERROR = {"float32": 3e-6, "float64": 1e-14, "bfloat16": 4e-3}  # RMS over RMS; bfloat16 rounds its results
DENORMAL = {"float32": 1e-39, "float64": 1e-309, "bfloat16": 1e-39}
Call = Callable[[], Any]


class Conv(NamedTuple):
    """conv1d or conv2d from x [N,C,*size] to y [N,O,*out]; transposed: conv_transpose from y to x."""

    name: str
    direction: str
    dtype: str
    layout: str
    N: int
    C: int
    O: int  # noqa: E741
    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def result(self) -> str:
        """What is computed: y, dx or dw of the convolution, of which a transposed one is the backward direction."""
        order = ("dx", "y", "dw") if "transpose" in self.name else ("y", "dx", "dw")
        return order[("forward", "backward data", "backward weights").index(self.direction)]

    @property
    def product(self) -> tuple[int, int, int]:
        """M, K, N of the im2col product of one group."""
        outputs, taps = self.O // self.groups, self.C // self.groups * math.prod(self.kernel)
        places = self.N * math.prod(self.out)
        return {"y": (outputs, taps, places), "dx": (taps, outputs, places), "dw": (outputs, places, taps)}[self.result]

    @property
    def connected(self) -> str:
        return "dense" if self.groups == 1 else "depthwise" if self.groups == self.C else "groups"

    def fits(self) -> bool:
        places = self.N * math.prod(self.out)
        elements = (self.C * math.prod(self.kernel) * places, self.N * self.C * math.prod(self.size), self.O * places)
        multiplies = self.groups * math.prod(self.product)
        return min(self.size + self.out) > 0 and multiplies <= MAX_MULTIPLIES and max(elements) <= MAX_ELEMENTS


class Product(NamedTuple):
    """[batch,M,K] x [batch,K,N]; batch 0: matrices, without that axis."""

    name: str
    dtype: str
    batch: int
    M: int
    K: int
    N: int
    a: str  # layouts
    b: str

    def fits(self) -> bool:
        m, k, n, batch = self.M, self.K, self.N, max(1, self.batch)
        return batch * m * k * n <= MAX_MULTIPLIES and batch * max(m * k, k * n, m * n) <= MAX_ELEMENTS


class Result(NamedTuple):
    number: int  # of the case
    case: Conv | Product
    ours: float
    reference: float
    denormal: float  # seconds with denormal inputs
    error: float  # nan: not checked

    @property
    def ratio(self) -> float:
        return self.ours / (self.reference + (FIXED_COST if self.reference < SHORT else 0))

    @property
    def denormal_ratio(self) -> float:
        return self.denormal / (self.ours + (FIXED_COST if self.ours < SHORT else 0))

    @property
    def broken(self) -> bool:
        return self.ratio > LIMIT or self.denormal_ratio > DENORMAL_LIMIT


# ---- drawing


def log_uniform(rng: np.random.Generator, low: int, high: int) -> int:
    return int(math.exp(rng.uniform(math.log(low), math.log(high + 1))))


def draw_conv(rng: np.random.Generator) -> Conv:
    axes = int(rng.choice([1, 2], p=[0.25, 0.75]))
    name = f"conv{'_transpose' if rng.random() < 0.25 else ''}{axes}d"
    direction = str(rng.choice(["forward", "backward data", "backward weights"]))

    def per_axis(draw: Callable[[], int]) -> tuple[int, ...]:
        square = rng.random() < 0.8
        first = draw()
        return tuple(first if square or axis == 0 else draw() for axis in range(axes))

    connected = rng.choice(["dense", "groups", "depthwise"], p=[0.6, 0.2, 0.2])
    channels, outputs = log_uniform(rng, 1, 512), log_uniform(rng, 1, 512)
    groups = 1
    if connected == "groups":
        groups = log_uniform(rng, 2, 64)
        channels, outputs = (groups * log_uniform(rng, 1, 512 // groups) for _ in range(2))
    elif connected == "depthwise":
        groups = channels
        outputs = channels * int(rng.choice([1, 1, 1, 2]))
    size = per_axis(lambda: log_uniform(rng, 1, 2048 if axes == 1 else 128))
    kernel = per_axis(lambda: int(rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11])))
    stride = per_axis(lambda: int(rng.choice([1, 1, 1, 2, 2, 3])))
    dilation = per_axis(lambda: int(rng.choice([1, 1, 1, 1, 2, 3])))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    padding = tuple(int(rng.choice([0, r // 2, int(rng.integers(r))])) for r in reach)
    out = tuple((s + 2 * p - r) // step + 1 for s, p, r, step in zip(size, padding, reach, stride))
    dtype = str(rng.choice(["float32", "float64", "bfloat16"], p=[0.6, 0.2, 0.2]))
    layout = str(rng.choice(["contiguous", "channels last", "sliced"], p=[0.4, 0.4, 0.2]))
    batch = log_uniform(rng, 1, 128)
    return Conv(name, direction, dtype, layout, batch, channels, outputs, size, out, kernel, stride, padding, dilation,
                groups)  # fmt: skip


def draw_product(rng: np.random.Generator) -> Product:
    dtype = str(rng.choice(["float32", "float64", "bfloat16"], p=[0.6, 0.2, 0.2]))
    m, k, n = (log_uniform(rng, 1, 2048) for _ in range(3))
    batch = 0 if rng.random() < 0.7 else log_uniform(rng, 1, 128)
    layouts = list(itertools.product(["contiguous", "transposed", "sliced", "strided"], repeat=2))
    a, b = layouts[int(rng.integers(1, len(layouts)))]  # the first has both contiguous: the reference
    return Product("matmul", dtype, batch, m, k, n, a, b)


def draw(seed: int, index: int) -> Conv | Product:
    rng = np.random.default_rng([seed, index])
    draw_case = draw_product if index % 4 == 3 else draw_conv
    while True:
        case = draw_case(rng)
        if case.fits():
            return case


# ---- operands and calls


def lay_out(values: np.ndarray, dtype: str, layout: str) -> ct.Tensor:
    """A view with these values whose memory lies as `layout` says."""
    if layout == "contiguous":
        return ct.tensor(values, dtype=dtype)
    axes = list(range(values.ndim))
    if layout in ("channels last", "transposed"):
        order = [0, *axes[2:], 1] if layout == "channels last" else [*axes[:-2], axes[-1], axes[-2]]
        kept = ct.tensor(np.ascontiguousarray(values.transpose(order)), dtype=dtype)
        return kept.transpose([order.index(axis) for axis in axes])
    cut = [slice(1, n + 1) for n in values.shape]
    if layout == "strided":
        cut[-1] = slice(1, 2 * values.shape[-1] + 1, 2)
    whole = np.zeros([s.stop + 2 for s in cut], values.dtype)
    whole[tuple(cut)] = values
    return ct.tensor(whole, dtype=dtype)[tuple(cut)]


def conv_call(case: Conv, x: ct.Tensor, w: ct.Tensor, y: ct.Tensor) -> Call:
    how: dict[str, Any] = {name: getattr(case, name) for name in ("stride", "padding", "dilation", "groups")}
    source, gradient = (y, x) if "transpose" in case.name else (x, y)
    if "transpose" in case.name:
        least = [(o - 1) * s - 2 * p + (k - 1) * d + 1
                 for o, s, p, k, d in zip(case.out, case.stride, case.padding, case.kernel, case.dilation)]  # fmt: skip
        how["output_padding"] = tuple(n - m for n, m in zip(case.size, least))
    function = functools.partial(getattr(ct.nn.functional, case.name), **how)
    if case.direction == "forward":
        return lambda: function(source, w)
    leaves = [source.detach(), w.detach()]
    wanted = leaves[case.direction == "backward weights"].requires_grad_()
    out = function(*leaves)
    return lambda: _core.backward([out], [gradient], [wanted], retain_graph=True)[0]


class Prepared(NamedTuple):
    ours: Call
    denormal: Call  # ours with denormal inputs
    references: list[tuple[Call, int]]  # what ours is held to, each with how often it counts
    exact: Callable[[], np.ndarray]  # the result in float64


def prepare(case: Conv | Product, rng: np.random.Generator) -> Prepared:
    tiny = DENORMAL[case.dtype]

    def normal(*shape: int) -> np.ndarray:
        values = rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
        return ct.tensor(values, dtype=case.dtype).astype("float64").numpy()

    if isinstance(case, Product):
        batch = (case.batch,) if case.batch else ()
        a, b = normal(*batch, case.M, case.K), normal(*batch, case.K, case.N)
        of_a, of_b = lay_out(a, case.dtype, case.a), lay_out(b, case.dtype, case.b)
        a_small = lay_out(a * tiny, case.dtype, case.a)
        plain = functools.partial(ct.matmul, ct.tensor(a, dtype=case.dtype), ct.tensor(b, dtype=case.dtype))
        return Prepared(lambda: of_a @ of_b, lambda: a_small @ of_b, [(plain, 1)], lambda: a @ b)

    x, y = normal(case.N, case.C, *case.size), normal(case.N, case.O, *case.out)
    w = normal(case.O, case.C // case.groups, *case.kernel)
    of_x, of_y = (lay_out(values, case.dtype, case.layout) for values in (x, y))
    x_small, y_small = (lay_out(values * tiny, case.dtype, case.layout) for values in (x, y))
    of_w = ct.tensor(w, dtype=case.dtype)
    small = (of_x, of_w, y_small) if case.result == "dx" else (x_small, of_w, of_y)
    m, k, n = case.product
    lefts, rights = (ct.tensor(normal(case.groups, *shape), dtype=case.dtype) for shape in ((m, k), (k, n)))
    products: list[tuple[Call, int]] = [(functools.partial(ct.matmul, lefts[0], rights[0]), case.groups)]
    if case.groups > 1:
        products.append((functools.partial(ct.matmul, lefts, rights), 1))
    exact = functools.partial(conv_in_numpy, case, x, w, y)
    return Prepared(conv_call(case, of_x, of_w, of_y), conv_call(case, *small), products, exact)


def conv_in_numpy(case: Conv, x: np.ndarray, w: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y of (x, w), dx of (w, y) or dw of (x, y), tap by tap."""
    g, places = case.groups, math.prod(case.out)
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p + s) for p, s in zip(case.padding, case.stride))])
    of_x = padded.reshape(case.N, g, case.C // g, *padded.shape[2:])
    of_w = w.reshape(g, case.O // g, case.C // g, *case.kernel)
    of_y = y.reshape(case.N, g, case.O // g, places)
    results = {"y": np.zeros_like(of_y), "dx": np.zeros_like(of_x), "dw": np.zeros_like(of_w)}
    for tap in itertools.product(*map(range, case.kernel)):
        steps = zip(tap, case.dilation, case.out, case.stride)
        at: Any = (..., *(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in steps))
        at_tap: Any = (..., *tap)
        pixels = of_x[at].reshape(case.N, g, case.C // g, places)
        if case.result == "y":
            results["y"] += of_w[at_tap] @ pixels
        elif case.result == "dx":
            results["dx"][at] += (of_w[at_tap].swapaxes(1, 2) @ of_y).reshape(of_x[at].shape)
        else:
            results["dw"][at_tap] = (of_y @ pixels.swapaxes(2, 3)).sum(0)
    if case.result == "dx":
        inner: Any = (..., *(slice(p, p + n) for p, n in zip(case.padding, case.size)))
        return results["dx"].reshape(padded.shape)[inner]
    return results[case.result].reshape({"y": y, "dw": w}[case.result].shape)


# ---- measuring


def best(functions: list[Call], repeats: int, seconds: float) -> list[float]:
    """The shortest time per call of each, taken in turn; a repeat lasts about `seconds`."""
    timers = [Timer(function) for function in functions]
    for timer in timers:
        timer.timeit(1)
    counts = [max(1, min(1000, round(seconds / timer.timeit(1)))) for timer in timers]
    samples = [[timer.timeit(count) / count for timer, count in zip(timers, counts)] for _ in range(repeats)]
    return [min(column) for column in zip(*samples)]


def error_of(got: np.ndarray, exact: np.ndarray) -> float:
    assert got.shape == exact.shape, f"got a result of shape {got.shape}, expected {exact.shape}"
    return float(np.linalg.norm(got - exact) / max(np.linalg.norm(exact), 1e-300))


def prepared(seed: int, index: int) -> Prepared:
    return prepare(draw(seed, index), np.random.default_rng([seed, index, 1]))


def measure(seed: int, index: int, thorough: bool = False) -> Result:
    case = draw(seed, index)
    ours, denormal, references, _ = prepared(seed, index)
    functions = [ours, denormal, *(function for function, _ in references)]

    def timed(repeats: int, seconds: float) -> Result:
        own, small, *others = best(functions, repeats, seconds)
        reference = min(time * count for time, (_, count) in zip(others, references))
        return Result(index, case, own, reference, small, math.nan)

    result = timed(5, 5e-4)
    if thorough or result.broken:  # again, so that a disturbance does not count
        result = timed(15, 2e-3)
    return with_error(seed, result) if index % CHECKED == 0 else result


def with_error(seed: int, result: Result) -> Result:
    ours, _, _, exact = prepared(seed, result.number)
    return result._replace(error=error_of(ours().astype("float64").numpy(), exact()))


# ---- the report


def describe(result: Result) -> str:
    parameters = ", ".join(f"{k} {v}" for k, v in list(result.case._asdict().items())[1:])
    times = f"{harness.duration(result.ours)} against {harness.duration(result.reference)}"
    error = "" if math.isnan(result.error) else f", error {result.error:.1e}"
    denormal = f", denormal {result.denormal_ratio:.2f}"
    return f"{result.number:5d}  {result.ratio:5.2f}  {times}{denormal}{error}: {result.case.name} {parameters}"


def families(case: Conv | Product) -> Iterator[tuple[int, str]]:
    """The lines of the summary that a case counts in, with their place in it."""
    if isinstance(case, Product):
        yield from ((6, "products"), (7, f"products in {case.dtype}"), (8, f"products, first operand {case.a}"))
        yield 9, f"products, second operand {case.b}"
        return
    yield 0, "convolutions"
    yield from enumerate((case.name, f"in {case.dtype}", case.layout, f"{case.connected}, {case.direction}"), start=1)


def summary(results: list[Result]) -> Iterator[str]:
    groups = defaultdict(list)
    for result in results:
        for family in families(result.case):
            groups[family].append(result)
    over = f"over {LIMIT:g}  denormals: most  over {DENORMAL_LIMIT:g}"
    yield f"{'ratio to the product':38}cases  median   90 %   99 %   most  {over}"
    for (_, name), members in sorted(groups.items()):
        ratios = np.array([result.ratio for result in members])
        small = np.array([result.denormal_ratio for result in members])
        quantiles = "".join(f"{q:7.2f}" for q in np.quantile(ratios, [0.5, 0.9, 0.99, 1]))
        counts = f"{(ratios > LIMIT).sum():9d} {small.max():16.2f} {(small > DENORMAL_LIMIT).sum():9d}"
        yield f"{name:38}{len(members):5d} {quantiles} {counts}"
    for dtype, bound in MAX_ERROR.items():
        errors = [r.error for r in results if r.case.dtype == dtype and not math.isnan(r.error)]
        if errors:
            yield f"largest error of {len(errors)} results in {dtype}: {max(errors):.1e} (allowed {bound:g})"


def report(results: list[Result], seed: int, worst: int) -> bool:
    """Prints what was found; whether every promise was kept."""
    slow = sorted(results, key=lambda r: -r.ratio)[:worst]
    small = sorted((r for r in results if r.denormal_ratio > DENORMAL_LIMIT), key=lambda r: -r.denormal_ratio)[:worst]
    listed = {r.number: with_error(seed, r) for r in (*slow, *small)}
    results = [listed.get(r.number, r) for r in results]
    wrong = [r for r in results if r.error > MAX_ERROR[r.case.dtype]]
    print(*summary(results), sep="\n")
    for title, members in ((f"The slowest of {len(results)}", slow), ("Slow with denormals", small), ("Wrong", wrong)):
        if members:
            print(f"\n{title} (index, ratio, cinta's time, the product's):")
            print(*(describe(listed.get(r.number, r)) for r in members), sep="\n")
    broken = sum(r.broken for r in results)
    print(f"\n{len(results) - broken} of {len(results)} cases keep the promises (seed {seed})")
    return not broken and not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, nargs="+", metavar="INDEX", help="only these")
    parser.add_argument("--worst", type=int, default=30, help="how many of the worst are listed")
    parser.add_argument("--output", metavar="FILE", help="all cases as comma-separated values")
    args = parser.parse_args()
    os.sched_setaffinity(0, harness.CORES[:1])
    ct.set_num_threads(1)
    console = Console(stderr=True)
    indices = args.case or range(args.cases)
    bar = track(indices, "measuring", console=console, transient=True, disable=not console.is_terminal)
    results = [measure(args.seed, index, thorough=bool(args.case)) for index in bar]
    if args.output:
        with open(args.output, "w", newline="") as file:
            names = [*Result._fields, "ratio", "denormal_ratio"]
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([getattr(result, name) for name in names] for result in results)
    return int(not report(results, args.seed, args.worst))


if __name__ == "__main__":
    sys.exit(main())
