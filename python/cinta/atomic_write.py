"""Files that appear whole or not at all."""

from __future__ import annotations

import os


def atomic_write(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes the file beside its place, then renames it."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with open(unfinished, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise
