"""cinta.plot: what is in the figures, and that nothing around them changes."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

import cinta as ct
from cinta import nn

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from cinta import plot  # noqa: E402


def drawn(figure: Figure) -> Figure:
    """Drawn to memory, in a size that a page bears; texts of an axis do not leave the figure."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    assert file.getvalue().startswith(b"\x89PNG")
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert box.x0 > -0.1
    assert box.y0 > -0.1
    assert box.x1 < figure.get_figwidth() + 0.1
    assert box.y1 < figure.get_figheight() + 0.1
    return figure


def tiles(axes, columns: int, rows: int, height: int, width: int) -> np.ndarray:
    """The pictures of a mosaic, [rows columns, height, width, 3], by the middle of every pixel."""
    page = np.asarray(axes.images[0].get_array())
    page = page.reshape(rows, page.shape[0] // rows, columns, page.shape[1] // columns, 3).swapaxes(1, 2)
    zoom = (page.shape[2] - 6) // height
    middle = slice(3 + zoom // 2, None, zoom)
    return page[:, :, middle, middle][:, :, :height, :width].reshape(rows * columns, height, width, 3)


def in_colour(weight: np.ndarray) -> np.ndarray:
    limit = abs(weight).max()
    return matplotlib.colormaps["RdBu_r"]((weight + limit) / (2 * limit))[..., :3]


@pytest.fixture
def net() -> nn.Module:
    ct.random.seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.BatchNorm2d(16), nn.Tanh(),
        nn.Flatten(), nn.Dropout(), nn.Linear(16 * 10 * 10, 10),
    )  # fmt: skip


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(12, 1, 28, 28)).astype(np.float32)


class TestCurves:
    def test_training_and_held_out_share_a_panel(self):
        history = {"loss": [2.0, 1.0, 0.01], "val_loss": [2.1, 0.9, 1.1], "accuracy": [0.1, 0.5, 0.9]}
        figure = drawn(plot.learning_curves(history, title="A net"))
        loss, accuracy = figure.axes
        np.testing.assert_array_equal(loss.lines[0].get_ydata(), history["loss"])
        np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["val_loss"])
        np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3])
        labels = [text.get_text() for text in loss.get_legend().get_texts()]
        assert labels == ["training", "held out", "best: 0.9 at epoch 2"]
        assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
        assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == ("epoch", "loss", "accuracy")
        assert accuracy.get_legend() is None
        assert figure.get_suptitle() == "A net"

    def test_the_best_accuracy_is_the_highest(self):
        figure = plot.learning_curves({"val_accuracy": [0.5, 0.9, 0.8]}, epochs=[10, 20, 30])
        ring = figure.axes[0].lines[1]
        assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([20], [0.9])

    def test_rows_by_epoch(self):
        class Epoch(NamedTuple):
            train_loss: float
            test_loss: float
            accuracy: float

        history = [Epoch(2.0, 1.0, 0.5), Epoch(1.0, 0.5, 0.9)]
        for given in (history, [epoch._asdict() for epoch in history]):
            figure = drawn(plot.learning_curves(given))
            assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
            np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [1.0, 0.5])

    def test_gaps_and_single_epochs(self):
        figure = drawn(plot.learning_curves({"loss": [1.0, float("nan"), 0.5], "val_loss": [None, 0.7, None]}))
        np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [1, 3])
        np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [0.7])
        drawn(plot.learning_curves({"loss": ct.tensor([0.5])}))
        drawn(plot.learning_curves({"loss": [0.0, -1.0]}))

    def test_learning_rates(self):
        rates = [0.1, 0.05, 0.025, 0.0]
        figure = drawn(plot.learning_rates(rates, steps_per_epoch=2))
        np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), rates)
        np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [0, 0.5, 1, 1.5])
        both = drawn(plot.learning_rates({"a": rates[:3], "b": [0.1, 0.1]}, log=True)).axes[0]
        assert both.get_yscale() == "log"
        assert [text.get_text() for text in both.get_legend().get_texts()] == ["a", "b"]

    def test_learning_rate_search(self):
        rates, losses = np.logspace(-4, 1, 30), np.r_[np.linspace(2.3, 1.0, 20), np.geomspace(1.0, 1e6, 10)]
        axes = drawn(plot.learning_rate_search(rates, losses, suggestion=0.02)).axes[0]
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), losses)
        assert axes.get_ylim()[1] < 4  # the explosion leaves
        assert axes.lines[1].get_xdata()[0] == 0.02
        assert axes.get_xscale() == "log"
        smooth = np.linspace(2.3, 1.4, 30)
        figure = Figure()
        ax = figure.subplots(1, 2)[1]
        assert drawn(plot.learning_rate_search(rates, losses, smoothed=smooth, ax=ax)) is figure
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), smooth)
        assert 1 < ax.get_ylim()[0] < 1.4
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["each batch", "smoothed"]

    def test_errors(self):
        with pytest.raises(ValueError, match="no values"):
            plot.learning_curves({})
        with pytest.raises(ValueError, match=r"different lengths \{'loss': 1, 'accuracy': 2\}"):
            plot.learning_curves({"loss": [1.0], "accuracy": [1.0, 2.0]})
        with pytest.raises(ValueError, match="epochs got 1"):
            plot.learning_curves({"loss": [1.0, 2.0]}, epochs=[1])
        with pytest.raises(TypeError, match="list of other things"):
            plot.learning_curves([1.0, 2.0])
        with pytest.raises(ValueError, match="no values"):
            plot.learning_rates([])
        with pytest.raises(ValueError, match="2 rates and 1 losses"):
            plot.learning_rate_search([0.1, 0.2], [1.0])
        with pytest.raises(ValueError, match="2 rates and 3 smoothed"):
            plot.learning_rate_search([0.1, 0.2], [1.0, 0.9], smoothed=[1.0, 1.0, 1.0])


