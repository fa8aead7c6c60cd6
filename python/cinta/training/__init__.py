"""What surrounds a step of training: the Trainer, its metrics, callbacks and logs, and checkpoints."""

from cinta.training.checkpoint import load_checkpoint, save_checkpoint
from cinta.training.rotation import best_checkpoint, latest_checkpoint

__all__ = ["best_checkpoint", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]
