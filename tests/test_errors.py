"""Wrong use raises the right exception, and its text names the operation, what came and what was expected."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct

A = ct.ones((3, 4))
IMAGE = ct.ones((8, 4, 32, 32))
LABELS = np.array([0, 1, 2])
Case = tuple[Callable[[], Any], type[Exception], list[str]]


def leaf() -> ct.Tensor:
    return ct.tensor([1.0, 2.0], requires_grad=True)


def backward_twice() -> None:
    y = (leaf() * 2).sum()
    y.backward()
    y.backward()


CASES: dict[str, Case] = {
    # shapes
    "broadcast": (lambda: A + ct.ones((2, 4)), ValueError, ["[add]", "[3,4]", "[2,4]"]),
    "broadcast where": (lambda: ct.where(ct.ones(2, dtype="bool"), A, A), ValueError, ["[where]", "[2]", "[3,4]"]),
    "matmul": (lambda: A @ ct.ones((3, 5)), ValueError, ["[matmul]", "[3,4]", "[3,5]", "size 4"]),
    "matmul scalar": (lambda: ct.matmul(A, 2.0), ValueError, ["[matmul]", "[]"]),
    "matmul batch": (lambda: ct.matmul(ct.ones((2, 3, 4)), ct.ones((5, 4, 3))), ValueError, ["[matmul]", "2", "5"]),
    "linear": (lambda: ct.linear(A, ct.ones((5, 3))), ValueError, ["[linear]", "4", "3"]),
    "linear bias": (lambda: ct.linear(A, ct.ones((5, 4)), ct.ones(4)), ValueError, ["[linear]", "5", "[4]"]),
    "reshape": (lambda: A.reshape(5, 2), ValueError, ["[reshape]", "12", "[5,2]"]),
    "reshape two unknowns": (lambda: A.reshape(-1, -1), ValueError, ["[reshape]", "-1"]),
    "broadcast_to": (lambda: ct.broadcast_to(A, (2, 4)), ValueError, ["[broadcast_to]", "[3,4]", "[2,4]"]),
    "concat": (lambda: ct.concat([A, ct.ones((3, 5))], 0), ValueError, ["[concat]", "[3,4]", "[3,5]"]),
    "concat nothing": (lambda: ct.concat([]), ValueError, ["[concat]"]),
    "stack": (lambda: ct.stack([A, ct.ones((4, 3))]), ValueError, ["[stack]", "[3,4]", "[4,3]"]),
    "split": (lambda: ct.split(A, 2), ValueError, ["[split]", "3", "2"]),
    "squeeze": (lambda: A.squeeze(0), ValueError, ["[squeeze]", "3", "1"]),
    "transpose": (lambda: A.transpose(0, 0), ValueError, ["[transpose]", "0"]),
    "pad": (lambda: ct.pad(A, ((1, 1), (1, 1), (1, 1))), ValueError, ["[pad]", "3", "2"]),
    "pad mode": (lambda: ct.pad(A, 1, mode="mirror"), ValueError, ["[pad]", "mirror", "reflect"]),
    "einsum letters": (lambda: ct.einsum("ij,jk->ik", A), ValueError, ["[einsum]", "ij,jk->ik", "1"]),
    "einsum sizes": (lambda: ct.einsum("ij,jk->ik", A, A), ValueError, ["[einsum]", "j", "4", "3"]),
    "conv2d channels": (lambda: ct.conv2d(IMAGE, ct.ones((16, 3, 3, 3))), ValueError,
                        ["[conv2d] weight has 3 input channels, expected 4", "[8,4,32,32]", "[16,3,3,3]"]),
    "conv2d ndim": (lambda: ct.conv2d(A, ct.ones((16, 3, 3, 3))), ValueError, ["[conv2d]", "[3,4]"]),
    "conv2d groups": (lambda: ct.conv2d(IMAGE, ct.ones((16, 1, 3, 3)), groups=3), ValueError, ["[conv2d]", "3", "4"]),
    "conv2d kernel": (lambda: ct.conv2d(ct.ones((1, 1, 2, 2)), ct.ones((1, 1, 3, 3))), ValueError,
                      ["[conv2d]", "3", "2"]),
    "conv2d padding": (lambda: ct.conv2d(IMAGE, ct.ones((16, 4, 3, 3)), padding="full"), ValueError,
                       ["[conv2d]", "full", "same"]),
    "conv2d stride": (lambda: ct.conv2d(IMAGE, ct.ones((16, 4, 3, 3)), stride=0), ValueError,
                      ["[conv2d]", "stride", "0"]),
    "max_pool2d": (lambda: ct.max_pool2d(IMAGE, 3, padding=2), ValueError, ["[max_pool2d]", "2", "3"]),
    "zeros": (lambda: ct.zeros((2, -1)), ValueError, ["[zeros]", "[2,-1]"]),
    "ones": (lambda: ct.ones(-3), ValueError, ["[ones]", "[-3]"]),
    "full": (lambda: ct.full((-1, 2), 1.0), ValueError, ["[full]", "[-1,2]"]),
    "empty": (lambda: ct.empty(-1), ValueError, ["[empty]", "-1"]),
    "eye": (lambda: ct.eye(-2), ValueError, ["[eye]", "-2"]),
    "fill_ of a leaf": (lambda: ct.zeros(3).requires_grad_().fill_(1.0), RuntimeError, ["[fill_]", "no_grad"]),
    "layer_norm": (lambda: ct.layer_norm(A, (3,)), ValueError, ["[layer_norm]", "[3,4]", "3"]),
    "group_norm": (lambda: ct.group_norm(IMAGE, 3), ValueError, ["[group_norm]", "3", "4"]),
    "local_response_norm": (lambda: ct.local_response_norm(A, 3), ValueError, ["[local_response_norm]", "[N,C,L]"]),
    "batch_norm": (lambda: ct.batch_norm(IMAGE, ct.ones(3), ct.ones(3)), ValueError, ["[batch_norm]", "3", "4"]),
    "batch_norm of one value": (lambda: ct.batch_norm(ct.ones((1, 4)), ct.ones(4), ct.ones(4), training=True),
                                ValueError, ["[batch_norm]", "1"]),
    "mse_loss": (lambda: ct.mse_loss(A, ct.ones((4, 3))), ValueError, ["[mse_loss]", "[3,4]", "[4,3]"]),
    "ragged list": (lambda: ct.tensor([[1.0, 2.0], [3.0]]), ValueError, ["[tensor]", "ragged"]),
    "negative size": (lambda: ct.zeros((2, -3)), ValueError, ["negative", "[2,-3]"]),
    # values
    "dropout": (lambda: ct.dropout(A, 1.5), ValueError, ["[dropout]", "1.5"]),
    "reduction": (lambda: ct.mse_loss(A, A, reduction="median"), ValueError, ["[mse_loss]", "median", "mean"]),
    "label_smoothing": (lambda: ct.cross_entropy(A, LABELS, label_smoothing=2.0), ValueError, ["[cross_entropy]", "2"]),
    "topk": (lambda: ct.topk(A, 9), ValueError, ["[topk]", "9", "4"]),
    "max of nothing": (lambda: ct.zeros((0, 3)).max(), ValueError, ["[max]", "[0,3]"]),
    "threads": (lambda: ct.set_num_threads(0), ValueError, ["0"]),
    # axes
    "axis": (lambda: A.sum(axis=2), ValueError, ["[sum] axis 2", "2 axes", "-2 to 1"]),
    "axis twice": (lambda: A.sum(axis=(0, 0)), ValueError, ["[sum]", "0"]),
    "softmax axis": (lambda: ct.softmax(A, axis=-3), ValueError, ["[softmax] axis -3", "-2 to 1"]),
    "concat axis": (lambda: ct.concat([A, A], axis=5), ValueError, ["[concat] axis 5", "-2 to 1"]),
    # indices and targets
    "index": (lambda: A[7], IndexError, ["7", "3"]),
    "too many indices": (lambda: A[0, 0, 0], IndexError, ["3", "2"]),
    "take": (lambda: ct.take(A, [3], axis=0), IndexError, ["[take]", "3"]),
    "target out of range": (lambda: ct.cross_entropy(A, np.array([0, 4, 1])), IndexError, ["[cross_entropy]", "4"]),
    "target count": (lambda: ct.cross_entropy(A, np.array([0, 1])), ValueError, ["[cross_entropy]", "[2]", "[3,4]"]),
    "embedding": (lambda: ct.embedding(np.array([5]), A), IndexError, ["[embedding]", "5", "3"]),
    "one_hot": (lambda: ct.one_hot(np.array([3]), 3), IndexError, ["[one_hot]", "3"]),
    # dtypes and types
    "target dtype": (lambda: ct.nll_loss(A, ct.ones(3)), TypeError, ["[nll_loss]", "float32"]),
    "softmax dtype": (lambda: ct.softmax(ct.ones(3, dtype="int32")), TypeError, ["[softmax]", "int32"]),
    "bitwise dtype": (lambda: A & A, TypeError, ["[bitwise_and]", "float32"]),
    "mixed floats": (lambda: ct.conv2d(IMAGE, ct.ones((16, 4, 3, 3), dtype="float64")), TypeError,
                     ["[conv2d]", "float32", "float64"]),
    "unknown dtype": (lambda: ct.zeros(2, dtype="float31"), TypeError, ["float31"]),
    "complex": (lambda: ct.tensor(np.array([1j])), TypeError, ["[tensor]", "no matching dtype"]),
    "string": (lambda: ct.exp("x"), TypeError, ["[exp]", "str"]),
    "keyword": (lambda: ct.softmax(A, dim=0), TypeError, ["softmax", "dim"]),
    "missing argument": (lambda: ct.matmul(A), TypeError, ["matmul"]),
    "bool of many": (lambda: bool(A > 0), ValueError, ["[3,4]"]),
    "item of many": (lambda: A.item(), ValueError, ["[3,4]"]),
    "in place type": (lambda: operator.iadd(ct.ones(2, dtype="int8"), 1.5), TypeError, ["int8", "float"]),
    # autodiff and memory
    "backward twice": (backward_twice, RuntimeError, ["[backward]", "retain_graph"]),
    "backward of a constant": (lambda: ct.ones(()).backward(), RuntimeError, ["[backward]", "requires_grad"]),
    "backward of an array": (lambda: (leaf() * 2).backward(), ValueError, ["[backward]", "[2]", "scalar"]),
    "write to a leaf": (lambda: leaf().copy_([0.0, 0.0]), RuntimeError, ["[copy_]", "no_grad"]),
    "integer gradient": (lambda: ct.tensor([1], requires_grad=True), TypeError, ["int64"]),
    "memory": (lambda: ct.zeros((1 << 40, 1 << 10)), MemoryError, ["4503599627370496"]),
    "size overflow": (lambda: ct.zeros((1 << 40, 1 << 40)), ValueError, ["1099511627776"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    call, exception, fragments = CASES[name]
    with pytest.raises(exception) as error:
        call()
    text = str(error.value)
    assert [f for f in fragments if f not in text] == [], f"{type(error.value).__name__}: {text}"


@pytest.mark.parametrize("target", [np.array([0, 9, 1]), np.array([0, -1, 1])])
def test_out_of_range_targets_are_found_in_every_loss(target: np.ndarray) -> None:
    for loss in (ct.cross_entropy, ct.nll_loss):
        with pytest.raises(IndexError, match="9|-1"):
            loss(A, target)


def test_an_error_inside_a_recorded_computation_leaves_it_usable() -> None:
    x = leaf()
    y = x * 2
    with pytest.raises(ValueError, match=r"\[add\]"):
        y + ct.ones(3)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_errors_are_raised_before_anything_is_written() -> None:
    t = ct.ones((3, 4))
    for write in (
        lambda: t.copy_(ct.zeros((2, 4))),
        lambda: operator.iadd(t, ct.zeros((2, 4))),
        lambda: operator.setitem(t, (0, 9), 5.0),
    ):
        with pytest.raises((ValueError, IndexError)):
            write()
    assert t.tolist() == [[1.0] * 4] * 3
