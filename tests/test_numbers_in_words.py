"""numbers_in_words: what is held out stands in no phrase to learn from; the phrases are right."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cinta.text import numbers_in_words
from cinta.text.numbers_in_words import is_held_out

num2words = pytest.importorskip("num2words").num2words


def test_no_number_that_is_held_out_stands_in_what_is_learnt():
    """Its written form is in no text, by itself or in a longer number."""
    phrases = numbers_in_words(4000, seed=1)
    texts = {language: [p.target for p in phrases if p.language == language] for language in ("de", "fr")}
    texts["en"] = [p.source for p in phrases]
    before = {"en": r"(?<![\w-])", "fr": r"(?<![\w-])", "de": ""}  # German words have no borders inside
    numbers = [number for number in range(1_000_000) if is_held_out(number)]
    assert 0.08 * 1e6 < len(numbers) < 0.11 * 1e6
    some = [*numbers[:150], *np.random.default_rng(0).choice(numbers, 150)]
    for language, lines in texts.items():
        text = "\n".join(lines)
        for number in map(int, some):
            for kind in ("cardinal", "ordinal", "year"):
                if kind != "year" or 1100 <= number < 2100:
                    form = num2words(number, lang=language, to=kind)
                    found = form in text and re.search(before[language] + re.escape(form) + r"(?![\w-])", text)
                    assert not found, (number, form)


@pytest.mark.parametrize("held_out", [False, True])
def test_phrases(held_out):
    phrases = numbers_in_words(800, held_out=held_out, seed=3)
    assert phrases == numbers_in_words(800, held_out=held_out, seed=3) != numbers_in_words(800, held_out=held_out)
    assert phrases[:100] == numbers_in_words(100, held_out=held_out, seed=3)
    for kind in ("amount", "ordinal", "year", "date"):
        for language in ("de", "fr"):
            assert 60 < sum((p.kind, p.language) == (kind, language) for p in phrases) < 140
    years = {num2words(n, lang="en", to="year"): n for n in range(1100, 2100)}
    for language, source, target, kind in phrases:
        if kind == "year":
            assert target == num2words(years[source], lang=language, to="year")
            assert is_held_out(years[source]) == held_out
        elif kind == "date":
            (year,) = re.fullmatch(r"the \S+ of \S+ (.*)", source).groups()
            assert target.endswith(num2words(years[year], lang=language, to="year"))
            assert target.startswith({"de": "der ", "fr": "le "}[language])
    assert any("le premier " in p.target for p in numbers_in_words(3000))


def test_no_phrases_and_refused_arguments():
    assert numbers_in_words(0) == []
    assert {p.language for p in numbers_in_words(20, ["fr"])} == {"fr"}
    for languages in ([], ["en"], ["de", "xx"]):
        with pytest.raises(ValueError, match=r"languages got .*, expected some of \['de', 'fr'\]"):
            numbers_in_words(1, languages)
    with pytest.raises(ValueError, match="size got -1"):
        numbers_in_words(-1)
