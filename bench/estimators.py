"""cinta.sklearn's estimators beside scikit-learn's own: predict of one row, and training on the digits.

The goal of one row is in microseconds: scikit-learn's validation of one array alone takes longer.
"""

from __future__ import annotations

import warnings
from functools import partial
from timeit import Timer

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from cinta.sklearn import NetClassifier
from harness import Contestant, Row, compare

ONE_ROW = 20e-6  # seconds
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def one_row() -> list[Row]:
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    rows = []
    for hidden in ((32,), (100, 100)):
        ours = NetClassifier(hidden, max_iter=20, random_state=0).fit(x, y)
        theirs = MLPClassifier(hidden, max_iter=20, random_state=0).fit(x, y)
        row = np.ascontiguousarray(x[:1])
        for method in ("predict", "predict_proba"):
            pair = (getattr(estimator, method) for estimator in (ours, theirs))
            contestants = [Contestant(Timer(partial(f, row))) for f in pair]
            name = f"{method} of one row, {'-'.join(map(str, (30, *hidden, 2)))}"
            rows.append(compare(name, float("inf"), contestants[:1], contestants[1:], limit=ONE_ROW))
    return rows


def training() -> list[Row]:
    x, y = load_digits(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    rows = []
    for dtype in ("float64", "float32"):
        data = x.astype(dtype)
        ours = Contestant(Timer(partial(NetClassifier(max_iter=20, random_state=0).fit, data, y)))
        theirs = Contestant(Timer(partial(MLPClassifier(max_iter=20, random_state=0).fit, data, y)))
        rows.append(compare(f"20 epochs on the digits, {dtype}", 1.0, [ours], [theirs], repeats=7))
    return rows


def main() -> list[Row]:
    return one_row() + training()


if __name__ == "__main__":
    main()
