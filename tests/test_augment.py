"""Augmentation: values against SciPy and NumPy, draws against their distributions, the same bits from the same seed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

import cinta as ct
from cinta import augment, nn
from cinta.augment import functional as F
from cinta.augment.mixup import symmetric_beta

SCIPY_MODE = {"constant": "grid-constant", "edge": "nearest", "reflect": "mirror", "symmetric": "reflect"}
TRANSFORMS = {
    "affine": augment.RandomAffine(20, (0.1, 0.2), (0.8, 1.2), 10),
    "rotation": augment.RandomRotation(30, padding_mode="reflect"),
    "translate": augment.RandomTranslate(0.2, interpolation="nearest"),
    "scale": augment.RandomScale((0.5, 2.0), fill=0.5),
    "shear": augment.RandomShear((-10, 10, 5, 5), padding_mode="edge"),
    "elastic": augment.ElasticTransform((20, 34), 3),
    "horizontal flip": augment.RandomHorizontalFlip(),
    "vertical flip": augment.RandomVerticalFlip(),
    "crop": augment.RandomCrop(12, padding=2),
    "center crop": augment.CenterCrop(7),
    "resize": augment.Resize(9),
    "noise": augment.GaussianNoise((0.1, 0.3)),
    "jitter": augment.ColorJitter(0.4, 0.4, bounds=(0, 255)),
    "erasing": augment.RandomErasing(value="random"),
    "cutout": augment.Cutout(5),
    "some": augment.RandomApply(augment.GaussianNoise(1.0), 0.5),
    "composed": augment.Compose([augment.RandomShear(9), augment.ElasticTransform(), augment.RandomHorizontalFlip()]),
}
EACH = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)


def images_of(rng: np.random.Generator, *shape: int) -> ct.Tensor:
    return ct.tensor(rng.uniform(size=shape or (6, 3, 14, 15)), dtype="float32")


def drawn(transform, *args, seed: int = 5):
    ct.random.seed(seed)
    return transform(*args)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding_mode", SCIPY_MODE)
def test_affine_is_scipys(padding_mode: str, interpolation: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 2, 9, 11))
    matrices = np.array([[1, 0.2, -1], [-0.1, 0.9, 1.3]]) + 0.3 * rng.normal(size=(3, 2, 3))
    wanted = np.empty((3, 2, 10, 5))
    for n, m in enumerate(matrices):
        rows_first, shift = m[::-1, 1::-1], m[::-1, 2]
        for c in range(2):
            wanted[n, c] = ndimage.affine_transform(x[n, c], rows_first, shift, (10, 5), mode=SCIPY_MODE[padding_mode],
                                                    order=interpolation == "bilinear", cval=0.25)  # fmt: skip
    how = dict(size=(10, 5), interpolation=interpolation, padding_mode=padding_mode, fill=0.25)
    np.testing.assert_allclose(F.affine(x, matrices, **how), wanted, atol=1e-13)
    np.testing.assert_allclose(F.affine(x.astype(np.float32), matrices, **how), wanted, atol=1e-5)
    bytes_ = (40 * x + 128).clip(0, 255).astype(np.uint8)
    got = F.affine(ct.tensor(bytes_), matrices, **how | {"fill": 60}).numpy()
    exact = F.affine(bytes_.astype(np.float64), matrices, **how | {"fill": 60})
    assert got.dtype == np.uint8
    np.testing.assert_allclose(got, exact, atol=0.5001)


def test_elastic_is_scipys(rng: np.random.Generator) -> None:
    x, d = rng.normal(size=(2, 3, 8, 9)), 2 * rng.normal(size=(2, 2, 8, 9))
    row, column = np.mgrid[:8, :9]
    for mode, scipys in SCIPY_MODE.items():
        wanted = [[ndimage.map_coordinates(plane, [row + dy, column + dx], order=1, mode=scipys) for plane in image]
                  for image, (dx, dy) in zip(x, d)]  # fmt: skip
        np.testing.assert_allclose(F.elastic(x, d, padding_mode=mode), wanted, atol=1e-13)


@pytest.mark.parametrize("padding_mode", SCIPY_MODE)
@pytest.mark.parametrize("sigma", [0.0, 0.7, 4.0])
def test_gaussian_blur_is_scipys(padding_mode: str, sigma: float, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 2, 28, 7))
    mode = {"constant": "constant"}.get(padding_mode, SCIPY_MODE[padding_mode])
    wanted = ndimage.gaussian_filter(x, sigma, axes=(2, 3), mode=mode)
    np.testing.assert_allclose(F.gaussian_blur(x, sigma, padding_mode=padding_mode), wanted, atol=1e-13)


def test_affine_matrix_is_the_product_of_its_parts(rng: np.random.Generator) -> None:
    angle, shear_x, shear_y = rng.uniform(-50, 50, (3, 8))
    right, down, scale = rng.normal(size=8), rng.normal(size=8), rng.uniform(0.5, 2, 8)
    got = F.affine_matrix(angle, (right, down), scale, (shear_x, shear_y), size=(9, 14)).numpy()
    for n in range(8):
        a, kx, ky = np.radians([angle[n], shear_x[n], shear_y[n]])
        to_middle = np.array([[1, 0, -6.5], [0, 1, -4], [0, 0, 1]])
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        shear = np.array([[1, 0, 0], [-np.tan(ky), 1, 0], [0, 0, 1]]) @ np.array(
            [[1, -np.tan(kx), 0], [0, 1, 0], [0, 0, 1]])  # fmt: skip
        shift = np.array([[1, 0, right[n]], [0, 1, down[n]], [0, 0, 1]])
        forward = shift @ np.linalg.inv(to_middle) @ (turn @ shear * [[scale[n]], [scale[n]], [1]]) @ to_middle
        np.testing.assert_allclose(got[n], np.linalg.inv(forward)[:2], atol=1e-12)


def test_directions(rng: np.random.Generator) -> None:
    """Clockwise, to the right, down, larger: what a person sees."""
    x = images_of(rng, 1, 2, 5, 5)

    def moved(**how):
        return F.affine(x, F.affine_matrix(**how, size=(5, 5))).numpy()

    np.testing.assert_allclose(moved(angle=90), np.rot90(x.numpy(), -1, (2, 3)), atol=1e-6)
    np.testing.assert_allclose(moved(translate=(2, 1))[..., 1:, 2:], x.numpy()[..., :-1, :-2], atol=1e-6)
    assert not moved(translate=(2, 1))[..., 0, :].any()
    np.testing.assert_allclose(moved(scale=2)[..., ::2, ::2], x.numpy()[..., 1:4, 1:4], atol=1e-6)


def test_identity_changes_nothing(rng: np.random.Generator) -> None:
    x = images_of(rng)
    for t in (augment.RandomAffine(0), augment.ElasticTransform(0.0), augment.RandomErasing(p=0), augment.Cutout(9, 0),
              augment.RandomHorizontalFlip(0), augment.GaussianNoise(0.0), augment.ColorJitter()):  # fmt: skip
        np.testing.assert_array_equal(t(x).numpy(), x.numpy())


@EACH
def test_same_seed_same_bits(transform: augment.Transform, rng: np.random.Generator) -> None:
    """For any number of threads, and compiled; another seed gives other images."""
    x = images_of(rng, 40, 3, 14, 15)
    ct.set_num_threads(1)
    first, second = drawn(transform, x).numpy(), transform(x).numpy()
    ct.set_num_threads(2)
    np.testing.assert_array_equal(drawn(transform, x).numpy(), first)
    compiled = ct.compile(lambda x: transform(x))
    np.testing.assert_array_equal(drawn(compiled, x).numpy(), first)
    np.testing.assert_array_equal(compiled(x).numpy(), second)
    if not isinstance(transform, (augment.CenterCrop, augment.Resize)):
        assert not np.array_equal(first, second)


def test_a_compiled_transform_notices_changed_options() -> None:
    noise = augment.GaussianNoise(0.1)
    both = augment.Compose([noise])
    compiled = ct.compile(lambda x: both(x))
    x = ct.zeros((4, 1, 20, 20))
    assert 0.08 < float(compiled(x).std()) < 0.12
    noise.sigma = (5.0, 5.0)
    assert 4 < float(compiled(x).std()) < 6
    both.transforms.append(augment.Cutout(100))
    assert float(compiled(x).std()) == 0


def test_composed_with_a_plain_function() -> None:
    both = augment.Compose([augment.Cutout(100), lambda images: images + 1])
    x, y = ct.zeros((4, 1, 20, 20)), ct.arange(4)
    assert set(both(x).ravel().tolist()) == {1.0}
    images, labels = both(x, y)
    assert set(images.ravel().tolist()) == {1.0}
    assert labels is y
    with pytest.raises(TypeError, match=r"\[Compose\] got a int, expected transforms"):
        augment.Compose([3])


@EACH
def test_every_kind_of_images(transform: augment.Transform, rng: np.random.Generator) -> None:
    """uint8 and floats, arrays and tensors, no images at all, and labels that go along."""
    x = rng.integers(0, 256, (6, 3, 14, 15)).astype(np.uint8)
    wide = drawn(transform, x.astype(np.float32))
    assert type(wide) is np.ndarray
    got = drawn(transform, ct.tensor(x))
    assert (got.dtype, got.shape) == (ct.uint8, wide.shape)
    if not isinstance(transform, augment.RandomErasing):  # whose noise is one of bytes
        np.testing.assert_allclose(got.numpy(), wide.clip(0, 255), atol=0.5001)
    assert transform(ct.zeros((0, 3, 14, 15))).shape == (0, *wide.shape[1:])
    labels = ct.arange(6)
    Batch = namedtuple("Batch", "images labels index")
    images, same = drawn(transform, ct.tensor(x), labels)
    np.testing.assert_array_equal(images.numpy(), got.numpy())
    batch = drawn(transform, Batch(ct.tensor(x), labels, labels))
    assert isinstance(batch, Batch)
    assert same is labels
    assert batch.labels is labels
    np.testing.assert_array_equal(batch.images.numpy(), got.numpy())
    (alone,) = drawn(transform, (ct.tensor(x),))
    np.testing.assert_array_equal(alone.numpy(), got.numpy())


@EACH
def test_other_images_are_refused(transform: augment.Transform) -> None:
    with pytest.raises(ValueError, match=r"^\[\w+\] images have shape \(3, 8, 8\), expected \[N,C,H,W\]"):
        transform(ct.zeros((3, 8, 8)))
    with pytest.raises(TypeError, match=r"^\[\w+\] images have dtype int64, expected"):
        transform(ct.zeros((1, 1, 14, 14), dtype="int64"))
    assert type(transform).__name__ in repr(transform)


def test_draws_of_affine_maps(rng: np.random.Generator) -> None:
    """Each part in its interval and nearly to its ends; every sample its own, whatever the size of the batch."""
    t = augment.RandomAffine((-10, 30), (0.1, 0.3), (0.5, 0.8), (-5, 5))
    x = ct.zeros((4000, 1, 20, 10))
    ct.random.seed(1)
    matrices, none = t.motion(x)
    ct.random.seed(1)
    few, _ = t.motion(x[:7])
    np.testing.assert_array_equal(few.numpy(), matrices.numpy()[:7])
    assert none is None
    inverse = np.linalg.inv(np.concatenate([matrices.numpy(), np.tile([[[0.0, 0, 1]]], (4000, 1, 1))], 1))
    scale = np.sqrt(np.linalg.det(inverse[:, :2, :2]))
    angle = np.degrees(np.arctan2(inverse[:, 1, 0], inverse[:, 0, 0]))
    middle = np.array([4.5, 9.5, 1])
    shift = (inverse @ middle - middle)[:, :2]
    shear = np.degrees(np.arctan(np.einsum("ni,ni->n", inverse[:, :2, 0], inverse[:, :2, 1]) / scale**2))
    for got, low, high in ((scale, 0.5, 0.8), (angle, -10, 30), (shift[:, 0], -1, 1), (shift[:, 1], -6, 6),
                           (shear, -5, 5)):  # fmt: skip
        assert low - 1e-9 <= got.min() < low + 0.01 * (high - low)
        assert high + 1e-9 >= got.max() > high - 0.01 * (high - low)
        assert stats.kstest(got, "uniform", (low, high - low)).pvalue > 1e-3


def test_elastic_moves_as_far_as_published(rng: np.random.Generator) -> None:
    """A Gaussian of deviation s turns noise of variance 1/3 into one of variance 1 / (3 4 pi s^2)."""
    _, field = augment.ElasticTransform(34, 4).motion(ct.zeros((300, 1, 48, 48)))
    inner = field.numpy()[:, :, 16:32, 16:32]
    assert abs(inner.std() / (34 / (4 * np.sqrt(12 * np.pi))) - 1) < 0.05
    assert abs(inner.mean()) < 0.05
    neighbours = np.corrcoef(inner[..., 1:].ravel(), inner[..., :-1].ravel())[0, 1]
    assert abs(neighbours - np.exp(-1 / (4 * 4**2))) < 0.01


def test_neighbours_are_one_resampling(rng: np.random.Generator) -> None:
    row, column = np.mgrid[:40, :40]
    smooth = ct.tensor(np.sin(row / 7) + np.cos(column / 5), dtype="float64").reshape(1, 1, 40, 40)
    parts = [augment.RandomRotation(10), augment.RandomTranslate(0.05), augment.ElasticTransform(30, 6)]
    joined = drawn(augment.Compose(parts), smooth).numpy()
    ct.random.seed(5)
    motions = [t.motion(smooth) for t in parts]
    first, second = (np.concatenate([m.numpy()[0], [[0, 0, 1]]]) for m, _ in motions[:2])
    wanted = F.affine(smooth, (first @ second)[:2], displacement=motions[2][1])
    np.testing.assert_allclose(joined, wanted.numpy(), atol=1e-12)
    one_by_one = smooth
    for matrices, displacement in motions:
        one_by_one = F.affine(one_by_one, np.eye(3)[:2] if matrices is None else matrices, displacement=displacement)
    inner = (..., slice(10, 30), slice(10, 30))
    np.testing.assert_allclose(joined[inner], one_by_one.numpy()[inner], atol=0.02)
    edges = augment.Compose([augment.RandomRotation(10), augment.RandomTranslate(0.1, padding_mode="edge")])
    ct.random.seed(5)
    apart = edges.transforms[1](edges.transforms[0](smooth)).numpy()
    np.testing.assert_array_equal(drawn(edges, smooth).numpy(), apart)


@pytest.mark.parametrize("padding_mode", SCIPY_MODE)
def test_crops_are_windows_of_the_padded_image(padding_mode: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 2, 6, 7)).astype(np.float32)
    extra = {"constant_values": 3.0} if padding_mode == "constant" else {}
    padded = np.pad(x, ((0, 0), (0, 0), (2, 4), (1, 3)), padding_mode, **extra)  # top, bottom; left, right
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 8), (2, 3))
    got = augment.RandomCrop((5, 8), (1, 2, 3, 4), fill=3.0, padding_mode=padding_mode)(x)
    places = set()
    for n in range(50):
        same = np.argwhere((windows[n] == got[n][:, None, None]).all((0, 3, 4)))
        assert len(same)
        places.add(tuple(same[0]))
    assert len(places) > 10
    assert augment.RandomCrop(9, pad_if_needed=True)(x).shape == (50, 2, 9, 9)
    with pytest.raises(ValueError, match=r"size is \(9, 9\), expected at most \(6, 7\)"):
        augment.RandomCrop(9)(x)
    np.testing.assert_array_equal(augment.CenterCrop((4, 3))(x), x[:, :, 1:5, 2:5])


@pytest.mark.parametrize("size", [(9, 13), (31, 7), 8])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_is_pillows(interpolation: str, size, rng: np.random.Generator) -> None:
    x = rng.uniform(0, 255, (2, 3, 20, 16)).astype(np.float32)
    got = augment.Resize(size, interpolation)(x)
    height, width = (10, 8) if size == 8 else size
    how = Image.Resampling[interpolation.upper()]
    for n, c in np.ndindex(2, 3):
        wanted = np.asarray(Image.fromarray(x[n, c]).resize((width, height), how))
        np.testing.assert_allclose(got[n, c], wanted, atol=1e-3)
    whole = np.round(x)
    of_bytes = augment.Resize(size, interpolation)(whole.astype(np.uint8))
    assert of_bytes.dtype == np.uint8
    np.testing.assert_allclose(of_bytes, F.resize(whole, size, interpolation).clip(0, 255), atol=0.51)


def test_flips_with_their_probability(rng: np.random.Generator) -> None:
    x = images_of(rng, 2000, 1, 2, 3)
    for t, axis in ((augment.RandomHorizontalFlip(0.3), 3), (augment.RandomVerticalFlip(0.3), 2)):
        y = t(x).numpy()
        flipped = (y == np.flip(x.numpy(), axis)).all((1, 2, 3))
        assert (flipped | (y == x.numpy()).all((1, 2, 3))).all()
        assert abs(flipped.mean() - 0.3) < 0.04


def test_holes(rng: np.random.Generator) -> None:
    x = ct.ones((3000, 2, 20, 30))
    hole = 1 - augment.RandomErasing(0.7, (0.05, 0.2), (0.5, 2.0))(x).numpy()
    assert (hole[:, 0] == hole[:, 1]).all()
    area = hole[:, 0].sum((1, 2))
    assert abs((area > 0).mean() - 0.7) < 0.03
    rows, columns = (hole[:, 0].any(axis).sum(1) for axis in (2, 1))
    np.testing.assert_array_equal(rows * columns, area)  # rectangles
    assert abs(area[area > 0].min() / 600 - 0.05) < 0.01
    assert abs(area.max() / 600 - 0.2) < 0.02
    ratio = (rows / np.maximum(columns, 1))[area > 0]
    assert 0.4 < ratio.min() < 0.6
    assert 1.7 < ratio.max() < 2.4
    square = 1 - augment.Cutout(6, value=0.25)(x).numpy()
    assert set(np.unique(square)) == {0.0, 0.75}
    sides = np.stack([(square[:, 0] > 0).any(axis).sum(1) for axis in (2, 1)])
    assert sides.max() == 6
    assert sides.min() == 3  # half of it outside


def test_noise_and_jitter(rng: np.random.Generator) -> None:
    x = ct.full((400, 1, 16, 16), 0.5)
    deviation = augment.GaussianNoise((0.1, 0.3))(x).numpy().std((1, 2, 3))
    assert stats.kstest(deviation, "uniform", (0.1, 0.2)).pvalue > 1e-4
    held = augment.GaussianNoise(2.0, bounds=(0, 1))(x).numpy()
    assert (held.min(), held.max()) == (0, 1)
    factor = augment.ColorJitter(brightness=0.4)(x).numpy()[:, 0, 0, 0] / 0.5
    assert stats.kstest(factor, "uniform", (0.6, 0.8)).pvalue > 1e-3
    y = rng.uniform(size=(5, 3, 4, 4))
    middle = (y * np.array([0.2989, 0.587, 0.114]).reshape(3, 1, 1)).sum(1).mean((1, 2)).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(F.adjust_contrast(y, 0.3), middle + 0.3 * (y - middle))
    grey = y[:, :1]
    np.testing.assert_allclose(F.adjust_contrast(grey, 0.3).mean((1, 2, 3)), grey.mean((1, 2, 3)))


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.5, 1.0, 3.0, 40.0])
def test_mixing_weights_are_from_a_beta_distribution(alpha: float) -> None:
    got = symmetric_beta(20_000, alpha).numpy()
    assert ((got >= 0) & (got <= 1)).all()
    if alpha > 0.1:  # else nearly all are 0 or 1 to the last bit
        assert stats.kstest(got, "beta", (alpha, alpha)).pvalue > 1e-3
    assert abs(got.mean() - 0.5) < 0.02
    assert abs(got.var() / stats.beta(alpha, alpha).var() - 1) < 0.03


def test_mixup(rng: np.random.Generator) -> None:
    x, labels = images_of(rng, 64, 1, 4, 4), ct.tensor(rng.integers(0, 5, 64))
    images, mixed = drawn(augment.Mixup(0.5, num_classes=5), x, labels)
    rows = np.eye(5)[labels.numpy()]
    explained = 0
    for n in range(64):  # some partner and one weight explain image and label alike
        for j in range(64):
            difference = (x[n] - x[j]).numpy()
            w = 1.0 if n == j else float(((images[n] - x[j]).numpy() * difference).sum() / (difference**2).sum())
            blend = w * x[n].numpy() + (1 - w) * x[j].numpy()
            if np.allclose(images[n].numpy(), blend, atol=1e-5):
                np.testing.assert_allclose(mixed[n].numpy(), w * rows[n] + (1 - w) * rows[j], atol=1e-4)
                explained += 1
                break
    assert explained == 64
    loss = nn.functional.cross_entropy(ct.zeros((64, 5)), mixed)
    assert abs(loss.item() - np.log(5)) < 1e-6
    compiled = ct.compile(lambda x, y: augment.Mixup(0.5, num_classes=5)(x, y))
    for got, wanted in zip(drawn(compiled, x, labels), (images, mixed)):
        np.testing.assert_array_equal(got.numpy(), wanted.numpy())
    some = augment.Mixup(1.0, 5, p=0.25)(x, labels)[1].numpy().max(1)
    assert 0.5 < (some == 1).mean() < 0.95
    for bad, message in ((lambda: augment.Mixup(0.2)(x, labels), "expected num_classes"),
                         (lambda: augment.Mixup(0.2, 5)(x), "without labels"),
                         (lambda: augment.Mixup(0.0), "alpha got 0.0"),
                         (lambda: F.mixup(x, labels, 0.5, labels), "expected floating rows")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            bad()


@pytest.mark.parametrize("length", [1000, 333, 4000])
def test_noise_has_the_ratio_asked_for(length: int, rng: np.random.Generator) -> None:
    signal, noise = rng.normal(size=(3, 2, 1000)) * 5 + 1, rng.normal(size=(3, 2, length)) + 0.3
    snr = rng.uniform(-10, 30, (3, 2))
    start = rng.integers(0, length, (3, 2))
    y = F.add_noise(signal, noise, snr, start)
    added = y - signal
    np.testing.assert_allclose(10 * np.log10((signal**2).mean(2) / (added**2).mean(2)), snr, atol=1e-9)
    for index in np.ndindex(3, 2):
        beneath = noise[index][(start[index] + np.arange(1000)) % length]
        gain = added[index][0] / beneath[0]
        np.testing.assert_allclose(added[index], gain * beneath, atol=1e-9)
    single = F.add_noise(ct.tensor(signal[0, 0], dtype="float32"), noise[0, 0], 10.0)
    assert (single.dtype, single.shape) == (ct.float32, (1000,))


def test_silence_has_no_ratio(rng: np.random.Generator) -> None:
    signal = rng.normal(size=(3, 50))
    signal[1] = 0
    with pytest.raises(ValueError, match=r"signal 1 has a mean square of 0, expected a positive"):
        F.add_noise(signal, np.ones(9), 10.0)
    with pytest.raises(ValueError, match=r"the noise beneath signal 0 has a mean square of 0"):
        F.add_noise(signal[:1], np.zeros(9), 10.0)
    with pytest.raises(ValueError, match=r"mean square of nan"):
        F.add_noise(np.full((1, 4), np.nan), np.ones(9), 10.0)
    with pytest.raises(IndexError, match=r"start 9"):
        F.add_noise(signal[:1], np.ones(9), 10.0, start=9)
    with pytest.raises(ValueError, match=r"requires a gradient"):
        F.add_noise(
            ct.ones(
                4,
            ).requires_grad_(),
            ct.ones(3),
            1.0,
        )
    with pytest.raises(ValueError, match=r"noise 1 has shape \(4,\) and dtype float64 and is silent"):
        augment.RandomNoiseMix([np.ones(3), np.zeros(4)])
    compiled = ct.compile(lambda s: F.add_noise(s, ct.ones(9), 10.0))
    compiled(ct.ones((3, 50)))
    with pytest.raises(ValueError, match=r"signal 1 has a mean square of 0"):  # in a replay as well
        compiled(ct.tensor(signal, dtype="float32"))


def test_random_noise(rng: np.random.Generator) -> None:
    clips = [np.full(700, 1.0), np.full(90, -1.0), 1 + np.arange(500) / 500]
    signal = rng.normal(size=(900, 1, 300)).astype(np.float32)
    mix = augment.RandomNoiseMix(clips, (0, 20), p=0.8)
    y = drawn(mix, signal)
    added = (y - signal)[:, 0]
    touched = added.any(1)
    assert abs(touched.mean() - 0.8) < 0.05
    ratio = 10 * np.log10((signal**2).mean((1, 2)) / np.maximum((added**2).mean(1), 1e-30))[touched]
    assert stats.kstest(ratio, "uniform", (0, 20)).pvalue > 1e-3
    slope = added[touched][:, -1] / added[touched][:, 0]
    kinds = [(added[touched][:, 0] < 0).mean(), (slope > 1.05).mean()]
    np.testing.assert_allclose(kinds, [1 / 3, 1 / 3], atol=0.06)
    begins = ((slope - 1) > 0.05).nonzero()[0]
    starts = 299 / (slope[begins] - 1) - 500  # (1 + (s + 299) / 500) / (1 + s / 500)
    assert starts.min() > -5
    assert starts.max() < 206  # a stretch of a longer recording never goes round
    compiled = ct.compile(lambda s: mix(s))
    np.testing.assert_array_equal(drawn(compiled, ct.tensor(signal)).numpy(), y)
    assert mix(ct.zeros((0, 300))).shape == (0, 300)


def test_gradients_reach_images_alone(rng: np.random.Generator) -> None:
    x = images_of(rng).requires_grad_()
    y = augment.RandomAffine(20)(x)
    y.backward(ct.ones_like(y))
    assert 0.5 < float(x.grad.sum()) / x.size <= 1
    with pytest.raises(ValueError, match=r"\[warp\] matrices got a tensor that requires a gradient"):
        F.affine(x, ct.ones((2, 3)).requires_grad_())
    with pytest.raises(ValueError, match=r"\[warp\] displacement got a tensor that requires a gradient"):
        F.elastic(x, ct.ones((6, 2, 14, 15)).requires_grad_())


def test_a_constant_may_change_before_backward(rng: np.random.Generator) -> None:
    x = images_of(rng, 1, 1, 4, 4).requires_grad_()
    matrices = ct.tensor([[[1.0, 0, 1], [0, 1, 0]]], dtype="float64")
    y = F.affine(x, matrices)
    matrices[0, 0, 2] = 0.0
    y.sum().backward()
    assert x.grad[0, 0, 0].tolist() == [0, 1, 1, 1]


def test_large_planes_are_addressed_exactly() -> None:
    x = ct.arange(4200 * 4100, dtype="float64").reshape(1, 1, 4200, 4100).astype("float32")
    y = F.affine(x, [[1.0, 0, 4090], [0, 1, 4190]], size=4, interpolation="nearest")
    np.testing.assert_array_equal(y.numpy(), x[:, :, 4190:4194, 4090:4094].numpy())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: augment.RandomAffine(-3), r"degrees got -3, expected a number that is not negative"),
        (lambda: augment.RandomAffine((3, 1)), r"degrees got \(3, 1\), expected one finite number or a pair"),
        (lambda: augment.RandomAffine(1, translate=(0.1, 2)), r"translate got \(0.1, 2\), expected two parts"),
        (lambda: augment.RandomAffine(1, scale=(0, 1)), r"scale got \(0, 1\), expected numbers above 0"),
        (lambda: augment.RandomShear(90), r"shear got 90, expected less than 90"),
        (lambda: augment.RandomRotation(1, interpolation="cubic"), r"interpolation got 'cubic'"),
        (lambda: augment.RandomRotation(1, padding_mode="zeros"), r"padding_mode got 'zeros'"),
        (lambda: augment.ElasticTransform(1, 0), r"sigma 0, expected 0 or more and above 0"),
        (lambda: augment.RandomHorizontalFlip(1.5), r"p got 1.5, expected 0 to 1"),
        (lambda: augment.RandomCrop(0), r"size is 0, expected at least one pixel"),
        (lambda: augment.RandomCrop(3, padding=-1), r"padding got -1"),
        (lambda: augment.Resize(0), r"size is 0, expected at least one pixel"),
        (lambda: augment.Resize(3, "cubic"), r"interpolation got 'cubic'"),
        (lambda: augment.GaussianNoise(-1), r"sigma got -1, expected 0 or more"),
        (lambda: augment.ColorJitter(contrast=(-1, 1)), r"contrast got \(-1, 1\)"),
        (lambda: augment.RandomErasing(scale=(0.5, 2)), r"scale got \(0.5, 2\)"),
        (lambda: augment.RandomErasing(value="black"), r"value got 'black'"),
        (lambda: augment.Cutout(0), r"size got 0, expected at least 1"),
        (lambda: augment.RandomNoiseMix([]), r"noises got nothing"),
        (lambda: F.affine(ct.ones((2, 1, 3, 3)), ct.ones((3, 2, 3))), r"matrices have shape \[3,2,3\]"),
        (lambda: F.affine(ct.ones((2, 1, 3, 3)), ct.ones((2, 3)), interpolation="cubic"), r"interpolation is 'cubic'"),
        (lambda: F.affine(ct.ones((2, 1, 3, 3)), ct.ones((2, 3)), padding_mode="zeros"), r"padding_mode is 'zeros'"),
        (lambda: F.affine(ct.ones((2, 1, 0, 3)), ct.ones((2, 3)), size=2), r"expected at least one pixel"),
        (lambda: F.elastic(ct.ones((2, 1, 3, 3)), ct.ones((2, 2, 3, 4))), r"displacement has shape \[2,2,3,4\]"),
        (lambda: F.crop(ct.ones((2, 1, 3, 3)), [1, 2, 3], 0, 2), r"top has shape \(3,\)"),
        (lambda: F.gaussian_blur(ct.ones((2, 1, 3, 3)), -1), r"sigma got -1"),
    ],
)
def test_errors_say_what_is_wrong(make, message: str) -> None:
    with pytest.raises(ValueError, match=r"^\[\w+\] .*" + message):
        make()


MODULES = [importlib.import_module(m.name) for m in pkgutil.walk_packages(augment.__path__, "cinta.augment.")]


@pytest.mark.parametrize("module", [augment, *MODULES], ids=lambda module: module.__name__)
def test_examples_run(module) -> None:
    assert doctest.testmod(module, extraglobs={"ct": ct, "augment": augment}).failed == 0


@pytest.mark.parametrize("thing", [getattr(m, n) for m in (augment, F) for n in m.__all__ if n != "functional"],
                         ids=lambda thing: thing.__name__)  # fmt: skip
def test_docstrings_are_whole(thing) -> None:
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].endswith(".")
    assert "Example:\n" in text
