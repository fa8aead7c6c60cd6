"""Threads that make results ahead of their consumer, who gets them in order whatever their number."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

_JOIN = 5.0  # seconds that the end of an iterator waits for its threads: one may be stuck in somebody's read()


class _Work:
    """What consumer and workers share; `changed` guards all of it."""

    def __init__(self, first: int, stop: int, ahead: int) -> None:
        self.changed = threading.Condition()
        self.begun, self.taken, self.stop, self.ahead = first, first, stop, ahead
        self.results: dict[int, tuple[Any, BaseException | None]] = {}


def _run(work: _Work, make: Callable[[int], Any]) -> None:
    while True:
        with work.changed:
            while work.begun < work.stop and work.begun - work.taken >= work.ahead:
                work.changed.wait()
            if work.begun >= work.stop:
                return
            number = work.begun
            work.begun += 1
        result: tuple[Any, BaseException | None]
        try:
            result = make(number), None
        except BaseException as error:
            result = None, error
        with work.changed:
            if number < work.stop:  # else nobody will ask for it
                work.results[number] = result
                if result[1] is not None:
                    work.stop = number + 1
            work.changed.notify_all()
        del result  # an error holds this frame by its traceback: no cycle


def _end(work: _Work, threads: list[threading.Thread]) -> None:
    with work.changed:
        work.stop = 0
        work.results.clear()
        work.changed.notify_all()
    if threading.current_thread() in threads:  # a garbage collection that happened to run there
        return
    deadline = time.monotonic() + _JOIN
    for thread in filter(threading.Thread.is_alive, threads):
        thread.join(max(0.0, deadline - time.monotonic()))


class Prefetched:
    """An iterator over make(first), ..., make(stop - 1), computed by threads up to `ahead` results ahead.

    An error is raised where its result was due. The threads end with the last result, with an error, with `close()`,
    when the iterator is dropped, and with the program. timeout: seconds to wait for a result, 0 for ever.
    """

    def __init__(
        self, make: Callable[[int], Any], first: int, stop: int, num_workers: int, ahead: int, timeout: float = 0
    ) -> None:
        self._work = work = _Work(first, stop, ahead)
        self._timeout = timeout
        threads = [
            threading.Thread(target=_run, args=(work, make), name=f"cinta-loader-{i}", daemon=True)
            for i in range(min(num_workers, stop - first))
        ]
        self.close = weakref.finalize(self, _end, work, threads)
        for thread in threads:
            thread.start()

    def __iter__(self) -> Prefetched:
        return self

    def __next__(self) -> Any:
        work = self._work
        try:
            with work.changed:
                number = work.taken
                if number >= work.stop:
                    raise StopIteration
                if not work.changed.wait_for(lambda: number in work.results, self._timeout or None):
                    raise RuntimeError(
                        f"[DataLoader] batch {number} was not there after timeout={self._timeout} seconds, expected it "
                        "sooner (is the dataset waiting for something? raise timeout, num_workers or prefetch_factor)"
                    )
                result, error = work.results.pop(number)
                work.taken += 1
                work.changed.notify_all()
            if error is not None:
                raise error
            return result
        except BaseException:
            self.close()
            raise
        finally:
            error = None  # its traceback holds this frame: no cycle
