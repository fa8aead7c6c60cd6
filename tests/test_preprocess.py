"""Preprocessing: scikit-learn's values, data in pieces, saved and made again from data alone, clear errors."""

from __future__ import annotations

import copy
import doctest
import importlib
import inspect
import json
import pickle
import pkgutil

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import cinta as ct
from cinta import preprocess
from cinta.preprocess import HOG, PCA, Center, Impute, Log1p, OneHot, Ordinal, PCAWhitening, Pipeline, Standardize

Array = np.ndarray


def table(rng: np.random.Generator, n: int = 60) -> Array:
    """Six features of very different sizes that hang together."""
    return np.exp(rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) / 2) * np.array([1, 10, 1e3, 1e-3, 5, 1])


MADE = {
    "center": lambda: Center(),
    "standardize": lambda: Standardize(),
    "one number": lambda: Standardize(axis=None),
    "log1p": lambda: Log1p(columns=[0, -2]),
    "impute": lambda: Impute(),
    "pca": lambda: PCA(3),
    "whitening": lambda: PCAWhitening(0.95, eps=0.1),
    "zca": lambda: PCAWhitening(zca=True, eps=1e-3),
    "pipeline": lambda: Pipeline(Log1p(), Standardize(), Pipeline(PCAWhitening(4))),
}
EACH = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def saved(step: preprocess.Preprocessor, tmp_path) -> preprocess.Preprocessor:
    """Through a file and back, from data alone."""
    ct.save(tmp_path / "step.safetensors", {"preprocess": step.state_dict()})
    return preprocess.from_state_dict(ct.load(tmp_path / "step.safetensors")["preprocess"])


def test_standardize_is_scikit_learns(rng: np.random.Generator) -> None:
    x, new = table(rng), table(rng)
    x[:, 4] = 0.1  # constant, up to rounding
    step, scaler = Standardize().fit(x), StandardScaler().fit(x)
    np.testing.assert_allclose(step.mean_[0], scaler.mean_, rtol=1e-14)
    np.testing.assert_allclose(step.var_[0], scaler.var_, rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(step.scale_[0], scaler.scale_, rtol=1e-12)
    got = step(new)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, scaler.transform(new), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_less(abs(step.inverse(got) - new), 1e-6 * (abs(new) + scaler.scale_))
    np.testing.assert_allclose(Center().fit(x)(new), new - x.mean(0), rtol=1e-6, atol=1e-6)
    assert step.n_samples_seen_ == 60


@pytest.mark.parametrize("axis", [0, (0,), (0, 2, 3), (0, 3), None])
def test_axes(axis, rng: np.random.Generator) -> None:
    x = (rng.normal(size=(7, 3, 4, 5)) * rng.uniform(1, 9, (3, 4, 1)) + 5).astype(np.float32)
    step = Standardize(axis)
    wide = x.astype(np.float64)
    wanted = (wide - wide.mean(axis, keepdims=True)) / wide.std(axis, keepdims=True)
    np.testing.assert_allclose(step.fit_transform(x), wanted, rtol=1e-6, atol=1e-6)
    assert step.mean_.shape == (() if axis is None else wide.mean(axis, keepdims=True).shape)
    if axis == (0, 2, 3):  # images of another size have the same channels
        other = rng.normal(size=(2, 3, 9, 1))
        wanted = (other - wide.mean(axis, keepdims=True)) / wide.std(axis, keepdims=True)
        np.testing.assert_allclose(step(other), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e9])
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "uint8", "int64", "bool"])
def test_statistics_are_exact_in_any_dtype(kind: str, offset: float, rng: np.random.Generator) -> None:
    """As of exact fractions, whatever the mean: nothing cancels."""
    whole = rng.integers(0, 200, (5000, 3))
    x = (whole + (offset if kind in ("float64", "int64") else 0)).astype(kind)
    exact = x.astype(object)
    mean = [sum(map(int, column)) / 5000 for column in exact.T]
    var = [float(np.var(x[:, i].astype(np.float64) - float(exact[0, i]))) for i in range(3)]
    for step in (Standardize().fit(x), Standardize().fit(ct.tensor(x)),
                 Standardize().fit_batches(np.array_split(x, 17))):  # fmt: skip
        np.testing.assert_allclose(step.mean_[0], mean, rtol=4e-15)
        np.testing.assert_allclose(step.var_[0], var, rtol=2e-10 if offset else 1e-12)


