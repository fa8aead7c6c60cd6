"""What the examples about images say and leave behind, on small settings."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from example_runs import EXAMPLES, SETTINGS, run, write_mnist


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


def test_see_network(tmp_path):
    output = run("see_network.py", "--epochs", 3, "--out", "out", folder=tmp_path)
    assert float(re.search(r"([\d.]+)% of 540 held-out digits right", output)[1]) > 90
    assert "48,120" in output
    names = "activations_after activations_before confusion_matrix feature_maps filters filters_second_layer"
    names += " learning_curves learning_rate mistakes"
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(names.split())


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
