"""`ct.Monitor`: looks at a training as it runs, and says in plain language what the lecture's advice would change."""

from .advice import Advice
from .monitor import Monitor
from .observation import Layer, Observation

__all__ = ["Advice", "Layer", "Monitor", "Observation"]
