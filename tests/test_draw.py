"""Pictures of a tape: numbers against hand-computed ones, nothing changed by looking, no wrong value ever."""

from __future__ import annotations

import math
import os
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from cinta.drawing.graph import Graph, read
from cinta.drawing.layout import Extent, arrange, crossings

INPUTS = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}


def leaves() -> dict[str, ct.Tensor]:
    return {name: ct.tensor(value, dtype="float64", requires_grad=True) for name, value in INPUTS.items()}


def neuron(v: dict[str, ct.Tensor]) -> ct.Tensor:
    return 1 / (1 + ct.exp(-(v["w0"] * v["x0"] + v["w1"] * v["x1"] + v["w2"])))


def texts(drawing: object, kind: str) -> list[str]:
    """What the picture says in one style, from left to right and from the top."""
    root = ElementTree.fromstring(drawing.svg)
    found = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if e.get("class") == kind]
    return [e.text for e in sorted(found, key=lambda e: (float(e.get("x")), float(e.get("y"))))]


def rows(drawing: object) -> dict[str, tuple[str, str]]:
    """Forward value and gradient from the table, by what it calls them."""
    lines = [re.split(r"\s{2,}", line) for line in str(drawing).splitlines()[1:]]
    return {line[0].split(" = ")[0]: (line[-2], line[-1]) for line in lines}


def test_the_sigmoid_neuron_has_the_numbers_of_the_lecture() -> None:
    v = leaves()
    drawing = ct.draw(neuron(v), names=v)
    assert rows(drawing) == {
        "w0": ("2.00", "-0.20"),
        "x0": ("-1.00", "0.39"),
        "v1": ("-2.00", "0.20"),
        "w1": ("-3.00", "-0.39"),
        "x1": ("-2.00", "-0.59"),
        "v2": ("6.00", "0.20"),
        "v3": ("4.00", "0.20"),
        "w2": ("-3.00", "0.20"),
        "v4": ("1.00", "0.20"),
        "v5": ("-1.00", "-0.20"),
        "v6": ("0.37", "-0.53"),
        "v7": ("1.37", "-0.53"),
        "v8": ("0.73", "1.00"),
    }
    assert texts(drawing, "forward")[-5:] == ["1.00", "-1.00", "0.37", "1.37", "0.73"]
    assert texts(drawing, "gradient")[-5:] == ["0.20", "-0.20", "-0.53", "-0.53", "1.00"]
    assert sorted(texts(drawing, "leaf")) == sorted(INPUTS)


def test_the_neuron_to_sixteen_digits() -> None:
    v = leaves()
    y = 1 / (1 + math.exp(-1))
    slope = y * (1 - y)
    expected = {"w0": -slope, "x0": 2 * slope, "w1": -2 * slope, "x1": -3 * slope, "w2": slope}
    table = rows(ct.draw(neuron(v), names=v, digits=16))
    for name, gradient in expected.items():
        assert float(table[name][1]) == pytest.approx(gradient, rel=1e-14)
    assert float(table["v8"][0]) == pytest.approx(y, rel=1e-15)


def test_one_sigmoid_node() -> None:
    v = leaves()
    drawing = ct.draw(ct.sigmoid(v["w0"] * v["x0"] + v["w1"] * v["x1"] + v["w2"]), names=v)
    table = rows(drawing)
    assert (table["v5"], table["v4"]) == (("0.73", "1.00"), ("1.00", "0.20"))
    assert (table["x0"], table["x1"]) == (("-1.00", "0.39"), ("-2.00", "-0.59"))
    assert ">σ<" in drawing.svg


def test_constant_numbers_stand_in_their_nodes() -> None:
    x = ct.tensor(3.0, requires_grad=True)
    for y, label in [(x + 2, "+2"), (2 - x, "2−x"), (x * -0.5, "×−0.5"), (1 / x, "1/x"), (x / 4, "÷4"), (x - 1, "−1")]:
        assert f">{label}</text>" in ct.draw(y).svg
    large = ct.ones((200, 200)).requires_grad_()  # a constant spread over it
    assert ">+2</text>" in ct.draw((large + 2).sum()).svg


