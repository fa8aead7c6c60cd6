"""From text to numbers and back: a tokenizer and its vocabulary as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cinta.text.byte_pair import BytePairTokenizer
from cinta.text.vocabulary import SPECIALS, Vocabulary


class TextCodec:
    """Text as numbers of its tokens, and numbers as text again.

    tokenizer: called with a text it gives tokens, its `join` makes text of them (any tokenizer of `cinta.text`);
    vocabulary: which number each token has. Without them an empty one of byte pairs, for `load_state_dict` to fill. A
    `state_dict` keeps both with the model that knows these numbers.

    Errors: ValueError for a state of another kind, after which all is as before.

    Example:
        >>> codec = ct.text.TextCodec.train(["ein einer eines", "keine kein", "meine"], max_size=17)
        >>> codec.encode("keine reine", bos=True, eos=True)
        array([ 2, 16, 14,  4, 10, 14,  3])
        >>> codec.decode(codec.encode("keine reine", bos=True, eos=True))
        'keine reine'
    """

    def __init__(self, tokenizer: Any = None, vocabulary: Vocabulary | None = None) -> None:
        self.tokenizer = BytePairTokenizer() if tokenizer is None else tokenizer
        self.vocabulary = Vocabulary() if vocabulary is None else vocabulary

    @classmethod
    def train(cls, texts: Iterable[str], max_size: int = 1000, specials: Sequence[str] = SPECIALS) -> TextCodec:
        """Of the byte pairs that are frequent in these texts; max_size: how many tokens, special ones included.

        Errors: as `BytePairTokenizer.train`; ValueError where max_size leaves no room beside the special tokens.
        """
        if max_size <= len(specials):
            raise ValueError(f"[TextCodec] max_size got {max_size}, expected more than the {len(specials)} specials")
        tokenizer = BytePairTokenizer.train(texts, max_size - len(specials))
        return cls(tokenizer, Vocabulary(tokenizer.pieces, specials))

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> np.ndarray:
        """Numbers [T] of a text's tokens, int64; with bos and eos those of the beginning and the end around them."""
        return self.vocabulary.encode(self.tokenizer(text), bos=bos, eos=eos)

    def decode(self, numbers: Iterable[Any]) -> str:
        """Text of numbers up to that of "<eos>", without special tokens but "<unk>"."""
        return str(self.tokenizer.join(self.vocabulary.decode(numbers)))

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self.vocabulary)

    def state_dict(self) -> dict[str, Any]:
        """Of tokenizer and vocabulary, for a checkpoint."""
        return {"tokenizer": self.tokenizer.state_dict(), "vocabulary": self.vocabulary.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over tokenizer and vocabulary of that state, both or none."""
        if set(state) != {"tokenizer", "vocabulary"} or not all(isinstance(part, Mapping) for part in state.values()):
            raise ValueError(f"[TextCodec] state got {list(state)!r:.80}, expected those of tokenizer and vocabulary")
        before = self.tokenizer.state_dict()
        self.tokenizer.load_state_dict(state["tokenizer"])
        try:
            self.vocabulary.load_state_dict(state["vocabulary"])
        except BaseException:
            self.tokenizer.load_state_dict(before)
            raise
