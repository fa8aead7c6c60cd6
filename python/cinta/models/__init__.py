"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.sequence_to_sequence import Seq2Seq

__all__ = ["Seq2Seq"]
