"""Preprocessing: data as networks like it, by what was learnt from the training data alone.

>>> import numpy as np
>>> from cinta import preprocess
>>> prepare = preprocess.Pipeline(preprocess.Log1p(columns=[0]), preprocess.Standardize())
>>> x = prepare.fit_transform(np.array([[0.0, 1.0], [999.0, 2.0]]))
>>> state = prepare.state_dict()  # plain data: goes into a checkpoint
>>> preprocess.from_state_dict(state)(np.array([[999.0, 2.0]])).tolist()
[[1.0, 1.0]]
"""

from cinta.preprocess.hog import HOG
from cinta.preprocess.impute import Impute
from cinta.preprocess.log1p import Log1p
from cinta.preprocess.one_hot import OneHot
from cinta.preprocess.ordinal import Ordinal
from cinta.preprocess.pca import PCA, PCAWhitening
from cinta.preprocess.pipeline import Pipeline
from cinta.preprocess.preprocessor import Preprocessor, from_state_dict
from cinta.preprocess.scaling import Center, Standardize

__all__ = [
    "HOG",
    "PCA",
    "Center",
    "Impute",
    "Log1p",
    "OneHot",
    "Ordinal",
    "PCAWhitening",
    "Pipeline",
    "Preprocessor",
    "Standardize",
    "from_state_dict",
]
