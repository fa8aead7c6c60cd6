"""Captions read by rules and compared with where things are: knows nothing of the networks."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from captioning.scenes import COLOURS, NUMBERS, OPPOSITE, SHAPES, Scene, Thing

NOUN = re.compile(r"(an?|two|three) (?:(small|large) )?(\w+) (\w+)")
RELATION = re.compile(r" (?:is |are )?(?:to the )?(above|below|left of|right of) ")


class Described(NamedTuple):
    """What a caption says is there."""

    number: int
    size: str | None
    colour: str
    shape: str


def parse(caption: str) -> tuple[str | None, list[Described]] | None:
    """The relation, where there is one, and the things described; None for what is no caption."""
    body = re.sub(r"^there (is|are) ", "", caption)
    relation = RELATION.search(body)
    nouns = []
    for part in RELATION.split(body)[::2] if relation else body.split(" and "):
        match = NOUN.fullmatch(part)
        if match is None:
            return None
        article, size, colour, shape = match.groups()
        number = {"two": 2, "three": 3}.get(article, 1)
        singular = shape if number == 1 else next((one for one, many in SHAPES.items() if many == shape), "")
        if colour not in COLOURS or singular not in SHAPES:
            return None
        nouns.append(Described(number, size, colour, singular))
    if relation and len(nouns) != 2:
        return None
    return (relation[1] if relation else None), nouns


def judge(caption: str, scene: Scene) -> tuple[int, int, bool]:
    """How many of a caption's facts are so, how many it states, and whether it is whole: true, leaving nothing out.

    Facts: that there are things as described (in a list: exactly so many), and the relation between two of them.
    """
    parsed = parse(caption)
    if parsed is None:
        return 0, 1, False
    relation, nouns = parsed
    matches = [
        [
            thing for thing in scene.things
            if (thing.colour, thing.shape) == (noun.colour, noun.shape)
            and (noun.size is None or (thing.radius > 0.14) == (noun.size == "large"))
        ]
        for noun in nouns
    ]  # fmt: skip
    facts = [bool(found) if relation else len(found) == noun.number for found, noun in zip(matches, nouns)]
    if relation:
        facts.append(any(holds(relation, one, other) for one, other in itertools.product(*matches)))
    return sum(facts), len(facts), all(facts) and sum(noun.number for noun in nouns) == len(scene.things)


def holds(relation: str, one: Thing, other: Thing) -> bool:
    sign = 1 if relation in ("above", "left of") else -1
    right, down = sign * (other.x - one.x), sign * (other.y - one.y)
    return down > abs(right) if relation in ("above", "below") else right > abs(down)


def shown(caption: str) -> set[tuple[str, str, str]]:
    """The combinations of colour, shape and relation or number that a caption speaks of."""
    relation, nouns = parse(caption) or (None, [])
    if relation is None:
        return {(noun.colour, noun.shape, NUMBERS[noun.number - 1]) for noun in nouns}
    return {(n.colour, n.shape, how) for n, how in zip(nouns, (relation, OPPOSITE[relation]))}
