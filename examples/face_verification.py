"""Are two pictures of one face? A small DeepFace (Taigman et al., 2014) learns faces and is asked about others.

    python examples/face_verification.py                 scikit-image's 100 real faces (of LFW), 25x25 pixels
    python examples/face_verification.py --data DIR      photographs in DIR/person/*.jpg, as LFW has them
    python examples/face_verification.py --data lfw --image-size 48 --crop 0.5

As in the paper, the network learns to name the people that it is trained on; what its layer F7 says of a face is its
representation, divided by each feature's largest value and brought to length 1. Verification is about people whom the
network has never seen: by the cosine of two representations, by the weighted chi-square distance and by the siamese
L1 distance, both of which learn their weights from pairs of the training people.

With --data, pairs are different photographs of one person, or of two. The faces that are at hand offline have no
names and hardly anyone has two of them. By default a "person" therefore is one photograph, and a pair of one person is
two views of that photograph: moved, turned, scaled, mirrored, lit differently and partly covered. That is real faces
and an honest measurement, but an easier question than the paper's. A second network of the same layers learns
whether there is a face at all, and is asked about patches that it has not seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import cinta as ct
from cinta import augment, nn, optim
from cinta.data import DataLoader, ImageFolder, TensorDataset
from cinta.models import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare
from cinta.plot.style import BLUE, GREEN, ORANGE, bare, new_figure, tidy

console = Console()
VIEWS = augment.Compose(
    [
        augment.RandomAffine(12, translate=(0.08, 0.08), scale=(0.88, 1.12), padding_mode="edge"),
        augment.RandomHorizontalFlip(),
        augment.ColorJitter(brightness=0.25, contrast=0.4),
        augment.RandomErasing(p=0.5, scale=(0.03, 0.15), value=0.5),
        augment.GaussianNoise(0.03),
    ]
)


class Faces(NamedTuple):
    """Photographs [N, 1, H, W] of brightness 0 to 1, and whose they are [N]."""

    images: np.ndarray
    people: np.ndarray

    def of(self, people: np.ndarray) -> Faces:
        """Those of these people, numbered anew."""
        rows = np.flatnonzero(np.isin(self.people, people))
        return Faces(self.images[rows], np.searchsorted(np.sort(people), self.people[rows]))


class Pairs(NamedTuple):
    """Pictures [N, 1, H, W] of pairs, and whether both are one person [N]."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def patches() -> tuple[np.ndarray, np.ndarray]:
    """scikit-image's hundred faces of LFW and hundred other patches, [100, 1, 25, 25] each."""
    import skimage

    found = np.load(Path(skimage.__file__).parent / "data" / "lfw_subset.npy").astype(np.float32)[:, None]
    return found[:100], found[100:]


def photographs(folder: Path, side: int, crop: float) -> Faces:
    """The middle of each photograph, in grey, of everyone who has at least two."""
    images, owners = [], []
    size = round(side / crop)
    border = (size - side) // 2
    inside = slice(border, border + side)
    files = ImageFolder(folder, mode="L", size=(size, size))
    labels = np.array([label for _, label in files.samples])
    for k, label in enumerate(labels):
        if (labels == label).sum() > 1:
            images.append(files[k][0][:, inside, inside] / np.float32(255))
            owners.append(label)
    numbers, people = np.unique(owners, return_inverse=True)
    if len(numbers) < 4:
        raise ValueError(
            f"[face_verification] {folder} has {len(numbers)} people with two photographs or more, expected at least "
            "4: half of them are held out, and others are needed to compare with"
        )
    return Faces(np.stack(images), people)


def pairs_of(faces: Faces, count: int, rng: np.random.Generator, view: Callable[[ct.Tensor], ct.Tensor]) -> Pairs:
    """As many pairs of one person as of two, each picture as `view` shows it."""
    rows = [np.flatnonzero(faces.people == person) for person in range(faces.people.max() + 1)]
    same = np.arange(count) % 2 == 0
    first, second = np.empty((2, count), np.int64)
    for k in range(count):
        a, b = rng.choice(len(rows), 2, replace=False)
        if same[k]:
            first[k], second[k] = rng.choice(rows[a], 2, replace=len(rows[a]) == 1)
        else:
            first[k], second[k] = rng.choice(rows[a]), rng.choice(rows[b])
    one, other = (view(ct.tensor(faces.images[chosen])).numpy() for chosen in (first, second))
    return Pairs(one, other, same)


