"""Image files and folders of them, written and read with Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cinta.data import DataLoader, ImageFolder, read_image

Image = pytest.importorskip("PIL.Image")


def pixels(mode="RGB", height=5, width=7, seed=0):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels)).astype(np.uint8)


def image_bytes(array, kind="PNG", **how):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    for name, label in (("dog", 1), ("cat", 0)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(3):
            Image.fromarray(pixels(seed=10 * label + i)).save(tmp_path / name / f"{i}.png")
        Image.fromarray(pixels(seed=10 * label + 3)).save(tmp_path / name / "more" / "3.PNG")
        (tmp_path / name / "readme.txt").write_text("no image")
        (tmp_path / name / "._3.png").write_text("no image either")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "list.txt").write_text("no folder")
    return tmp_path


@pytest.mark.parametrize("kind", ["BMP", "PNG", "PPM", "TIFF", "WEBP", "JPEG"])
def test_formats(tmp_path, kind):
    array = pixels()
    how = {"WEBP": dict(lossless=True)}.get(kind, {})
    (tmp_path / "a").write_bytes(image_bytes(array, kind, **how))
    read = read_image(tmp_path / "a")
    assert (read.shape, read.dtype) == ((3, 5, 7), np.uint8)
    if kind != "JPEG":
        np.testing.assert_array_equal(read, array.transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("stored", ["L", "RGB", "RGBA"])
def test_modes(tmp_path, mode, stored):
    array = pixels(stored)
    (tmp_path / "a.png").write_bytes(image_bytes(array))
    expected = np.asarray(Image.fromarray(array).convert(mode))
    read = read_image(tmp_path / "a.png", mode)
    np.testing.assert_array_equal(read, expected[None] if mode == "L" else expected.transpose(2, 0, 1))


def test_sizes(tmp_path):
    (tmp_path / "a.png").write_bytes(image_bytes(np.full((40, 20, 3), 77, np.uint8)))
    read = read_image(tmp_path / "a.png", size=(8, 6))
    assert read.shape == (3, 8, 6)
    assert (read == 77).all()


def test_a_folder_for_each_class(folder):
    dataset = ImageFolder(folder)
    assert dataset.classes == ["cat", "dog"]
    assert dataset.class_to_idx == {"cat": 0, "dog": 1}
    assert len(dataset) == 8
    assert [path.relative_to(folder).as_posix() for path, _ in dataset.samples[:4]] == [
        "cat/0.png", "cat/1.png", "cat/2.png", "cat/more/3.PNG"
    ]  # fmt: skip
    for workers in (0, 3):
        images, labels = next(iter(DataLoader(dataset, 8, num_workers=workers)))
        assert labels.tolist() == [0] * 4 + [1] * 4
        for i, label in enumerate(labels.tolist()):
            np.testing.assert_array_equal(images[i].numpy(), pixels(seed=10 * label + i % 4).transpose(2, 0, 1))


def test_a_damaged_image_is_named_by_the_loader(folder):
    path = folder / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"\[read_image\] .*dog/1\.png: got OSError") as error:
        list(DataLoader(ImageFolder(folder), 2, num_workers=2))
    if notes := getattr(error.value, "__notes__", []):
        assert "sample 5 of ImageFolder with 8 samples" in notes[0]
        assert "batch 2 of epoch 0, samples [4, 5] of ImageFolder" in notes[1]


def test_folders_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no folders, expected one for each class"):
        ImageFolder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no images"):
        ImageFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ImageFolder(tmp_path / "nowhere")


def test_what_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(image_bytes(np.zeros((3000, 3000), np.uint8)))
    with pytest.raises(ValueError, match=r"a\.png: got 3000 x 3000 pixels, expected at most 1000000"):
        read_image(path, max_pixels=1_000_000)
    path.write_bytes(image_bytes(np.zeros((30000, 30000), bool)))  # 900 megapixels in some kilobytes
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match=r"a\.png: got (30000 x 30000 pixels|DecompressionBombError)"):
        read_image(path)
    path.write_bytes(image_bytes(np.zeros((3, 3), np.uint16)))
    with pytest.raises(ValueError, match="got pixels of mode I;16, expected at most 8 bits"):
        read_image(path)
    path.write_bytes(b"GIF89a" + bytes(30))
    with pytest.raises(ValueError, match=r"a\.png: got UnidentifiedImageError"):
        read_image(path)
    with pytest.raises(ValueError, match=r'mode got "?\'CMYK\''):
        read_image(path, mode="CMYK")
