"""A training that is killed by SIGKILL over and over and each time taken up from its latest checkpoint.

    python killed_training.py FOLDER by_hand random 20     twenty trainings, each killed at a random moment
    python killed_training.py FOLDER by_hand write fsync   killed in its 5th call of fsync, replace or unlink

The loop is written `by_hand`, or the Trainer's: `by_trainer`.

Prints how each ended, "same" where its last checkpoint has the bytes of that of a training that nobody stopped, and the
file that it was taken up from. Each training is a process of its own, forked before anything was computed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import cinta as ct
from cinta import nn, optim
from cinta.data import DataLoader, TensorDataset
from cinta.training.random_state import NumpyStream

EPOCHS, SAVE_EVERY = 4, 4


def by_hand(path: Path) -> None:
    objects, noisy = made()
    model, optimizer, scheduler, loader = (objects[name] for name in ("model", "optimizer", "scheduler", "loader"))
    step, history = 0, []
    if latest := ct.latest_checkpoint(path):
        loaded = ct.load_checkpoint(latest, **objects)
        step, history = loaded["step"], loaded["history"]
    while loader.epoch < EPOCHS:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(noisy(images)), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            history.append(loss.item())
            if step % SAVE_EVERY == 0:
                series = dict(keep=2, step=step, score=history[-1], random=("cinta", "numpy"))
                ct.save_checkpoint(path, **series, history=history, **objects)


def by_trainer(path: Path) -> None:
    objects, noisy = made()
    model, optimizer = objects["model"], objects["optimizer"]

    def loss(outputs, labels):
        return nn.functional.cross_entropy(outputs, labels)

    class Noisy:
        """Preprocessing that draws, and has a stream of its own among its state."""

        def __call__(self, images):
            return noisy(images)

        def state_dict(self):
            return NumpyStream(objects["noise"]).state_dict()

        def load_state_dict(self, state):
            NumpyStream(objects["noise"]).load_state_dict(state)

    trainer = ct.Trainer(
        model, optimizer, loss,
        scheduler=objects["scheduler"], scheduler_interval="step", preprocessing=Noisy(), compile=True,
        metrics=[ct.training.Accuracy()], callbacks=[ct.training.BestWeights()],
    )  # fmt: skip
    validation = list(objects["loader"])[:3]
    objects["loader"].set_epoch(0)
    options = dict(
        epochs=EPOCHS, checkpoint=path, save_every=SAVE_EVERY, keep=2, resume=True, random=("cinta", "numpy")
    )
    trainer.fit(objects["loader"], validation, **options)


def made() -> tuple[dict[str, Any], Any]:
    """A small net with all that is random about a training, and the noise that its images get."""
    ct.random.seed(3)
    np.random.seed(4)  # noqa: NPY002
    rng = np.random.default_rng(6)
    x = ct.random.normal(shape=(70, 8))
    y = (x.sum(axis=1) > 0).astype("int64")
    model = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Dropout(0.3), nn.Linear(64, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * 9)

    def shifted(images):  # drawn in the loader's threads
        return images + ct.random.normal(0.0, 0.1, images.shape)

    data = TensorDataset(x, y)
    loader = DataLoader(data, batch_size=8, shuffle=True, transform=(shifted, None), num_workers=1)

    def noisy(images):
        images = images + ct.random.normal(0.0, 0.1, images.shape) + float(rng.normal()) * 0.1
        return images * float(1 + 0.1 * np.random.rand())  # noqa: NPY002

    return dict(model=model, optimizer=optimizer, scheduler=scheduler, loader=loader, noise=rng), noisy


def child(path: Path, kill_in: str = "") -> int:
    pid = os.fork()
    if pid == 0:
        try:
            path.parent.mkdir(exist_ok=True)
            if kill_in:
                kill_during(kill_in, calls=5)
            globals()[sys.argv[2]](path)
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def kill_during(name: str, calls: int) -> None:
    """The process kills itself in its nth call of `os.fsync` (the file is written), `replace` or `unlink`."""
    plain, left = getattr(os, name), [calls]

    def fatal(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **kwargs)

    setattr(os, name, fatal)


def outcome(path: Path, wanted: bytes) -> str:
    latest = ct.latest_checkpoint(path)
    if os.waitpid(child(path), 0)[1] != 0:
        return "failed"
    same = ct.latest_checkpoint(path).read_bytes() == wanted
    leftover = [entry for entry in os.listdir(path.parent) if entry.endswith(".tmp")]
    ending = "different" if not same else "left " + leftover[0] if leftover else "same"
    return f"{ending} from {latest.name if latest else 'the beginning'}"


def main() -> None:
    folder, how, what = Path(sys.argv[1]), sys.argv[3], sys.argv[4]
    whole = folder / "whole" / "net.safetensors"
    begun = time.monotonic()
    assert os.waitpid(child(whole), 0)[1] == 0
    duration = time.monotonic() - begun
    wanted = ct.latest_checkpoint(whole).read_bytes()
    if how == "write":
        path = folder / what / "net.safetensors"
        assert os.waitpid(child(path, kill_in=what), 0)[1] == signal.SIGKILL
        print(outcome(path, wanted))
        return
    rng, number, killed = np.random.default_rng(0), 0, 0
    while killed < int(what):
        path = folder / str(number) / "net.safetensors"
        number += 1
        pid = child(path)
        time.sleep(rng.uniform(0, duration))
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] != signal.SIGKILL:  # it had come to its end
            continue
        killed += 1
        print(outcome(path, wanted))


if __name__ == "__main__":
    main()
