"""cinta: a deep-learning engine whose tape is the program.

>>> import cinta as ct
>>> x = ct.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cinta._core import *  # noqa: F403
from cinta._core import __version__ as __version__

if TYPE_CHECKING:
    from cinta import (  # noqa: F401
        augment,
        autodiff,
        data,
        debugging,
        decoding,
        ensemble,
        extend,
        models,
        monitor,
        nn,
        numpy,
        optim,
        plot,
        preprocess,
        replay,
        scipy,
        sklearn,
        text,
        training,
    )
    from cinta.autodiff import *  # noqa: F403
    from cinta.debugging import debug, find_lr, gradcheck, overfit_one_batch  # noqa: F401
    from cinta.drawing import draw  # noqa: F401
    from cinta.ensemble import Ensemble, mc_dropout  # noqa: F401
    from cinta.files import load, load_metadata, save  # noqa: F401
    from cinta.mixed_precision import autocast  # noqa: F401
    from cinta.monitor import Monitor  # noqa: F401
    from cinta.precision import set_float32_matmul_precision  # noqa: F401
    from cinta.replay import compile  # noqa: F401
    from cinta.row_sparse import RowSparse  # noqa: F401
    from cinta.training import (  # noqa: F401
        Trainer,
        best_checkpoint,
        latest_checkpoint,
        load_checkpoint,
        save_checkpoint,
    )

# Loaded when first used, so that `import cinta` stays a matter of milliseconds.
_MODULES = (
    "augment",
    "autodiff",
    "data",
    "debugging",
    "decoding",
    "ensemble",
    "extend",
    "models",
    "monitor",
    "nn",
    "numpy",
    "optim",
    "plot",
    "preprocess",
    "replay",
    "scipy",
    "sklearn",
    "text",
    "training",
)
_AUTODIFF = (
    "checkpoint custom_vjp elementwise_grad enable_grad grad grad_and_aux hessian hessian_vector_product hvp jacobian "
    "jvp make_jvp make_vjp no_grad value_and_grad vjp"
)
_TRAINING = "Trainer best_checkpoint latest_checkpoint load_checkpoint save_checkpoint"
_HOME = {
    **dict.fromkeys(_AUTODIFF.split(), "autodiff"),
    **dict.fromkeys(("load", "load_metadata", "save"), "files"),
    **dict.fromkeys(_TRAINING.split(), "training"),
    **dict.fromkeys(("debug", "find_lr", "gradcheck", "overfit_one_batch"), "debugging"),
    "Monitor": "monitor",
    "draw": "drawing",
    "RowSparse": "row_sparse",
    **dict.fromkeys(("Ensemble", "mc_dropout"), "ensemble"),
    "autocast": "mixed_precision",
    "compile": "replay",
    "set_float32_matmul_precision": "precision",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"cinta.{name}")
    if name in _HOME:
        value = globals()[name] = getattr(import_module(f"cinta.{_HOME[name]}"), name)
        return value
    raise AttributeError(f"module 'cinta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_HOME})
