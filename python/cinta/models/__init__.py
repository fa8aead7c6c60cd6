"""Networks of the literature, each with its shapes, its number of parameters and its paper."""

from cinta.models.deepface import DeepFace, NormalizedFeatures, SiameseL1, WeightedChiSquare

__all__ = ["DeepFace", "NormalizedFeatures", "SiameseL1", "WeightedChiSquare"]
