"""Scenes of coloured shapes: what may be said about them, which combinations are held out, and their pictures."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (214, 39, 40), "green": (34, 150, 60), "blue": (31, 97, 200), "yellow": (247, 208, 20),
    "purple": (136, 66, 184), "orange": (255, 130, 10),
}  # fmt: skip
SHAPES = {"circle": "circles", "square": "squares", "triangle": "triangles", "star": "stars", "cross": "crosses"}
OPPOSITE = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
NUMBERS = ("a", "two", "three")
SIZES = {"small": 0.095, "large": 0.185}  # radius, as a share of the picture's side
SIDE = 48  # pixels that the network sees


class Thing(NamedTuple):
    """A shape with its centre and radius in shares of the picture's side, y downwards."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float

    def noun(self, sized: bool) -> str:
        words = f"{self.colour} {self.shape}"
        if sized:
            words = f"{min(SIZES, key=lambda size: abs(SIZES[size] - self.radius))} {words}"
        return f"an {words}" if words[0] == "o" else f"a {words}"


class Scene(NamedTuple):
    """Two things in a relation, or groups of equal things; with what may be said about it."""

    things: list[Thing]
    ground: tuple[int, int, int]
    captions: list[str]
    combinations: set[tuple[str, str, str]]  # colour, shape, relation or number


def held_out(colour: str, shape: str, what: str) -> bool:
    """One of four relations for every colour and shape, a Latin square; one of three numbers for every fifth."""
    row, column = list(COLOURS).index(colour), list(SHAPES).index(shape)
    if what in OPPOSITE:
        return tuple(OPPOSITE).index(what) == (row + column) % 4
    return (row + 2 * column) % 5 == 0 and NUMBERS.index(what) == (row + column) % 3


def draw_scene(rng: np.random.Generator, unseen: bool) -> Scene:
    """A scene with some held-out combination, or one without any."""
    while True:
        scene = (related if rng.random() < 0.65 else counted)(rng)
        if any(held_out(*combination) for combination in scene.combinations) == unseen:
            return scene


def ground(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = map(int, rng.integers(228, 256, 3))
    return red, green, blue


def some_thing(rng: np.random.Generator) -> Thing:
    colour, shape, size = (str(rng.choice(list(words))) for words in (COLOURS, SHAPES, SIZES))
    x, y = rng.uniform(0.12, 0.88, 2).tolist()
    return Thing(colour, shape, x, y, SIZES[size] * float(rng.uniform(0.93, 1.07)))


def related(rng: np.random.Generator) -> Scene:
    """Two things, clearly one above the other or side by side."""
    while True:
        a, b = some_thing(rng), some_thing(rng)
        across, down = abs(a.x - b.x), abs(a.y - b.y)
        inside = all(t.radius < c < 1 - t.radius for t in (a, b) for c in (t.x, t.y))
        if inside and max(across, down) > a.radius + b.radius + 0.03 and min(across, down) < 0.45 * max(across, down):
            break
    vertical = down > across
    relation = ("above" if a.y < b.y else "below") if vertical else ("left of" if a.x < b.x else "right of")
    captions = []
    for one, other, how in ((a, b, relation), (b, a, OPPOSITE[relation])):
        said = how if vertical else f"to the {how}"
        for sized in (True, False):
            subject, other_noun = one.noun(sized), other.noun(sized)
            captions += [f"{subject} is {said} {other_noun}", f"there is {subject} {said} {other_noun}"]
    combinations = {(a.colour, a.shape, relation), (b.colour, b.shape, OPPOSITE[relation])}
    return Scene([a, b], ground(rng), captions, combinations)


def counted(rng: np.random.Generator) -> Scene:
    """One or two kinds of things, one to three of each."""
    kinds = list(itertools.product(COLOURS, SHAPES))
    chosen = [kinds[i] for i in rng.choice(len(kinds), int(rng.integers(1, 3)), replace=False)]
    groups = [(colour, shape, int(rng.integers(1, 4))) for colour, shape in chosen]
    if [number for *_, number in groups] == [1, 1]:
        return counted(rng)  # two things are in a relation
    things: list[Thing] = []
    while len(things) < sum(number for *_, number in groups):
        things = []
        wanted = [(colour, shape) for colour, shape, number in groups for _ in range(number)]
        for colour, shape in wanted:
            radius = float(rng.uniform(0.09, 0.13))
            for _ in range(40):
                x, y = rng.uniform(radius, 1 - radius, 2).tolist()
                if all(math.hypot(x - t.x, y - t.y) > 1.15 * (radius + t.radius) for t in things):
                    things.append(Thing(colour, shape, x, y, radius))
                    break
    nouns = [
        Thing(colour, shape, 0, 0, 0).noun(False) if number == 1 else f"{NUMBERS[number - 1]} {colour} {SHAPES[shape]}"
        for colour, shape, number in groups
    ]
    captions = []
    for order in itertools.permutations(range(len(groups))):
        listed = " and ".join(nouns[i] for i in order)
        captions += [listed, f"there {'is' if groups[order[0]][2] == 1 else 'are'} {listed}"]
    return Scene(things, ground(rng), captions, {(c, s, NUMBERS[n - 1]) for c, s, n in groups})


def paint(scene: Scene, side: int = SIDE, finer: int = 4) -> np.ndarray:
    """The scene as [side, side, 3] bytes: drawn some times finer, then averaged, so that edges are smooth."""
    image = Image.new("RGB", (side * finer, side * finer), scene.ground)
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        x, y, r = (value * side * finer for value in thing[2:])
        if thing.shape == "circle":
            pen.ellipse((x - r, y - r, x + r, y + r), fill=COLOURS[thing.colour])
        else:
            outline = [(x + r * u, y + r * v) for u, v in OUTLINES[thing.shape]]
            pen.polygon(outline, fill=COLOURS[thing.colour])
    return np.asarray(image.reduce(finer))


def pixels(pictures: list[np.ndarray]) -> np.ndarray:
    """Bytes [48, 48, 3] as [N, 3, 48, 48] around 0, as the networks take them."""
    return np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / 128 - 1


def rays(*radii_and_angles: tuple[float, float]) -> list[tuple[float, float]]:
    return [(r * math.sin(math.radians(a)), -r * math.cos(math.radians(a))) for r, a in radii_and_angles]


OUTLINES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
    "triangle": [(0, -0.95), (1, 0.8), (-1, 0.8)],
    "star": rays(*((1.08 if k % 2 == 0 else 0.46, 36.0 * k) for k in range(10))),
    "cross": [(u, v) for u, v in (
        (-0.32, -1), (0.32, -1), (0.32, -0.32), (1, -0.32), (1, 0.32), (0.32, 0.32),
        (0.32, 1), (-0.32, 1), (-0.32, 0.32), (-1, 0.32), (-1, -0.32), (-0.32, -0.32),
    )],
}  # fmt: skip
