"""Vocabulary: a number for every token, and special ones for what is unknown, padding, beginning and end."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

SPECIALS = ("<unk>", "<pad>", "<bos>", "<eos>")


class Vocabulary:
    """Tokens by number: the special ones first, then the others in the order given.

    tokens: without special ones, each once; `Vocabulary.build` takes the frequent ones of a text.
    specials: names of special tokens: "<unk>" (stands for every unknown token), "<pad>", "<bos>" and "<eos>", some of
        them or others. `unk`, `pad`, `bos`, `eos` are their numbers, None where there is no such token.

    A vocabulary has a `state_dict`, so `ct.save_checkpoint("net.safetensors", model=net, vocabulary=vocabulary)` keeps
    it with the model.

    Errors: ValueError for a token that comes twice; TypeError for one that is no text.

    Example:
        >>> vocabulary = Vocabulary.build("the cat and the dog".split(), max_size=6)
        >>> vocabulary.tokens
        ['<unk>', '<pad>', '<bos>', '<eos>', 'the', 'and']
        >>> vocabulary.encode(["the", "bird"], eos=True)
        array([4, 0, 3])
        >>> vocabulary.decode([4, 5, 4, 3, 1, 1])
        ['the', 'and', 'the']
        >>> _ = ct.save_checkpoint("net.safetensors", vocabulary=vocabulary)
        >>> again = Vocabulary()
        >>> _ = ct.load_checkpoint("net.safetensors", vocabulary=again)
        >>> again.tokens == vocabulary.tokens
        True
    """

    def __init__(self, tokens: Iterable[str] = (), specials: Sequence[str] = SPECIALS) -> None:
        self._set(_listed("tokens", tokens), _listed("specials", specials))

    def _set(self, tokens: list[str], specials: list[str]) -> None:
        every = [*specials, *tokens]
        for token in every:
            if not isinstance(token, str):
                raise TypeError(f"[Vocabulary] got the token {token!r:.60}, expected text")
        numbers = {token: number for number, token in enumerate(every)}
        if len(numbers) < len(every):
            twice = next(token for number, token in enumerate(every) if numbers[token] != number)
            raise ValueError(f"[Vocabulary] got the token {twice!r:.60} twice, expected each once")
        self.tokens, self.specials, self._numbers = every, tuple(specials), numbers
        named = set(specials)
        self.unk, self.pad, self.bos, self.eos = (numbers[name] if name in named else None for name in SPECIALS)

    @classmethod
    def build(
        cls,
        tokens: Iterable[str] | Iterable[Iterable[str]],
        max_size: int | None = None,
        min_count: int = 1,
        specials: Sequence[str] = SPECIALS,
    ) -> Vocabulary:
        """The most frequent tokens of a text, or of several, in the order of their counts, then of the alphabet.

        tokens: a list of tokens, or of such lists. max_size: how many there may be, special ones included.
        min_count: how often a token must occur.

        Errors: ValueError where max_size leaves no room for the special tokens; TypeError for a text that is not yet
        cut into tokens.
        """
        if min_count < 1:
            raise ValueError(f"[Vocabulary.build] min_count got {min_count}, expected at least 1")
        if max_size is not None and max_size < len(specials):
            raise ValueError(f"[Vocabulary.build] max_size got {max_size}, expected room for {len(specials)} specials")
        counts: Counter[str] = Counter()
        loose: list[str] = []
        for entry in _listed("tokens", tokens):
            if isinstance(entry, str):
                loose.append(entry)
            else:
                counts.update(entry)
        counts.update(loose)
        for special in specials:
            counts.pop(special, None)
        frequent = sorted((-count, token) for token, count in counts.items() if count >= min_count)
        room = None if max_size is None else max_size - len(specials)
        return cls([token for _, token in frequent[:room]], specials)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._numbers

    def __getitem__(self, token: str) -> int:
        number = self._numbers.get(token, self.unk)
        if number is None:
            raise KeyError(
                f'[Vocabulary] got {token!r:.60}, expected one of {len(self)} tokens (specials has no "<unk>")'
            )
        return number

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, specials={self.specials})"

    def encode(self, tokens: Iterable[str], bos: bool = False, eos: bool = False) -> np.ndarray:
        """Numbers [T] of tokens, int64; with bos and eos those of the beginning and the end around them.

        Errors: KeyError for an unknown token where there is no "<unk>"; ValueError where there is no token for bos or
        eos; TypeError for a text that is not yet cut into tokens.
        """
        for name, wanted, number in (("bos", bos, self.bos), ("eos", eos, self.eos)):
            if wanted and number is None:
                raise ValueError(f'[Vocabulary] {name} got True, but specials has no "<{name}>"')
        numbers = [self[token] for token in _listed("tokens", tokens)]
        return np.array([self.bos] * bool(bos) + numbers + [self.eos] * bool(eos), np.int64)

    def decode(self, numbers: Iterable[Any], specials: bool = False) -> list[str]:
        """Tokens up to "<eos>", without the special ones; with `specials` all of them.

        "<unk>" stays where it stands, as something stood there.
        Errors: IndexError for a number that is none of a token.
        """
        left_out = () if specials else {self._numbers[name] for name in self.specials} - {self.unk}
        tokens = []
        for entry in numbers:
            number = operator.index(entry.item() if hasattr(entry, "item") else entry)
            if not 0 <= number < len(self):
                raise IndexError(f"[Vocabulary] got the number {number}, expected 0 to {len(self) - 1}")
            if number == self.eos and not specials:
                break
            if number not in left_out:
                tokens.append(self.tokens[number])
        return tokens

    def coverage(self, tokens: Iterable[str]) -> float:
        """The share of tokens that are known, 1 of none."""
        known = [token in self._numbers for token in _listed("tokens", tokens)]
        return sum(known) / len(known) if known else 1.0

    def state_dict(self) -> dict[str, Any]:
        """The tokens, for a checkpoint."""
        return {"tokens": self.tokens[len(self.specials) :], "specials": list(self.specials)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Becomes the vocabulary of that state, or stays as it was.

        Errors: ValueError for a state of another kind.
        """
        if set(state) != {"tokens", "specials"} or not all(isinstance(part, (list, tuple)) for part in state.values()):
            raise ValueError(f"[Vocabulary] state got {list(state)!r:.80}, expected lists of tokens and specials")
        try:
            self._set(list(state["tokens"]), list(state["specials"]))
        except TypeError as error:
            raise ValueError(str(error)) from None


def _listed(name: str, tokens: Iterable[Any]) -> list[Any]:
    if isinstance(tokens, str):
        raise TypeError(
            f"[Vocabulary] {name} got the text {tokens!r:.40}, expected tokens (a tokenizer makes them, or list(text))"
        )
    return list(tokens)
