"""Losses: every class against its formula in NumPy float64, every reduction, arguments out of range."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(6, 4))
CLASSES = np.array([0, 3, 1, 1, 2, 0])
WEIGHTS = np.array([0.5, 1.0, 2.0, 1.5])
LOG_PROBABILITIES = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
TARGET = RNG.normal(size=(6, 4))
PROBABILITIES = RNG.uniform(0.05, 0.95, (6, 4))
HALVES = RNG.uniform(0, 1, (6, 4))
DISTRIBUTION = HALVES / HALVES.sum(1, keepdims=True)
SIGNS = np.sign(TARGET)
DIFFERENCE = SCORES - TARGET
PICKED = -LOG_PROBABILITIES[np.arange(6), CLASSES]
LOGISTIC = 1 / (1 + np.exp(-SCORES))
OTHERS = np.arange(4) != CLASSES[:, None]
MARGINS = OTHERS * (1 - SCORES[np.arange(6), CLASSES][:, None] + SCORES)

CASES = [
    (nn.CrossEntropyLoss, {}, SCORES, CLASSES, PICKED, 6),
    (nn.CrossEntropyLoss, {"weight": WEIGHTS}, SCORES, CLASSES, WEIGHTS[CLASSES] * PICKED, WEIGHTS[CLASSES].sum()),
    (nn.CrossEntropyLoss, {"ignore_index": 1}, SCORES, CLASSES, np.where(CLASSES == 1, 0, PICKED), 4),
    (
        nn.CrossEntropyLoss,
        {"label_smoothing": 0.2},
        SCORES,
        CLASSES,
        0.8 * PICKED - 0.2 * LOG_PROBABILITIES.mean(1),
        6,
    ),
    (nn.CrossEntropyLoss, {}, SCORES, DISTRIBUTION, -(DISTRIBUTION * LOG_PROBABILITIES).sum(1), 6),
    (nn.NLLLoss, {"weight": WEIGHTS}, LOG_PROBABILITIES, CLASSES, WEIGHTS[CLASSES] * PICKED, WEIGHTS[CLASSES].sum()),
    (nn.MSELoss, {}, SCORES, TARGET, DIFFERENCE**2, 24),
    (nn.L1Loss, {}, SCORES, TARGET, abs(DIFFERENCE), 24),
    (
        nn.HuberLoss,
        {"delta": 0.7},
        SCORES,
        TARGET,
        np.where(abs(DIFFERENCE) <= 0.7, DIFFERENCE**2 / 2, 0.7 * (abs(DIFFERENCE) - 0.35)),
        24,
    ),
    (
        nn.SmoothL1Loss,
        {"beta": 0.7},
        SCORES,
        TARGET,
        np.where(abs(DIFFERENCE) < 0.7, DIFFERENCE**2 / 1.4, abs(DIFFERENCE) - 0.35),
        24,
    ),
    (
        nn.BCELoss,
        {},
        PROBABILITIES,
        HALVES,
        -(HALVES * np.log(PROBABILITIES) + (1 - HALVES) * np.log(1 - PROBABILITIES)),
        24,
    ),
    (
        nn.BCEWithLogitsLoss,
        {"weight": WEIGHTS, "pos_weight": WEIGHTS[::-1].copy()},
        SCORES,
        HALVES,
        -WEIGHTS * (WEIGHTS[::-1] * HALVES * np.log(LOGISTIC) + (1 - HALVES) * np.log(1 - LOGISTIC)),
        24,
    ),
    (nn.KLDivLoss, {}, LOG_PROBABILITIES, DISTRIBUTION, DISTRIBUTION * (np.log(DISTRIBUTION) - LOG_PROBABILITIES), 24),
    (
        nn.KLDivLoss,
        {"log_target": True},
        LOG_PROBABILITIES,
        np.log(DISTRIBUTION),
        DISTRIBUTION * (np.log(DISTRIBUTION) - LOG_PROBABILITIES),
        24,
    ),
    (nn.HingeLoss, {"margin": 0.5}, SCORES, SIGNS, np.maximum(0, 0.5 - SIGNS * SCORES), 24),
    (nn.MultiMarginLoss, {}, SCORES, CLASSES, MARGINS.clip(0).sum(1) / 4, 6),
    (
        nn.MultiMarginLoss,
        {"p": 2, "margin": 0.4, "weight": WEIGHTS},
        SCORES,
        CLASSES,
        WEIGHTS[CLASSES] * np.square((MARGINS - 0.6 * OTHERS).clip(0)).sum(1) / 4,
        6,
    ),
]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(("kind", "options", "x", "target", "terms", "count"), CASES)
def test_formula(kind, options, x, target, terms, count, reduction):
    options = {key: ct.tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    loss = kind(**options, reduction=reduction)(ct.tensor(x), ct.tensor(target))
    expected = {"none": terms, "sum": terms.sum(), "mean": terms.sum() / count}[reduction]
    assert loss.shape == np.shape(expected)
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_every_loss_is_in_the_table():
    elsewhere = {nn.CTCLoss}  # test_ctc.py
    assert {kind for kind, *_ in CASES} | elsewhere == {
        thing for name, thing in vars(nn).items() if name.endswith("Loss")
    }


def test_batchmean_is_the_divergence():
    loss = nn.KLDivLoss("batchmean")(ct.tensor(LOG_PROBABILITIES), ct.tensor(DISTRIBUTION)).item()
    expected = (DISTRIBUTION * (np.log(DISTRIBUTION) - LOG_PROBABILITIES)).sum() / 6
    assert loss == pytest.approx(expected, rel=1e-12)


def test_margins_of_classes():
    x = np.array([0.1, 0.7, -0.3])
    one = nn.functional.multi_margin_loss(ct.tensor(x), 1)
    assert one.shape == ()
    assert one.item() == pytest.approx((0.4 + 0.0) / 3)
    assert nn.functional.multi_margin_loss(ct.zeros((0, 3)), np.zeros(0, np.int64), reduction="sum").item() == 0
    for target in (-1, 3):
        with pytest.raises(IndexError, match=rf"got targets from {target} to {target}, expected 0 to 2"):
            nn.functional.multi_margin_loss(ct.tensor(x), target)
    for call, message in (
        (lambda: nn.functional.multi_margin_loss(ct.zeros((2, 3)), [0]), r"got x \[2, 3\] and target \[1\], expected"),
        (lambda: nn.functional.multi_margin_loss(ct.zeros((1, 3)), [0], weight=[1.0]), r"weight has shape \[1\]"),
        (lambda: nn.functional.multi_margin_loss(ct.zeros((1, 3)), [0], p=3), "p got 3, expected 1 or 2"),
        (lambda: nn.MultiMarginLoss(p=0), "p got 0, expected 1 or 2"),
        (lambda: nn.functional.multi_margin_loss(ct.zeros((1, 3)), [0], reduction="max"), "reduction got 'max'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_weights_are_state():
    assert nn.NLLLoss([1.0, 2.0]).weight.tolist() == [1.0, 2.0]
    assert list(nn.CrossEntropyLoss(ct.ones(3)).state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    assert list(nn.BCEWithLogitsLoss(pos_weight=ct.ones(3)).state_dict()) == ["pos_weight"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.MSELoss("average"), r"\[MSELoss\] reduction got 'average'"),
        (lambda: nn.MSELoss("batchmean"), "reduction got 'batchmean'"),
        (lambda: nn.HuberLoss(delta=0), "delta got 0"),
        (lambda: nn.SmoothL1Loss(beta=-1), "beta got -1"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), "label_smoothing got 1.5"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_functional_composites():
    f = nn.functional
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    t = ct.tensor(x, requires_grad=True)
    np.testing.assert_allclose(f.normalize(t).detach().numpy(), [[0.6, 0.8], [0, 0]])
    f.normalize(t).sum().backward()
    assert np.isfinite(t.grad.numpy()).all()
    a, b = RNG.normal(size=(2, 5, 3))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(f.cosine_similarity(ct.tensor(a), ct.tensor(b)).numpy(), cosine)
    y = f.logsigmoid(ct.tensor(np.array([-800.0, 0.0, 800.0]))).numpy()
    np.testing.assert_allclose(y, [-800.0, -np.log(2), 0.0])
