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
    "sort_numbers.py": ["--steps", "30", "--pointer-steps", "30"],
    "before_training.py": ["--steps", "30"],
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
    assert {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")} == set(SETTINGS)


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
