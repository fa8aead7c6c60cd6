"""What the examples about sequences say and leave behind, on small settings."""

from __future__ import annotations

import re

import pytest

import cinta as ct
from example_runs import run


class TestRnnLanguageModel:
    @pytest.fixture
    def text(self, tmp_path):
        path = tmp_path / "text.txt"
        lines = [f"{name} reads {count} words, then writes them.\r\n" for name in ("Ada", "Bo") for count in range(60)]
        path.write_bytes("".join(lines).encode())
        return path

    def small(self, text, cell):
        return "--text", text, "--cell", cell, "--hidden", 16, "--batch-size", 4, "--steps", 12, "--words", 20

    @pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
    def test_learns_a_text(self, tmp_path, text, cell):
        output = run("rnn_language_model.py", *self.small(text, cell), "--epochs", 12, folder=tmp_path)
        held_out, baseline = re.search(r"held-out perplexity ([\d.]+), .* alone ([\d.]+)", output).groups()
        assert float(held_out) < 0.5 * float(baseline)
        out = tmp_path / "runs" / "rnn_language_model"
        assert {path.name for path in out.iterdir()} == {"checkpoint.safetensors", "perplexity.png"}

    def test_the_lectures_network(self, tmp_path, text):
        output = run("rnn_language_model.py", "--quick", folder=tmp_path)
        assert re.search(r"U \[(\d+), 100\], W \[100, 100\], V \[\1, 100\]", output)

    def test_resumed_training_equals_an_uninterrupted_one(self, tmp_path, text):
        whole, half, rest = (tmp_path / name for name in ("whole", "half", "rest"))
        small = (*self.small(text, "gru"), "--epochs", 3)
        run("rnn_language_model.py", *small, "--out", whole, folder=tmp_path)
        run("rnn_language_model.py", *small, "--stop-after", 1, "--out", half, folder=tmp_path)
        run(
            "rnn_language_model.py", *small, "--resume", half / "checkpoint.safetensors", "--out", rest, folder=tmp_path
        )
        final, resumed = ((folder / "checkpoint.safetensors").read_bytes() for folder in (whole, rest))
        assert final == resumed

    def test_errors_name_the_file(self, tmp_path, text):
        (tmp_path / "bad.txt").write_bytes(b"caf\xe9 " * 100)
        error = run("rnn_language_model.py", "--text", "bad.txt", folder=tmp_path, fails=True)
        assert "bad.txt, line 1: got bytes that are not UTF-8" in error
        assert "Traceback" not in error
        error = run("rnn_language_model.py", *self.small(text, "rnn"), "--resume", text, folder=tmp_path, fails=True)
        assert "text.txt" in error
        assert "Traceback" not in error


def test_vanishing_gradient(tmp_path):
    from PIL import Image

    quick = ("--trials", 8, "--epochs", 4, "--lag-steps", 300, "--lag-trials", 1, "--out", "out")
    output = run("vanishing_gradient.py", *quick, folder=tmp_path)
    medians = dict(re.findall(r"^ +(\S.*?) {2,}\d+ +[\d.]+ % +([\d.]+) %", output, re.MULTILINE))
    assert len(medians) == 11
    assert float(medians["10 hidden layers"]) > 50 > 20 > float(medians["1 hidden layer"])
    assert float(medians["10: tanh, Glorot"]) < 25
    first, last = re.search(r"10 hidden layers .* ([\d.e-]+) to ([\d.e-]+)", output).groups()
    assert float(first) < 0.05 * float(last)
    with Image.open(tmp_path / "out" / "vanishing_gradient.png") as image:
        assert min(image.size) > 800
        assert image.convert("L").getextrema() == (pytest.approx(0, abs=60), 255)


def test_sort_numbers(tmp_path):
    small = ("--numbers", 3, "--hidden", 64, "--steps", 600, "--pointer-numbers", 4, "--pointer-steps", 300)
    output = run("sort_numbers.py", *small, folder=tmp_path)
    layers, pointer = re.findall(r"([\d.]+) % of 2000 held-out lists sorted", output)
    assert float(layers) > 50
    assert float(pointer) > 90


def test_ctc_digits(tmp_path):
    from PIL import Image

    small = ("--steps", 800, "--batch-size", 16, "--hidden", 48, "--lr", 0.006, "--noise", 0.05, "--strips", 60)
    output = run("ctc_digits.py", *small, "--beam-size", 10, "--out", "out", folder=tmp_path)
    rows = re.findall(r"(\d+) to (\d+) digits\D+([\d.]+)%\D+([\d.]+)%\D+([\d.]+)%", output)
    assert [row[:2] for row in rows] == [("2", "6"), ("7", "12")]
    greedy, beam, checked = map(float, rows[0][2:])
    assert min(greedy, beam) > 5
    assert checked > max(greedy, beam) + 15
    with Image.open(tmp_path / "out" / "ctc_digits.png") as image:
        assert min(image.size) > 800
        assert image.convert("L").getextrema() == (pytest.approx(0, abs=60), 255)


