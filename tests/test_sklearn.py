"""NetClassifier and NetRegressor: scikit-learn's own checks, and what people do with estimators."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification  # noqa: E402
from sklearn.ensemble import AdaBoostClassifier  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402
from sklearn.utils.estimator_checks import estimator_checks_generator  # noqa: E402

from cinta.sklearn import NetClassifier, NetRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CHECKS = [pair for estimator in (NetClassifier(), NetRegressor()) for pair in estimator_checks_generator(estimator)]


@pytest.mark.parametrize(
    ("estimator", "check"),
    CHECKS,
    ids=[f"{type(e).__name__}-{getattr(check, 'func', check).__name__}-{k}" for k, (e, check) in enumerate(CHECKS)],
)
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator, check):
    check(clone(estimator))


@pytest.fixture(scope="module")
def iris_like():
    return make_classification(300, 8, n_informative=6, n_classes=3, class_sep=2.0, random_state=0)


def quick(**changes):
    return NetClassifier(**{"hidden_layer_sizes": (16,), "max_iter": 15, "random_state": 0, **changes})


class TestAccuracy:
    @pytest.mark.parametrize("load", [load_digits, load_breast_cancer])
    def test_classes_as_well_as_scikit_learn(self, load):
        X, y = load(return_X_y=True)
        split = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
        ours = NetClassifier(max_iter=40, random_state=0).fit(split[0], split[2])
        theirs = make_pipeline(MinMaxScaler(), MLPClassifier(max_iter=40, random_state=0)).fit(split[0], split[2])
        assert ours.score(split[1], split[3]) > theirs.score(split[1], split[3]) - 0.01
        assert ours.score(split[1], split[3]) > 0.95

    def test_numbers_of_any_size(self):
        X, y = load_diabetes(return_X_y=True)
        split = train_test_split(X, 1e4 + 100 * y, test_size=0.3, random_state=0)
        ours = NetRegressor((32,), max_iter=60, learning_rate_init=0.01, random_state=0).fit(split[0], split[2])
        theirs = MLPRegressor(max_iter=60, learning_rate_init=0.01, random_state=0).fit(split[0], split[2])
        assert ours.score(split[1], split[3]) > max(theirs.score(split[1], split[3]), 0.25)

    def test_several_outputs(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(400, 5))
        Y = np.stack([np.sin(X[:, 0]), 1000 * X[:, 1] * X[:, 2], X.sum(1)], axis=1)
        net = NetRegressor((64, 64), max_iter=200, learning_rate_init=3e-3, random_state=0).fit(X, Y)
        assert net.predict(X).shape == (400, 3)
        assert net.n_outputs_ == 3
        assert net.score(X, Y) > 0.97

    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
    def test_losses_and_outliers(self, loss):
        X = np.linspace(-2, 2, 200)[:, None]
        y = np.sin(2 * X[:, 0])
        spoiled = y.copy()
        spoiled[::10] += 20
        net = NetRegressor((32, 32), "tanh", loss=loss, max_iter=300, learning_rate_init=0.01, random_state=0, tol=0)
        error = abs(net.fit(X, spoiled).predict(X) - y).mean()
        assert (error > 1) == (loss == "squared_error")

    def test_labels_by_themselves(self, iris_like):
        X, y = iris_like
        Y = np.stack([y == 0, y != 1], axis=1).astype(int)
        net = quick(max_iter=150, learning_rate_init=0.01).fit(X, Y)
        assert net.score(X, Y) > 0.9
        assert net.predict(X).shape == net.predict_proba(X).shape == Y.shape
        np.testing.assert_allclose(np.exp(net.predict_log_proba(X)), net.predict_proba(X), rtol=1e-10)


class TestEstimator:
    def test_in_pipelines_searches_and_cross_validation(self, iris_like):
        X, y = iris_like
        pipeline = make_pipeline(MinMaxScaler(), quick())
        search = GridSearchCV(pipeline, {"netclassifier__hidden_layer_sizes": [(4,), (32, 16)]}, cv=2, n_jobs=2)
        search.fit(X, y)
        alone = GridSearchCV(pipeline, search.param_grid, cv=2).fit(X, y)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
        assert cross_val_score(quick(max_iter=60), X, y, cv=3).mean() > 0.6
        assert AdaBoostClassifier(quick(max_iter=60), n_estimators=2).fit(X, y).score(X, y) > 0.5

    def test_pickle_goes_on_where_it_stopped(self, iris_like):
        X, y = iris_like
        net = quick(dropout=0.3, warm_start=True).fit(X, y)
        other = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))
        np.testing.assert_array_equal(other.fit(X, y).predict_proba(X), net.fit(X, y).predict_proba(X))
        assert len(net.loss_curve_) == 30
        assert net.n_iter_ == 15

    def test_clone_has_the_parameters_and_nothing_else(self, iris_like):
        net = quick(class_weight="balanced", solver="sgd", alpha=0.1).fit(*iris_like)
        copy = clone(net)
        assert copy.get_params() == net.get_params()
        with pytest.raises(NotFittedError):
            copy.predict(iris_like[0])

    def test_same_seed_same_bits(self, iris_like):
        X, y = iris_like
        state, results = ct.random.get_state(), []
        for threads, compile in ((1, True), (2, True), (2, False)):
            before = ct.get_num_threads()
            ct.set_num_threads(threads)
            try:
                results.append(quick(hidden_layer_sizes=(300, 40), dropout=0.2, compile=compile).fit(X, y))
            finally:
                ct.set_num_threads(before)
        for other in results[1:]:
            np.testing.assert_array_equal(results[0].predict_proba(X), other.predict_proba(X))
            assert results[0].loss_curve_ == other.loss_curve_
        assert ct.random.get_state() == state
        assert quick(random_state=1).fit(X, y).loss_ != quick().fit(X, y).loss_

    def test_float32_stays_float32(self, iris_like):
        X, y = iris_like
        net = quick().fit(X.astype(np.float32), y)
        assert net.predict_proba(X).dtype == np.float32
        assert net.net_[0].weight.dtype == ct.float32
        assert quick().fit(X, y).predict_proba(X).dtype == np.float64
        assert quick(dtype="float32").fit(X, y).predict_proba(X).dtype == np.float32

    def test_labels_may_be_anything(self, iris_like):
        X, y = iris_like
        names = np.array(["ant", "bee", "cat"])[y]
        net = quick(max_iter=60, learning_rate_init=0.01).fit(X, names)
        assert set(net.predict(X)) == {"ant", "bee", "cat"}
        assert net.score(X, names) > 0.8
        np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1)

    def test_a_net_that_nobody_holds_is_gone(self, iris_like):
        X, y = iris_like
        quick().fit(X, y)
        gc.collect()
        before = ct.memory_stats()["live"]
        net = quick(hidden_layer_sizes=(500,)).fit(X, y)
        gc.collect()  # what was recorded
        gc.disable()
        try:
            assert ct.memory_stats()["live"] > before
            del net
            assert ct.memory_stats()["live"] <= before
        finally:
            gc.enable()

    def test_partial_fit(self, iris_like):
        X, y = iris_like
        net = quick(learning_rate_init=0.01)
        for _ in range(15):
            for rows in (y < 2, y > 0):
                net.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        assert net.n_iter_ == len(net.loss_curve_) == 30
        assert net.score(X, y) > 0.7
        with pytest.raises(ValueError, match=r"has the classes \[7\], expected some of \[0, 1, 2\]"):
            net.partial_fit(X[:2], [0, 7])


class TestArguments:
    def test_module(self):
        X, y = load_digits(return_X_y=True)

        def convolutional(features, classes):
            assert features == 64
            return nn.Sequential(
                nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(128, classes),
            )  # fmt: skip

        net = NetClassifier(module=convolutional, max_iter=8, learning_rate_init=0.01, random_state=0, dtype="float32")
        net.fit(X[:1201], y[:1201])  # a row is left over: norms over a batch need two
        assert net.score(X[1201:], y[1201:]) > 0.9
        np.testing.assert_array_equal(net.predict(X[1201:]), net.predict(X[1201:]))
        with pytest.raises(TypeError, match="module gave a NoneType"):
            NetClassifier(module=lambda features, classes: None).fit(X, y)

    def test_module_that_reads_on_the_host(self, iris_like):
        class Reads(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Linear(8, 3)

            def forward(self, x):
                return self.body(x) * (2.0 if float(x.sum()) > 0 else 1.0)

        with pytest.raises(RuntimeError, match="without ct.compile"):
            quick(module=lambda features, classes: Reads()).fit(*iris_like)
        assert quick(module=lambda features, classes: Reads(), compile=False).fit(*iris_like).n_iter_ == 15

    @pytest.mark.parametrize(
        "solver", ["adam", "adamw", "rmsprop", "sgd", lambda groups: optim.Adagrad(groups, lr=0.1)]
    )
    @pytest.mark.parametrize("learning_rate", ["constant", "adaptive", "cosine"])
    def test_solvers_and_schedules(self, iris_like, solver, learning_rate):
        net = quick(solver=solver, learning_rate=learning_rate, learning_rate_init=0.01, max_iter=40).fit(*iris_like)
        assert net.loss_curve_[-1] < 0.7 * net.loss_curve_[0]

    def test_adaptive_rate_falls_and_stops(self, iris_like):
        net = quick(solver="sgd", learning_rate="adaptive", max_iter=2000, tol=10.0, n_iter_no_change=2)
        net.fit(*iris_like)
        assert net.n_iter_ < 50
        assert net._training.optimizer.param_groups[0]["lr"] < 1e-5

    def test_early_stopping_ends_with_the_best(self, iris_like):
        X, y = iris_like
        net = quick(early_stopping=True, max_iter=300, learning_rate_init=0.02, n_iter_no_change=5).fit(X, y)
        assert net.n_iter_ == len(net.validation_scores_) < 300
        assert net.best_validation_score_ == max(net.validation_scores_)
        held = train_test_split(X, y, test_size=0.1, stratify=y, random_state=np.random.RandomState(0))
        assert net.score(held[1], held[3]) == net.best_validation_score_
        numbers = NetRegressor((8,), early_stopping=True, max_iter=5, random_state=0).fit(X, X[:, 0])
        assert len(numbers.validation_scores_) == 5

    def test_stops_when_nothing_improves(self, iris_like):
        assert quick(tol=100.0, n_iter_no_change=3, max_iter=100).fit(*iris_like).n_iter_ == 5
        with pytest.warns(ConvergenceWarning, match="max_iter=15 epochs"):
            quick().fit(*iris_like)

    def test_alpha_shrinks_weights_and_not_biases(self, iris_like):
        def size(alpha):
            net = quick(alpha=alpha, max_iter=100, solver="sgd", learning_rate_init=0.05).fit(*iris_like).net_
            return float((net[0].weight ** 2).sum()), net[2].bias

        assert size(200.0)[0] < 0.05 * size(0.0)[0]

    def test_class_weight_and_sample_weight_are_the_same_thing(self, iris_like):
        X, y = iris_like
        by_class = quick(class_weight={0: 1.0, 1: 5.0, 2: 0.0}).fit(X, y)
        by_row = quick().fit(X, y, sample_weight=np.array([1.0, 5.0, 0.0])[y])
        np.testing.assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-9)
        assert 2 not in quick(class_weight={0: 1.0, 1: 5.0, 2: 0.0}, max_iter=100).fit(X, y).predict(X)

    def test_verbose(self, iris_like, capsys):
        quick(verbose=True, max_iter=2, early_stopping=True).fit(*iris_like)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("Iteration 1, loss = ")
        assert "validation score" in lines[0]

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("hidden_layer_sizes", (0,)), ("activation", "swish"), ("module", 3), ("dropout", 1.0), ("solver", "lbfgs"),
            ("alpha", -1), ("batch_size", 0), ("batch_size", "all"), ("learning_rate", "warm"), ("dtype", "int32"),
            ("learning_rate_init", 0.0), ("momentum", 1.5), ("max_iter", 0), ("tol", -1), ("n_iter_no_change", 0),
            ("validation_fraction", 1.0),
        ],
    )  # fmt: skip
    def test_errors(self, iris_like, parameter, value):
        with pytest.raises(ValueError, match=rf"\[NetClassifier\] {parameter} got"):
            quick(**{parameter: value}).fit(*iris_like)

    def test_more_errors(self, iris_like):
        X, y = iris_like
        with pytest.raises(ValueError, match="loss got 'poisson'"):
            NetRegressor(loss="poisson").fit(X, y)
        with pytest.raises(ValueError, match="weights of all rows are 0"):
            quick(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(X, y)
        with pytest.raises(ValueError, match="fit it anew"):
            quick(warm_start=True).fit(X, y).fit(X, np.stack([y > 0, y > 1], axis=1).astype(int))
        with pytest.raises(ValueError, match="lower learning_rate_init"):
            NetRegressor(solver="sgd", learning_rate_init=1e6, standardize=False, random_state=0).fit(X, 1e6 * X[:, 0])


class TestLeanPath:
    """`predict` of a clean array asks scikit-learn's questions by itself."""

    @pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
    def test_says_what_validation_says(self, iris_like):
        X, y = iris_like
        net = quick().fit(X, y)
        one = X[:1].copy()
        assert net.predict(one) == net.predict(X)[0]
        assert net.predict(one.tolist()) == net.predict(one)
        assert net.predict(np.asfortranarray(X)).tolist() == net.predict(X).tolist()
        assert net.predict(X[::2]).tolist() == net.predict(X)[::2].tolist()
        for bad, message in (
            (np.full((1, 8), np.nan), "NaN"),
            (np.full((1, 8), np.inf), "infinity"),
            (np.ones((1, 7)), "7 features"),
            (np.ones(8), "2D array"),
            (np.ones((0, 8)), "0 sample"),
        ):
            with pytest.raises(ValueError, match=message):
                net.predict(bad)
        mixed = one.copy()
        mixed[0, :2] = np.inf, -np.inf
        with pytest.raises(ValueError, match="infinity"):
            net.predict(mixed)
        assert net.predict(np.full((1, 8), 1e308)).shape == (1,)  # their sum overflows, none of them does
        with pytest.raises(NotFittedError):
            quick().predict(one)

    def test_read_only_arrays(self, iris_like):
        X, y = iris_like
        net = quick().fit(X, y)
        frozen = X.copy()
        frozen.flags.writeable = False
        np.testing.assert_array_equal(net.predict(frozen), net.predict(X))
        np.testing.assert_array_equal(quick().fit(frozen, y).predict(X), net.predict(X))

    def test_rows_by_thousands(self, iris_like):
        X, y = iris_like
        net = quick().fit(X, y)
        many = np.tile(X, (20, 1))
        np.testing.assert_allclose(net.predict_proba(many), np.tile(net.predict_proba(X), (20, 1)), rtol=1e-12)

    def test_result_is_the_callers(self, iris_like):
        X, _ = iris_like
        net = NetRegressor((4,), max_iter=3, standardize=False, random_state=0).fit(X, X[:, 0])
        first = net.predict(X)
        kept = first.copy()
        net.predict(-X)
        np.testing.assert_array_equal(first, kept)
        first[:] = 0
        assert net.predict(X).any()


def test_without_scikit_learn_the_error_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None; import cinta.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: [sklearn] scikit-learn >= 1.6 is not installed" in done.stderr
    assert "pip install cinta[sklearn]" in done.stderr
