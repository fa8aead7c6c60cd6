"""Logs: what is written can be read back to the bit, also after a training was killed and taken up."""

from __future__ import annotations

import csv
import json
import struct
import sys

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.training import CSVLogger, JSONLinesLogger, TensorBoardLogger

NUMBERS = [0.1, 1 / 3, 1e-300, 123456789.123456789, -2.5e20]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def scalars(folder):
    """(step, tag, value) and purges of every event file, by the format's own definition: length, CRC, bytes, CRC."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.*")):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = event_pb2.Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            if event.HasField("session_log"):
                found.append((event.step, "start", event.session_log.status))
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
    return found


class TestCSV:
    def test_numbers_come_back_to_the_bit(self, tmp_path):
        logger = CSVLogger(tmp_path / "log.csv")
        for step, number in enumerate(NUMBERS):
            logger.log(step, {"loss": number, "other, with a comma": float("nan")})
        logger.close()
        assert [float(row["loss"]) for row in rows(tmp_path / "log.csv")] == NUMBERS
        assert np.isnan(float(rows(tmp_path / "log.csv")[2]["other, with a comma"]))

    def test_a_new_name_is_a_new_column(self, tmp_path):
        logger = CSVLogger(tmp_path / "log.csv")
        logger.log(1, {"a": 0.5})
        logger.log(2, {"b": 0.25, "c": 1.0})
        logger.log(3, {"a": 4.0})
        text = (tmp_path / "log.csv").read_text()
        assert text == "step,a,b,c\n1,0.5,,\n2,,0.25,1.0\n3,4.0,,\n"

    def test_a_new_training_begins_a_new_file(self, tmp_path):
        for value in (0.5, 0.25):
            CSVLogger(tmp_path / "log.csv").log(1, {"a": value})
        assert [row["a"] for row in rows(tmp_path / "log.csv")] == ["0.25"]

    def test_one_taken_up_goes_on_after_its_step(self, tmp_path):
        logger = CSVLogger(tmp_path / "log.csv")
        for step in range(6):
            logger.log(step, {"loss": step / 3})
        whole = (tmp_path / "log.csv").read_text()
        with open(tmp_path / "log.csv", "a") as file:
            file.write("6,0.")  # killed here
            file.flush()
        again = CSVLogger(tmp_path / "log.csv")
        again.resume(3)
        for step in (4, 5):
            again.log(step, {"loss": step / 3})
        assert (tmp_path / "log.csv").read_text() == whole

    def test_one_taken_up_without_its_file_begins(self, tmp_path):
        logger = CSVLogger(tmp_path / "log.csv")
        logger.resume(3)
        logger.log(4, {"loss": 0.5})
        assert rows(tmp_path / "log.csv") == [{"step": "4", "loss": "0.5"}]

    @pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"step,a\nx,1\n3,4\n", b"\xff\xfe", b"step\n1,2,3\n4\n"])
    def test_another_file_is_left_as_it_is(self, tmp_path, content):
        (tmp_path / "log.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"\[CSVLogger\] .*log\.csv is no log of this kind"):
            CSVLogger(tmp_path / "log.csv").resume(3)
        assert (tmp_path / "log.csv").read_bytes() == content


class TestJSONLines:
    def test_numbers_come_back_to_the_bit(self, tmp_path):
        logger = JSONLinesLogger(tmp_path / "log.jsonl")
        for step, number in enumerate([*NUMBERS, float("inf"), float("nan")]):
            logger.log(step, {"loss": number})
        assert [line["loss"] for line in lines(tmp_path / "log.jsonl")] == [*NUMBERS, None, None]
        assert "NaN" not in (tmp_path / "log.jsonl").read_text()

    def test_one_taken_up_goes_on_after_its_step(self, tmp_path):
        logger = JSONLinesLogger(tmp_path / "log.jsonl")
        for step in range(6):
            logger.log(step, {"loss": step / 3})
        whole = (tmp_path / "log.jsonl").read_text()
        with open(tmp_path / "log.jsonl", "a") as file:
            file.write('{"step": 6, "lo')
        again = JSONLinesLogger(tmp_path / "log.jsonl")
        again.resume(3)
        for step in (4, 5):
            again.log(step, {"loss": step / 3})
        assert (tmp_path / "log.jsonl").read_text() == whole

    @pytest.mark.parametrize("content", [b"{}\n", b"3\n", b"[\n", b"\xff\n", b"[" * 100_000 + b"\n"])
    def test_another_file_is_left_as_it_is(self, tmp_path, content):
        (tmp_path / "log.jsonl").write_bytes(content)
        with pytest.raises(ValueError, match=r"\[JSONLinesLogger\] .*log\.jsonl is no log of this kind"):
            JSONLinesLogger(tmp_path / "log.jsonl").resume(3)
        assert (tmp_path / "log.jsonl").read_bytes() == content


class TestTensorBoard:
    def test_points(self, tmp_path):
        logger = TensorBoardLogger(tmp_path)
        for step, number in enumerate(NUMBERS):
            logger.log(step, {"loss": number, "lr": 0.5})
        logger.close()
        wanted = [(step, "loss", float(np.float32(number))) for step, number in enumerate(NUMBERS)]
        assert [point for point in scalars(tmp_path) if point[1] == "loss"] == wanted
        assert len(scalars(tmp_path)) == 2 * len(NUMBERS)

    def test_one_taken_up_purges_what_came_after(self, tmp_path):
        logger = TensorBoardLogger(tmp_path)
        logger.log(5, {"loss": 0.5})
        logger.close()
        again = TensorBoardLogger(tmp_path)
        again.resume(3)
        again.log(4, {"loss": 0.25})
        again.close()
        assert (4, "start", 1) in scalars(tmp_path), "the mark that makes TensorBoard drop steps from 4 on"
        assert (4, "loss", 0.25) in scalars(tmp_path)

    def test_goes_on_after_close(self, tmp_path):
        logger = TensorBoardLogger(tmp_path)
        for step in (1, 2):
            logger.log(step, {"loss": 0.5})
            logger.close()
        logger.close()
        assert sorted(point[0] for point in scalars(tmp_path)) == [1, 2]

    def test_without_the_library(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        with pytest.raises(ModuleNotFoundError, match=r'pip install "cinta\[tensorboard\]"'):
            TensorBoardLogger(tmp_path)


def test_a_training_that_is_taken_up_leaves_the_log_of_a_whole_one(tmp_path):
    pytest.importorskip("safetensors")

    def train(folder, stop=None, resume=None):
        ct.random.seed(0)
        model = nn.Linear(4, 2)
        loggers = [CSVLogger(folder / "log.csv"), JSONLinesLogger(folder / "log.jsonl")]
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        trainer = ct.Trainer(model, optimizer, nn.MSELoss(), loggers=loggers, callbacks=[Kill(stop)])
        batches = [(ct.random.normal(shape=(3, 4)), ct.zeros((3, 2))) for _ in range(5)]
        trainer.fit(batches, epochs=3, checkpoint=folder / "c.safetensors", save_every=2, log_every=1, resume=resume)

    class Kill(ct.training.Callback):
        def __init__(self, step):
            self.step = step

        def on_batch_end(self, trainer):
            if trainer.step == self.step:
                raise SystemExit

    whole, half = tmp_path / "whole", tmp_path / "half"
    for folder in (whole, half):
        folder.mkdir()
    train(whole)
    with pytest.raises(SystemExit):
        train(half, stop=8)
    train(half, resume=True)
    for name in ("log.csv", "log.jsonl"):
        assert (half / name).read_text() == (whole / name).read_text()
    (half / "log.csv").write_text("something else")
    with pytest.raises(
        ValueError, match=r"c\.safetensors does not fit logs: \[CSVLogger\] .*log\.csv is no log of this"
    ):
        train(half, resume=True)
    assert (half / "log.csv").read_text() == "something else"
