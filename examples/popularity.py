"""A score from 0 to 100 out of a table of numbers and words, as photographs are rated by popularity.

    python examples/popularity.py                                      three tables that come with scikit-learn
    python examples/popularity.py --csv photos.csv --target pulse      a table of your own
    python examples/popularity.py --csv photos.csv --target pulse --predict new.csv

Features whose values differ by orders of magnitude (followers, views, areas) enter as log(1 + x), missing ones as the
median with a mark beside it, all with zero mean and unit variance; words become vectors that are learnt (embeddings).
What is not known from training (a new word, an empty field) has a vector of its own. Everything is learnt from the
training rows alone, and every row is scored by networks that have not seen it (cross-validation); gradient-boosted
trees, the usual choice for tables, stand beside. A feature contributes what the error grows by when it is shuffled.

A target that is no score from 0 to 100 yet is scaled: the least value in the table is 0, the greatest 100. Columns
with words in them are categories; name others that are none of quantity, such as postcodes, with --categorical. Leaves
popularity.png in the folder given with --out, and predictions.csv with --predict.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Page

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import Table, read_csv, text_columns

UNKNOWN = 0.03  # of the words in a training batch stand for ones never seen
console = Console()
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of numbers [N, D] and codes of words [N, K]: scores [N]


class Task(NamedTuple):
    """A table and the column that the score comes from; rows without it are left out."""

    title: str
    table: Table
    target: str

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.table.names if name not in self.table.categories and name != self.target]

    @property
    def words(self) -> list[str]:
        return [name for name in self.table.names if name in self.table.categories]

    def features(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Numbers [N, D], NaN where missing, and codes of words [N, K], -1 where missing."""
        numbers, codes = np.zeros((len(table), len(self.numeric))), np.zeros((len(table), len(self.words)), np.int64)
        for matrix, names in ((numbers, self.numeric), (codes, self.words)):
            for column, name in enumerate(names):
                matrix[:, column] = table[name]
        return numbers, codes

    @property
    def scale(self) -> tuple[float, float]:
        """The values of the target that are 0 and 100."""
        values = self.table[self.target]
        low, high = float(values.min()), float(values.max())
        return (0.0, 100.0) if 0 <= low <= high - 50 <= 50 else (low, high)

    def score(self) -> np.ndarray:
        low, high = self.scale
        return 100 * (self.table[self.target] - low) / (high - low)


