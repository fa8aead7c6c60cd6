"""Every script in examples/ runs on a small setting, as a user would start it."""

from __future__ import annotations

import gzip
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cinta as ct

EXAMPLES = Path(__file__).parent.parent / "examples"
SETTINGS = {
    "lenet.py": ["--quick"],
    "taylor_sine.py": [],
    "logistic_regression.py": [],
    "draw_backpropagation.py": [],
    "compiled_step.py": ["--epochs", "1"],
    "all_ingredients.py": ["--quick"],
    "ensemble.py": ["--splits", "1", "--epochs", "1", "--members", "3"],
    "schedules.py": ["--epochs", "2", "--seeds", "1"],
    "augmentations.py": [],
    "decision_surface.py": ["--steps", "20"],
    "see_network.py": ["--epochs", "1"],
    "sklearn_estimators.py": ["--epochs", "1", "--folds", "2"],
    "monitoring.py": ["--steps", "60"],
    "rnn_language_model.py": ["--quick"],
    "vanishing_gradient.py": ["--trials", "4", "--epochs", "1", "--lag-steps", "20", "--lag-trials", "1"],
    "ctc_digits.py": ["--steps", "20", "--strips", "10", "--beam-size", "4"],
    "sort_numbers.py": ["--steps", "30", "--pointer-steps", "30"],
    "translate.py": ["--phrases", "300", "40", "--hidden", "16", "--epochs", "1"],
    "before_training.py": ["--steps", "30"],
    "face_verification.py": ["--steps", "30", "--pairs", "40"],
    "upscale.py": ["--quick"],
    "inception.py": ["--train", "4", "--test", "2", "--epochs", "1", "--batch-size", "20"],
    "very_deep.py": [
        "--train",
        "4",
        "--test",
        "2",
        "--epochs",
        "1",
        "--depths",
        "8",
        "14",
        "--seeds",
        "1",
        "--batch-size",
        "20",
    ],
    "popularity.py": ["--members", "1", "--epochs", "2", "--folds", "2"],
    "standard_machine_learning.py": ["--epochs", "2"],
    "caption.py": ["--scenes", "200", "--steps", "5", "--tests", "8", "--beam", "4"],
    "mc_dropout.py": ["--epochs", "1", "--samples", "3"],
    "history/mcculloch_pitts.py": [],
    "history/hebb.py": [],
    "history/perceptron.py": ["--epochs", "2", "--starts", "1", "--steps", "20"],
    "history/widrow_hoff.py": ["--epochs", "1"],
    "history/hopfield.py": ["--units", "50"],
    "history/restricted_boltzmann_machine.py": ["--epochs", "2"],
    "history/deep_belief_net.py": [
        "--seeds",
        "1",
        "--layers",
        "2",
        "--units",
        "16",
        "--pretraining",
        "2",
        "--epochs",
        "2",
    ],
}


def run(script: str, *args: object, folder: Path, fails: bool = False) -> str:
    """Run an example in `folder`; its standard output, or its standard error where it is meant to fail."""
    command = [sys.executable, str(EXAMPLES / script), *map(str, args)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == fails, f"{script} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr if fails else done.stdout


def test_every_example_has_a_setting():
    scripts = [path for path in EXAMPLES.rglob("*.py") if not (path.parent / "__init__.py").exists()]
    assert {path.relative_to(EXAMPLES).as_posix() for path in scripts} == set(SETTINGS)


@pytest.mark.parametrize("script", SETTINGS)
def test_runs(script, tmp_path):
    assert run(script, *SETTINGS[script], folder=tmp_path)


def test_taylor_sine(tmp_path):
    assert "-0.9998995297" in run("taylor_sine.py", folder=tmp_path)


def test_logistic_regression(tmp_path):
    losses = re.findall(r"\d+\.\d{7,}", run("logistic_regression.py", folder=tmp_path))
    np.testing.assert_allclose([float(losses[0]), float(losses[-1])], [2.7725887, 0.3890075], atol=5e-8)


def test_draw_backpropagation(tmp_path):
    assert "v8 = divide(1, v7)               0.73      1.00" in run("draw_backpropagation.py", folder=tmp_path)
    assert (tmp_path / "backpropagation.svg").read_text().startswith("<svg")


def test_compiled_step(tmp_path):
    output = run("compiled_step.py", "--epochs", 2, "--out", "out", folder=tmp_path)
    assert float(re.search(r"([\d.]+)% of 360 held-out digits right", output)[1]) > 80
    assert re.search(r"^instructions +\d+ of \d+ recorded", output, re.MULTILINE)
    assert re.search(r"conv2d_backward_weight +0 Conv2d +backward", output)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"program.txt", "program.svg", "trace.json"}