class TestLayers:
    def test_filters_of_one_channel(self, net):
        weight = net[0].weight.detach().numpy()[:, 0]
        figure = drawn(plot.filters(net))
        np.testing.assert_allclose(tiles(figure.axes[0], 6, 1, 5, 5), in_colour(weight))
        bar = figure.axes[1]
        assert bar.get_ylim() == pytest.approx((-abs(weight).max(), abs(weight).max()))  # white is zero

    def test_filters_of_many_channels(self, net):
        weight = net[3].weight.detach().numpy()
        figure = drawn(plot.filters(net, "3"))
        axes = figure.axes[0]
        expected = in_colour(weight.swapaxes(0, 1).reshape(-1, 3, 3))
        np.testing.assert_allclose(tiles(axes, 16, 6, 3, 3), expected)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("output channel", "input channel")
        assert figure.get_suptitle() == "Filters of 3 Conv2d"
        assert drawn(plot.filters(nn.Conv2d(200, 100, 3))).get_suptitle() == "Filters of Conv2d, 64 of 100"

    def test_filters_of_weights(self):
        weight = np.random.default_rng(0).normal(size=(5, 3, 7, 7))
        figure = drawn(plot.filters(weight))
        assert len(figure.axes) == 1  # colours need no scale
        low, high = weight[2].min(), weight[2].max()
        np.testing.assert_allclose(
            tiles(figure.axes[0], 5, 1, 7, 7)[2], ((weight[2] - low) / (high - low)).transpose(1, 2, 0)
        )
        linear = nn.Linear(12, 100)
        shown = tiles(drawn(plot.filters(linear, shape=(3, 4), most=10)).axes[0], 8, 2, 3, 4)[:10]
        np.testing.assert_allclose(shown, in_colour(linear.weight.detach().numpy()[:10].reshape(10, 3, 4)))
        drawn(plot.filters(nn.Conv1d(2, 4, 9)))
        drawn(plot.filters(ct.zeros((1, 1, 3, 3))))
        for bad, message in ((nn.Tanh(), "no layer with a weight"), (np.ones(3), "got shape"), (linear, "one of 12")):
            with pytest.raises(ValueError, match=message):
                plot.filters(bad)
        with pytest.raises(ValueError, match="layer got '7'"):
            plot.filters(linear, "7")

    def test_feature_maps(self, net, images):
        figure = drawn(plot.feature_maps(net, images[3]))
        labels = [axes.get_ylabel().split("\n")[0] for axes in figure.axes]
        assert labels == ["input", "0 Conv2d", "1 ReLU", "2 MaxPool2d", "3 Conv2d", "4 BatchNorm2d", "5 Tanh"]
        with ct.no_grad():
            first = net[0](ct.tensor(images[3:4])).numpy()[0].astype(float)
        low, high = first.min(axis=(1, 2), keepdims=True), first.max(axis=(1, 2), keepdims=True)
        shown = tiles(figure.axes[1], 6, 1, 24, 24)
        np.testing.assert_allclose(shown[..., 0], (high - first) / (high - low), atol=1e-5)  # dark is large
        some = drawn(plot.feature_maps(net, images, ["1"], most=2))
        assert len(some.axes) == 2
        assert some.axes[1].get_ylabel() == "1 ReLU\n6 x 24 x 24"
        assert some.axes[1].get_xlim() == (0, 2)

    def test_activation_histograms(self, net, images):
        figure = drawn(plot.activation_histograms(net, images, bins=10))
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 ReLU", "5 Tanh", "8 Linear"]
        for axes in figure.axes:
            assert sum(patch.get_height() for patch in axes.patches) == pytest.approx(100)
        with ct.no_grad():
            relu = net[:2](ct.tensor(images)).numpy()
        assert f"zero {(relu == 0).mean():.0%}, dead units 0 of 6" in figure.axes[0].texts[0].get_text()
        assert "saturated" in figure.axes[1].texts[0].get_text()
        drawn(plot.activation_histograms(nn.Linear(3, 2), np.ones((4, 3), np.float32)))

    def test_dead_units_are_counted(self):
        net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        with ct.no_grad():
            net[0].weight.copy_(ct.zeros((4, 3)))
            net[0].bias.copy_(ct.tensor([1.0, -1.0, -1.0, 1.0]))
        text = plot.activation_histograms(net, np.ones((5, 3), np.float32), ["1"]).axes[0].texts[0].get_text()
        assert "zero 50%, dead units 2 of 4" in text

    def test_models_stay_as_they_are(self, net, images):
        net.train()
        state, running = ct.random.get_state(), net[4].running_mean.numpy().copy()
        plot.feature_maps(net, images)
        plot.activation_histograms(net, images)
        plot.filters(net)
        assert ct.random.get_state() == state
        assert all(module.training and "_hooks" not in module.__dict__ for module in net.modules())
        np.testing.assert_array_equal(net[4].running_mean, running)

    def test_errors(self, net, images):
        with pytest.raises(ValueError, match=r"\[feature_maps\] layers got 'conv1'"):
            plot.feature_maps(net, images, ["conv1"])
        with pytest.raises(ValueError, match="no layer puts out"):
            plot.feature_maps(nn.Flatten(), images)
        with pytest.raises(ValueError, match="image got shape"):
            plot.feature_maps(net, images[0, 0])
        with pytest.raises(TypeError, match="expected an nn.Module"):
            plot.activation_histograms(lambda x: x, images)


