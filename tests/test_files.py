"""Saving and loading: every dtype bit for bit, nesting, damage, and writing that leaves no half a file."""

import os
import sys

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.files import load_metadata

safetensors_numpy = pytest.importorskip("safetensors.numpy")

DTYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64"]
DTYPES += ["uint8", "uint16", "uint32", "uint64", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_round_trip(tmp_path, dtype):
    x = ct.tensor([[1.5, 0.0, 3.14159], [100.0, 2.0, 7.0]]).astype(dtype)
    ct.save(tmp_path / "x.safetensors", {"x": x, "scalar": x[0, 0], "empty": x[:0]})
    loaded = ct.load(tmp_path / "x.safetensors")
    assert str(loaded["x"].dtype) == str(x.dtype)
    assert loaded["x"].shape == (2, 3)
    assert loaded["x"].tolist() == x.tolist()
    assert loaded["scalar"].shape == ()
    assert loaded["scalar"].item() == x[0, 0].item()
    assert loaded["empty"].shape == (0, 3)


def test_bfloat16_keeps_every_finite_bit_pattern(tmp_path):
    bits = np.arange(1 << 16, dtype=np.uint32) << 16
    numbers = bits.view(np.float32)
    x = ct.asarray(numbers[np.isfinite(numbers)]).astype("bfloat16")
    ct.save(tmp_path / "x.safetensors", {"x": x})
    again = ct.load(tmp_path / "x.safetensors")["x"].astype("float32").numpy().view(np.uint32)
    np.testing.assert_array_equal(again, bits[np.isfinite(numbers)])
    content = (tmp_path / "x.safetensors").read_bytes()
    assert b'"BF16"' in content
    assert content.endswith((bits[np.isfinite(numbers)] >> 16).astype("<u2").tobytes())


def test_strided_tensors_and_arrays(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    t = ct.asarray(array).transpose((2, 0, 1))[::-1]
    ct.save(tmp_path / "x.safetensors", {"t": t, "array": array.T, "swapped": array.astype(">f4")})
    loaded = ct.load(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(loaded["t"].numpy(), array.transpose(2, 0, 1)[::-1])
    np.testing.assert_array_equal(loaded["array"].numpy(), array.T)
    np.testing.assert_array_equal(loaded["swapped"].numpy(), array)


def test_other_programs_read_and_write_the_same_files(tmp_path):
    layer = nn.Linear(3, 2)
    ct.save(tmp_path / "ours.safetensors", layer.state_dict(), {"by": "cinta"})
    theirs = safetensors_numpy.load_file(tmp_path / "ours.safetensors")
    assert sorted(theirs) == ["bias", "weight"]
    np.testing.assert_array_equal(theirs["weight"], layer.weight.detach().numpy())
    safetensors_numpy.save_file(theirs, tmp_path / "theirs.safetensors")
    nn.Linear(3, 2).load_state_dict(ct.load(tmp_path / "theirs.safetensors"))


def test_nested_dictionaries_come_back_as_they_were(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    opt = optim.Adam(net.parameters(), lr=0.01, betas=(0.8, 0.9))
    net(ct.random.normal(shape=(5, 3))).sum().backward()
    opt.step()
    checkpoint = {
        "model": net.state_dict(),
        "opt": opt.state_dict(),
        "epoch": 3,
        "best": 0.1,
        "note": "α",
        "none": None,
    }
    ct.save(tmp_path / "c.safetensors", checkpoint, {"by": "cinta"})
    loaded = ct.load(tmp_path / "c.safetensors")
    assert list(loaded) == list(checkpoint)
    assert (loaded["epoch"], loaded["best"], loaded["note"], loaded["none"]) == (3, 0.1, "α", None)
    assert loaded["opt"]["param_groups"] == checkpoint["opt"]["param_groups"]
    assert loaded["opt"]["state"][0]["step"] == 1
    assert loaded["opt"]["state"][2]["exp_avg"].tolist() == opt.state_dict()["state"][2]["exp_avg"].tolist()
    assert "model.0.weight" in safetensors_numpy.load_file(tmp_path / "c.safetensors")
    assert load_metadata(tmp_path / "c.safetensors") == {"by": "cinta"}
    net.load_state_dict(loaded["model"])
    opt.load_state_dict(loaded["opt"])


def test_nothing_to_save(tmp_path):
    ct.save(tmp_path / "x.safetensors", {})
    assert ct.load(tmp_path / "x.safetensors") == {}
    assert load_metadata(tmp_path / "x.safetensors") == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:5],
        lambda content: content[:30],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"PK\x03\x04" + content,
        lambda content: content[:8] + b"[" + content[9:],
        lambda content: b"\x80\x02}q\x00X\x06\x00\x00\x00weight" * 10,
    ],
)
def test_damaged_files_are_named(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    ct.save(path, {"x": ct.ones(3)})
    path.write_bytes(damage(path.read_bytes()))
    for read in (ct.load, load_metadata):
        with pytest.raises(ValueError, match=r"model\.safetensors \(\d+ bytes\) is no complete safetensors file: "):
            read(path)


@pytest.mark.parametrize("tree", ["{", '["dict", [["x", ["tensor", "y"]]]]', "3", '["dict"]'])
def test_a_damaged_nesting_is_named(tmp_path, tree):
    path = tmp_path / "model.safetensors"
    safetensors_numpy.save_file({"x": np.ones(3)}, path, {"cinta.tree": tree})
    with pytest.raises(ValueError, match=r"model\.safetensors has a damaged cinta\.tree entry"):
        ct.load(path)


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        ct.load(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError):
        ct.save(tmp_path / "none" / "x.safetensors", {"x": ct.ones(1)})


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    ct.save(path, {"x": ct.ones(3)})

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ct.save(path, {"x": ct.zeros(3)})
    assert ct.load(path)["x"].tolist() == [1.0] * 3
    assert os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ([1], TypeError, "expected a dict"),
        ({"x": object()}, TypeError, "'x' got a object"),
        ({"x": np.ones(1, complex)}, TypeError, "array of complex128"),
        ({("a", "b"): 1}, TypeError, "expected str or int"),
        ({"a": {"b": np.ones(1)}, "a.b": np.ones(1)}, ValueError, "'a.b' got two tensors"),
        ({"__metadata__": np.ones(1)}, ValueError, "reserved"),
    ],
)
def test_content_that_cannot_be_saved(tmp_path, content, kind, message):
    with pytest.raises(kind, match=message):
        ct.save(tmp_path / "x.safetensors", content)
    assert os.listdir(tmp_path) == []


def test_metadata_is_text(tmp_path):
    with pytest.raises(TypeError, match="expected a dict of str by str"):
        ct.save(tmp_path / "x.safetensors", {"x": ct.ones(1)}, {"epoch": 3})


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "cinta\[files\]"'):
        ct.save(tmp_path / "x.safetensors", {"x": ct.ones(1)})