def test_all_ingredients(tmp_path):
    output = run("all_ingredients.py", "--quick", "--out", "out", folder=tmp_path)
    rows = re.findall(r"^\W* (\w[\w ,]+?) +\W (\d+) +\W +([\d.]+)%", output, re.MULTILINE)
    assert len(rows) == 13
    assert rows[0][0] == "a first network"
    assert all(int(count) == round(120 * float(share) / 100) for _, count, share in rows)
    assert f"{100 - float(rows[-1][2]):.2f}% of 120 digits right" in output
    assert (tmp_path / "out" / "all_ingredients.png").stat().st_size > 20_000


def test_ensemble(tmp_path):
    output = run("ensemble.py", "--splits", 2, "--epochs", 8, "--members", 6, "--out", "out", folder=tmp_path)
    one, average = (float(re.search(rf"{row}\D+([\d.]+)%", output)[1]) for row in ("one network", r"\(6 members\)"))
    assert average < one < 5
    assert re.search(r"averaging saves \d+% of the mistakes", output)
    assert (tmp_path / "out" / "ensemble.png").stat().st_size > 20_000


def test_schedules(tmp_path):
    from PIL import Image

    output = run("schedules.py", "--epochs", 30, "--seeds", 2, "--out", "out", folder=tmp_path)
    rows = dict(re.findall(r"^ (\S.*?)  +\d+ +[\d.]+ +([\d.]+) %", output, re.MULTILINE))
    assert len(rows) == 8
    assert all(float(errors) < 15 for errors in rows.values())
    with Image.open(tmp_path / "out" / "schedules.png") as image:
        assert min(image.size) > 800
        assert image.convert("L").getextrema() == (pytest.approx(0, abs=60), 255)


def test_augmentations(tmp_path):
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 50, 3)).astype(np.uint8)).save(tmp_path / "own.png")
    output = run("augmentations.py", "--image", "own.png", "--out", "out", folder=tmp_path)
    assert len(re.findall(r"^\w+ +[\d,]+ images of 28x28 a second$", output, re.MULTILINE)) == 14
    with Image.open(tmp_path / "out" / "augmentations.png") as page:
        assert min(page.size) > 1000
    write_mnist(tmp_path)
    run("augmentations.py", "--data", tmp_path, "--out", "digits", folder=tmp_path)
    assert (tmp_path / "digits" / "augmentations.png").stat().st_size > 50_000
    error = run("augmentations.py", "--image", "nowhere.png", folder=tmp_path, fails=True)
    assert "nowhere.png" in error
    assert "Traceback" not in error


def test_decision_surface(tmp_path):
    output = run("decision_surface.py", "--steps", 300, "--out", "out", folder=tmp_path)
    assert float(re.search(r"([\d.]+)% of 300 points", output)[1]) > 95
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"decision_surface.png", "learning_curve.png"}


def test_see_network(tmp_path):
    output = run("see_network.py", "--epochs", 3, "--out", "out", folder=tmp_path)
    assert float(re.search(r"([\d.]+)% of 540 held-out digits right", output)[1]) > 90
    assert "48,120" in output
    names = "activations_after activations_before confusion_matrix feature_maps filters filters_second_layer"
    names += " learning_curves learning_rate mistakes"
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(names.split())


def test_sklearn_estimators(tmp_path):
    output = run("sklearn_estimators.py", "--epochs", 8, "--folds", 2, "--jobs", 1, "--out", "out", folder=tmp_path)
    assert max(map(float, re.findall(r"([\d.]+)%", output))) > 85
    assert float(re.search(r"RMS error ([\d.]+)", output)[1]) < 75
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"confusion_matrix.png", "regression.png"}


def test_monitoring(tmp_path):
    from PIL import Image

    output = run("monitoring.py", "--steps", 200, "--out", "out", folder=tmp_path)
    healthy, *ill = re.split(r"─{9,} (?=healthy|learning|sigmoids|pixels)", output)[1:]
    assert "the training looks healthy" in healthy
    for part, what in zip(ill, ("update ratio too large", "saturated units", "input not centred"), strict=True):
        assert f"• {what}" in part
        assert part.count("•") == 1
    with Image.open(tmp_path / "out" / "monitoring.png") as image:
        assert min(image.size) > 800