def test_large_data_is_walked_in_pieces(rng: np.random.Generator) -> None:
    x = (rng.normal(size=(3_000_000,)) * 3 + 1e6).astype(np.float32).reshape(-1, 2)
    step = Standardize().fit(x)
    np.testing.assert_allclose(step.mean_[0], x.mean(0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(step.var_[0], x.var(0, dtype=np.float64), rtol=1e-10)
    y = step(x)  # in float64, or the mean would round to 1/16
    assert abs(y.mean(0, dtype=np.float64)).max() < 1e-7
    assert abs(y.std(0, dtype=np.float64) - 1).max() < 1e-6


@pytest.mark.parametrize("n_components", [None, 1, 4, 0.9])
@pytest.mark.parametrize("whiten", [False, True])
def test_pca_is_scikit_learns(n_components, whiten: bool, rng: np.random.Generator) -> None:
    x, new = rng.normal(size=(2, 50, 6)) @ rng.normal(size=(6, 6)) + 3
    theirs = decomposition.PCA(n_components, whiten=whiten, svd_solver="full").fit(x)
    ours = PCAWhitening(n_components, eps=0.0).fit(x) if whiten else PCA(n_components).fit(x)
    np.testing.assert_allclose(ours.components_, theirs.components_, atol=1e-11)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-11)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-11)
    got = ours(new)
    np.testing.assert_allclose(got, theirs.transform(new), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.inverse(got), theirs.inverse_transform(theirs.transform(new)), rtol=1e-4, atol=1e-4)


def test_whitening(rng: np.random.Generator) -> None:
    x = rng.normal(size=(500, 3, 2, 2)).reshape(500, 12) @ rng.normal(size=(12, 12))
    images = x.reshape(500, 3, 2, 2)
    cov = np.cov(x.T)
    white = PCAWhitening(eps=0.0).fit(images)(images)
    np.testing.assert_allclose(np.cov(white.T), np.eye(12), atol=1e-4)
    for eps in (0.0, 0.5):
        zca = PCAWhitening(eps=eps, zca=True).fit(images)
        values, vectors = np.linalg.eigh(cov)
        root = vectors / np.sqrt(values + eps) @ vectors.T
        wanted = (x - x.mean(0)) @ root
        got = zca(images)
        assert got.shape == images.shape
        np.testing.assert_allclose(got.reshape(500, 12), wanted, atol=2e-4)
        np.testing.assert_allclose(zca.inverse(got), images, atol=1e-3)


def test_directions_without_variance_give_nothing(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.normal(size=(40, 2)), np.full((40, 2), 7.0)], 1)
    for eps in (0.0, 1e-5):
        y = PCAWhitening(eps=eps).fit(x)(x)
        np.testing.assert_allclose(y.std(0, ddof=1), [1, 1, 0, 0], atol=1e-3)
    few = rng.normal(size=(5, 9))  # fewer samples than features: one direction less than samples
    assert np.isfinite(PCAWhitening(eps=0.0).fit(few)(few)).all()
    constant = Standardize().fit(np.full((9, 1), 0.1))
    np.testing.assert_array_equal(constant.scale_, 1)
    assert constant(np.array([[1.1]])).item() == np.float32(1.0)


@EACH
def test_batches_are_as_good_as_all(make, rng: np.random.Generator) -> None:
    x, new = table(rng, 200), table(rng)
    whole = make().fit(x)
    pieces = [x[:1], x[1:50], x[50:50], x[50:53], x[53:]]
    pieces = [p for p in pieces if len(p)]
    by_batches = make().fit_batches([(p, None) for p in pieces])
    np.testing.assert_allclose(by_batches(new), whole(new), rtol=2e-5, atol=2e-5)
    if not isinstance(whole, Pipeline):
        step = make().fit(new)
        for i, p in enumerate(pieces):
            step = make().fit(p) if i == 0 and len(p) > 1 else step.partial_fit(p) if i else make().partial_fit(p)
        np.testing.assert_allclose(step(new), whole(new), rtol=2e-5, atol=2e-5)
        assert step.fit(x)(new).tolist() == whole(new).tolist()  # fit forgets


