"""The scripts in examples/, their small settings, and how a test starts one."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parent.parent / "examples"
SETTINGS = {
    "lenet.py": ["--quick"],
    "taylor_sine.py": [],
    "logistic_regression.py": [],
    "draw_backpropagation.py": [],
    "compiled_step.py": ["--epochs", "1"],
    "all_ingredients.py": ["--quick"],
    "ensemble.py": ["--splits", "1", "--epochs", "1", "--members", "3"],
    "schedules.py": ["--epochs", "2", "--seeds", "1"],
    "augmentations.py": [],
    "decision_surface.py": ["--steps", "20"],
    "see_network.py": ["--epochs", "1"],
    "sklearn_estimators.py": ["--epochs", "1", "--folds", "2"],
    "monitoring.py": ["--steps", "60"],
    "rnn_language_model.py": ["--quick"],
    "vanishing_gradient.py": ["--trials", "4", "--epochs", "1", "--lag-steps", "20", "--lag-trials", "1"],
    "ctc_digits.py": ["--steps", "20", "--strips", "10", "--beam-size", "4"],
    "sort_numbers.py": ["--steps", "30", "--pointer-steps", "30"],
    "translate.py": ["--phrases", "300", "40", "--hidden", "16", "--epochs", "1"],
    "before_training.py": ["--steps", "30"],
    "face_verification.py": ["--steps", "30", "--pairs", "40"],
    "upscale.py": ["--quick"],
    "inception.py": ["--train", "4", "--test", "2", "--epochs", "1", "--batch-size", "20"],
    "very_deep.py": [
        "--train",
        "4",
        "--test",
        "2",
        "--epochs",
        "1",
        "--depths",
        "8",
        "14",
        "--seeds",
        "1",
        "--batch-size",
        "20",
    ],
    "popularity.py": ["--members", "1", "--epochs", "2", "--folds", "2"],
    "standard_machine_learning.py": ["--epochs", "2"],
    "caption.py": ["--scenes", "200", "--steps", "5", "--tests", "8", "--beam", "4"],
    "mc_dropout.py": ["--epochs", "1", "--samples", "3"],
    "history/mcculloch_pitts.py": [],
    "history/hebb.py": [],
    "history/perceptron.py": ["--epochs", "2", "--starts", "1", "--steps", "20"],
    "history/widrow_hoff.py": ["--epochs", "1"],
    "history/hopfield.py": ["--units", "50"],
    "history/restricted_boltzmann_machine.py": ["--epochs", "2"],
    "history/deep_belief_net.py": [
        "--seeds",
        "1",
        "--layers",
        "2",
        "--units",
        "16",
        "--pretraining",
        "2",
        "--epochs",
        "2",
    ],
}


def run(script: str, *args: object, folder: Path, fails: bool = False) -> str:
    """Run an example in `folder`; its standard output, or its standard error where it is meant to fail."""
    command = [sys.executable, str(EXAMPLES / script), *map(str, args)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == fails, f"{script} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr if fails else done.stdout


def write_mnist(folder: Path) -> None:
    """Scikit-learn's digits as MNIST's four gzipped files: 40 for training, 20 held out."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.kron(digits.images[:60] * 15, np.ones((3, 3))).astype(np.uint8)
    for part, cut in (("train", slice(0, 40)), ("t10k", slice(40, 60))):
        for kind, array in (("images-idx3", images[cut]), ("labels-idx1", digits.target[cut].astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