def small_deepface(classes: int, side: int, features: int = 96) -> DeepFace:
    """The paper's layers on images of one colour; larger ones get larger kernels."""
    kernels = (3, 3, 3, 3, 2) if side < 32 else (5, 3, 3, 3, 3)
    channels = (16, 24, 16, 16, 16)
    return DeepFace(
        classes, in_channels=1, image_size=side, channels=channels, kernel_sizes=kernels, features=features, dropout=0.3
    )


def train(model: nn.Module, images: np.ndarray, labels: np.ndarray, steps: int, seed: int) -> None:
    """Another view of every picture in every epoch."""
    loader = DataLoader(
        TensorDataset(images, labels), min(32, len(images)), shuffle=True, transform=(VIEWS, None), seed=seed
    )
    epochs = -(-steps // len(loader))
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    trainer = ct.Trainer(
        model,
        optimizer,
        nn.CrossEntropyLoss(),
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader)),
        scheduler_interval="step",
        metrics=[ct.training.Accuracy()],
    )
    trainer.fit(loader, epochs=epochs)
    model.eval()


def represent(model: DeepFace, images: np.ndarray) -> ct.Tensor:
    with ct.no_grad():
        return model.representation(ct.tensor(images))


def verify(model: DeepFace, train_pairs: Pairs, test_pairs: Pairs) -> dict[str, np.ndarray]:
    """How sure each metric is that the test pairs are one person: above 0 it says so."""
    first, second = (represent(model, images) for images in train_pairs[:2])
    normalized = NormalizedFeatures(first.shape[1]).fit(ct.concat([first, second]))
    a, b = normalized(first), normalized(second)
    x, y = (normalized(represent(model, images)) for images in test_pairs[:2])

    cosines = (a * b).sum(1).numpy()
    candidates = np.sort(cosines)
    right = [((cosines > limit) == train_pairs.same).mean() for limit in candidates]
    scores = {"cosine": (x * y).sum(1).numpy() - candidates[int(np.argmax(right))]}
    for name, metric in {"weighted chi-square": WeightedChiSquare, "siamese L1": SiameseL1}.items():
        fitted = metric(a.shape[1]).fit(a, b, train_pairs.same, C=1000.0)
        scores[name] = fitted.same(x, y).detach().numpy()
    return scores