@EACH
def test_tensors_arrays_and_compiled(make, rng: np.random.Generator) -> None:
    """The same bits in every way, and gradients pass."""
    x = table(rng).astype(np.float32)
    step = make().fit(ct.tensor(x))
    expected = step(x)
    assert (type(expected), expected.dtype) == (np.ndarray, np.float32)
    t = ct.tensor(x).requires_grad_()
    got = step(t)
    assert (type(got), got.dtype) == (ct.Tensor, ct.float32)
    np.testing.assert_array_equal(got.detach().numpy(), expected)
    got.sum().backward()
    assert t.grad.shape == t.shape
    compiled = ct.compile(lambda x: step(x))
    for values in (x, x[::-1].copy()):
        np.testing.assert_array_equal(compiled(ct.tensor(values)).numpy(), step(values))
    assert step(x[:0]).shape == (0, *expected.shape[1:])
    assert step.transform(x).tolist() == expected.tolist()
    lossless = step.name != "PCA" and "0.95" not in repr(step) and not isinstance(step, Pipeline)
    if lossless:
        np.testing.assert_allclose(step.inverse(expected), x, rtol=1e-3, atol=1e-3 * x.std(0).max())


@EACH
def test_saved_and_made_again(make, rng: np.random.Generator, tmp_path) -> None:
    x, new = table(rng), table(rng)
    step = make().fit(x)
    again = saved(step, tmp_path)
    assert repr(again) == repr(step)
    np.testing.assert_array_equal(again(new), step(new))
    other = make()
    other.load_state_dict(ct.load(tmp_path / "step.safetensors")["preprocess"])
    np.testing.assert_array_equal(other(new), step(new))
    unfitted = saved(make(), tmp_path)
    if any(s.learns for s in getattr(step, "steps", [step])):
        with pytest.raises(ValueError, match=r"has seen no data yet, expected fit"):
            unfitted(new)
    for copied in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        np.testing.assert_array_equal(copied(new), step(new))


@EACH
def test_a_compiled_step_notices_what_is_learnt_later(make, rng: np.random.Generator) -> None:
    x, other = table(rng), table(rng) * 2 + 1
    step = make().fit(x)
    compiled = ct.compile(lambda t: step(t))
    t = ct.tensor(x, dtype="float32")
    np.testing.assert_array_equal(compiled(t).numpy(), step(t).numpy())
    state = step.state_dict()
    step.fit(other)
    np.testing.assert_array_equal(compiled(t).numpy(), step(t).numpy())
    step.load_state_dict(state)
    np.testing.assert_array_equal(compiled(t).numpy(), step(t).numpy())
    if not isinstance(step, Pipeline) and step.name != "Log1p":
        step = make().partial_fit(x[:30]).partial_fit(x[30:])  # what is left to find is found in the recording
        compiled = ct.compile(lambda t: step(t))
        np.testing.assert_array_equal(compiled(t).numpy(), step(t).numpy())


