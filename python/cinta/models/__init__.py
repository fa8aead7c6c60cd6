"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.deepface import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare
from cinta.models.sequence_to_sequence import Seq2Seq
from cinta.models.super_resolution import ESPCN, FSRCNN, SRCNN

__all__ = ["DeepFace", "ESPCN", "FSRCNN", "NormalizedFeatures", "SRCNN", "Seq2Seq", "SiameseL1", "WeightedChiSquare"]
