from . import _core
from ._core import *
globals().update({k: getattr(_core, k) for k in dir(_core) if not k.startswith('_')})
from .autodiff import *
from . import nn, optim
