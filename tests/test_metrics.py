"""Metrics beside scikit-learn's and NumPy's, over batches of unequal sizes."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta.training import (
    Accuracy,
    BinaryAccuracy,
    ErrorRate,
    Mean,
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    TopKAccuracy,
)
from cinta.training.metrics import as_metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics")
CUTS = [slice(0, 7), slice(7, 8), slice(8, 8), slice(8, 30)]


def over_batches(metric, outputs, targets):
    for cut in CUTS:
        metric.update(ct.tensor(outputs[cut]), ct.tensor(targets[cut]))
    return metric.compute()


@pytest.fixture
def classes(rng):
    return rng.normal(size=(30, 6)).astype(np.float32), rng.integers(0, 6, 30)


@pytest.fixture
def values(rng):
    y = rng.normal(3.0, 2.0, size=(30, 4))
    return (y + rng.normal(size=y.shape)).astype(np.float32), y.astype(np.float32)


class TestClasses:
    def test_accuracy_and_error(self, classes):
        outputs, targets = classes
        wanted = sklearn_metrics.accuracy_score(targets, outputs.argmax(1))
        assert over_batches(Accuracy(), outputs, targets) == pytest.approx(wanted, abs=1e-15)
        assert over_batches(ErrorRate(), outputs, targets) == pytest.approx(1 - wanted, abs=1e-15)
        assert over_batches(Accuracy(), outputs, targets.astype(np.uint8)) == pytest.approx(wanted, abs=1e-15)
        assert over_batches(Accuracy(), outputs, np.eye(6, dtype=np.float32)[targets]) == pytest.approx(
            wanted, abs=1e-15
        )

    @pytest.mark.parametrize("k", [1, 2, 5])
    def test_top_k(self, classes, k):
        outputs, targets = classes
        wanted = sklearn_metrics.top_k_accuracy_score(targets, outputs, k=k, labels=range(6))
        assert over_batches(TopKAccuracy(k), outputs, targets) == pytest.approx(wanted, abs=1e-15)

    def test_classes_of_every_pixel(self, rng):
        outputs, targets = rng.normal(size=(30, 3, 4, 5)).astype(np.float32), rng.integers(0, 3, (30, 4, 5))
        wanted = (outputs.argmax(1) == targets).mean()
        assert over_batches(Accuracy(), outputs, targets) == pytest.approx(wanted, abs=1e-15)
        assert over_batches(TopKAccuracy(3), outputs, targets) == 1.0

    @pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
    def test_two_classes_with_one_score(self, rng, dtype):
        outputs, targets = rng.normal(size=(30, 1)).astype(np.float32), rng.integers(0, 2, (30, 1)).astype(dtype)
        wanted = sklearn_metrics.accuracy_score(targets > 0.5, outputs > 0)
        assert over_batches(BinaryAccuracy(), outputs, targets) == pytest.approx(wanted, abs=1e-15)
        wanted = sklearn_metrics.accuracy_score(targets > 0.5, outputs > 0.5)
        assert over_batches(BinaryAccuracy(0.5), outputs, targets) == pytest.approx(wanted, abs=1e-15)

    def test_shapes_that_would_mean_something_else(self):
        for metric, outputs, targets, message in (
            (Accuracy(), ct.zeros((4, 1)), ct.zeros(4, "int64"), "BinaryAccuracy takes one score"),
            (Accuracy(), ct.zeros((4, 3)), ct.zeros((4, 1), "int64"), r"targets of int64 and shape \[4, 1\]"),
            (Accuracy(), ct.zeros((4, 3)), ct.zeros(4), "targets of float32"),
            (TopKAccuracy(4), ct.zeros((4, 3)), ct.zeros(4, "int64"), "k got 4, expected at most the 3 classes"),
            (BinaryAccuracy(), ct.zeros((4, 1)), ct.zeros(4), "expected the same"),
            (MeanSquaredError(), ct.zeros((4, 1)), ct.zeros(4), "they would broadcast"),
            (R2Score(), ct.zeros((4, 1)), ct.zeros(4), "they would broadcast"),
        ):
            with pytest.raises(ValueError, match=message):
                metric.update(outputs, targets)
            assert np.isnan(metric.compute())
        with pytest.raises(ValueError, match="k got 0"):
            TopKAccuracy(0)


class TestValues:
    def test_errors(self, values):
        outputs, targets = (each.astype(np.float64) for each in values)
        assert over_batches(MeanSquaredError(), *values) == pytest.approx(((outputs - targets) ** 2).mean(), rel=1e-14)
        assert over_batches(MeanAbsoluteError(), *values) == pytest.approx(abs(outputs - targets).mean(), rel=1e-14)

    def test_r2(self, values):
        outputs, targets = values
        wanted = sklearn_metrics.r2_score(targets.astype(np.float64), outputs.astype(np.float64))
        assert over_batches(R2Score(), outputs, targets) == pytest.approx(wanted, rel=1e-13)
        one = sklearn_metrics.r2_score(targets[:, 0].astype(np.float64), outputs[:, 0].astype(np.float64))
        assert over_batches(R2Score(), outputs[:, 0], targets[:, 0]) == pytest.approx(one, rel=1e-13)

    def test_r2_far_from_zero(self, rng):
        targets = 1e8 + rng.normal(size=30)
        outputs = targets + 0.1 * rng.normal(size=30)
        wanted = sklearn_metrics.r2_score(targets, outputs)
        assert over_batches(R2Score(), outputs, targets) == pytest.approx(wanted, rel=1e-6)

    def test_r2_of_targets_that_do_not_vary(self):
        assert over_batches(R2Score(), np.ones(30), np.ones(30)) == 1.0
        assert over_batches(R2Score(), np.zeros(30), np.ones(30)) == 0.0
        metric = R2Score()
        metric.update(ct.ones(1), ct.ones(1))
        assert np.isnan(metric.compute())

    def test_functions_are_means_by_sample(self, values):
        def bias(outputs, targets):
            return (outputs - targets).mean() if len(outputs) else float("nan")

        wanted = (values[0] - values[1]).mean()
        metric = Mean(bias)
        assert over_batches(metric, *values) == pytest.approx(wanted, rel=1e-5)
        assert metric.name == "bias"


@pytest.mark.parametrize("make", [Accuracy, lambda: TopKAccuracy(2), lambda: Mean(lambda o, t: 0.3, "m")])
def test_state_goes_on(classes, make):
    outputs, targets = (ct.tensor(each) for each in classes)
    whole, half, rest = make(), make(), make()
    whole.update(outputs[:7], targets[:7])
    half.update(outputs[:7], targets[:7])
    rest.load_state_dict(half.state_dict())
    for metric in (whole, rest):
        metric.update(outputs[7:], targets[7:])
    assert whole.compute() == rest.compute()
    with pytest.raises(ValueError, match="totals got 'much', expected a list of numbers"):
        rest.load_state_dict({"totals": "much"})
    assert whole.compute() == rest.compute()
    rest.reset()
    assert np.isnan(rest.compute())


def test_r2_state_goes_on(values):
    outputs, targets = (ct.tensor(each) for each in values)
    half, rest, whole = R2Score(), R2Score(), R2Score()
    half.update(outputs[:7], targets[:7])
    rest.load_state_dict(half.state_dict())
    rest.update(outputs[7:], targets[7:])
    for cut in (slice(0, 7), slice(7, 30)):
        whole.update(outputs[cut], targets[cut])
    assert rest.compute() == whole.compute()


def test_names():
    def far(outputs, targets):
        return 0.0

    assert [each.name for each in as_metrics([Accuracy(), TopKAccuracy(3), far])] == [
        "accuracy",
        "top3_accuracy",
        "far",
    ]
    assert [each.name for each in as_metrics({"a": Accuracy(), "b": far})] == ["a", "b"]
    assert [each.name for each in as_metrics(far)] == ["far"]
    for wrong in ([Accuracy], [Accuracy(), Accuracy()], {"loss": far}):
        with pytest.raises((TypeError, ValueError), match=r"\[Trainer\] metrics got"):
            as_metrics(wrong)
