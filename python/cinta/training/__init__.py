"""What surrounds a step of training: the Trainer, its metrics, callbacks and logs, and checkpoints."""

from cinta.training.callbacks import BestWeights, Callback, EarlyStopping
from cinta.training.checkpoint import load_checkpoint, save_checkpoint
from cinta.training.image_metrics import PeakSignalNoiseRatio, StructuralSimilarity
from cinta.training.logs import CSVLogger, JSONLinesLogger, Logger, TensorBoardLogger
from cinta.training.metrics import (
    Accuracy,
    BinaryAccuracy,
    ErrorRate,
    Mean,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    R2Score,
    TopKAccuracy,
)
from cinta.training.rotation import best_checkpoint, latest_checkpoint
from cinta.training.trainer import Trainer

__all__ = [
    "Accuracy",
    "BestWeights",
    "BinaryAccuracy",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "ErrorRate",
    "JSONLinesLogger",
    "Logger",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "PeakSignalNoiseRatio",
    "R2Score",
    "StructuralSimilarity",
    "TensorBoardLogger",
    "TopKAccuracy",
    "Trainer",
    "best_checkpoint",
    "latest_checkpoint",
    "load_checkpoint",
    "save_checkpoint",
]