def detect(faces: np.ndarray, others: np.ndarray, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Face or not, of 60 patches that the network has not seen: how sure it is, and the truth."""
    kept = len(faces) * 7 // 10
    images = np.concatenate([faces[:kept], others[:kept]])
    model = small_deepface(2, faces.shape[-1])
    train(model, images, np.repeat([1, 0], kept), steps, seed)
    with ct.no_grad():
        scores = model(ct.tensor(np.concatenate([faces[kept:], others[kept:]]))).numpy()
    return scores[:, 1] - scores[:, 0], np.repeat([True, False], len(faces) - kept)


def strip(pairs: Pairs, rows: np.ndarray, columns: int) -> np.ndarray:
    """These pairs side by side, white where there are none."""
    _, _, height, width = pairs.first.shape
    picture, step = np.ones((height, columns * (2 * width + 5))), 2 * width + 5
    for column, k in enumerate(rows):
        both = np.hstack([pairs.first[k, 0], np.ones((height, 1)), pairs.second[k, 0]])
        picture[:, column * step : column * step + 2 * width + 1] = both.clip(0, 1)
    return picture


def draw(
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    pairs: Pairs,
    scores: np.ndarray,
    names: tuple[str, str],
    path: Path,
) -> None:
    """ROC curves, and pairs of which the metric with these scores is right and wrong; names: of one and of several."""
    from sklearn.metrics import roc_auc_score, roc_curve

    one, several = names
    figure = new_figure(12, 5.6)
    halves: Any = figure.subfigures(1, 2, width_ratios=[1, 1.05])
    left, right = halves
    axes = left.subplots()
    for (name, (values, truth)), colour in zip(curves.items(), (BLUE, ORANGE, GREEN, "#cc79a7")):
        false, true, _ = roc_curve(truth, values)
        accuracy = ((values > 0) == truth).mean()
        label = f"{name}: AUC {roc_auc_score(truth, values):.3f}, accuracy {accuracy:.1%}"
        axes.plot(false, true, color=colour, label=label, linestyle="--" if name == "face or not" else "-")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle=":")
    axes.set_xlabel(f"share of pairs of two {several} held to be one (false positives)")
    axes.set_ylabel(f"share of pairs of one {one} recognized (true positives)")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01))
    axes.set_aspect("equal")
    axes.legend(loc="lower right", fontsize=9, frameon=False)
    axes.set_title(f"ROC curves on {several} never seen in training", fontsize=11)
    tidy(axes)

    said = scores > 0
    kinds = [
        (f"one {one}, recognized", pairs.same & said, GREEN),
        (f"two {several}, told apart", ~pairs.same & ~said, GREEN),
        (f"one {one}, missed", pairs.same & ~said, ORANGE),
        (f"two {several}, held to be one", ~pairs.same & said, ORANGE),
    ]
    for axes, (title, chosen, colour) in zip(right.subplots(4, 1), kinds):
        rows = np.flatnonzero(chosen)
        if colour == ORANGE:  # the surest mistakes
            rows = rows[np.argsort(-abs(scores[rows]))]
        axes.set_title(f"{title}: {chosen.sum()} of {len(said)}", loc="left", fontsize=10, color=colour)
        axes.imshow(strip(pairs, rows[:5], 5), cmap="gray", vmin=0, vmax=1)
        bare(axes)
        axes.spines[:].set_visible(False)
    right.suptitle("What the weighted chi-square distance says", fontsize=11)
    figure.savefig(path)


def report(curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    from sklearn.metrics import roc_auc_score

    table = Table("question", "AUC", "accuracy")
    for name, (values, truth) in curves.items():
        table.add_row(
            name, f"{roc_auc_score(truth, values):.3f}", f"{((values > 0) == truth).mean():.1%} of {len(truth)}"
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder of photographs for each person")
    parser.add_argument("--image-size", type=int, default=40, help="side of the faces of --data, in pixels, >= 25")
    parser.add_argument(
        "--crop", type=float, default=0.6, help="the share of the middle of a photograph that is the face"
    )
    parser.add_argument("--steps", type=int, default=1500, help="of training the network")
    parser.add_argument("--pairs", type=int, default=1000, help="how many are asked about")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/face_verification"), metavar="DIR")
    args = parser.parse_args()
    if args.image_size < 25 or not 0 < args.crop <= 1 or args.steps < 1 or args.pairs < 10:
        parser.error("expected --image-size >= 25, 0 < --crop <= 1, --steps >= 1 and --pairs >= 10")
    ct.random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    try:
        if args.data:
            faces = photographs(args.data, args.image_size, args.crop)
        else:
            images = patches()[0]
            faces = Faces(images, np.arange(len(images)))
    except (OSError, ValueError) as error:
        parser.error(str(error))

    people = rng.permutation(faces.people.max() + 1)
    known, strangers = faces.of(people[: len(people) // 2]), faces.of(people[len(people) // 2 :])
    names = ("person", "people") if args.data else ("photograph", "photographs")
    console.print(
        f"{len(known.images)} pictures to learn from, {len(strangers.images)} of others to ask about; "
        f"a pair of one {names[0]} is two {'views of it' if not args.data else 'photographs'}"
    )
    model = small_deepface(known.people.max() + 1, faces.images.shape[-1])
    train(model, known.images, known.people, args.steps, args.seed)

    view: Callable[[ct.Tensor], ct.Tensor] = (lambda images: images) if args.data else VIEWS
    test_pairs = pairs_of(strangers, args.pairs, rng, view)
    scores = verify(model, pairs_of(known, 2 * args.pairs, rng, VIEWS), test_pairs)
    curves = {name: (values, test_pairs.same) for name, values in scores.items()}
    if not args.data:
        curves["face or not"] = detect(*patches(), max(1, args.steps // 5), args.seed)
    report(curves)
    args.out.mkdir(parents=True, exist_ok=True)
    draw(curves, test_pairs, scores["weighted chi-square"], names, args.out / "face_verification.png")
    console.print(f"the picture: {args.out / 'face_verification.png'}")


if __name__ == "__main__":
    main()