def test_looking_changes_nothing() -> None:
    v = leaves()
    hidden = v["w0"] * v["x0"]
    hidden.retain_grad()
    f = ct.tanh(hidden) + v["w2"]
    v["w2"].grad = ct.tensor(7.0, dtype="float64")
    before, state = ct._core.live_instructions(), ct.random.get_state()
    first = ct.draw(f)
    assert ct.draw(f) == first
    assert ct._core.live_instructions() == before
    assert ct.random.get_state() == state
    assert [v[name].grad for name in ("w0", "x0")] + [hidden.grad] == [None, None, None]
    assert v["w2"].grad.item() == 7.0
    f.backward()
    assert v["w2"].grad.item() == 8.0
    assert hidden.grad.item() == pytest.approx(1 - math.tanh(-2) ** 2)
    with pytest.raises(RuntimeError, match="draw before backward.*retain_graph=True"):
        ct.draw(f)


def test_a_drawing_keeps_nothing_alive() -> None:
    x = ct.ones(1000).requires_grad_()
    before = ct._core.live_instructions(), ct.memory_stats()["live"]
    drawing = ct.draw(ct.exp(x).sum())
    assert (ct._core.live_instructions(), ct.memory_stats()["live"]) == before
    assert "exp" in drawing.svg


def test_after_a_backward_that_retains_the_graph() -> None:
    x = ct.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    assert rows(ct.draw(y))["v1"] == ("4.00", "1.00")
    assert x.grad.item() == 4.0


def test_tensors_show_shape_and_values_or_norm() -> None:
    x = ct.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    b = ct.tensor([1.0, -1.0], requires_grad=True)
    loss = (x * x).sum() + (b * b).sum()
    drawing = ct.draw(loss, names={"x": x, "b": b})
    table = rows(drawing)
    assert table["b"] == ("[1.00, -1.00]", "[2.00, -2.00]")
    assert table["x"] == ("-", "norm 10.00")
    assert "(2, 3)" in texts(drawing, "forward")
    assert "(2,)" in texts(drawing, "heading")


def test_an_output_of_several_elements_is_drawn_as_its_sum() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    assert rows(ct.draw(x * x, names={"x": x}))["x"] == ("[1.00, 2.00]", "[2.00, 4.00]")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    x = ct.tensor([1.5, -2.0], dtype=dtype, requires_grad=True)
    assert rows(ct.draw((x * x).sum(), names={"x": x}))["x"] == ("[1.50, -2.00]", "[3.00, -4.00]")


def test_numbers() -> None:
    x = ct.tensor([1e-5, 1e7, -0.0, math.inf], dtype="float64", requires_grad=True)
    assert rows(ct.draw(x.sum(), names={"x": x}))["x"][0] == "[1.00e-05, 1.00e+07, 0.00, inf]"
    assert rows(ct.draw(x.sum(), names={"x": x}, digits=0))["x"][0] == "[1e-05, 1e+07, 0, inf]"


def test_names_of_parameters_results_and_strangers() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.Tanh())
    x, stranger = ct.ones((1, 2)), ct.ones(3)
    y = model(x)
    drawing = ct.draw(y, names={**dict(model.named_parameters()), "x": x, "y": y, "stranger": stranger})
    assert sorted(texts(drawing, "leaf")) == ["0.bias", "0.weight"]
    assert texts(drawing, "constant") == ["x"]
    assert any(text.startswith("y") for text in texts(drawing, "heading"))
    assert "stranger" not in drawing.svg


def test_leaves_without_a_name_are_numbered_around_the_given_ones() -> None:
    a, b = ct.tensor(1.0, requires_grad=True), ct.tensor(2.0, requires_grad=True)
    assert sorted(texts(ct.draw(a * b, names={"x0": b}), "leaf")) == ["x0", "x1"]


def test_markup_in_names_is_escaped() -> None:
    x = ct.tensor(1.0, requires_grad=True)
    name = "<script>&\"'"
    assert texts(ct.draw(ct.exp(x), names={name: x}), "leaf") == [name]
    drawing = ct.draw(ct.exp(x), names={"\x00\x1b\ud800": x})  # what XML cannot hold
    assert texts(drawing, "leaf") == ["\ufffd" * 3]
    assert drawing.svg.encode()


