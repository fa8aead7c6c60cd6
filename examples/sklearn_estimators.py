"""Networks as scikit-learn estimators: a search over pipelines on the digits, and a regression on patients' data.

    python examples/sklearn_estimators.py --out runs/sklearn_estimators

Leaves the confusion matrix of the digits, every digit foretold by a net that had not seen it, and, for the regression,
what was foretold against what came true.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from cinta import plot
from cinta.sklearn import NetClassifier, NetRegressor

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--jobs", type=int, default=2, help="processes of the search")
parser.add_argument("--out", type=Path, default=Path("runs/sklearn_estimators"), metavar="DIR")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
console = Console()

images, digits = load_digits(return_X_y=True)
net = NetClassifier(batch_size=32, max_iter=args.epochs, learning_rate="cosine", random_state=0)
choices = {
    "netclassifier__hidden_layer_sizes": [(32,), (128,)],
    "netclassifier__dropout": [0.0, 0.3],
    "netclassifier__standardize": [True, False],
}
search = GridSearchCV(make_pipeline(MinMaxScaler(), net), choices, cv=args.folds, n_jobs=args.jobs)
search.fit(images, digits)
table = Table("hidden", "dropout", "standardized", "accuracy", title=f"Digits, {args.folds}-fold cross-validation")
results = zip(search.cv_results_["params"], search.cv_results_["mean_test_score"])
for chosen, accuracy in sorted(results, key=lambda result: -result[1]):
    table.add_row(*(str(chosen[name]) for name in choices), f"{accuracy:.2%}")
console.print(table)
foretold = cross_val_predict(search.best_estimator_, images, digits, cv=args.folds)
plot.confusion_matrix(digits, foretold).savefig(args.out / "confusion_matrix.png")

patients, progression = load_diabetes(return_X_y=True)
regressor = NetRegressor((16,), batch_size=32, alpha=3.0, max_iter=args.epochs, learning_rate="cosine", random_state=0)
foretold = cross_val_predict(regressor, patients, progression, cv=args.folds)
figure = plot.predicted_against_true(progression, foretold, title="Progression of diabetes in a year")
figure.savefig(args.out / "regression.png")
error = ((foretold - progression) ** 2).mean() ** 0.5
console.print(f"diabetes: RMS error {error:.1f}, of the mean alone {progression.std():.1f}")
console.print(f"confusion_matrix.png and regression.png are in {args.out}")
