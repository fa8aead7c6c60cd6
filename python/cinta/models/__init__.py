"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.deepface import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare
from cinta.models.sequence_to_sequence import Seq2Seq

__all__ = ["DeepFace", "NormalizedFeatures", "Seq2Seq", "SiameseL1", "WeightedChiSquare"]
