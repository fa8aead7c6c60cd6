"""Linear algebra on stacks of matrices (..., n, n): NumPy's own decompositions, differentiated by rules written in
recorded operations, and so to any order."""

from numpy.linalg import LinAlgError as LinAlgError

from .decompositions import *  # noqa: F403
from .norms import *  # noqa: F403
from .solving import *  # noqa: F403
