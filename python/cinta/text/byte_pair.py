"""Byte-pair encoding: frequent words stay whole, rare ones fall into pieces that are frequent."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

# A word or a run of marks with the space before it, or any other white space: nothing is lost.
PATTERN = r" ?\w+| ?[^\w\s]+|\s"
_CACHED = 1 << 16  # words whose pieces are remembered

Pair = tuple[str, str]


class BytePairTokenizer:
    r"""Pieces of words, made by merging pairs of neighbours in the order in which training found them frequent.

    merges: pairs of pieces, first things first; characters: single ones that training saw; `BytePairTokenizer.train`
    finds both. pattern: what may become a piece at most, a regular expression; the default takes a word with the space
    before it. A text is read as if a space stood before it, so that a word has the same pieces wherever it stands.

    Every text comes back as it was: `join(tokenize(text)) == text` (with a pattern that leaves nothing out). `pieces`
    are all there are, for a vocabulary: `Vocabulary(tokenize.pieces)`. A character that training did not see stays a
    piece by itself, which the vocabulary takes for "<unk>". A `state_dict` keeps the tokenizer with its model.

    Errors: ValueError for merges of other pieces, or a pattern that is no regular expression.
    Source: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.

    Example:
        >>> tokenize = ct.text.BytePairTokenizer.train(["ein einer eines", "keine kein", "meine"], max_size=13)
        >>> tokenize("eine meinen")
        [' eine', ' ', 'm', 'eine', 'n']
        >>> tokenize.join(tokenize("eine meinen"))
        'eine meinen'
        >>> vocabulary = ct.text.Vocabulary(tokenize.pieces)
        >>> vocabulary.decode(vocabulary.encode(tokenize("deine"), eos=True))
        [' ', '<unk>', 'eine']
    """

    def __init__(self, merges: Iterable[Sequence[str]] = (), characters: Iterable[str] = (), pattern: str = PATTERN):
        self._set(merges, characters, pattern)

    def _set(self, merges: Any, characters: Any, pattern: Any) -> None:
        try:
            compiled = re.compile(pattern)
        except (re.error, TypeError) as error:
            got = f"{pattern!r:.60} ({error})"
            raise ValueError(f"[BytePairTokenizer] pattern got {got}, expected a regular expression") from None
        pieces = dict.fromkeys(characters)
        ranks: dict[Pair, int] = {}
        for merge in merges:
            if len(merge) != 2 or not all(isinstance(side, str) and side in pieces for side in merge):
                got = f"{merge!r:.60} as number {len(ranks)}"
                raise ValueError(
                    f"[BytePairTokenizer] merges got {got}, expected a pair of characters or earlier merges"
                )
            left, right = merge
            ranks.setdefault((left, right), len(ranks))
            pieces[left + right] = None
        self.pattern, self.merges, self.pieces = pattern, list(ranks), list(pieces)
        self.characters = [piece for piece in pieces if len(piece) == 1]
        self._compiled, self._ranks, self._known = compiled, ranks, dict[str, list[str]]()

    @classmethod
    def train(
        cls, texts: Iterable[str], max_size: int = 1000, min_count: int = 2, pattern: str = PATTERN
    ) -> BytePairTokenizer:
        """Merges the most frequent pair of neighbours inside of words, again and again.

        Of equally frequent pairs it is the first by name. texts: many, or one in a list. max_size: of pieces,
        characters included (there may be more characters than that: then nothing is merged). min_count: how often a
        pair must occur to be merged.

        Errors: TypeError for a single text; ValueError for max_size or min_count below 1.
        """
        if isinstance(texts, str):
            raise TypeError(f"[BytePairTokenizer] texts got the text {texts!r:.40}, expected several, or [text]")
        if max_size < 1 or min_count < 1:
            got = f"{max_size} and {min_count}"
            raise ValueError(f"[BytePairTokenizer] max_size and min_count got {got}, expected at least 1")
        tokenizer = cls(pattern=pattern)
        words = Counter(word for text in texts for word in tokenizer._words(text))
        characters = sorted({character for word in words for character in word})
        merges = _Merging(words).merged(max_size - len(characters), min_count)
        return cls(merges, characters, pattern)

    def _words(self, text: str) -> list[str]:
        return [found[0] for found in self._compiled.finditer(" " + text) if found[0]] if text else []

    def __call__(self, text: str) -> list[str]:
        return [piece for word in self._words(text) for piece in self._split(word)]

    def _split(self, word: str) -> list[str]:
        known = self._known.get(word)
        if known is not None:
            return known
        pieces, ranks, last = list(word), self._ranks, len(self._ranks)
        while len(pieces) > 1:
            best = min(pairwise(pieces), key=lambda pair: ranks.get(pair, last))
            if best not in ranks:
                break
            pieces = _joined(pieces, best)
        if len(self._known) >= _CACHED:
            self._known.clear()
        self._known[word] = pieces
        return pieces

    def join(self, tokens: Iterable[str]) -> str:
        """Text of pieces."""
        return "".join(tokens).removeprefix(" ")

    def state_dict(self) -> dict[str, Any]:
        """Merges, characters and pattern, for a checkpoint."""
        merges = [list(pair) for pair in self.merges]
        return {"merges": merges, "characters": list(self.characters), "pattern": self.pattern}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Becomes the tokenizer of that state, or stays as it was.

        Errors: ValueError for a state of another kind.
        """
        lists = (isinstance(state.get(name), (list, tuple)) for name in ("merges", "characters"))
        if set(state) != {"merges", "characters", "pattern"} or not all(lists):
            expected = "lists of merges and characters, and a pattern"
            raise ValueError(f"[BytePairTokenizer] state got {list(state)!r:.80}, expected {expected}")
        self._set(**state)


class _Merging:
    """Words in pieces, and how often, and in which words, each pair of neighbours stands; kept up merge by merge."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self.words = [(list(word), count) for word, count in words.items()]
        self.counts: Counter[Pair] = Counter()
        self.where: defaultdict[Pair, set[int]] = defaultdict(set)
        for number in range(len(self.words)):
            self._count(number, 1)
        self.heap = [(-count, pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def _count(self, number: int, sign: int) -> set[Pair]:
        pieces, count = self.words[number]
        pairs = list(pairwise(pieces))
        for pair in pairs:
            self.counts[pair] += sign * count
            self.where[pair].add(number)
        return set(pairs)

    def merged(self, merges: int, min_count: int) -> list[Pair]:
        """The merges in their order."""
        found: list[Pair] = []
        while len(found) < merges and self.heap:
            count, pair = heapq.heappop(self.heap)
            if -count < min_count:
                break
            if self.counts[pair] != -count:
                continue  # an entry from before other merges changed its count
            found.append(pair)
            changed: set[Pair] = set()
            for number in sorted(self.where.pop(pair)):
                changed |= self._count(number, -1)
                pieces, times = self.words[number]
                self.words[number] = (_joined(pieces, pair), times)
                changed |= self._count(number, 1)
            for each in changed:
                if self.counts[each] > 0:
                    heapq.heappush(self.heap, (-self.counts[each], each))
        return found


def _joined(pieces: list[str], pair: Pair) -> list[str]:
    """The pair as one piece wherever it stands, from the left."""
    left, right = pair
    joined: list[str] = []
    at = 0
    while at < len(pieces):
        both = pieces[at] == left and at + 1 < len(pieces) and pieces[at + 1] == right
        joined.append(left + right if both else pieces[at])
        at += 2 if both else 1
    return joined