class TestPredictions:
    def test_confusion_matrix(self):
        true, guess = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]
        axes = drawn(plot.confusion_matrix(true, guess)).axes[0]
        texts = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
        assert texts == {(0, 0): "2", (0, 1): "1", (1, 1): "2", (2, 0): "1"}
        assert axes.get_title() == "4 of 6 right (66.67 %)"
        margin = next(child for child in axes.child_axes)
        assert [label.get_text() for label in margin.get_yticklabels()] == ["67%", "100%", "0%"]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")

    def test_confusion_matrix_of_probabilities_and_names(self):
        logits = ct.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
        axes = drawn(plot.confusion_matrix(ct.tensor([0, 1]), logits, classes=["airplane", "bird", "cat"])).axes[0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["airplane", "bird", "cat"]
        drawn(plot.confusion_matrix(["a", "b"], ["b", "b"]))
        drawn(plot.confusion_matrix(np.arange(40), np.arange(40)[::-1]))
        with pytest.raises(ValueError, match="classes got 1 names, expected 2"):
            plot.confusion_matrix([0, 1], [1, 1], classes=["a"])
        with pytest.raises(ValueError, match=r"true \[2\] and predicted \[1\]"):
            plot.confusion_matrix([0, 1], [0])

    @pytest.mark.parametrize("shape", [(10, 8, 8), (10, 1, 8, 8), (10, 3, 20, 20)])
    def test_mistakes_come_first_and_then_the_unsure(self, shape):
        rng = np.random.default_rng(1)
        images, p = rng.random(shape), rng.dirichlet(np.ones(3), size=10)
        true = p.argmax(axis=1)
        true[[2, 7]] = (true[[2, 7]] + 1) % 3
        figure = drawn(plot.mistakes(images, true, p, ["ant", "bee", "cat"], rows=1, columns=4))
        titles = [axes.get_title() for axes in figure.axes]
        assert ["read as" in title for title in titles] == [True, True, False, False]
        sure = p[np.arange(10), true]
        unsure = np.sort(np.delete(sure, [2, 7]))[:2]
        assert [title.split(", ")[1] for title in titles[2:]] == [f"{s:.0%} sure" for s in unsure]
        assert figure.get_suptitle().startswith("2 of 10 misread")
        with pytest.raises(ValueError, match="expected"):
            plot.mistakes(images, true[:3], p)

    def test_predicted_against_true(self):
        rng = np.random.default_rng(0)
        true = rng.normal(size=(50, 2)) * [1, 100]
        guess = true + rng.normal(size=(50, 2)) * [0.1, 5]
        figure = drawn(plot.predicted_against_true(true, guess, unit="m", names=["height", "way"], title="Trees"))
        points = figure.axes[2].collections[0].get_offsets()
        np.testing.assert_allclose(points, np.stack([true[:, 1], guess[:, 1]], axis=1))
        r2 = 1 - ((guess - true)[:, 0] ** 2).sum() / ((true[:, 0] - true[:, 0].mean()) ** 2).sum()
        assert figure.axes[0].get_title(loc="left") == f"height: R² = {r2:.3f}"
        rms = ((guess - true)[:, 1] ** 2).mean() ** 0.5
        assert figure.axes[3].get_title(loc="left") == f"RMS error {rms:.3g} m"
        assert figure.axes[0].get_ylabel() == "predicted (m)"
        assert sum(patch.get_height() for patch in figure.axes[1].patches) == 50
        drawn(plot.predicted_against_true(ct.ones(3), ct.ones(3)))
        with pytest.raises(ValueError, match="expected the same"):
            plot.predicted_against_true([1.0], [1.0, 2.0])
        with pytest.raises(ValueError, match="names got 1"):
            plot.predicted_against_true(true, guess, names=["height"])


class TestDecisionSurface:
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (x[:, 0] > 0.3).astype(int)

    @staticmethod
    def step(points):
        """Certain: the second class right of 0.3."""
        return np.stack([points[:, 0] < 0.3, points[:, 0] >= 0.3], axis=1).astype(float)

    def test_border_lies_where_the_classes_are_even(self):
        figure = drawn(plot.decision_surface(self.step, self.x, self.y, resolution=101))
        axes = figure.axes[0]
        border = next(c for c in axes.collections if hasattr(c, "levels"))
        assert np.concatenate(border.get_paths()[0].to_polygons(closed_only=False))[:, 0] == pytest.approx(0.3, abs=0.1)
        picture = axes.images[0].get_array()
        left, right = picture[50, 5], picture[50, -5]
        assert left[2] > left[0]  # blue
        assert right[0] > right[2]  # orange
        points = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1]
        np.testing.assert_array_equal(points[0], self.x[self.y == 0])
        np.testing.assert_array_equal(points[1], self.x[self.y == 1])

    def test_all_kinds_of_models_agree(self):
        net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(), nn.Linear(4, 1))

        class Estimator:
            def predict_proba(self, points):
                with ct.no_grad():
                    p = ct.sigmoid(net.eval()(ct.tensor(points, dtype="float32"))).numpy()
                return np.concatenate([1 - p, p], axis=1)

        both = nn.Sequential(net, nn.Linear(1, 2))
        with ct.no_grad():
            both[1].weight.copy_(ct.tensor([[0.0], [1.0]]))
            both[1].bias.copy_(ct.zeros(2))
        net.train()
        figure = drawn(plot.decision_surface({"one": net, "two": both}, self.x, self.y, resolution=20))
        assert net.training
        figures = [figure, plot.decision_surface(Estimator(), self.x, self.y, resolution=20)]
        images = [axes.images[0].get_array() for f in figures for axes in f.axes]
        for image in images[1:]:
            np.testing.assert_allclose(image, images[0], atol=1e-5)
        assert [axes.get_title() for axes in figure.axes] == ["one", "two"]

    def test_many_classes_and_panels(self):
        y = np.arange(60) % 3
        models = {f"after {k} steps": nn.Linear(2, 3) for k in range(5)}
        figure = drawn(plot.decision_surface(models, self.x, y, classes=["ant", "bee", "cat"], title="Insects"))
        assert len(figure.axes) == 5
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ant", "bee", "cat"]
        assert figure.axes[4].get_xlabel() == "x₁"
        drawn(plot.decision_surface(lambda p: np.ones((len(p), 12)) / 12, self.x, np.arange(60) % 12, resolution=20))
        drawn(plot.decision_surface(nn.Linear(2, 2), self.x, np.array(["no", "yes"])[self.y], resolution=20))

    def test_errors(self):
        with pytest.raises(ValueError, match=r"x \[60, 1\] and y \[60\]"):
            plot.decision_surface(self.step, self.x[:, :1], self.y)
        with pytest.raises(TypeError, match="model got a int"):
            plot.decision_surface(3, self.x, self.y)
        with pytest.raises(ValueError, match="classes got 1 names"):
            plot.decision_surface(self.step, self.x, self.y, classes=["a"])
        with pytest.raises(ValueError, match="no entries"):
            plot.decision_surface({}, self.x, self.y)


