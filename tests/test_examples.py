"""Every script in examples/ runs on a small setting, as a user would start it; what some of them say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from example_runs import EXAMPLES, SETTINGS, run


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


def test_decision_surface(tmp_path):
    output = run("decision_surface.py", "--steps", 300, "--out", "out", folder=tmp_path)
    assert float(re.search(r"([\d.]+)% of 300 points", output)[1]) > 95
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"decision_surface.png", "learning_curve.png"}


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
