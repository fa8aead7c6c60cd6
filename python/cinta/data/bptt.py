"""BPTTLoader: one long sequence in columns and pieces, for truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray


class BPTTLoader:
    """Pieces of one long sequence, in order, and the same one step later: what a network reads and what it predicts.

    x[t, b] = s[b L + p T + t], y[t, b] = s[b L + p T + t + 1], L = (N - 1) // B steps in a column, p the piece

    sequence: s [N, ...], tokens or measurements. x and y [T, B, ...] for batch_size B and steps T; the last piece of an
    epoch has fewer steps, or is left out with `drop_last`. Column b goes on from piece to piece, so that the states a
    recurrent layer ends with are those the next piece begins with; `nn.functional.detach_states` cuts the gradient
    between them. Of N, up to B - 1 entries at the end are left out.

    Every `iter(loader)` begins an epoch; `state_dict` is valid in mid-epoch, and a loaded loader goes on with the very
    next piece (a checkpoint then needs the states too).

    Errors: ValueError for a sequence shorter than B + 1, or batch_size or steps below 1.
    Source: Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
    Trajectories", 1990.

    Example:
        >>> loader = BPTTLoader(np.arange(13), batch_size=2, steps=4)
        >>> x, y = next(iter(loader))
        >>> x.T.tolist(), y.T.tolist()
        ([[0, 1, 2, 3], [6, 7, 8, 9]], [[1, 2, 3, 4], [7, 8, 9, 10]])
        >>> rnn, h = nn.RNN(1, 3), None
        >>> for x, y in loader:
        ...     states, h = rnn(x[..., None].astype("float32"), h)
        ...     h = nn.functional.detach_states(h)
    """

    def __init__(self, sequence: Any, batch_size: int, steps: int, *, drop_last: bool = False) -> None:
        values = sequence.detach().numpy() if isinstance(sequence, Tensor) else np.asarray(sequence)
        for name, size in (("batch_size", batch_size), ("steps", steps)):
            if size < 1:
                raise ValueError(f"[BPTTLoader] {name} got {size}, expected at least 1")
        if values.ndim == 0 or len(values) <= batch_size:
            got = f"shape {list(values.shape)}"
            raise ValueError(
                f"[BPTTLoader] sequence got {got}, expected more than {batch_size} entries, one for every column"
            )
        self.batch_size, self.steps, self.drop_last = batch_size, steps, bool(drop_last)
        self.column = (len(values) - 1) // batch_size  # steps in it
        used = self.column * batch_size
        self._pair = [
            part.reshape(batch_size, self.column, *values.shape[1:]).swapaxes(0, 1)
            for part in (values[:used], values[1 : used + 1])
        ]
        self._stand(0, 0)

    def _stand(self, epoch: int, position: int) -> None:
        self._epoch, self._position = epoch, position
        self._token: object = None  # of the iterator that has this epoch in hand

    @property
    def epoch(self) -> int:
        """The epoch that is under way or, after the last piece of one, comes next."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """The next `iter` begins this epoch; the one that a loaded state stands in keeps its place."""
        if epoch < 0:
            raise ValueError(f"[BPTTLoader] epoch got {epoch}, expected at least 0")
        if self._token or epoch != self._epoch:
            self._stand(epoch, 0)

    def __len__(self) -> int:
        """The number of pieces in an epoch."""
        return self.column // self.steps if self.drop_last else -(-self.column // self.steps)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self._token:
            self._stand(self._epoch + 1, 0)
        self._token = token = object()
        return self._pieces(token, self._position)

    def _pieces(self, token: object, position: int) -> Iterator[tuple[Tensor, Tensor]]:
        for piece in range(position, len(self)):
            start = piece * self.steps
            x, y = (asarray(np.ascontiguousarray(part[start : start + self.steps])) for part in self._pair)
            if self._token is token:
                self._position = piece + 1
            yield x, y
        if self._token is token:
            self._stand(self._epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, in mid-epoch too."""
        return {**self._form(), "epoch": self._epoch, "position": self._position}

    def _form(self) -> dict[str, Any]:
        return {"batch_size": self.batch_size, "steps": self.steps, "column": self.column, "drop_last": self.drop_last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the loader of that state stood: the next `iter` begins with the very next piece.

        Errors: ValueError naming what does not fit this loader, which then stays as it was.
        """
        if set(state) != set(self.state_dict()):
            raise ValueError(f"[BPTTLoader] state got {list(state)!r:.80}, expected {list(self.state_dict())}")
        for name, expected in self._form().items():
            if state[name] != expected:
                raise ValueError(
                    f"[BPTTLoader] state got {name} {state[name]!r:.40}, expected {expected}, as this loader has"
                )
        for name, most in (("epoch", None), ("position", len(self))):
            if type(state[name]) is not int or state[name] < 0 or (most is not None and state[name] > most):
                raise ValueError(
                    f"[BPTTLoader] state got {name} {state[name]!r:.40}, expected an integer, at least 0"
                    + (f", at most {most}" if most else "")
                )
        self._stand(state["epoch"], state["position"])