class TestUpscale:
    def test_beats_bicubic_and_leaves_its_files(self, tmp_path):
        text = run("upscale.py", "--scale", 2, "--steps", 300, folder=tmp_path)
        assert float(re.search(r"([+-]\d+\.\d+) dB beside bicubic", text)[1]) > 0.2
        assert {path.name for path in (tmp_path / "runs" / "upscale").iterdir()} == {
            "fsrcnn_x2.png",
            "fsrcnn_x2.safetensors",
        }

    def test_enlarges_an_image_of_any_size_and_names_what_is_wrong(self, tmp_path):
        from PIL import Image

        run("upscale.py", "--model", "fsrcnn", "--scale", 2, "--steps", 40, folder=tmp_path)
        checkpoint = tmp_path / "runs" / "upscale" / "fsrcnn_x2.safetensors"
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (7, 9, 3)).repeat(26, axis=0).repeat(21, axis=1)[:173]  # more than one tile
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "mine.png")
        run("upscale.py", "--image", "mine.png", "--checkpoint", checkpoint, "--out", "large", folder=tmp_path)
        with Image.open(tmp_path / "large" / "mine_x2.png") as large:
            assert large.size == (378, 346)
            shrunk = np.asarray(large.resize((189, 173), Image.Resampling.BOX), float)
        assert np.abs(shrunk - pixels).mean() < 8
        error = run("upscale.py", "--image", "mine.png", folder=tmp_path, fails=True)
        assert "--image and --checkpoint go together" in error
        error = run("upscale.py", "--image", "none.png", "--checkpoint", checkpoint, folder=tmp_path, fails=True)
        assert "none.png" in error


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
        error = run("translate.py", "--corpus", "django", "--to", "ca", "--resume", "out/checkpoint.safetensors",
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


def test_before_training(tmp_path):
    output = run("before_training.py", "--out", "out", folder=tmp_path)
    assert "1,898 (all trained)" in output
    assert float(re.search(r"loss at start ([\d.]+)", output)[1]) == pytest.approx(np.log(10), abs=0.3)
    assert "they agree" in output
    assert "the batch was learnt by heart" in output
    assert 0.01 < float(re.search(r"begin with ([\d.]+)", output)[1]) < 1
    assert re.search(r"\[debug\] log gave \d+ -inf among 640\n +at .*before_training.py:\d+: return -ct.log", output)
    assert (tmp_path / "out" / "learning_rate.png").stat().st_size > 10_000


def test_mc_dropout(tmp_path):
    output = run("mc_dropout.py", "--epochs", 12, "--samples", 20, "--out", "out", folder=tmp_path)
    rows = [tuple(map(int, row)) for row in re.findall(r"(\d+)% +\W +(\d+) of (\d+) \(", output)]
    assert [share for share, _, _ in rows] == [0, 2, 5, 10, 20]
    assert rows[0][1] < 0.06 * rows[0][2] == 0.06 * 719
    assert rows[-1][1] / rows[-1][2] < 0.4 * rows[0][1] / rows[0][2]
    assert (tmp_path / "out" / "doubtful.png").stat().st_size > 10_000


class TestHistory:
    def test_mcculloch_pitts(self, tmp_path):
        output = run("history/mcculloch_pitts.py", folder=tmp_path)
        assert re.search(r"a or b, not both +00 -> 0  01 -> 1  10 -> 1  11 -> 0", output)
        assert re.search(r"a moment of cold: .* feels cold at \[\], feels hot at \[4\]", output)

    def test_hebb(self, tmp_path):
        shares = re.findall(r"seen: +([\d.]+) %", run("history/hebb.py", folder=tmp_path))
        assert float(shares[0]) < 30 < 80 < float(shares[-1])

    def test_perceptron(self, tmp_path):
        output = run("history/perceptron.py", "--starts", 3, folder=tmp_path)
        last = dict(re.findall(r"^(\w+) +mistakes .* (\d+)\]$", output, re.MULTILINE))
        assert int(last["AND"]) == int(last["OR"]) == 0 < int(last["XOR"])
        assert int(re.search(r"solve XOR from (\d) of 3", output)[1]) > 0
        assert float(re.search(r"read digits: ([\d.]+)%", output)[1]) > 90

    def test_widrow_hoff(self, tmp_path):
        output = run("history/widrow_hoff.py", "--epochs", 3, folder=tmp_path)
        assert re.search(r"errors of 1.0 become [\d.]+e[-+]\d+", output)
        errors = [float(e) for e in re.findall(r"squared error ([\d.]+)", output)]
        assert errors[-1] < errors[1] < errors[0]

    def test_hopfield(self, tmp_path):
        output = run("history/hopfield.py", "--units", 200, folder=tmp_path)
        assert [float(share) for share in re.findall(r"([\d.]+)% after", output)] == [100.0] * 5
        left = [float(share) for share in re.findall(r"units: ([\d.]+) of each", output)]
        assert min(left[:3]) > 0.97 > 0.8 > left[-1]

    def test_restricted_boltzmann_machine(self, tmp_path):
        output = run("history/restricted_boltzmann_machine.py", "--epochs", 15, folder=tmp_path)
        first, last = map(float, re.search(r"([\d.]+) in the first epoch, ([\d.]+)", output).groups())
        assert last < 0.5 * first

    def test_deep_belief_net(self, tmp_path):
        quick = ("--seeds", 1, "--layers", 3, "--units", 64, "--pretraining", 10, "--epochs", 12, "--out", "out")
        output = run("history/deep_belief_net.py", *quick, folder=tmp_path)
        errors = {(labels, start): float(share) for labels, start, share in
                  re.findall(r"(\d+) labels +\W +(\w[\w ,-]+?) +\W +([\d.]+) %", output)}  # fmt: skip
        assert len(errors) == 8
        assert errors["1257", "pre-trained"] < 12 < 80 < errors["1257", "as before 2006"]
        assert (tmp_path / "out" / "deep_belief_net.png").stat().st_size > 30_000


def test_inception(tmp_path):
    small = ("--train", 60, "--test", 20, "--epochs", 6, "--lr", 0.01)
    output = run("inception.py", *small, "--out", "out", folder=tmp_path)
    assert re.search(r"3a +\W +303 +\W +128 +\W +58%", output)  # the paper's 128 million
    middle, last = (float(re.search(rf"{where}: ([\d.]+)% of 200", output)[1]) for where in ("the middle", "the end"))
    assert min(middle, last) > 40
    assert (tmp_path / "out" / "inception.png").stat().st_size > 50_000


def test_very_deep(tmp_path):
    small = ("--train", 50, "--test", 20, "--epochs", 6, "--depths", 8, 26, "--seeds", 1)
    output = run("very_deep.py", *small, "--out", "out", folder=tmp_path)
    rows = re.findall(r"^\W+(\d+) +\W +([\d.]+) +\W +[\d.]+ % +\W +([\d.]+)", output, re.MULTILINE)
    (shallow, shallow_plain, _), (deep, deep_plain, deep_shortcuts) = (tuple(map(float, row)) for row in rows)
    assert (shallow, deep) == (8, 26)
    assert deep_plain > 1.2 * shallow_plain
    assert deep_shortcuts < 0.8 * deep_plain
    assert len(re.findall(r"^\W+(?:as advised|one 7x7|4x4|stride 2).* [\d.]+ %", output, re.MULTILINE)) == 4
    assert (tmp_path / "out" / "very_deep.png").stat().st_size > 30_000


class TestVisionOnCifar:
    @pytest.fixture
    def cifar(self, tmp_path):
        rng = np.random.default_rng(0)
        for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
            records = rng.integers(0, 256, (30, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(30) % 10
            (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
        return tmp_path

    @pytest.mark.parametrize("script", ["inception.py", "very_deep.py"])
    def test_trains(self, cifar, script):
        assert "100 " in run(script, "--data", cifar, *SETTINGS[script], "--train", 10, folder=cifar)

    @pytest.mark.parametrize("script", ["inception.py", "very_deep.py"])
    def test_missing_data(self, tmp_path, script):
        error = run(script, "--data", tmp_path / "nowhere", folder=tmp_path, fails=True)
        assert "nowhere" in error
        assert "Traceback" not in error


def test_standard_machine_learning(tmp_path):
    from PIL import Image

    output = run("standard_machine_learning.py", "--epochs", 25, "--out", "out", folder=tmp_path)
    rows = re.findall(r"^\W+(\w.*?) +\W ([\d.]+)% \W +([\d,]+) \W +[\d.]+ s \W +\d+ us", output, re.MULTILINE)
    right = {name: float(share) for name, share, _ in rows}
    assert len(right) == 4
    liblinear = right["HOG + scikit-learn's LinearSVC"]
    assert right["HOG + linear SVM"] == pytest.approx(liblinear, abs=1.2)
    assert min(liblinear, right["HOG + linear SVM"]) > right["pixels + linear SVM"] > 90
    assert right["convnet (LeNet-5)"] > 93
    assert [size for *_, size in rows] == ["10,250", "17,650", "17,650", "61,706"]
    with Image.open(tmp_path / "out" / "standard_machine_learning.png") as image:
        assert min(image.size) > 500
    write_mnist(tmp_path)
    output = run("standard_machine_learning.py", "--data", tmp_path, "--epochs", 2, folder=tmp_path)
    assert "40 digits to learn from, 20 held out" in output
    error = run("standard_machine_learning.py", "--data", "nowhere", folder=tmp_path, fails=True)
    assert "nowhere" in error
    assert "Traceback" not in error


class TestPopularity:
    QUICK = ("--members", 1, "--folds", 3, "--out", "out")

    @pytest.fixture
    def photos(self, tmp_path):
        """Followers over five orders of magnitude, a genre, empty fields, a postcode, and a score."""
        rng = np.random.default_rng(0)
        followers, genre = np.exp(rng.uniform(0, 12, 240)), rng.integers(0, 3, 240)
        score = 4 * np.log1p(followers) + np.array([0, 40, 20])[genre] + rng.normal(size=240)
        rows = [
            f"{'' if i % 11 == 0 else f'{f:.0f}'},{('cats', 'sea', 'NA')[g]},{i % 7},{'' if i == 5 else f'{s:.2f}'}"
            for i, (f, g, s) in enumerate(zip(followers, genre, score))
        ]
        path = tmp_path / "photos.csv"
        path.write_text("\n".join(["followers,genre,postcode,pulse", *rows]))
        return path

    def test_tables_of_scikit_learn(self, tmp_path):
        output = run("popularity.py", *self.QUICK, "--epochs", 25, folder=tmp_path)
        rows = re.findall(r"(mean alone|gradient boosting|network) +\W +([\d.]+) +\W +([\d.]+) +\W +([\d.]+)", output)
        assert [kind for kind, *_ in rows] == 3 * ["mean alone", "gradient boosting", "network"]
        errors = np.array([float(error) for _, error, *_ in rows]).reshape(3, 3)
        assert (errors[:, 2] < 0.8 * errors[:, 0]).all()
        assert (errors[:, 2] < 1.15 * errors[:, 1]).all()
        assert (tmp_path / "out" / "popularity.png").stat().st_size > 50_000

    def test_a_table_of_ones_own(self, tmp_path, photos):
        new = tmp_path / "new.csv"
        new.write_text("genre,followers,postcode\nsea,100000,1\ncats,2,1\nclouds,,3\n")
        command = ("--csv", photos, "--target", "pulse", "--categorical", "postcode", "--predict", new)
        output = run("popularity.py", *self.QUICK, *command, "--unknown", "missing", folder=tmp_path)
        assert "1 of 240 rows left out: without pulse" in output
        assert "239 rows, log(1 + x) of followers" in output
        network = re.search(r"network +\W +([\d.]+) +\W +[\d.]+ +\W +([\d.]+)", output)
        assert float(network[2]) > 0.8
        lines = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
        assert lines[0] == "row,score,pulse"
        sea, cats, _ = (float(line.split(",")[1]) for line in lines[1:])
        assert sea > cats + 40
        error = run("popularity.py", *self.QUICK, *command, folder=tmp_path, fails=True)
        assert "new.csv, line 4, column 'genre': got 'clouds', expected one of cats, sea" in error
        assert "Traceback" not in error

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--target", "likes"), "has no column 'likes', expected one of followers, genre, postcode, pulse"),
            (("--target", "genre"), "column 'genre' has words in it"),
            (("--target", "pulse", "--drop", "x"), "--drop got 'x', expected one of"),
            (("--target", "pulse", "--categorical", "x"), "no column 'x'"),
            ((), "--csv and --target go together"),
        ],
    )
    def test_errors_say_what_is_wrong(self, tmp_path, photos, arguments, message):
        error = run("popularity.py", "--csv", photos, *arguments, folder=tmp_path, fails=True)
        assert message in error
        assert "Traceback" not in error


class TestCaption:
    def test_learns_and_captions_an_image(self, tmp_path):
        from PIL import Image, ImageDraw

        small = ("--scenes", 600, "--steps", 60, "--tests", 12, "--beam", 8, "--out", "out")
        output = run("caption.py", *small, folder=tmp_path)
        losses = [float(value) for value in re.findall(r"finding the caption ([\d.]+)", output)]
        assert len(losses) == 5
        assert losses[-1] < 0.85 * losses[0]
        rows = re.findall(
            r"(combinations seen|held-out combinations) +\W +(likeliest|re-ranked) +\W +([\d.]+)%", output
        )
        assert len(rows) == 4
        names = {"captions.png", "checkpoint.safetensors", "steps.png"}
        assert {path.name for path in (tmp_path / "out").iterdir()} == names
        for name in ("captions.png", "steps.png"):
            with Image.open(tmp_path / "out" / name) as page:
                assert min(page.size) > 1000
        image = Image.new("RGBA", (200, 120), (255, 255, 255, 0))
        ImageDraw.Draw(image).ellipse((20, 20, 60, 60), fill="red")
        image.save(tmp_path / "own.png")
        output = run("caption.py", "--image", "own.png", "--out", "out", folder=tmp_path)
        assert len(re.findall(r"^ +-?\d+\.\d\d  ", output, re.MULTILINE)) == 5
        assert (tmp_path / "out" / "own_steps.png").exists()
        (tmp_path / "bad.png").write_bytes(b"no image")
        for bad in (("--image", "bad.png", "--out", "out"), ("--image", "own.png", "--out", "nowhere")):
            error = run("caption.py", *bad, folder=tmp_path, fails=True)
            assert "bad.png" in error or "nowhere" in error
            assert "Traceback" not in error

    def test_scenes_and_their_judge(self, monkeypatch):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        from captioning.judge import judge, shown
        from captioning.scenes import Scene, Thing, draw_scene, held_out

        rng = np.random.default_rng(0)
        for unseen in (False, True):
            for scene in (draw_scene(rng, unseen) for _ in range(150)):
                assert all(
                    judge(caption, scene) == (n := judge(caption, scene)[1], n, True) for caption in scene.captions
                )
                assert all(shown(caption) == scene.combinations for caption in scene.captions)
                assert any(held_out(*combination) for combination in scene.combinations) == unseen
        circle, square = Thing("red", "circle", 0.3, 0.2, 0.1), Thing("blue", "square", 0.35, 0.7, 0.19)
        scene = Scene([circle, square], (255, 255, 255), [], set())
        for caption, verdict in {
            "a small red circle is above a large blue square": (3, 3, True),
            "there is a blue square below a red circle": (3, 3, True),
            "a red circle is to the left of a blue square": (2, 3, False),
            "a large red circle is above a blue square": (1, 3, False),
            "a blue circle is above a red square": (0, 3, False),
            "two red circles": (0, 1, False),
            "a red circle": (1, 1, False),
            "a red circle is above": (0, 1, False),
        }.items():
            assert judge(caption, scene) == verdict, caption


class TestLenet:
    def test_leaves_its_files(self, tmp_path):
        from PIL import Image

        run("lenet.py", "--quick", "--out", tmp_path / "out", folder=tmp_path)
        names = {"checkpoint.safetensors", "learning_curve.png", "mistakes.png"}
        assert {path.name for path in (tmp_path / "out").iterdir()} == names
        for picture in ("learning_curve.png", "mistakes.png"):
            with Image.open(tmp_path / "out" / picture) as image:
                assert min(image.size) > 300
                assert image.convert("L").getextrema() == (pytest.approx(0, abs=60), 255)

    def test_as_published(self, tmp_path):
        output = run("lenet.py", "--original", "--epochs", 8, "--out", tmp_path / "out", folder=tmp_path)
        assert float(re.search(r"([\d.]+)% of 360 held-out images right", output)[1]) > 80
        assert (tmp_path / "out" / "original.png").stat().st_size > 50_000

    def test_resumed_training_equals_an_uninterrupted_one(self, tmp_path):
        whole, half, rest = (tmp_path / name for name in ("whole", "half", "rest"))
        small = ("--quick", "--lr", "0.02", "--batch-size", "64")
        run("lenet.py", *small, "--out", whole, folder=tmp_path)
        run("lenet.py", *small, "--stop-after", 1, "--out", half, folder=tmp_path)
        run("lenet.py", *small, "--resume", half / "checkpoint.safetensors", "--out", rest, folder=tmp_path)
        final, resumed = ((folder / "checkpoint.safetensors").read_bytes() for folder in (whole, rest))
        assert final == resumed
        assert final != (half / "checkpoint.safetensors").read_bytes()

    def test_trains_on_idx_files(self, tmp_path):
        write_mnist(tmp_path)
        output = run("lenet.py", "--data", tmp_path, "--epochs", 1, folder=tmp_path)
        assert "of 20 held-out images right" in output

    def test_damaged_idx_files(self, tmp_path):
        write_mnist(tmp_path)
        path = tmp_path / "train-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-3]))
        error = run("lenet.py", "--data", tmp_path, folder=tmp_path, fails=True)
        assert "train-labels-idx1-ubyte.gz: got 37 bytes of values, cut short, expected 40" in error
        assert "Traceback" not in error

    def test_missing_data(self, tmp_path):
        error = run("lenet.py", "--data", tmp_path / "nowhere", folder=tmp_path, fails=True)
        assert "has none of train-images-idx3-ubyte" in error

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint at all"])
    def test_damaged_checkpoint(self, tmp_path, content):
        (tmp_path / "bad.safetensors").write_bytes(content)
        error = run("lenet.py", "--quick", "--resume", "bad.safetensors", folder=tmp_path, fails=True)
        assert "bad.safetensors" in error
        assert "Traceback" not in error


def write_mnist(folder: Path) -> None:
    """Scikit-learn's digits as MNIST's four gzipped files: 40 for training, 20 held out."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.kron(digits.images[:60] * 15, np.ones((3, 3))).astype(np.uint8)
    for part, cut in (("train", slice(0, 40)), ("t10k", slice(40, 60))):
        for kind, array in (("images-idx3", images[cut]), ("labels-idx1", digits.target[cut].astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))


def test_face_verification(tmp_path):
    from PIL import Image

    output = run("face_verification.py", "--steps", 600, "--pairs", 300, "--out", "out", folder=tmp_path)
    assert "a pair of one photograph is two views of it" in output
    rows = dict(re.findall(r"^\W* (\w[\w -]+?) +\W (0\.\d+|1\.0+) +\W", output, re.MULTILINE))
    assert set(rows) == {"cosine", "weighted chi-square", "siamese L1", "face or not"}
    assert all(float(area) > 0.7 for area in rows.values())
    with Image.open(tmp_path / "out" / "face_verification.png") as image:
        assert min(image.size) > 700


def test_face_verification_of_a_folder(tmp_path):
    """Six made-up people with six pictures each, and one with a single one, who is left out."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for person in range(7):
        (tmp_path / "people" / f"person {person}").mkdir(parents=True)
        face = rng.integers(40, 215, (5, 5))
        for k in range(6 if person < 6 else 1):
            picture = np.kron(face, np.ones((8, 8))) + rng.normal(0, 12, (40, 40))
            grey = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB")
            grey.save(tmp_path / "people" / f"person {person}" / f"{k}.jpg")
    how = ("--steps", 150, "--pairs", 100, "--image-size", 25, "--crop", 0.8, "--out", "out")
    output = run("face_verification.py", "--data", "people", *how, folder=tmp_path)
    assert "18 pictures to learn from, 18 of others to ask about; a pair of one person is two photographs" in output
    assert "face or not" not in output
    assert float(re.search(r"siamese L1 +\W +([\d.]+)", output)[1]) > 0.7
    assert (tmp_path / "out" / "face_verification.png").stat().st_size > 20_000
    for folder in ("person 4", "person 5", "person 0"):
        for path in (tmp_path / "people" / folder).iterdir():
            path.unlink()
        (tmp_path / "people" / folder).rmdir()
    error = run("face_verification.py", "--data", "people", folder=tmp_path, fails=True)
    assert "has 3 people with two photographs or more, expected at least 4" in error
    assert "nowhere" in run("face_verification.py", "--data", "nowhere", folder=tmp_path, fails=True)