def test_pyplot_stays_out_of_it():
    code = (
        "import sys, cinta as ct\n"
        "before = set(sys.modules); ct.plot\n"
        "assert 'matplotlib' not in sys.modules, 'imported before a figure is made'\n"
        "ct.plot.learning_curves({'loss': [1, 2]}).savefig('/dev/null', format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install cinta\[plot\]"):
        plot.learning_curves({"loss": [1.0]})


class TestAttention:
    def test_rows_are_written_and_columns_read(self):
        weights = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1]])
        figure = drawn(plot.attention(weights, ["twenty", "-", "one"], ["ein", "undzwanzig"], title="en to de"))
        axes = figure.axes[0]
        np.testing.assert_array_equal(axes.images[0].get_array(), weights)
        assert [label.get_text() for label in axes.get_xticklabels()] == ["twenty", "-", "one"]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["ein", "undzwanzig"]

    @pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 40), (60, 3), (120, 120)])
    def test_any_size(self, rows, columns):
        figure = plot.attention(
            ct.full((rows, columns), 1 / columns), range(columns), ["word"] * rows, title="of a title " * 6
        )
        assert max(drawn(figure).get_size_inches()) < 28

    def test_errors(self):
        with pytest.raises(ValueError, match=r"weights got shape \[1, 2\], expected \[1, 1\]: a row for each"):
            plot.attention([[0.5, 0.5]], ["a"], ["b"])
        with pytest.raises(ValueError, match="weights got 0 to 2, expected 0 to 1"):
            plot.attention([[0.0, 2.0]], ["a", "b"], ["c"])
