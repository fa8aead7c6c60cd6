"""A training that is killed by SIGKILL over and over and each time taken up from its latest checkpoint.

    python killed_training.py FOLDER SEED random 20     twenty trainings, each killed at a random moment
    python killed_training.py FOLDER SEED write fsync   killed inside the fsync, replace or unlink of its 5th checkpoint

Prints how each ended, "same" where its last checkpoint has the bytes of that of a training that nobody stopped, and the
file that it was taken up from. Each training is a process of its own, forked before anything was computed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import cinta as ct
from cinta import nn, optim

EPOCHS, SAVE_EVERY = 4, 4


class Shuffled:
    """Batches in an order drawn by epoch; a loaded one goes on with the very next batch."""

    def __init__(self, x, y, size):
        self.x, self.y, self.size, self.epoch, self.at = x, y, size, 0, 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __iter__(self):
        order = np.random.default_rng([5, self.epoch]).permutation(len(self.x))
        while self.at < len(self):
            chosen = order[self.at * self.size : (self.at + 1) * self.size]
            self.at += 1
            yield ct.tensor(self.x[chosen]), ct.tensor(self.y[chosen])
        self.at, self.epoch = 0, self.epoch + 1

    def state_dict(self):
        return {"epoch": self.epoch, "at": self.at}

    def load_state_dict(self, state):
        self.epoch, self.at = state["epoch"], state["at"]


class Exponential:
    def __init__(self, optimizer, gamma):
        self.optimizer, self.gamma, self.count = optimizer, gamma, 0

    def step(self, metric=None):
        self.count += 1
        self.optimizer.param_groups[0]["lr"] *= self.gamma

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def train(path: Path) -> None:
    ct.random.seed(3)
    np.random.seed(4)  # noqa: NPY002
    rng = np.random.default_rng(6)
    x = ct.random.normal(shape=(70, 8)).numpy()
    y = (x.sum(1) > 0).astype(np.int64)
    net = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Dropout(0.3), nn.Linear(64, 2))
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    loader, scheduler = Shuffled(x, y, 8), Exponential(optimizer, 0.98)
    objects = dict(model=net, optimizer=optimizer, scheduler=scheduler, loader=loader, noise=rng)
    step, history = 0, []
    if latest := ct.latest_checkpoint(path):
        loaded = ct.load_checkpoint(latest, **objects)
        step, history = loaded["step"], loaded["history"]
    while loader.epoch < EPOCHS:
        for images, labels in loader:
            images = images + ct.random.normal(0.0, 0.1, images.shape) + float(rng.normal()) * 0.1
            images = images * float(1 + 0.1 * np.random.rand())  # noqa: NPY002
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            history.append(loss.item())
            if step % SAVE_EVERY == 0:
                streams = ("cinta", "numpy")
                ct.save_checkpoint(
                    path, keep=2, step=step, score=loss.item(), random=streams, history=history, **objects
                )


def child(path: Path, kill_in: str = "") -> int:
    pid = os.fork()
    if pid == 0:
        try:
            path.parent.mkdir(exist_ok=True)
            if kill_in:
                kill_during(kill_in, calls=5)
            train(path)
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
    folder, seed, how, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
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
    rng, number, killed = np.random.default_rng(seed), 0, 0
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
