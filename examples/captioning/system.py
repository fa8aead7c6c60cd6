"""All that captions a picture, in one checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import cinta as ct
from captioning.networks import Captioner, Sentences
from captioning.ranking import Candidate, Reranker, generate
from cinta.text import Vocabulary


class System:
    """All that captions a picture: networks, words and the re-ranker."""

    def __init__(self, vocabulary: Vocabulary, longest: int, beam_size: int) -> None:
        self.sentences, self.beam_size = Sentences(vocabulary, longest), beam_size
        self.model = Captioner(len(vocabulary), len(vocabulary.specials))
        self.reranker = Reranker()

    def candidates(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[list[Candidate]]]:
        self.model.eval()
        parts = [generate(self.model, self.sentences, pictures[i : i + 64], self.beam_size)
                 for i in range(0, len(pictures), 64)]  # fmt: skip
        return (
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
            [row for part in parts for row in part[2]],
        )

    def save(self, path: Path) -> None:
        ct.save_checkpoint(
            path, model=self.model, reranker=self.reranker, vocabulary=self.sentences.vocabulary,
            longest=self.sentences.longest,
        )  # fmt: skip

    @staticmethod
    def load(path: Path, beam_size: int) -> System:
        rest = ct.load_checkpoint(path, random=False)
        if not {"model", "reranker", "vocabulary", "longest"} <= set(rest):
            raise ValueError(f"[caption] {path} holds {', '.join(map(str, rest))}, expected what caption.py saved")
        vocabulary = Vocabulary()
        vocabulary.load_state_dict(rest["vocabulary"])
        system = System(vocabulary, rest["longest"], beam_size)
        system.model.load_state_dict(rest["model"])
        system.reranker.load_state_dict(rest["reranker"])
        return system