class TestTranslate:
    small = ("--phrases", 3000, 150, "--hidden", 64, "--batch-size", 32)

    def test_learns_and_leaves_its_files(self, tmp_path):
        from PIL import Image

        output = run("translate.py", *self.small, "--epochs", 7, "--lr", 0.01, "--out", "out", folder=tmp_path)
        losses = [float(loss) for loss in re.findall(r"held out ([\d.]+)", output)]
        assert losses[-1] < 0.3 * losses[0]
        right, bleu = re.search(r"exactly right ([\d.]+)% of 150 held-out phrases, BLEU ([\d.]+)", output).groups()
        assert float(right) > 10
        assert float(bleu) > 30
        pictures = {"attention_de.png", "attention_fr.png", "learning_curve.png"}
        assert {path.name for path in (tmp_path / "out").iterdir()} == {*pictures, "checkpoint.safetensors"}
        for picture in pictures:
            with Image.open(tmp_path / "out" / picture) as image:
                assert min(image.size) > 200
        for beam in (1, 3):
            asked = ("--translate", "three hundred and forty-five", "--out", "out", "--beam", beam)
            lines = run("translate.py", *asked, folder=tmp_path).splitlines()
            assert [line[:4] for line in lines] == ["de: ", "fr: "]
        error = run("translate.py", "--translate", "one", "--to", "it", "--out", "out", folder=tmp_path, fails=True)
        assert "--to got 'it', expected some of ['de', 'fr']" in error
        (tmp_path / "cat.tsv").write_text("".join(f"the cat {n}\tel gat {n}\n" for n in range(90)))
        error = run("translate.py", "--pairs", "cat.tsv", "--to", "ca", "--resume", "out/checkpoint.safetensors",
                    folder=tmp_path, fails=True)  # fmt: skip
        assert "--to got 'ca', expected some of ['de', 'fr']" in error
        ct.save_checkpoint(tmp_path / "other.safetensors", epoch=3)
        error = run("translate.py", "--translate", "x", "--resume", "other.safetensors", folder=tmp_path, fails=True)
        assert "other.safetensors has no part 'read'" in error
        error = run("translate.py", "--epochs", 0, folder=tmp_path, fails=True)
        assert "got 0, expected at least 1" in error

    def test_resumed_training_equals_an_uninterrupted_one(self, tmp_path):
        small = ("--phrases", 300, 40, "--hidden", 16, "--epochs", 3)
        run("translate.py", *small, "--out", "whole", folder=tmp_path)
        run("translate.py", *small, "--stop-after", 1, "--out", "half", folder=tmp_path)
        run("translate.py", *small, "--resume", "half/checkpoint.safetensors", "--out", "rest", folder=tmp_path)
        final, resumed = ((tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("whole", "rest"))
        assert final == resumed

    def test_djangos_messages(self, tmp_path):
        pytest.importorskip("django")
        small = ("--hidden", 16, "--epochs", 1, "--to", "ca", "--pieces", 300)
        output = run("translate.py", "--corpus", "django", *small, folder=tmp_path)
        assert re.search(r"[\d,]+ phrases to learn from, \d+ held out; 30[0-9]|300 pieces read", output)
        error = run("translate.py", "--corpus", "django", "--to", "xy", folder=tmp_path, fails=True)
        assert "--to got 'xy', expected one of the folders in" in error

    def test_pairs_of_ones_own(self, tmp_path):
        lines = [f"I have {a} {b}.\tIch habe {a} {b}.\tCC-BY 2.0\r\n" for a in range(40) for b in "abcdef"]
        (tmp_path / "deu.tsv").write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode() + b"caf\xe9\tx\r\nlonely\r\n")
        output = run("translate.py", "--pairs", "deu.tsv", "--hidden", 16, "--epochs", 2, folder=tmp_path)
        assert "lines left out of deu.tsv: 1 undecodable, 1 malformed" in output
        assert "held-out phrases" in output
        (tmp_path / "none.tsv").write_text("nothing\n")
        error = run("translate.py", "--pairs", "none.tsv", folder=tmp_path, fails=True)
        assert "none.tsv: got no pairs" in error
        assert "Traceback" not in error
