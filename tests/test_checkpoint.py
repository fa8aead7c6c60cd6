"""Checkpoints: all that a training is goes in and comes out, or nothing does, whatever happens to it or its file."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.training import checkpoint_file
from cinta.training.random_state import NumpyStream

safetensors_numpy = pytest.importorskip("safetensors.numpy")
KILLED = Path(__file__).with_name("killed_training.py")


class Counter:
    """A part with a state of its own; refuses what is not a count."""

    def __init__(self, count=0):
        self.count = count

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        if not isinstance(state["count"], int):
            raise ValueError(f"count got {state['count']!r}, expected an int")
        self.count = state["count"]


def trained(seed=0, kind=optim.Adam, width=5):
    ct.random.seed(seed)
    net = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.5), nn.Linear(width, 2))
    opt = kind(net.parameters(), lr=0.01)
    for _ in range(3):
        opt.zero_grad()
        net(ct.random.normal(shape=(7, 3))).sum().backward()
        opt.step()
    return net, opt


def bits(*objects):
    """Everything in the states of some objects, in a form that can be compared."""

    def plain(state):
        if isinstance(state, dict):
            return [(key, plain(value)) for key, value in state.items()]
        if isinstance(state, (list, tuple)):
            return [plain(value) for value in state]
        return (str(state.dtype), state.numpy().tobytes()) if isinstance(state, ct.Tensor) else state

    return [plain(thing.state_dict()) for thing in objects], ct.random.get_state()


class TestRoundTrip:
    def test_objects_and_plain_values(self, tmp_path):
        net, opt = trained()
        values = dict(epoch=3, history=[{"loss": 0.5}, {"loss": float("inf")}], note="α", nothing=None, pair=(1, 2.5))
        written = ct.save_checkpoint(tmp_path / "c.safetensors", model=net, optimizer=opt, counter=Counter(4), **values)
        assert written == tmp_path / "c.safetensors"
        saved = bits(net, opt)
        other, counter = trained(seed=1), Counter()
        assert bits(*other) != saved
        loaded = ct.load_checkpoint(written, model=other[0], optimizer=other[1], counter=counter)
        assert loaded == values
        assert bits(*other) == saved
        assert counter.count == 4

    def test_lists_and_dicts_of_objects(self, tmp_path):
        ours = {"generator": nn.Linear(2, 3), "critics": [nn.Linear(3, 1), Counter(5)]}
        ct.save_checkpoint(tmp_path / "c.safetensors", models=ours)
        theirs = {"generator": nn.Linear(2, 3), "critics": [nn.Linear(3, 1), Counter()]}
        assert ct.load_checkpoint(tmp_path / "c.safetensors", models=theirs) == {}
        assert theirs["critics"][1].count == 5
        np.testing.assert_array_equal(*(models["generator"].state_dict()["weight"] for models in (ours, theirs)))
        with pytest.raises(ValueError, match=r"c\.safetensors holds another structure of objects for models\.critics"):
            ct.load_checkpoint(tmp_path / "c.safetensors", models={**theirs, "critics": [theirs["critics"][0]]})

    def test_parts_without_an_object_come_back_as_states(self, tmp_path):
        net, _ = trained()
        ct.save_checkpoint(tmp_path / "c.safetensors", model=net, counter=Counter(7))
        assert ct.load_checkpoint(tmp_path / "c.safetensors", model=net, counter=None) == {"counter": {"count": 7}}

    def test_other_programs_read_the_weights(self, tmp_path):
        net, opt = trained()
        ct.save_checkpoint(tmp_path / "c.safetensors", model=net, optimizer=opt)
        theirs = safetensors_numpy.load_file(tmp_path / "c.safetensors")
        np.testing.assert_array_equal(theirs["model.0.weight"], net[0].weight.detach().numpy())

    def test_every_stream_of_random_numbers(self, tmp_path):
        generators = {
            "pcg": np.random.default_rng(3),
            "mt": np.random.Generator(np.random.MT19937(4)),
            "philox": np.random.Generator(np.random.Philox(5)),
            "python": random.Random(6),
        }

        def draw():
            each = [g.gauss(0, 1) if isinstance(g, random.Random) else g.normal() for g in generators.values()]
            return [*each, ct.random.normal().item(), np.random.randn(), random.gauss(0, 1)]  # noqa: NPY002

        draw()
        path = ct.save_checkpoint(tmp_path / "c.safetensors", random=("cinta", "numpy", "python"), **generators)
        wanted = draw()
        draw()
        assert ct.load_checkpoint(path, **generators) == {}
        assert draw() == wanted
        assert ct.load_checkpoint(path, random=False, **generators) != wanted
        assert draw()[:4] == wanted[:4]
        assert draw()[4:] != wanted[4:]

    def test_the_same_state_gives_the_same_bytes(self, tmp_path):
        script = (
            "import cinta as ct; from cinta import nn; ct.random.seed(1);"
            "print(ct.save_checkpoint('{}.safetensors', model=nn.Linear(3, 2), words=['a', 'b']))"
        )
        for name in "ab":
            subprocess.run([sys.executable, "-c", script.format(name)], cwd=tmp_path, check=True)
        assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


class TestAllOrNothing:
    @pytest.mark.parametrize("last", ["shapes", "kind", "count", "groups"])
    def test_what_does_not_fit_leaves_every_object_as_it_was(self, tmp_path, last):
        net, opt = trained()
        path = ct.save_checkpoint(tmp_path / "c.safetensors", model=net, optimizer=opt, counter=Counter("three"))
        net, opt = trained(seed=1)
        objects = dict(model=net, optimizer=opt)
        if last == "shapes":
            wrong, message = dict(second=trained(width=6)[0]), "has no part 'second'"
            objects = dict(optimizer=opt, model=trained(width=6)[0])
            message = "does not fit model: [\\s\\S]*has shape"
        elif last == "kind":
            wrong, message = dict(optimizer=trained(seed=1, kind=optim.SGD)[1]), "state of a Adam as optimizer"
        elif last == "groups":
            half = optim.Adam(list(net.parameters())[:2])
            wrong, message = dict(optimizer=half), "does not fit optimizer: .*groups of"
        else:
            wrong, message = dict(counter=Counter(1)), "does not fit counter: count got 'three'"
        if last != "shapes":
            objects |= wrong
        before = bits(*objects.values())
        with pytest.raises(ValueError, match=rf"c\.safetensors.*{message}"):
            ct.load_checkpoint(path, **objects)
        assert bits(*objects.values()) == before

    def test_a_part_that_is_not_there(self, tmp_path):
        net, opt = trained()
        path = ct.save_checkpoint(tmp_path / "c.safetensors", model=net)
        before = bits(net, opt)
        with pytest.raises(ValueError, match=r"c\.safetensors has no part 'optimizer', expected one of \['model'"):
            ct.load_checkpoint(path, model=net, optimizer=opt)
        assert bits(net, opt) == before

    def test_kinds_are_told_apart_in_lists_and_dicts_too(self, tmp_path):
        opt = trained()[1]
        path = ct.save_checkpoint(tmp_path / "c.safetensors", optimizers={"main": [opt]})
        other = trained(kind=optim.SGD)[1]
        with pytest.raises(ValueError, match=r"state of a Adam as optimizers\.main\.0, expected that of a SGD"):
            ct.load_checkpoint(path, optimizers={"main": [other]})

    def test_plain_values_are_not_filled(self, tmp_path):
        path = ct.save_checkpoint(tmp_path / "c.safetensors", epoch=3)
        with pytest.raises(TypeError, match="epoch got a int, expected an object with load_state_dict"):
            ct.load_checkpoint(path, epoch=0)

    def test_a_training_goes_on_after_a_load_that_failed(self, tmp_path):
        net, opt = trained()
        path = ct.save_checkpoint(tmp_path / "c.safetensors", model=net, optimizer=opt, counter=Counter("three"))
        x = ct.random.normal(shape=(7, 3))

        def step():
            opt.zero_grad()
            net(x).sum().backward()
            opt.step()

        random_state = ct.random.get_state()
        step()
        wanted = bits(net, opt)
        ct.load_checkpoint(path, model=net, optimizer=opt)
        ct.random.set_state(random_state)
        with pytest.raises(ValueError, match="does not fit counter"):
            ct.load_checkpoint(path, model=net, optimizer=opt, counter=Counter())
        step()
        assert bits(net, opt) == wanted

    def test_a_part_that_cannot_be_saved_leaves_the_file_before(self, tmp_path):
        path = ct.save_checkpoint(tmp_path / "c.safetensors", epoch=1)
        content = path.read_bytes()
        with pytest.raises(TypeError, match="'thing' got a object"):
            ct.save_checkpoint(path, epoch=2, thing=object())
        assert path.read_bytes() == content
        assert os.listdir(tmp_path) == ["c.safetensors"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mode": "least"}, "mode got 'least'"),
            ({"random": ("torch",)}, "random got 'torch', expected some of"),
            ({"keep": 0, "step": 1}, "keep got 0, expected at least 1"),
            ({"keep": 2}, "step got None, expected an int from 0, which keep=2 needs"),
            ({"keep": 2, "step": -1}, "step got -1"),
        ],
    )
    def test_options_out_of_range(self, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            ct.save_checkpoint(tmp_path / "c.safetensors", **options)
        assert os.listdir(tmp_path) == []


class TestSeries:
    def test_the_latest_and_the_best_stay(self, tmp_path):
        path = tmp_path / "net.safetensors"
        assert ct.latest_checkpoint(path) is None
        assert ct.best_checkpoint(path) is None
        for step, loss in enumerate([0.5, float("nan"), 0.1, 0.4, None, 0.1, 0.3]):
            written = ct.save_checkpoint(path, keep=2, step=step, score=loss)
            assert ct.latest_checkpoint(path) == written
        names = [f"net-0000000{step}.safetensors" for step in (2, 5, 6)]
        assert sorted(os.listdir(tmp_path)) == names
        assert ct.best_checkpoint(path).name == names[0]
        assert ct.load_checkpoint(written)["step"] == 6

    def test_more_may_be_better(self, tmp_path):
        path = tmp_path / "net.safetensors"
        for step, accuracy in enumerate([0.5, 0.9, 0.7]):
            ct.save_checkpoint(path, keep=1, step=step, score=accuracy, mode="max")
        assert ct.best_checkpoint(path).name == "net-00000001.safetensors"
        assert len(os.listdir(tmp_path)) == 2

    def test_a_series_does_not_go_back(self, tmp_path):
        path = tmp_path / "net.safetensors"
        ct.save_checkpoint(path, keep=2, step=50)
        with pytest.raises(ValueError, match="step got 10, but .* holds step 50 of net.safetensors"):
            ct.save_checkpoint(path, keep=2, step=10)
        assert os.listdir(tmp_path) == ["net-00000050.safetensors"]

    def test_other_files_and_series_are_left_alone(self, tmp_path):
        others = {"net.safetensors", "net-1.safetensors", "net-00000001.txt", "other-00000001.safetensors"}
        for name in others:
            (tmp_path / name).write_bytes(b"")
        for step in range(3):
            ct.save_checkpoint(tmp_path / "net.safetensors", keep=1, step=step)
        assert set(os.listdir(tmp_path)) == others | {"net-00000002.safetensors"}
        assert ct.latest_checkpoint(tmp_path / "net-1.safetensors") == tmp_path / "net-1.safetensors"

    def test_what_a_killed_process_left_goes(self, tmp_path):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        stale = tmp_path / f".net-00000001.safetensors.{ended.pid}-0123abcd.tmp"
        running = tmp_path / f".net-00000001.safetensors.{os.getpid()}-0123abcd.tmp"
        for file in (stale, running):
            file.write_bytes(b"half")
        ct.save_checkpoint(tmp_path / "net.safetensors", keep=1, step=2)
        assert not stale.exists()
        assert running.exists()

    def test_a_damaged_file_is_not_the_best_and_is_no_obstacle(self, tmp_path):
        path = tmp_path / "net.safetensors"
        ct.save_checkpoint(path, keep=2, step=1, score=0.2)
        (tmp_path / "net-00000002.safetensors").write_bytes(b"\xff" * 20)
        ct.save_checkpoint(path, keep=2, step=3, score=0.3)
        assert ct.best_checkpoint(path).name == "net-00000001.safetensors"


@pytest.fixture
def real(tmp_path):
    """A checkpoint as a training writes it, and the objects that it fits."""
    net, opt = trained()
    parts = dict(model=net, optimizer=opt, counter=Counter(4), rng=np.random.default_rng(1))
    path = ct.save_checkpoint(tmp_path / "c.safetensors", random=("cinta", "numpy", "python"), **parts, epochs=[1, 2.5])
    return path, parts


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, cut out, doubled or put in; more often than not in the header, where the structure is."""
    data, header = bytearray(content), int.from_bytes(content[:8], "little")
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, len(data) if rng.random() < 0.4 else min(len(data), header + 8)))
        length = int(rng.integers(1, 20))
        how = rng.integers(0, 6)
        if how == 0:
            data[at : at + 1] = bytes([int(rng.integers(0, 256))])
        elif how == 1:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif how == 2:
            del data[at : at + length]
        elif how == 3:
            data[at:at] = data[at : at + length]
        elif how == 4:
            digits = [b"9", b"-1", b"1e999", b"null", b'"x"', b"[]", b"{}", b"9" * 25, b"[[", b"NaN"]
            data[at : at + 1] = digits[int(rng.integers(0, len(digits)))]
        elif at:
            del data[at:]
    return bytes(data)