def test_scaling_goes_on_after_loading(rng: np.random.Generator, tmp_path) -> None:
    x = table(rng)
    again = saved(Standardize().fit(x[:20]), tmp_path).partial_fit(x[20:])
    np.testing.assert_allclose(again.var_, Standardize().fit(x).var_, rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[PCA\] was loaded without its covariance, expected fit"):
        saved(PCA().fit(x), tmp_path).partial_fit(x)


def test_log1p(rng: np.random.Generator) -> None:
    x = rng.uniform(-0.5, 9, (4, 3, 2))
    np.testing.assert_allclose(Log1p()(x), np.log1p(x), rtol=1e-6)
    got = Log1p(columns=[1])(x)
    np.testing.assert_allclose(got[:, 1], np.log1p(x[:, 1]), rtol=1e-6)
    np.testing.assert_array_equal(got[:, ::2], x[:, ::2].astype(np.float32))
    np.testing.assert_allclose(Log1p().inverse(Log1p()(x)), x, rtol=1e-5)
    x[2, 1, 1] = -1
    with pytest.raises(ValueError, match=r"\[Log1p\] got -1.0 at \[2, 1, 1\], expected values above -1"):
        Log1p(columns=[1]).fit(x)
    assert np.isfinite(Log1p(columns=[0, 2])(x)).all()
    with pytest.raises(IndexError, match=r"columns got 3, expected one of the 3"):
        Log1p(columns=[3])(x)
    assert np.isnan(Log1p()(np.array([np.nan]))).all()


def test_one_hot_is_scikit_learns(rng: np.random.Generator, tmp_path) -> None:
    numbers = np.stack([rng.integers(0, 4, 30), rng.integers(7, 9, 30)], 1)
    texts = np.array(["red", "green", "blue"])[rng.integers(0, 3, (30, 2))]
    for x in (numbers, texts, texts.astype(object), numbers[:, 0], numbers.astype(float)):
        step = OneHot().fit(x)
        wanted = OneHotEncoder(sparse_output=False).fit_transform(x.reshape(30, -1))
        np.testing.assert_array_equal(step(x), wanted)
        assert step(x).dtype == np.float32
        np.testing.assert_array_equal(saved(step, tmp_path)(x), wanted)
        np.testing.assert_array_equal(step.inverse(step(x)).astype(str), x.reshape(30, -1).astype(str))
    by_batches = OneHot().fit_batches([texts[:1], texts[1:]])
    np.testing.assert_array_equal(by_batches(texts), OneHot().fit(texts)(texts))
    step = OneHot("ignore").fit(numbers)
    compiled = ct.compile(lambda x: step(x))
    unknown = ct.tensor(numbers + 1)
    np.testing.assert_array_equal(compiled(ct.tensor(numbers)).numpy(), step(numbers))
    np.testing.assert_array_equal(compiled(unknown).numpy(), step(unknown).numpy())
    with pytest.raises(ValueError, match=r"unknown category 4 in row \d+, column 0, expected one of \[0, 1, 2, 3\]"):
        OneHot().fit(numbers)(np.array([[4, 7]]))
    with pytest.raises(ValueError, match=r"unknown category 'pink' in row 0"):
        OneHot().fit(texts)(np.array([["pink", "red"]]))


@pytest.mark.parametrize("strategy", ["mean", "median"])
@pytest.mark.parametrize("indicator", [False, True])
def test_impute_is_scikit_learns(strategy: str, indicator: bool, rng: np.random.Generator, tmp_path) -> None:
    x, new = table(rng), table(rng)
    x[rng.random(x.shape) < 0.2] = np.nan
    new[rng.random(new.shape) < 0.2] = np.nan
    x[:, 2] = 7.0  # nothing is missing, so nothing says whether it is
    theirs = SimpleImputer(strategy=strategy, add_indicator=indicator).fit(x)
    step = saved(Impute(strategy, indicator).fit(x), tmp_path)
    np.testing.assert_allclose(step(new), theirs.transform(new), rtol=1e-6)
    np.testing.assert_allclose(step.fill_, theirs.statistics_, rtol=1e-12)
    assert step.missing_.tolist() == [True, True, False, True, True, True]
    known = ~np.isnan(new)
    np.testing.assert_allclose(step.inverse(step(new))[known], new[known], rtol=1e-6)
    compiled = ct.compile(lambda batch: step(batch))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(ct.tensor(new)).numpy(), step(new))