def samples() -> list[Task]:
    """Tables that come with scikit-learn, in their own units."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    diabetes, wine, cancer = load_diabetes(scaled=False), load_wine(), load_breast_cancer()
    patients = dict(zip(diabetes.feature_names, diabetes.data.T))
    patients["sex"] = patients["sex"].astype(np.int64) - 1
    wines = {**dict(zip(wine.feature_names, wine.data.T)), "cultivar": wine.target.astype(np.int64)}
    cells = dict(zip((str(name) for name in cancer.feature_names), cancer.data.T))
    cells = {name: column for name, column in cells.items() if "worst" not in name or name == "worst concave points"}
    cells["diagnosis"] = cancer.target.astype(np.int64)
    return [
        Task("diabetes: progression in a year",
             Table({**patients, "progression": diabetes.target}, {"sex": ["1", "2"]}), "progression"),
        Task("wine: proline", Table(wines, {"cultivar": ["0", "1", "2"]}), "proline"),
        Task("tumours: worst concave points",
             Table(cells, {"diagnosis": ["malignant", "benign"]}), "worst concave points"),
    ]  # fmt: skip


def own(path: Path, target: str, categorical: list[str], left_out: list[str]) -> Task:
    """A CSV file; its columns of words are categories."""
    words = [name for name in text_columns(path) if name not in left_out]
    if target in words:
        raise ValueError(f"[popularity] {path}: column {target!r} has words in it, expected numbers to be foretold")
    table = read_csv(path, categorical={*words, *categorical} - set(left_out))
    if target not in table.names:
        raise ValueError(f"[popularity] {path} has no column {target!r}, expected one of {', '.join(table.names)}")
    if missing := [name for name in left_out if name not in table.names]:
        raise ValueError(f"[popularity] --drop got {missing[0]!r}, expected one of {', '.join(table.names)}")
    known = np.isfinite(table[target])
    if not known.all():
        console.print(f"{(~known).sum()} of {len(known)} rows left out: without {target}")
    columns = {name: table[name][known] for name in table.names if name not in left_out}
    for name, values in columns.items():
        if name not in table.categories and np.isnan(values).all():
            raise ValueError(f"[popularity] column {name!r} holds no value at all: leave it out with --drop {name!r}")
    if known.sum() < 20 or np.ptp(columns[target]) == 0:
        raise ValueError(f"[popularity] column {target!r} has {known.sum()} values, expected 20 or more, not all equal")
    return Task(path.name, Table(columns, table.categories), target)


class Features:
    """Numbers and words as the network takes them, by what was learnt from the training rows."""

    def __init__(self, numbers: np.ndarray, codes: np.ndarray, logarithmic: list[int]) -> None:
        steps = [preprocess.Log1p(logarithmic), preprocess.Impute("median", indicator=True), preprocess.Standardize()]
        self.numbers = preprocess.Pipeline(steps).fit(numbers) if numbers.shape[1] else None
        self.words = preprocess.Ordinal(handle_unknown="ignore").fit(codes) if codes.shape[1] else None
        self.sizes = [len(known) + 1 for known in self.words.categories_] if self.words else []

    def __call__(self, numbers: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = self.numbers(numbers) if self.numbers else numbers.astype(np.float32)
        return x, self.words(codes) if self.words else codes


def spans_orders(numbers: np.ndarray) -> list[int]:
    """Columns without negative values in which 1 + x spans more than an order of magnitude."""
    low, high = np.nanmin(numbers, axis=0, initial=np.inf), np.nanmax(numbers, axis=0, initial=-np.inf)
    return [
        column for column in range(numbers.shape[1]) if low[column] >= 0 and (1 + high[column]) > 10 * (1 + low[column])
    ]


class Scorer(nn.Module):
    """Numbers [B, D] and codes of words [B, K] -> scores from 0 to 100 [B]."""

    def __init__(self, numbers: int, sizes: list[int], hidden: int, dropout: float) -> None:
        super().__init__()
        widths = [min(16, 1 + size // 2) for size in sizes]
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size, width in zip(sizes, widths))
        inputs = numbers + sum(widths)
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, numbers: ct.Tensor, codes: ct.Tensor) -> ct.Tensor:
        words = [embedding(codes[:, column]) for column, embedding in enumerate(self.embeddings)]
        return 100 * ct.sigmoid(self.layers(ct.concat([numbers, *words], axis=1))[:, 0])


def fit_network(
    numbers: np.ndarray, codes: np.ndarray, score: np.ndarray, logarithmic: list[int], args: argparse.Namespace
) -> Predict:
    """The mean of some networks that began differently."""
    features = Features(numbers, codes, logarithmic)
    x, words = features(numbers, codes)
    batch = min(args.batch_size, len(x))
    models = []
    for member in range(args.members):
        ct.random.seed(args.seed + member)
        rng = np.random.default_rng(args.seed + member)
        model = Scorer(x.shape[1], features.sizes, args.hidden, args.dropout)
        optimizer = optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
        steps = args.epochs * (len(x) // batch)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        step = ct.compile(training_step(model, optimizer))
        for _ in range(args.epochs):
            order = rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch)
            for rows in order:
                seen = np.where(rng.random(words[rows].shape) < UNKNOWN, 0, words[rows])
                step(*map(ct.asarray, (x[rows], seen, score[rows].astype(np.float32))))
                schedule.step()
        models.append(model.eval())

    def predict(numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
        inputs = [ct.asarray(array) for array in features(numbers, codes)]
        with ct.no_grad():
            return np.mean([model(*inputs).numpy() for model in models], axis=0)

    return predict


def training_step(model: Scorer, optimizer: optim.Optimizer) -> Callable[..., ct.Tensor]:
    def step(numbers: ct.Tensor, codes: ct.Tensor, score: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(numbers, codes) / 25, score / 25)
        loss.backward()
        optimizer.step()
        return loss

    return step


def fit_trees(numbers: np.ndarray, codes: np.ndarray, score: np.ndarray, seed: int) -> Predict:
    """Scikit-learn's gradient boosting with its defaults; it takes missing values and categories as they are."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    few = [numbers.shape[1] + k for k in range(codes.shape[1]) if codes[:, k].max() < 250]
    trees = HistGradientBoostingRegressor(categorical_features=few, random_state=seed)
    trees.fit(joined(numbers, codes), score)
    return lambda numbers, codes: trees.predict(joined(numbers, codes))


