"""Programs to look at: what they say is counted here once more, and looking changes nothing."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.replay import Program

SVG = "{http://www.w3.org/2000/svg}"


class Training:
    """A model with its compiled step, called twice on the same batch."""

    def __init__(self, model: nn.Module, optimizer: Callable[..., Any], x: ct.Tensor, **compiled: Any) -> None:
        self.model = model
        self.optimizer = optimizer(model.parameters())
        self.x, self.y = x, ct.random.integers(4, shape=(len(x),))

        def step(images: ct.Tensor, labels: ct.Tensor) -> ct.Tensor:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            return loss

        self.step = ct.compile(step, **compiled)
        for _ in range(2):
            self.step(self.x, self.y)
        self.program: Program = self.step.program()

    def everything(self) -> list[Any]:
        """What a profile must leave as it is."""
        params = list(self.model.parameters())
        state = self.optimizer.state_dict()["state"]
        return [
            *(p.detach().numpy().copy() for p in params),
            *(b.numpy().copy() for b in self.model.buffers()),
            *(p.grad.numpy().copy() for p in params),
            *(np.array(entry) for entries in state.values() for entry in entries.values()),
            self.x.numpy().copy(),
            ct.random.get_state(),
        ]


def mlp(**compiled: Any) -> Training:
    ct.random.seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 4))
    return Training(model, lambda p: optim.Adam(p, lr=0.01), ct.random.normal(shape=(8, 6)), **compiled)


def convnet(**compiled: Any) -> Training:
    ct.random.seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4))
    images = ct.random.normal(shape=(2, 3, 6, 6))
    return Training(model, lambda p: optim.SGD(p, lr=0.01, momentum=0.9), images, **compiled)


@pytest.fixture(params=[mlp, convnet])
def training(request: pytest.FixtureRequest) -> Training:
    return request.param()


# Text


def test_the_listing_names_everything() -> None:
    text = str(mlp().program)
    assert text.startswith("step(images, labels): ")
    for part in (
        r"forward:\n 0  0 Linear .* = .*matmul.*\(images\[8,6\], 0\.weight\[6,5\], 0\.bias\[5\]\)",
        r"backward:\n",
        r"1 Tanh .*tanh_backward",
        r"3\.weight\.grad\[4,5\] = matmul\(",
        r"labels:int64\[8\]",
        r"update:\n.* 0 Linear .*= adam_step\(0\.weight, 0\.weight\.exp_avg, 0\.weight\.exp_avg_sq, 0\.weight\.grad",
    ):
        assert re.search(part, text), f"{part}\n{text}"


def test_every_instruction_has_its_line_and_a_repr_is_short(training: Training) -> None:
    program = training.program
    numbers = [int(m) for m in re.findall(r"^ *(\d+)  ", str(program), re.MULTILINE)]
    assert numbers == list(range(program.stats().instructions))
    assert repr(program).count("\n") < 12 < str(program).count("\n")
    assert "print(program) shows them all" in repr(program)


def test_nested_arguments_and_constants() -> None:
    @ct.compile
    def f(batch: dict[str, ct.Tensor], *rest: ct.Tensor, scale: ct.Tensor) -> ct.Tensor:
        return batch["x"] * scale - rest[0] / 3.0

    x = ct.ones((2, 2))
    f({"x": x}, x + 0, scale=ct.tensor(2.0))
    assert str(f.program()).startswith("f(batch['x'], rest[0], scale): ")
    assert re.search(r"rest\[0\]\[2,2\].*\b3\b", str(f.program()))


def test_fused_groups_show_their_parts() -> None:
    f = ct.compile(lambda x: ct.exp(x) * 2 + 1)
    f(ct.ones((4,)))
    assert "fused[exp multiply add](x[4], 2, 1)" in str(f.program())
    assert f.program().stats().fused_groups == 1
    plain = ct.compile(lambda x: ct.exp(x) * 2 + 1, passes=[])
    plain(ct.ones((4,)))
    assert [row.name for row in plain.program().profile(runs=1).rows] == ["exp", "multiply", "add"]


def test_a_gradient_is_a_program_of_its_own() -> None:
    model = nn.Linear(3, 2)
    f = ct.compile(lambda x: model(x).tanh().sum())
    for _ in range(2):
        f(ct.ones((5, 3))).backward()
    assert f.program().gradient.name == "gradient of <lambda>(x)"
    assert re.search(r"weight\.grad\[2,3\] = matmul\(", str(f.program().gradient))
    assert "backward:" not in str(f.program())
    assert f.program().gradient.stats().flops == 2 * 5 * 3 * 2
    assert len(f.program().gradient.profile(runs=1).rows) == f.program().gradient.stats().instructions
    with pytest.raises(ValueError, match="expected none"):
        f.program().gradient.profile(ct.ones((5, 3)))


def test_several_modules_have_their_names_in_front() -> None:
    generator, critic = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1))

    @ct.compile
    def f(x: ct.Tensor) -> ct.Tensor:
        with ct.no_grad():
            return critic(generator(x))

    f(ct.ones((4, 2)))
    assert "generator.weight[2,3]" in str(f.program())
    assert "critic.0 Linear" in str(f.program())


# Numbers


def test_flops_of_linear_layers() -> None:
    stats = mlp().program.stats()
    first, second = 2 * 8 * 6 * 5, 2 * 8 * 5 * 4  # 2 batch in out
    assert stats.flops_by_phase == {"forward": first + second, "backward": first + 2 * second, "update": 0}
    assert stats.flops == 2 * first + 3 * second


def test_flops_of_a_convolution() -> None:
    stats = convnet().program.stats()
    conv = 2 * 2 * 4 * (4 * 4) * (3 * 3 * 3)  # 2 batch channels pixels taps; no gradient of the images is asked for
    linear = 2 * 2 * 64 * 4
    assert stats.flops_by_phase["forward"] == conv + linear
    assert stats.flops_by_phase["backward"] == conv + 2 * linear


def test_counts_and_bytes(training: Training) -> None:
    stats, raw = training.program.stats(), training.step._latest.replay.describe()
    assert stats.instructions == sum(stats.instructions_by_phase.values()) == len(raw["instructions"])
    assert stats.instructions_before >= stats.instructions
    assert stats.input_bytes == training.x.nbytes + training.y.nbytes
    params = list(training.model.parameters())
    copies = 3 if isinstance(training.optimizer, optim.Adam) else 2
    buffers = sum(b.nbytes for b in training.model.buffers())
    assert stats.state_bytes == copies * sum(p.nbytes for p in params) + buffers
    assert stats.result_bytes == 4 + sum(p.nbytes for p in params)
    used = {x["value"] for i in raw["instructions"] for x in i["in"] + i["out"] if x}
    temporaries = [raw["values"][v] for v in used if raw["values"][v]["role"] == "temporary"]
    assert stats.temporaries == len(temporaries)
    assert stats.temporary_bytes == sum(max(-(-v["bytes"] // 64) * 64, 64) for v in temporaries)
    assert 0 < stats.arena_bytes <= stats.temporary_bytes
    assert "recorded" in repr(stats)


def test_lifetimes_never_overlap_in_the_arena(training: Training) -> None:
    raw = training.step._latest.replay.describe()
    lives: dict[int, list[int]] = {}
    for n, i in enumerate(raw["instructions"]):
        for x in filter(None, i["in"] + i["out"]):
            lives.setdefault(x["value"], []).append(n)
    placed = [
        (v["offset"], v["offset"] + v["bytes"], lives[k][0], lives[k][-1])
        for k, v in enumerate(raw["values"])
        if v["role"] == "temporary" and k in lives
    ]
    assert len(placed) > 3
    for k, a in enumerate(placed):
        assert 0 <= a[0] < a[1] <= training.program.stats().arena_bytes
        for b in placed[:k]:
            assert a[1] <= b[0] or b[1] <= a[0] or a[3] < b[2] or b[3] < a[2], f"{a} and {b} share bytes"
    shown = re.findall(r"(\d+)\.\.(\d+)", str(training.program))
    assert sorted((int(a), int(b)) for a, b in shown) == sorted((first, last) for _, _, first, last in placed)


# Profile


def test_a_profile_changes_nothing(training: Training) -> None:
    before = training.everything()
    training.program.profile(runs=3)
    training.program.profile(training.x, training.y, runs=2)
    for a, b in zip(before, training.everything(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_goes_on_as_without_a_profile() -> None:
    runs = []
    for profiled in (False, True):
        training = mlp()
        losses = []
        for _ in range(4):
            losses.append(training.step(training.x, training.y).item())
            if profiled:
                training.program.profile(runs=2)
        runs.append(losses)
    assert runs[0] == runs[1]


def test_accumulated_gradients_and_written_arguments_stay() -> None:
    model = nn.Linear(3, 2)
    x, counter = ct.ones((4, 3)), ct.zeros((1,))

    @ct.compile
    def f(x: ct.Tensor, counter: ct.Tensor) -> ct.Tensor:
        counter += 1
        loss = model(x).sum()
        loss.backward()
        return loss.detach()

    for _ in range(3):
        f(x, counter)
    before = model.weight.grad.numpy().copy()
    f.program().profile(runs=3)
    f.program().profile(x, counter, runs=3)
    np.testing.assert_array_equal(model.weight.grad.numpy(), before)
    assert counter.item() == 3


def test_a_pending_backward_survives_a_profile() -> None:
    training = mlp()
    loss = training.model(training.x).sum()
    training.program.profile(runs=1)
    loss.backward()


def test_rows_add_up(training: Training) -> None:
    profile, stats = training.program.profile(runs=3), training.program.stats()
    assert [row.number for row in profile.rows] == list(range(stats.instructions))
    assert sum(row.flops for row in profile.rows) == stats.flops
    assert sum(row.share for row in profile.rows) == pytest.approx(1)
    assert sum(layer.seconds for layer in profile.layers) == pytest.approx(profile.seconds)
    for phase in ("forward", "backward", "update"):
        part = sum(row.seconds for row in profile.rows if row.phase == phase)
        assert sum(getattr(layer, phase) for layer in profile.layers) == pytest.approx(part)
    times = [row.seconds for row in profile.rows]
    assert min(times) >= 0 < max(times)
    first = str(profile).splitlines()[3].split()[0]
    assert int(first) == int(np.argmax(times))
    assert profile.table("order").splitlines()[3].split()[0] == "0"
    with pytest.raises(ValueError, match="'time' or 'order'"):
        profile.table("name")


def test_bytes_of_a_row() -> None:
    f = ct.compile(lambda a, b: a @ b, passes=[])
    f(ct.ones((4, 3)), ct.ones((3, 2)))
    (row,) = f.program().profile(runs=1).rows
    assert row.bytes == 4 * (4 * 3 + 3 * 2 + 4 * 2)
    assert row.flops == 2 * 4 * 3 * 2
    assert row.flops_per_second == pytest.approx(row.flops / row.seconds)


def test_profile_before_the_first_replay() -> None:
    f = ct.compile(lambda x: x.exp())
    f(ct.ones((3,)))
    assert len(f.program().profile().rows) == 1


def test_profile_refuses_other_arguments(training: Training) -> None:
    with pytest.raises(ValueError, match=re.escape("[profile] step got tensors float32[1, 2] with strides [2, 1]")):
        training.program.profile(ct.ones((1, 2)), training.y)
    with pytest.raises(ValueError, match="runs got 0, expected an int of 1 or more"):
        training.program.profile(runs=0)


def test_chrome_trace(training: Training, tmp_path: Path) -> None:
    profile = training.program.profile(runs=2)
    profile.chrome_trace(tmp_path / "trace.json")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    lanes = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert sorted(lanes.values()) == ["backward", "forward", "update"]
    complete = [e for e in events if e["ph"] == "X"]
    assert [e["name"] for e in complete] == [row.name for row in profile.rows]
    assert [lanes[e["tid"]] for e in complete] == [row.phase for row in profile.rows]
    assert all(a["ts"] + a["dur"] <= b["ts"] + 1e-6 for a, b in pairwise(complete))
    assert sum(e["dur"] for e in complete) == pytest.approx(profile.seconds * 1e6)


def test_html(training: Training) -> None:
    root = ElementTree.fromstring(f"<div>{training.program.profile(runs=1)._repr_html_()}</div>")
    instructions, layers = root.findall("table")
    assert len(instructions.findall("tbody/tr")) == training.program.stats().instructions
    assert "0 Linear" in {td.text for td in layers.iter("td")} or "0 Conv2d" in {td.text for td in layers.iter("td")}


# Pictures


def test_svg(training: Training, tmp_path: Path) -> None:
    program = training.program
    svg = program.to_svg()
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    titles = [e.text for e in root.iter(f"{SVG}title")]
    stats = program.stats()
    assert sum(bool(re.search(r", instructions \d+ to \d+$", t)) for t in titles) == stats.temporaries
    assert sum(bool(re.match(r"\d+ ", t)) for t in titles) == 2 * stats.instructions  # names and bars
    for rect in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        assert w > 0 < h
        assert 0 <= x <= x + w <= width + 0.5
        assert 0 <= y <= y + h <= height + 0.5
    assert program._repr_svg_() == svg
    program.save_svg(tmp_path / "step.svg")
    assert (tmp_path / "step.svg").read_text() == svg
    with pytest.raises(ValueError, match=re.escape("[program] save_svg got the file")):
        program.save_svg(tmp_path / "step.png")


def test_svg_without_temporaries_and_with_odd_names() -> None:
    f = ct.compile(lambda x: x["<&>"] + 1)
    f({"<&>": ct.ones((3,))})
    text = "".join(ElementTree.fromstring(f.program().to_svg()).itertext())
    assert "no temporaries" in text
    assert "<lambda>(x['<&>'])" in text


@pytest.mark.parametrize("module", ["program", "units", "compiled"])
def test_docstrings_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    users = {"__name__": "__main__", "ct": ct, "nn": nn, "optim": optim}  # not the library's own functions
    found = doctest.testmod(importlib.import_module(f"cinta.replay.{module}"), extraglobs=users)
    assert found.failed == 0 < found.attempted
