"""Reads numbers written by hand, digit beside digit, without being told where one ends: a network trained by CTC.

python examples/ctc_digits.py                  strips of scikit-learn's scanned digits, about a minute
python examples/ctc_digits.py --noise 0.4      under more noise
python examples/ctc_digits.py --cell lstm      another recurrent layer

Training strips hold 1 to 6 digits, at varied distances, overlapping, noisy; nobody says which pixel belongs to which
digit. Held-out strips hold digits that were never seen, as many and more of them, and end in a check digit (Luhn's,
that of bank cards), which a beam search can be told of. Prints how many strips are read without a mistake, and draws
a page: strips, what the network says frame by frame, and how it is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim

HEIGHT, FRAME = 16, 2  # of a strip in pixels; pixels from one frame to the next
SIZES = (10, 11, 12, 13)  # widths and heights of digits, in pixels
LENGTHS, LONGER = (1, 6), (7, 12)  # digits in a strip: in training, and beyond
BLANK = 10  # the classes before it are the digits
WAYS = ("greedy", "beam search", "beam search, check digit known")
BLUE, RED = "#0072b2", "#d55e00"
console = Console()


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others: a wrong digit, and most swaps, are noticed."""
    doubled = [digit if place % 2 == 0 else 2 * digit - 9 * (digit > 4) for place, digit in enumerate(digits[::-1])]
    return len(digits) > 1 and sum(doubled) % 10 == 0


class Strips(NamedTuple):
    """Numbers as one batch."""

    images: np.ndarray  # [N, 1, HEIGHT, W]
    frames: np.ndarray  # [N]
    labels: np.ndarray  # [sum of lengths]
    lengths: np.ndarray  # [N]

    def numbers(self) -> list[list[int]]:
        return [part.tolist() for part in np.split(self.labels, np.cumsum(self.lengths)[:-1])]