def test_a_leaf_alone() -> None:
    x = ct.tensor(2.0, requires_grad=True)
    assert rows(ct.draw(x, names={"x": x})) == {"x": ("2.00", "1.00")}


def test_values_equal_those_of_the_forward_pass() -> None:
    """Every kind of operation computed again from what the tape kept."""
    x = ct.tensor([[0.5, -1.0], [2.0, 0.25]], dtype="float64", requires_grad=True)
    w = ct.tensor([[1.0, -0.5], [0.25, 2.0]], dtype="float64", requires_grad=True)
    made = {}
    made["product"] = x @ w
    made["reversed"] = 3 - made["product"]
    made["turned"] = made["reversed"].T
    made["joined"] = ct.concat([made["turned"], made["product"]], axis=1)
    made["picked"] = made["joined"][:, 1:3]
    made["chosen"] = ct.where(made["picked"].detach() > 0, made["picked"], 0.5)
    made["clipped"] = ct.clip(made["chosen"], 0.0, 2.0)
    made["soft"] = nn.functional.softmax(made["clipped"], 1)
    made["top"] = made["soft"].max(axis=1)
    made["mean"] = made["top"].mean()
    table = rows(ct.draw(made["mean"], names=made, digits=12))
    for name, tensor in made.items():
        if tensor.size <= 4:
            shown = np.array(eval(table[name][0]))
            np.testing.assert_allclose(shown, tensor.detach().numpy(), atol=1e-12, err_msg=name)


def test_dropout_is_never_drawn_again_with_other_numbers() -> None:
    ct.random.seed(3)
    x = ct.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    dropped = nn.functional.dropout(x, 0.5)
    lost = rows(ct.draw(dropped + 1, names={"x": x, "dropped": dropped}))
    assert lost["dropped"] == ("-", "[1.00, 1.00, 1.00, 1.00]")
    kept = rows(ct.draw(dropped * dropped, names={"x": x, "dropped": dropped}))  # the product saved it
    assert kept["dropped"][0] == "[" + ", ".join(f"{value:.2f}" for value in dropped.tolist()) + "]"


def test_dropout_written_without_recording_shows_no_value() -> None:
    x = ct.ones(3).requires_grad_()
    y = nn.functional.dropout(x, 0.5)
    assert rows(ct.draw(y, names={"y": y}))["y"][0] == "[" + ", ".join(f"{value:.2f}" for value in y.tolist()) + "]"
    with ct.no_grad():
        y += 1.0
    assert rows(ct.draw(y, names={"y": y}))["y"][0] == "-"


def test_a_rule_of_ones_own_is_not_run_again() -> None:
    runs = []

    @ct.custom_vjp
    def double(x):
        return x * 2

    double.defvjp(lambda x: (runs.append(1) or x * 2, None), lambda _, dy: (dy * 2,))
    x = ct.tensor(3.0, requires_grad=True)
    y = double(x) + 1
    assert rows(ct.draw(y))["v2"] == ("-", "1.00")
    assert len(runs) == 1


def test_writes_in_place() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y += x
    y[0] = 7.0
    table = rows(ct.draw(y.sum(), names={"x": x, "y": y}))
    assert table["x"] == ("[1.00, 2.00]", "[0.00, 3.00]")
    assert table["v1"][0] == "[2.00, 4.00]"
    assert table["v2"][0] == "[3.00, 6.00]"
    assert table["y"] == ("[7.00, 6.00]", "[1.00, 1.00]")


def test_a_running_total_does_not_show_its_later_value_as_its_first() -> None:
    x = ct.tensor(3.0, requires_grad=True)
    total = ct.tensor(10.0)
    total += x
    table = rows(ct.draw(total, names={"x": x}))
    assert table == {"constant": ("-", "-"), "x": ("3.00", "1.00"), "v1": ("13.00", "1.00")}


