"""A corpus without end: phrases with numbers in words, in English and in German or French."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

KINDS = ("amount", "ordinal", "year", "date")
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}


class Phrase(NamedTuple):
    """A text and its translation: the language translated into, both texts, and what sort of phrase it is.

    Example:
        >>> Phrase("de", "nineteen eighty-four", "neunzehnhundertvierundachtzig", "year").kind
        'year'
    """

    language: str
    source: str
    target: str
    kind: str = "sentence"


def numbers_in_words(
    size: int, languages: Sequence[str] = ("de", "fr"), *, held_out: bool = False, seed: int = 0
) -> list[Phrase]:
    """Phrases with a number each, in English and in one of the languages, as num2words writes them.

    Amounts of euros and cents, ordinals, years and dates of 1100 to 2099, as many of each and of each language; of
    amounts and ordinals there are as many below 10^2, 10^3, ... and 10^6.

    One number in ten is held out: what learns from the phrases without `held_out` has never seen it, in any of these
    forms, nor a longer number in whose written form, in any of the languages, its own stands (345 stands in 345,017 and
    in 12,345). Numbers whose words begin or end others by nature are never held out: below 200, tens, what ends in 001
    to 010. The same seed gives the same phrases.

    Errors: ImportError where num2words is missing; ValueError for other languages.

    Example:
        >>> phrases = numbers_in_words(1000, seed=1)
        >>> next(p for p in phrases if p.language == "fr" and p.kind == "year")
        Phrase(language='fr', source='twenty seventeen', target='deux mille dix-sept', kind='year')
        >>> len({p.source for p in phrases} & {p.source for p in numbers_in_words(1000, held_out=True)})
        0
    """
    if size < 0:
        raise ValueError(f"[numbers_in_words] size got {size}, expected at least 0")
    unknown = [language for language in languages if language not in _MONTHS or language == "en"]
    if unknown or not languages:
        raise ValueError(f"[numbers_in_words] languages got {list(languages)}, expected some of ['de', 'fr']")
    rng = np.random.default_rng([seed, held_out])
    phrases: list[Phrase] = []
    while len(phrases) < size:
        kind, language = KINDS[rng.integers(4)], languages[int(rng.integers(len(languages)))]
        number = int(rng.integers(1100, 2100) if kind in ("year", "date") else rng.integers(10 ** rng.integers(2, 7)))
        if is_held_out(number) if held_out else may_be_learnt(number):
            other = int(rng.integers(100 if kind == "amount" else 12 * 31))
            source, target = (_in_words(kind, each, number, other) for each in ("en", language))
            phrases.append(Phrase(language, source, target, kind))
    return phrases


def is_held_out(number: int) -> bool:
    """One number in ten; not those whose words begin or end others: below 200, tens, mille quatre (1004, or 14..)."""
    return number > 200 and number % 10 != 0 and number % 1000 > 10 and zlib.crc32(str(number).encode()) % 10 == 0


def may_be_learnt(number: int) -> bool:
    """Whether no number that is held out stands, in any language, in the written form of this one."""
    end, tens = number % 1000, number // 10_000 % 10 * 10_000
    # 371,345 is trois cent soixante et onze mille ..., 395,345 dreihundertfünfundneunzigtausend...: 11,345 and 90,345
    inside = (
        number // 1000,
        end,
        1000 + end,
        10_000 + end,
        tens + end,
        10_000 + number % 10_000,
        number % 100_000,
        number,
    )
    return not any(is_held_out(part) for part in inside if part <= number)


def _in_words(kind: str, language: str, number: int, other: int) -> str:
    """A number as euros with `other` cents, as an ordinal, a year, or the year of day `other` of 12 x 31."""
    try:
        from num2words import num2words
    except ImportError as error:
        raise ImportError("[numbers_in_words] num2words is not installed: pip install num2words") from error

    if kind == "amount":
        return str(num2words(100 * number + other, lang=language, to="currency", currency="EUR"))
    if kind != "date":
        text = str(num2words(number, lang=language, to=kind))
        return text.replace("vingtsième", "vingtième").replace("centsième", "centième")  # as French has it
    the, of = {"en": ("the", " of"), "de": ("der", ""), "fr": ("le", "")}[language]
    day = num2words(other // 12 + 1, lang=language, to="cardinal" if language == "fr" and other >= 12 else "ordinal")
    return f"{the} {day}{of} {_MONTHS[language].split()[other % 12]} {_in_words('year', language, number, 0)}"
