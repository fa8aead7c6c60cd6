"""From text to tokens and back: by word, by character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


class WordTokenizer:
    r"""Words and punctuation marks: what a regular expression finds, one token after the other.

    pattern: of a token; the default finds words and every punctuation mark by itself and drops white space.
    lowercase: whether capital letters become small ones. separator: what `join` puts between tokens.

    Errors: ValueError for a pattern that is no regular expression.

    Example:
        >>> tokenize = WordTokenizer(lowercase=True)
        >>> tokenize("Read, then write!")
        ['read', ',', 'then', 'write', '!']
        >>> lossless = WordTokenizer(r"\s+|\w+|[^\w\s]", separator="")
        >>> lossless.join(lossless("Read,  then write!"))
        'Read,  then write!'
    """

    def __init__(self, pattern: str = r"\w+|[^\w\s]", lowercase: bool = False, separator: str = " ") -> None:
        self._set(pattern, lowercase, separator)

    def _set(self, pattern: Any, lowercase: Any, separator: Any) -> None:
        if not isinstance(pattern, str) or not isinstance(separator, str) or not isinstance(lowercase, bool):
            got = f"{pattern!r:.60}, {lowercase!r:.60}, {separator!r:.60}"
            raise ValueError(f"[WordTokenizer] pattern, lowercase, separator got {got}, expected text, a bool, text")
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"[WordTokenizer] pattern got {pattern!r} ({error}), expected a regular expression"
            ) from None
        self.pattern, self.lowercase, self.separator, self._compiled = pattern, lowercase, separator, compiled

    def __call__(self, text: str) -> list[str]:
        return [found[0] for found in self._compiled.finditer(text.lower() if self.lowercase else text) if found[0]]

    def join(self, tokens: Iterable[str]) -> str:
        """Text of tokens, with the separator between them."""
        return self.separator.join(tokens)

    def state_dict(self) -> dict[str, Any]:
        """The settings, for a checkpoint."""
        return {"pattern": self.pattern, "lowercase": self.lowercase, "separator": self.separator}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over the settings of another, all or none.

        Errors: ValueError for a state of another kind.
        """
        if set(state) != set(self.state_dict()):
            raise ValueError(f"[WordTokenizer] state got {list(state)!r:.80}, expected {list(self.state_dict())}")
        self._set(**state)


class CharacterTokenizer:
    """Characters, by Unicode code point.

    Example:
        >>> tokenize = CharacterTokenizer()
        >>> tokenize("tanh"), tokenize.join(["t", "a", "p", "e"])
        (['t', 'a', 'n', 'h'], 'tape')
    """

    def __call__(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: Iterable[str]) -> str:
        """Text of characters."""
        return "".join(tokens)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: there are no settings."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes an empty state.

        Errors: ValueError for a state of another kind.
        """
        if state:
            raise ValueError(f"[CharacterTokenizer] state got {list(state)!r:.80}, expected none")