def joined(numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.concatenate([numbers, np.where(codes < 0, np.nan, codes)], axis=1)


class Outcome(NamedTuple):
    """Of one way to score: every row's score by who had not seen it, and what shuffling a feature does to the error."""

    predicted: np.ndarray
    growth: np.ndarray  # [features], in points of RMS error


def cross_validate(task: Task, args: argparse.Namespace, progress: Progress) -> dict[str, Outcome]:
    from sklearn.model_selection import KFold

    (numbers, codes), score = task.features(task.table), task.score()
    logarithmic = spans_orders(numbers)
    rng = np.random.default_rng(args.seed)
    kinds = ("mean alone", "gradient boosting", "network")
    predicted = {kind: np.zeros(len(score)) for kind in kinds}
    growth = {kind: np.zeros(numbers.shape[1] + codes.shape[1]) for kind in kinds}
    folds = list(KFold(args.folds, shuffle=True, random_state=args.seed).split(score))
    bar = progress.add_task(task.title, total=len(folds))
    for train, held in folds:
        mean = score[train].mean()
        ways: dict[str, Predict] = {
            "mean alone": lambda numbers, codes, mean=mean: np.full(len(numbers), mean),  # type: ignore[misc]
            "gradient boosting": fit_trees(numbers[train], codes[train], score[train], args.seed),
            "network": fit_network(numbers[train], codes[train], score[train], logarithmic, args),
        }
        for kind, predict in ways.items():
            predicted[kind][held] = predict(numbers[held], codes[held])
            growth[kind] += shuffled(predict, numbers[held], codes[held], score[held], rng) / len(folds)
        progress.advance(bar)
    return {kind: Outcome(predicted[kind], growth[kind]) for kind in kinds}


def shuffled(
    predict: Predict, numbers: np.ndarray, codes: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """By how much the error grows when one feature's values change places, a mean of five times (Breiman, 2001)."""
    base = rms(predict(numbers, codes) - score)
    growth = []
    for column in range(numbers.shape[1] + codes.shape[1]):
        errors = []
        for _ in range(5):
            tables = numbers.copy(), codes.copy()
            table, at = (tables[0], column) if column < numbers.shape[1] else (tables[1], column - numbers.shape[1])
            table[:, at] = rng.permutation(table[:, at])
            errors.append(rms(predict(*tables) - score))
        growth.append(np.mean(errors) - base)
    return np.array(growth)


def rms(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


def report(task: Task, outcomes: dict[str, Outcome], page: Page) -> None:
    score = task.score()
    for kind, outcome in outcomes.items():
        error = outcome.predicted - score
        explained = 1 - np.square(error).sum() / np.square(score - score.mean()).sum()
        numbers = f"{rms(error):.2f}", f"{np.abs(error).mean():.2f}", f"{max(explained, 0):.3f}"
        page.add_row(task.title if kind == "mean alone" else "", kind, *numbers, end_section=kind == "network")


def draw(tasks: list[Task], results: list[dict[str, Outcome]], path: Path) -> None:
    """A row for every table: each row's score as foretold over what it is, and what the features contribute."""
    from cinta.plot.style import BLUE, GREY, ORANGE, new_figure, tidy

    figure = new_figure(11.5, 4.3 * len(tasks))
    for (left, right), task, outcomes in zip(
        figure.subplots(len(tasks), 2, squeeze=False, width_ratios=(1, 1.3)), tasks, results
    ):
        score, network = task.score(), outcomes["network"]
        tidy(left)
        left.plot([0, 100], [0, 100], color=GREY, linewidth=1, zorder=1)
        left.scatter(score, network.predicted, s=14, color=BLUE, alpha=0.55, linewidth=0, zorder=2)
        explained = 1 - np.square(network.predicted - score).sum() / np.square(score - score.mean()).sum()
        left.set(xlim=(-3, 103), ylim=(-3, 103), xlabel="true score", ylabel="score of the network", aspect="equal")
        left.set_title(f"{task.title}   R² = {explained:.2f}", fontsize=10, loc="left")
        names = np.array([*task.numeric, *task.words])
        order = np.argsort(network.growth)[::-1][:12][::-1]
        tidy(right, grid="x")
        places = np.arange(len(order))
        for kind, shift, colour in (("network", 0.2, BLUE), ("gradient boosting", -0.2, ORANGE)):
            right.barh(places + shift, outcomes[kind].growth[order], 0.38, color=colour, label=kind)
        right.axvline(0, color="0.4", linewidth=0.8)
        right.set_yticks(places, names[order], fontsize=9)
        right.set_xlabel("RMS error grows by (points) when the feature is shuffled")
        right.legend(frameon=False, fontsize=9, loc="lower right")
    figure.savefig(path)


def predict_file(task: Task, args: argparse.Namespace) -> None:
    """Scores for the rows of another file, by networks that learnt from all rows of the first one."""
    columns = [*task.numeric, *task.words]
    table = read_csv(args.predict, columns=columns, categorical=task.table.categories, unknown=args.unknown)
    numbers, codes = task.features(task.table)
    predict = fit_network(numbers, codes, task.score(), spans_orders(numbers), args)
    scores = predict(*task.features(table))
    low, high = task.scale
    path = args.out / "predictions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "score", task.target])
        writer.writerows(
            (row, f"{score:.2f}", f"{low + score * (high - low) / 100:.6g}") for row, score in enumerate(scores, 1)
        )
    console.print(f"{len(scores)} scores: {path}")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table of your own, gzipped or not")
    parser.add_argument("--target", metavar="COLUMN", help="what is to be foretold")
    parser.add_argument("--categorical", nargs="+", default=[], metavar="COLUMN", help="numbers that are names")
    parser.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="columns that may not be looked at")
    parser.add_argument("--predict", type=Path, metavar="FILE", help="score these rows as well")
    parser.add_argument("--unknown", choices=("error", "missing"), default="error", help="words new in that file")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--members", type=int, default=3, help="networks whose mean is the score")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--lr", type=float, default=3e-3, help="at the start; falls along a cosine")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/popularity"), metavar="DIR")
    return parser


def main() -> None:
    arguments = parser()
    args = arguments.parse_args()
    if (args.csv is None) != (args.target is None):
        arguments.error("--csv and --target go together: a file, and the column to be foretold")
    if args.predict and not args.csv:
        arguments.error("--predict scores the rows of a file like that of --csv, got none")
    if args.folds < 2 or min(args.members, args.epochs, args.batch_size, args.hidden) < 1:
        arguments.error("--folds: expected at least 2; --members, --epochs, --batch-size, --hidden: at least 1")
    args.out.mkdir(parents=True, exist_ok=True)
    page = Page("table", "scored by", "RMS error", "mean error", "R²", title=f"{args.folds}-fold cross-validation")
    for column in page.columns[2:]:
        column.justify = "right"
    try:
        tasks = [own(args.csv, args.target, args.categorical, args.drop)] if args.csv else samples()
        results = []
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for task in tasks:
                names = [task.numeric[column] for column in spans_orders(task.features(task.table)[0])]
                console.print(f"{task.title}: {len(task.table)} rows, log(1 + x) of {', '.join(names) or 'nothing'}")
                results.append(cross_validate(task, args, progress))
                report(task, results[-1], page)
        console.print(page)
        draw(tasks, results, args.out / "popularity.png")
        console.print(f"picture: {args.out / 'popularity.png'}")
        if args.predict:
            predict_file(tasks[0], args)
    except (OSError, ValueError) as error:
        arguments.error(str(error))


if __name__ == "__main__":
    main()
