"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
from contextlib import suppress


def atomic_write(path: str | os.PathLike[str], *pieces: bytes | memoryview) -> None:
    """Writes the file beside its place, then renames it; on the disk when this returns."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with open(unfinished, "xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
    with suppress(OSError):  # some file systems cannot
        place = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(place)  # the new name
        finally:
            os.close(place)


def remove_unfinished(folder: str | os.PathLike[str], pattern: str) -> None:
    """Removes what processes that were killed while they wrote left in a folder, of files whose names match."""
    for entry in os.listdir(folder):
        found = re.fullmatch(r"\.(.+)\.(\d+)-[0-9a-f]{8}\.tmp", entry)
        if found and re.fullmatch(pattern, found[1]) and not _is_running(int(found[2])):
            with suppress(FileNotFoundError):
                os.remove(os.path.join(folder, entry))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