class Writer:
    """Writes numbers with some of the scans."""

    def __init__(self, scans: np.ndarray, labels: np.ndarray, noise: float, seed: int) -> None:
        from PIL import Image

        def resized(scan: np.ndarray, size: tuple[int, int]) -> np.ndarray:
            image = Image.fromarray(scan.astype(np.float32) / 16).resize(size, Image.Resampling.BICUBIC)
            return np.asarray(image).clip(0, 1)

        sizes = [(width, height) for width in SIZES for height in SIZES]
        self.scans = [np.stack([resized(scan, size) for scan in scans]) for size in sizes]
        self.of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
        self.noise, self.rng = noise, np.random.default_rng(seed)

    def write(self, count: int, lengths: tuple[int, int], checked: bool = False) -> Strips:
        """Strips of `lengths[0]` to `lengths[1]` digits; checked: the last one is a check digit."""
        numbers = []
        for length in self.rng.integers(max(lengths[0], 1 + checked), lengths[1] + 1, count):
            number = self.rng.integers(10, size=length).tolist()
            numbers.append([*number[:-1], next(d for d in range(10) if luhn([*number[:-1], d]))] if checked else number)
        images = np.zeros((count, 1, HEIGHT, 12 + lengths[1] * (SIZES[-1] + 3)), np.float32)
        ends = [self._draw(image[0], number) for image, number in zip(images, numbers)]
        images += self.rng.normal(0, self.noise, images.shape).astype(np.float32)
        images *= np.arange(images.shape[3]) < np.array(ends)[:, None, None, None]
        frames = -(-np.array(ends) // FRAME)
        return Strips(images, frames, np.concatenate(numbers), np.array([len(number) for number in numbers]))

    def _draw(self, image: np.ndarray, number: list[int]) -> int:
        """Writes from left to right; gives where the strip ends."""
        x = int(self.rng.integers(1, 5))
        for digit in number:
            scans = self.scans[self.rng.integers(len(self.scans))]
            scan = scans[self.rng.choice(self.of_digit[digit])] * self.rng.uniform(0.6, 1)
            height, width = scan.shape
            y = int(self.rng.integers(HEIGHT - height + 1))
            place = image[y : y + height, x : x + width]
            np.maximum(place, scan, out=place)
            x += width + int(self.rng.integers(-3, 4))  # they may run into each other
        return x + int(self.rng.integers(2, 6))


class Reader(nn.Module):
    """Looks at a strip, then reads it in both directions: log-probabilities [T, N, 11] of images [N, 1, H, W]."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(FRAME),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
            nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
        )  # fmt: skip
        layer = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.read = layer(48 * (HEIGHT // 8), hidden, bidirectional=True)
        self.classes = nn.Linear(2 * hidden, BLANK + 1)

    def forward(self, images: ct.Tensor, frames: ct.Tensor) -> ct.Tensor:
        seen = self.look(images).transpose(3, 0, 1, 2)  # [T, N, channels, rows]
        states, _ = self.read(seen.reshape(*seen.shape[:2], -1), lengths=frames)
        return ct.log_softmax(self.classes(states), axis=2)


def train(reader: Reader, writer: Writer, args: argparse.Namespace) -> None:
    optimizer = optim.Adam(reader.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.steps)
    loss_of = nn.CTCLoss(blank=BLANK, zero_infinity=True)

    @ct.compile
    def step(images: ct.Tensor, labels: ct.Tensor, frames: ct.Tensor, lengths: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = loss_of(reader(images, frames), labels, frames, lengths)
        loss.backward()
        optim.clip_grad_norm_(reader.parameters(), 5.0)
        optimizer.step()
        return loss

    with Progress(console=console, transient=True) as progress:
        task, smooth = progress.add_task("training", total=args.steps), 0.0
        for number in range(args.steps):
            images, frames, labels, lengths = writer.write(args.batch_size, LENGTHS)
            rows = np.zeros((len(lengths), LENGTHS[1]), np.int64)  # of one shape, so that one program serves all
            rows[np.arange(LENGTHS[1]) < lengths[:, None]] = labels
            loss = step(*map(ct.tensor, (images, rows, frames, lengths))).item()
            scheduler.step()
            smooth += (loss - smooth) * max(0.05, 1 / (number + 1))
            progress.update(task, advance=1, description=f"training, loss {smooth:.3f}")


def check_digit(labels: list[int]) -> np.ndarray:
    """For the beam search: a number may only end in its check digit."""
    scores = np.zeros(BLANK + 1)
    scores[BLANK] = 0.0 if luhn(labels) else -np.inf
    return scores


class Readings(NamedTuple):
    """What a reader makes of strips."""

    strips: Strips
    log_probs: np.ndarray  # [T, N, 11]
    found: dict[str, list[list[int]]]  # by the way of decoding

    def right(self, way: str) -> np.ndarray:
        return np.array([a == b for a, b in zip(self.found[way], self.strips.numbers())])


def read(reader: Reader, strips: Strips, beam_size: int) -> Readings:
    with ct.no_grad():
        log_probs = reader(ct.tensor(strips.images), ct.tensor(strips.frames)).numpy()
    greedy = ct.decoding.ctc_greedy(log_probs, strips.frames, blank=BLANK)
    beams = ct.decoding.ctc_beam_search(log_probs, strips.frames, blank=BLANK, beam_size=beam_size)
    checked = ct.decoding.ctc_beam_search(
        log_probs, strips.frames, blank=BLANK, beam_size=beam_size, scorer=check_digit
    )
    best = [found[0] for found in beams]
    sure = [found[0] if found else other for found, other in zip(checked, best)]  # where none of the beam fits
    ways = {way: [h.tokens for h in found] for way, found in zip(WAYS, (greedy, best, sure))}
    return Readings(strips, log_probs, ways)


def report(readings: dict[str, Readings]) -> None:
    table = Table("held-out strips read without a mistake", *WAYS)
    for name, reading in readings.items():
        table.add_row(name, *(f"{reading.right(way).mean():.1%}" for way in WAYS))
    console.print(table)


def worth_showing(reading: Readings, count: int) -> list[int]:
    """Strips, half of them read in different ways, as far as there are such, and the others without a mistake."""
    votes = np.sum([reading.right(way) for way in WAYS], axis=0)
    contested, right = np.flatnonzero((votes > 0) & (votes < len(WAYS))), np.flatnonzero(votes == len(WAYS))
    found = [*contested[: (count + 1) // 2], *right]
    return [*found, *(n for n in range(len(votes)) if n not in found)][:count]


def draw(readings: list[Readings], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [(reading, n) for reading, count in zip(readings, (2, 4)) for n in worth_showing(reading, count)]
    widest = FRAME * max(int(reading.strips.frames[n]) for reading, n in chosen)
    heights = [12.5 * HEIGHT / widest, 1.1] * len(chosen)  # in inches; of the strips so that pixels are squares
    figure = pyplot.figure(figsize=(13, sum(heights) + 0.45 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(heights), 1, height_ratios=heights)
    for (reading, n), strip, heat in zip(chosen, grid[::2], grid[1::2]):
        width, truth = FRAME * int(reading.strips.frames[n]), reading.strips.numbers()[n]
        probabilities = np.exp(reading.log_probs[: width // FRAME, n]).T
        how = {"vmin": 0, "vmax": 1, "aspect": "auto", "interpolation": "nearest"}
        strip.imshow(reading.strips.images[n, 0, :, :width], cmap="gray_r", extent=(0, width, HEIGHT, 0), **how)
        heat.imshow(probabilities, cmap="Blues", extent=(0, width, BLANK + 0.5, -0.5), **how)
        strip.set(xlim=(0, widest), xticks=[], yticks=[])
        heat.set(xlim=(0, widest), xticks=[], ylabel="class")
        heat.set_yticks([0, 2, 4, 6, 8, BLANK], ["0", "2", "4", "6", "8", "blank"], fontsize=8)
        heat.tick_params(length=0)
        strip.spines[:].set_visible(False)
        heat.spines[:].set_visible(False)
        words = [(0.0, "written", truth, "k")]
        for place, way in enumerate(WAYS):
            number = reading.found[way][n]
            words.append((0.2 + 0.24 * place, way, number, BLUE if number == truth else RED))
        for x, what, number, colour in words:
            verdict = {"k": "", BLUE: " right", RED: " wrong"}[colour]
            text = f"{what}: {''.join(map(str, number))}{verdict}"
            strip.text(x, 1.06, text, transform=strip.transAxes, fontsize=9.5, color=colour)
    grid[-1].set_xlabel("along the strip, a frame for every two pixels; the darker, the more probable the class")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=("gru", "lstm"), default="gru", help="the recurrent layer")
    parser.add_argument("--hidden", type=int, default=96, help="its units, in each direction")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=4e-3, help="the largest, a third of the way")
    parser.add_argument("--noise", type=float, default=0.1, help="its deviation, where ink is 1")
    parser.add_argument("--strips", type=int, default=300, help="held out, of each kind")
    parser.add_argument("--beam-size", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/ctc_digits"), metavar="DIR")
    args = parser.parse_args()
    if min(args.hidden, args.steps, args.batch_size, args.strips, args.beam_size) < 1 or args.noise < 0:
        parser.error("expected sizes and counts of at least 1, and no negative noise")
    args.out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    split = train_test_split(digits.images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
    scans, held_out, labels, held_out_labels = split
    ct.random.seed(args.seed)
    reader = Reader(args.cell, args.hidden)
    count = sum(p.size for p in reader.parameters())
    console.print(f"{count:,} parameters, trained on {args.steps * args.batch_size:,} strips of {len(scans):,} scans")
    train(reader, Writer(scans, labels, args.noise, args.seed), args)
    writer = Writer(held_out, held_out_labels, args.noise, args.seed + 1)
    readings = {
        f"{first} to {last} digits{note}": read(
            reader, writer.write(args.strips, (first, last), checked=True), args.beam_size
        )
        for (first, last), note in (((2, LENGTHS[1]), ""), (LONGER, ", longer than any in training"))
    }
    report(readings)
    draw(list(readings.values()), args.out / "ctc_digits.png")
    console.print(f"picture: {args.out / 'ctc_digits.png'}")


if __name__ == "__main__":
    main()