def sealed_anew(content: bytes) -> bytes:
    """With the digest that its bytes ask for, as one who means harm would write it."""
    mark = b'"cinta.sha256":"'
    at = content.find(mark)
    if at < 0:
        return content
    at += len(mark)
    blank = content[:at] + b"0" * 64 + content[at + 64 :]
    return content[:at] + hashlib.sha256(blank).hexdigest().encode() + content[at + 64 :]


def with_tree(content: bytes, change, must_differ: bool = True) -> bytes:
    """With another nesting in the header, and the digest that goes with it."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    before = header["__metadata__"]["cinta.tree"]
    header["__metadata__"]["cinta.tree"] = change(before)
    assert not must_differ or header["__metadata__"]["cinta.tree"] != before
    text = json.dumps(header, separators=(",", ":")).encode()
    return sealed_anew(len(text).to_bytes(8, "little") + text + content[end:])


def with_another_node(content: bytes, rng: np.random.Generator) -> bytes:
    """With one node of the nesting exchanged, dropped or renamed: well formed, but not what was written."""
    values = [None, True, -1, 0, 2**70, 1e300, float("nan"), "x", "nested", [], {}]

    def change(text):
        tree = json.loads(text)
        nodes, waiting = [], [tree]
        while waiting:  # every [kind, content] below the root, with the list that it stands in
            kind, below = waiting.pop()
            if kind in ("dict", "list", "tuple"):
                pairs = below if kind == "dict" else [[i, child] for i, child in enumerate(below)]
                nodes += [(below, i, kind) for i in range(len(below))]
                waiting += [child for _, child in pairs]
        siblings, at, kind = nodes[rng.integers(len(nodes))]
        how = rng.integers(5)
        if how == 0:
            del siblings[at]
        elif how == 1 and kind == "dict":
            siblings[at][0] = values[rng.integers(len(values))]
        elif how == 2:
            other, there, same = nodes[rng.integers(len(nodes))]
            if (same == "dict") == (kind == "dict"):
                siblings[at], other[there] = other[there], siblings[at]
        else:
            value = ["value", values[rng.integers(len(values))]]
            siblings[at] = [siblings[at][0], value] if kind == "dict" else value
        return json.dumps(tree)

    return with_tree(content, change, must_differ=False)


class TestDamage:
    def test_3000_mutations_are_all_found(self, real, rng):
        path, parts = real
        content = path.read_bytes()
        before = bits(*list(parts.values())[:3])
        for _ in range(3000):
            damaged = mutated(content, rng)
            if damaged == content:
                continue
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match="c\\.safetensors"):
                ct.load_checkpoint(path, **parts)
        assert bits(*list(parts.values())[:3]) == before

    def test_every_cut_is_found(self, real):
        path, parts = real
        content = path.read_bytes()
        for length in [*range(0, 200), *range(200, len(content), 97), len(content) - 1]:
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match="c\\.safetensors"):
                ct.load_checkpoint(path, **parts)

    @pytest.mark.parametrize("harm", [lambda *given: sealed_anew(mutated(*given)), with_another_node])
    def test_2000_hostile_files_load_or_are_refused(self, real, rng, harm):
        path, parts = real
        content = path.read_bytes()
        counts = {"loaded": 0, "refused": 0}
        for _ in range(2000):
            path.write_bytes(harm(content, rng))
            before = bits(*list(parts.values())[:3])
            try:
                ct.load_checkpoint(path, **parts)
                counts["loaded"] += 1
            except ValueError as error:
                message = str(error)
                counts["refused"] += 1
            else:
                continue
            assert "c.safetensors" in message
            assert bits(*list(parts.values())[:3]) == before
        assert counts["refused"] > 500
        assert counts["loaded"] > 50

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda tree: "[" * 50_000, "damaged cinta.tree"),
            (lambda tree: json.dumps(["value", 3]), "expected a dict"),
            (lambda tree: json.dumps(["dict", [["random", ["value", 3]]]]), "has no part 'counter'"),
            (lambda tree: tree.replace('"seed", ["value", 0', '"seed", ["value", 1e999'), "fit random.cinta: .*inf"),
            (lambda tree: re.sub('"pos", .{10}[0-9]*', '"pos", ["value", 625', tree), "fit random.numpy: .* has pos"),
            (lambda tree: tree.replace('"cinta"', '"torch"'), "has the random streams"),
            (lambda tree: tree.replace('["count", ["value", 3]]', '["count", ["list", []]]'), "fit counter: count got"),
            (lambda tree: tree.replace('["count", ["value", 3]]', '["number", ["value", 3]]'), "fit counter: KeyError"),
        ],
    )
    def test_hostile_structures(self, tmp_path, change, message):
        path = ct.save_checkpoint(tmp_path / "c.safetensors", random=("cinta", "numpy"), counter=Counter(3))
        path.write_bytes(with_tree(path.read_bytes(), change))
        before, state = ct.random.get_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
        with pytest.raises(ValueError, match=rf"c\.safetensors.*({message})"):
            ct.load_checkpoint(path, counter=Counter())
        assert ct.random.get_state() == before
        assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002

    def test_a_format_to_come(self, tmp_path, monkeypatch):
        monkeypatch.setattr(checkpoint_file, "FORMAT", 2)
        path = ct.save_checkpoint(tmp_path / "c.safetensors", epoch=1)
        monkeypatch.undo()
        with pytest.raises(ValueError, match=r"c\.safetensors has format 2 \(written by 'cinta .*'\), expected 1"):
            ct.load_checkpoint(path)

    def test_files_of_other_kinds(self, tmp_path):
        ct.save(tmp_path / "weights.safetensors", {"x": ct.ones(3)})
        with pytest.raises(ValueError, match="is no checkpoint, expected a file of ct.save_checkpoint"):
            ct.load_checkpoint(tmp_path / "weights.safetensors")
        (tmp_path / "p.safetensors").write_bytes(b"\x80\x02}q\x00X\x06\x00\x00\x00weight" * 10)
        with pytest.raises(ValueError, match="is no complete safetensors file"):
            ct.load_checkpoint(tmp_path / "p.safetensors")
        with pytest.raises(FileNotFoundError, match="none.safetensors"):
            ct.load_checkpoint(tmp_path / "none.safetensors")

    def test_positions_beyond_a_stream_are_refused(self):
        state = np.random.get_state(legacy=False)  # noqa: NPY002
        for position in (625, -1, 2**40, 1.5):
            state["state"]["pos"] = position
            with pytest.raises(ValueError, match=r"has pos .*, expected 0 to 624"):
                NumpyStream().load_state_dict(state)


@pytest.mark.parametrize("loop", ["by_hand", "by_trainer"])
class TestKilled:
    @pytest.mark.parametrize("call", ["fsync", "replace", "unlink"])
    def test_in_the_middle_of_writing(self, tmp_path, call, loop):
        endings = killed(tmp_path, loop, "write", call)
        assert [ending.split(" from net-")[0] for ending in endings] == ["same"]

    def test_twenty_times_at_random(self, tmp_path, loop):
        endings = killed(tmp_path, loop, "random", "20")
        assert [ending.split(" from ")[0] for ending in endings] == ["same"] * 20
        assert len(set(endings)) > 3, "all were killed at the same checkpoint"


def killed(folder, *how):
    command = [sys.executable, str(KILLED), str(folder), *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