def test_a_leaf_that_was_written_since_shows_no_value() -> None:
    x, b = ct.tensor(1.0, requires_grad=True), ct.tensor(2.0, requires_grad=True)
    shifted = ct.exp(x) + b
    y = ct.exp(shifted)
    with ct.no_grad():
        b += 100.0
    table = rows(ct.draw(y, names={"x": x, "b": b, "shifted": shifted}, digits=4))
    assert table["b"][0] == table["shifted"][0] == "-"
    assert float(table["v2"][0]) == pytest.approx(math.exp(math.e + 2), rel=1e-5)


def test_a_saved_value_that_was_overwritten_is_backwards_error() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = ct.exp(x)
    y += 1.0
    with pytest.raises(RuntimeError, match="overwritten in place"):
        ct.draw(y.sum())


def test_under_no_grad_and_within_checkpoint() -> None:
    x = ct.tensor(0.5, requires_grad=True)
    y = ct.checkpoint(ct.sin)(x) * 2
    with ct.no_grad():
        assert rows(ct.draw(y))["v2"] == (f"{2 * math.sin(0.5):.2f}", "1.00")
    y.backward()
    assert x.grad.item() == pytest.approx(2 * math.cos(0.5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ct.draw(x.detach() * 2), RuntimeError, "does not depend on any tensor that requires grad"),
        (lambda x: ct.draw(2.0), TypeError, "got a float, expected a Tensor"),
        (lambda x: ct.draw(x, names=[x]), TypeError, "got a list, expected a dict"),
        (lambda x: ct.draw(x, names={"x": 1.0}), TypeError, "'x': a float, expected a Tensor"),
        (lambda x: ct.draw(x, digits=-1), ValueError, "expected an int from 0 to 16"),
        (lambda x: ct.draw(x).save("picture.png"), ValueError, "suffix '.png', expected '.svg'"),
    ],
)
def test_errors(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call(ct.tensor(1.0, requires_grad=True))


def test_a_long_tape() -> None:
    x = y = ct.tensor(1.0, requires_grad=True)
    for _ in range(200):
        y = y * 1.5
    assert ct.draw(y).svg.count('class="operation"') == 200
    for _ in range(100_000):
        y = y * 1.0
    with pytest.raises(ValueError, match="more than 200 instructions.*expected at most 200.*detach"):
        ct.draw(y)
    assert rows(ct.draw(y.detach().requires_grad_() * x)).keys() == {"x0", "x1", "v1"}


def test_saving_is_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    drawing = ct.draw(ct.tensor(1.0, requires_grad=True) * 2)
    drawing.save(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text() == drawing.svg == drawing._repr_svg_()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        ct.draw(ct.tensor(1.0, requires_grad=True) * 3).save(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text() == drawing.svg
    assert [path.name for path in tmp_path.iterdir()] == ["figure.svg"]


def residual() -> Graph:
    ct.random.seed(0)
    x = h = ct.tensor(0.3, requires_grad=True)
    for _ in range(6):
        h = ct.tanh(h * x) + h * 0.5
    return read(h * x, {}, 2, 200)


def test_layout_leaves_room_and_goes_from_left_to_right() -> None:
    graph = residual()
    extents = [Extent(20.0, 25.0, [0.0] * len(n.outputs), [0.0] * len(n.inputs)) for n in graph.nodes]
    layout = arrange(graph, extents, 9.0)
    for layer in layout.layers:
        for upper, lower in pairwise(layer):
            assert lower.y - upper.y >= upper.below + lower.above - 1e-3
    for item in layout.items:
        assert all(segment.target.layer == item.layer + 1 for segment in item.targets)
    ends = {id(segment.target) for item in layout.items for segment in item.targets}
    assert len(ends) == len(layout.items) - sum(node.kind != "operation" for node in graph.nodes)


def test_a_tree_has_no_crossings_and_a_level_chain() -> None:
    v = leaves()
    graph = read(neuron(v), v, 2, 200)
    layout = arrange(graph, [Extent(20.0, 20.0, [0.0], [0.0] * len(n.inputs)) for n in graph.nodes], 9.0)
    assert crossings(layout.layers) == 0
    chain = [item.y for item in layout.items if item.layer >= 3]
    assert len(chain) == 5
    assert max(chain) - min(chain) < 1e-9