def test_impute_learns_in_batches(rng: np.random.Generator) -> None:
    x = table(rng)
    x[rng.random(x.shape) < 0.2] = np.nan
    parts = Impute().fit_batches(np.array_split(x, 4))
    np.testing.assert_allclose(parts.fill_, np.nanmean(x, axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[Impute\] got another batch with strategy 'median', expected all data"):
        Impute("median").fit_batches(np.array_split(x, 4))
    images = rng.normal(size=(5, 2, 3))
    images[0] = np.nan
    np.testing.assert_allclose(Impute().fit(images)(images)[0], images[1:].mean(0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["U", "i", "f"])
def test_ordinal_is_scikit_learns(kind: str, rng: np.random.Generator, tmp_path) -> None:
    x, new = rng.integers(0, 5, (40, 2)), rng.integers(0, 9, (40, 2))
    x, new = (a.astype(str) if kind == "U" else a.astype(kind) for a in (x, new))
    theirs = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(x)
    step = saved(Ordinal(handle_unknown="ignore").fit(x), tmp_path)
    got = step(new)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, theirs.transform(new) + 1)
    np.testing.assert_array_equal(step.inverse(step(x)), x)
    assert step(x[:0]).shape == (0, 2)
    assert OneHot().fit(x)(x[:0]).shape == (0, 10)
    if kind != "U":
        np.testing.assert_array_equal(step(ct.tensor(new)).numpy(), got)
        compiled = ct.compile(lambda batch: step(batch))
        for _ in range(3):
            np.testing.assert_array_equal(compiled(ct.tensor(new)).numpy(), got)
    with pytest.raises(ValueError, match=r"\[Ordinal\] got the unknown category .* in row .*handle_unknown='ignore'"):
        Ordinal().fit(x)(new)
    with pytest.raises(ValueError, match=r"\[Ordinal\] got codes from 0 to 5, expected integers from 1 to \[5, 5\]"):
        step.inverse(got)


@pytest.mark.parametrize("norm", ["L2-Hys", "L2", "L1", "L1-sqrt"])
@pytest.mark.parametrize(
    ("shape", "orientations", "cell", "block"),
    [((32, 32), 9, (8, 8), (3, 3)), ((3, 21, 34), 7, (4, 5), (2, 1)), ((1, 8, 8), 8, (3, 2), (1, 2))],
)
def test_hog_is_scikit_images(shape, orientations, cell, block, norm, rng: np.random.Generator, tmp_path) -> None:
    from skimage.feature import hog

    x = rng.uniform(size=(3, *shape))
    x[0] = np.round(4 * x[0])  # angles at the borders of bins, gradients of 0
    step = saved(HOG(orientations, cell, block, norm, transform_sqrt=True), tmp_path)
    options = dict(pixels_per_cell=cell, cells_per_block=block, block_norm=norm, transform_sqrt=True)
    axis = 0 if len(shape) == 3 else None
    wanted = np.stack([hog(picture, orientations, channel_axis=axis, **options) for picture in x])
    got = step(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)
    compiled = ct.compile(lambda batch: step(batch))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(ct.tensor(x)).numpy(), got)
    assert step.cells(x).shape == (3, shape[-2] // cell[0], shape[-1] // cell[1], orientations)
    assert step(x[:0]).shape == (0, got.shape[1])


def test_gradients_pass_through_hog(rng: np.random.Generator) -> None:
    step = HOG(orientations=3, pixels_per_cell=(4, 4), cells_per_block=(1, 1), block_norm="L2")
    x = ct.tensor(rng.uniform(size=(1, 8, 8)), requires_grad=True)
    y, weights = step.forward(x), ct.tensor(rng.normal(size=(1, 12)))
    (y * weights).sum().backward()
    direction = rng.normal(size=x.shape)
    ahead, behind = (step.forward(ct.tensor(x.detach().numpy() + h * direction)).numpy() for h in (1e-6, -1e-6))
    slope = ((ahead - behind) / 2e-6 * weights.numpy()).sum()
    np.testing.assert_allclose((x.grad.numpy() * direction).sum(), slope, rtol=1e-5)


def test_pipeline_fits_each_step_on_what_comes_before_it(rng: np.random.Generator) -> None:
    x = table(rng)
    log, scale, white = Log1p(), Standardize(), PCAWhitening(4, eps=0.0)
    pipeline = Pipeline([log, scale, white]).fit(x)
    by_hand = Standardize().fit(Log1p()(x))
    np.testing.assert_array_equal(pipeline[1].mean_, by_hand.mean_)
    y = PCAWhitening(4, eps=0.0).fit(by_hand(Log1p()(x)))
    np.testing.assert_array_equal(pipeline(x), y(by_hand(Log1p()(x))))
    assert len(pipeline) == 3
    back = Pipeline(Log1p(), Standardize()).fit(x)
    np.testing.assert_allclose(back.inverse(back(x)), x, rtol=1e-4)
    with pytest.raises(ValueError, match=r"partial_fit with 2 steps that learn \(Standardize, PCAWhitening\)"):
        pipeline.partial_fit(x)
    np.testing.assert_allclose(Pipeline(Log1p(), Standardize()).partial_fit(x[:9]).partial_fit(x[9:])(x), back(x),
                               atol=1e-6)  # fmt: skip
    with pytest.raises(ValueError, match=r"got a generator, which can be walked once, expected batches that can be"):
        pipeline.fit_batches(p for p in [x])
    with pytest.raises(TypeError, match=r"\[Pipeline\] got a int, expected steps"):
        Pipeline(Log1p(), 3)


def test_a_failed_fit_changes_nothing(rng: np.random.Generator) -> None:
    x = table(rng)
    bad = x.copy()
    bad[50, 2] = np.nan
    for make in MADE.values():
        step = make().fit(x)
        if step.name in ("Log1p", "Impute", "Pipeline"):
            continue
        for attempt in (step.fit, step.partial_fit):
            with pytest.raises(ValueError, match=r"got nan at \[50, 2\], expected finite numbers to learn from"):
                attempt(bad)
        np.testing.assert_array_equal(step(x), make().fit(x)(x))
        with pytest.raises(ValueError, match=r"got nan at \[20, 2\]"):
            step.fit_batches([x[:9] * 2, bad[30:]])
        np.testing.assert_array_equal(step(x), make().fit(x)(x))
    pipeline = Pipeline(Standardize(), PCA(6)).fit(x)
    before = pipeline(x)
    with pytest.raises(ValueError, match=r"n_components got 6, expected at most 4"):
        pipeline.fit(x[:, :4])
    np.testing.assert_array_equal(pipeline(x), before)
    narrow = Pipeline(Center(), PCA(2)).fit(x)
    kept = narrow(x)
    with pytest.raises(ValueError, match=r"\[Center\] got nan"):
        narrow.fit(bad)
    np.testing.assert_array_equal(narrow(x), kept)
    np.testing.assert_array_equal(Pipeline(Standardize(), PCA(6)).fit(x)(x), before)


def test_nan_stays_nan_where_nothing_is_learnt(rng: np.random.Generator) -> None:
    x = table(rng)
    y = x.copy()
    y[3, 1] = np.nan
    got = Standardize().fit(x)(y)
    assert np.isnan(got[3, 1])
    assert np.isnan(got).sum() == 1


FITTED = np.arange(12.0).reshape(4, 3) ** 2


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (
            lambda: Standardize(axis=1),
            ValueError,
            r"\[Standardize\] axis got 1, expected None, or axes from 0 on with 0",
        ),
        (lambda: Center(axis=(0, -1)), ValueError, r"\[Center\] axis got \(0, -1\)"),
        (lambda: Standardize((0, 2)).fit(FITTED), ValueError, r"got data of shape \(4, 3\), expected at least 3 axes"),
        (lambda: Standardize().fit(FITTED[:0]), ValueError, r"shape \(0, 3\), expected \[N,...\] with at least one"),
        (lambda: Standardize().fit(3.0), ValueError, r"shape \(\), expected"),
        (lambda: Standardize().fit([np.inf]), ValueError, r"got inf at \[0\]"),
        (lambda: Standardize().fit([["a"]]), TypeError, r"got data of dtype <U1, expected numbers"),
        (lambda: Standardize().fit([[1e200], [-1e200]]), ValueError, r"whose squares are infinite"),
        (lambda: Standardize()(FITTED), ValueError, r"\[Standardize\] has seen no data yet, expected fit"),
        (lambda: Standardize().mean_, AttributeError, r"has seen no data yet"),
        (lambda: PCA().components_, AttributeError, r"has seen no data yet"),
        (lambda: Standardize().fit(FITTED)(FITTED[:, :2]), ValueError, r"shape \(4, 2\), expected \['any', 3\] as in"),
        (lambda: Standardize().fit(FITTED)(FITTED[0]), ValueError, r"shape \(3,\), expected \['any', 3\]"),
        (lambda: Standardize().fit(FITTED).partial_fit(FITTED[:, :2]), ValueError, r"shape \(4, 2\), expected"),
        (lambda: Standardize().fit_batches([]), ValueError, r"got no batches"),
        (lambda: PCA(0), ValueError, r"n_components got 0, expected a whole number"),
        (lambda: PCA(2.5), ValueError, r"n_components got 2.5"),
        (lambda: PCA(4).fit(FITTED).components_, ValueError, r"n_components got 4, expected at most 3: there are 4"),
        (lambda: PCA().fit(FITTED[:1])(FITTED), ValueError, r"has seen 1 sample, expected at least 2"),
        (lambda: PCA().fit(FITTED)(FITTED[:, :2]), ValueError, r"shape \(4, 2\), expected \['any', 3\]"),
        (lambda: PCA(2).fit(FITTED).inverse(FITTED), ValueError, r"shape \(4, 3\), expected \['any', 2\] to go back"),
        (lambda: PCAWhitening(eps=-1), ValueError, r"eps got -1, expected 0 or more"),
        (lambda: Impute("mode"), ValueError, r"\[Impute\] strategy got 'mode', expected 'mean' or 'median'"),
        (lambda: Impute().fit([[np.nan], [np.nan]]), ValueError, r"got no known value of feature \[0\], expected"),
        (lambda: Impute().fit([[np.inf]]), ValueError, r"got inf at \[0, 0\], expected finite numbers, or NaN"),
        (lambda: Impute().fit([["a"]]), TypeError, r"got data of dtype <U1, expected numbers"),
        (lambda: Impute()(FITTED), ValueError, r"\[Impute\] has seen no data yet"),
        (lambda: Impute().fit(FITTED)(FITTED[:, :2]), ValueError, r"shape \(4, 2\), expected \['any', 3\] as in"),
        (lambda: Impute(indicator=True).fit(FITTED[:, None])(FITTED[:, None]), ValueError, r"expected \[N,D\] with"),
        (lambda: HOG()(np.zeros((2, 24, 23))), ValueError, r"pictures of 24x23, expected at least 24x24: one block"),
        (lambda: HOG()(np.zeros((24, 24))), ValueError, r"shape \(24, 24\), expected \[N,H,W\] or \[N,C,H,W\]"),
        (lambda: HOG(0), ValueError, r"orientations got 0, expected at least 1"),
        (lambda: HOG(pixels_per_cell=(8, 0)), ValueError, r"pixels_per_cell got \(8, 0\), expected two"),
        (lambda: HOG(block_norm="L3"), ValueError, r"block_norm got 'L3', expected 'L2-Hys'"),
        (lambda: HOG(transform_sqrt=True)(-np.ones((1, 24, 24))), ValueError, r"\[HOG\] got -1.0, expected brightness"),
        (lambda: Ordinal()(FITTED), ValueError, r"\[Ordinal\] has seen no data"),
        (lambda: OneHot("warn"), ValueError, r"handle_unknown got 'warn'"),
        (lambda: OneHot()(FITTED), ValueError, r"\[OneHot\] has seen no data"),
        (lambda: OneHot().fit([1.0, np.nan]), ValueError, r"NaN or infinity among the categories"),
        (lambda: OneHot().fit(FITTED)(FITTED[:, :2]), ValueError, r"expected \['any', 3\]"),
        (lambda: OneHot().fit(["a"])(ct.tensor([1])), TypeError, r"expected an array of texts"),
    ],
)
def test_errors_say_what_is_wrong(attempt, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


def test_states_that_do_not_fit_change_nothing(rng: np.random.Generator) -> None:
    x = table(rng)
    step = Standardize().fit(x)
    before = step(x)
    good = step.state_dict()
    for state, message in [
        (Center().fit(x).state_dict(), r"got the state of a Center, expected one of a Standardize"),
        (Standardize(None).fit(x).state_dict(), r"axis None, expected \[0\] as here"),
        ({}, r"expected a dict with kind, options and fitted"),
        (7, r"a int, expected a dict"),
        ({**good, "fitted": {"mean": 1}}, r"holds \['mean'\], expected \['count', 'm2', 'mean'\]"),
        ({**good, "fitted": {**good["fitted"], "count": 0}}, r"count 0"),
        ({**good, "fitted": {**good["fitted"], "count": "many"}}, r"count 'many'"),
        ({**good, "fitted": {**good["fitted"], "m2": -good["fitted"]["m2"]}}, r"squares of the mean's shape"),
        ({**good, "fitted": {**good["fitted"], "mean": np.full((1, 6), np.nan)}}, r"finite float64"),
        ({**good, "fitted": {**good["fitted"], "mean": "0"}}, r"mean is a str, expected an array"),
        ({**good, "fitted": {**good["fitted"], "mean": np.ones((2, 6)), "m2": np.ones((2, 6))}}, r"for axis \(0,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            step.load_state_dict(state)
        np.testing.assert_array_equal(step(x), before)
    pipeline = Pipeline(Standardize(), PCA(2)).fit(x)
    before = pipeline(x)
    other = Pipeline(Standardize(), PCA(3)).fit(x * 2).state_dict()
    with pytest.raises(ValueError, match=r"\[PCA\] got a state with n_components 3, expected 2"):
        pipeline.load_state_dict(other)
    np.testing.assert_array_equal(pipeline(x), before)
    for state, message in [
        ({**good, "kind": "os.system"}, r"got the state of a 'os.system', expected one of \['Center'"),
        ({**good, "options": {"axes": 0}}, r"got options \{'axes': 0\} for Standardize"),
        ({"kind": "Pipeline", "options": {}, "fitted": {"steps": [{}]}}, r"expected a dict with kind"),
        (
            {"kind": "PCA", "options": {}, "fitted": {**PCA().fit(x).state_dict()["fitted"], "shape": [5]}},
            r"fit together",
        ),
        ({"kind": "OneHot", "options": {}, "fitted": {"categories": [np.array([2, 1])]}}, r"in ascending order"),
    ]:
        with pytest.raises(ValueError, match=message):
            preprocess.from_state_dict(state)


def test_states_are_plain_data(rng: np.random.Generator) -> None:
    """Numbers, texts, lists and arrays: nothing that would need pickle."""
    state = Pipeline(*(make() for name, make in MADE.items() if name != "pipeline"), OneHot()).state_dict()
    assert json.loads(json.dumps(state)) == state  # not fitted: no arrays in it
    fitted = PCAWhitening(2).fit(table(rng)).state_dict()["fitted"]
    assert {type(v) for v in fitted.values()} <= {int, float, list, np.ndarray}


class Halve(preprocess.Preprocessor):
    learns = False

    def options(self):
        return {}

    def fitted(self):
        return None

    def restore(self, fitted):
        pass

    def update(self, x, fresh):
        pass

    def forward(self, x):
        return x / 2


def test_own_steps() -> None:
    pipeline = Pipeline(Halve(), Center()).fit(np.array([[2.0], [6.0]]))
    assert preprocess.from_state_dict(pipeline.state_dict())(np.array([[8.0]])).tolist() == [[2.0]]
    with pytest.raises(NotImplementedError, match=r"\[Halve\] has no inverse"):
        Halve().inverse(np.ones(1))


MODULES = [importlib.import_module(m.name) for m in pkgutil.walk_packages(preprocess.__path__, "cinta.preprocess.")]


@pytest.mark.parametrize("module", [preprocess, *MODULES], ids=lambda module: module.__name__)
def test_examples_run(module, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(module, extraglobs={"ct": ct, "np": np, "preprocess": preprocess}).failed == 0


@pytest.mark.parametrize("name", preprocess.__all__)
def test_docstrings_are_whole(name: str) -> None:
    thing = getattr(preprocess, name)
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].endswith(".")
    assert "Example:\n" in text or name == "Preprocessor"
    for method, function in vars(thing).items() if inspect.isclass(thing) else ():
        if not method.startswith("_") and inspect.isfunction(function):
            assert inspect.getdoc(function), f"{name}.{method}"
