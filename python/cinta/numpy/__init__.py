"""NumPy's namespace on differentiable arrays: `import cinta.numpy as np`.

NumPy's own defaults hold: float64 from Python floats, int64 from ints, arrays keep their dtype. Every function takes
tensors, NumPy arrays, numbers and nested lists, and returns tensors; `grad` and its relatives differentiate through
all of them but those that count, compare or search. What NumPy has and this module has not is an AttributeError that
says so.

>>> import cinta.numpy as np
>>> from cinta import grad
>>> print(grad(lambda x: np.sum(np.tanh(x) ** 2))(np.array([0.0, 0.5])))
[0.         0.72686198]
"""

from __future__ import annotations

from typing import Any

from . import linalg as linalg
from . import random as random
from .assembling import *  # noqa: F403
from .constants import *  # noqa: F403
from .creation import *  # noqa: F403
from .differences import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .hosted import *  # noqa: F403
from .indexing import *  # noqa: F403
from .joining import *  # noqa: F403
from .operators import *  # noqa: F403
from .products import *  # noqa: F403
from .reductions import *  # noqa: F403
from .shaping import *  # noqa: F403
from .statistics import *  # noqa: F403


def __getattr__(name: str) -> Any:
    import numpy

    if not name.startswith("_") and hasattr(numpy, name):
        raise AttributeError(
            f"[numpy] got {name!r}, which NumPy has and cinta.numpy has not, expected one of dir(cinta.numpy) "
            f"(compute it outside of what is differentiated with numpy.{name}(x.detach().numpy()), or give it a "
            "gradient with cinta.autodiff.primitive)"
        )
    raise AttributeError(f"[numpy] got {name!r}, expected one of dir(cinta.numpy)")
