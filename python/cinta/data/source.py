"""Files that may be damaged or hostile: read in bounded pieces, refused with their name."""

from __future__ import annotations

import gzip
import io
import math
import os
import stat
import zlib
from pathlib import Path
from typing import Any

from cinta.data.checksums import digest

_PIECE = 1 << 24
_FREE, _RATIO = 1 << 26, 100  # gzipped data may unpack to 64 MiB, or to 100 times the size of the file


class Source(io.RawIOBase):
    """A regular file, gzipped or not, as a stream; also a context manager.

    reader: whose name errors carry. checksum: of the file as it lies there; checked before anything is read.
    `up_to(n)` makes no larger buffer than there are bytes. Gzipped data that unpacks to far more than the file's size
    is refused, so that memory stays in proportion to the file.

    Errors: OSError where the file cannot be opened, ValueError where it is damaged, has another checksum or is no file.
    """

    def __init__(
        self, path: str | os.PathLike[str], reader: str, checksum: str | None = None, gunzip: bool = True
    ) -> None:
        super().__init__()
        self.path, self.reader = Path(path), reader
        self._raw = open(self.path, "rb", opener=_without_waiting)  # noqa: SIM115
        try:
            status = os.fstat(self._raw.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise self.error("a pipe, device or folder", "a regular file")
            if checksum is not None:
                got, expected = digest(self._raw, checksum)
                if got != expected:
                    raise self.error(f"checksum {got}", f"{expected} (damaged or changed: download it again)")
                self._raw.seek(0)
            self._file: Any = self._raw
            self._size = status.st_size
            self._left: float = math.inf
            gzipped = gunzip and self._raw.read(2) == b"\x1f\x8b"
            self._raw.seek(0)
            if gzipped:
                self._file, self._left = gzip.GzipFile(fileobj=self._raw), max(_FREE, _RATIO * self._size)
        except BaseException:
            self._raw.close()
            raise

    def error(self, got: str, expected: str, place: str = "") -> ValueError:
        """What a reader raises: `[reader] file, place: got ..., expected ...`."""
        return ValueError(f"[{self.reader}] {self.path}{place and f', {place}'}: got {got}, expected {expected}")

    def readable(self) -> bool:
        """True: what io asks of a stream."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as there is data, as io asks of a stream."""
        piece = self._piece(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def up_to(self, nbytes: int) -> bytearray:
        """The next `nbytes`, or as many as there are; the buffer grows with what is found."""
        found = bytearray()
        while len(found) < nbytes and (piece := self._piece(min(nbytes - len(found), _PIECE))):
            found += piece
        return found

    def _piece(self, nbytes: int) -> bytes:
        try:
            piece: bytes = self._file.read(nbytes)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self.error(f"damaged gzip data ({error})", "a whole gzip file") from error
        self._left -= len(piece)
        if self._left < 0:
            got = f"{self._size} bytes that unpack to more than {max(_FREE, _RATIO * self._size)}"
            raise self.error(got, f"at most {_RATIO} times as many (unpack it with gunzip if you trust it)")
        return piece

    def close(self) -> None:
        """Closes the file."""
        self._raw.close()
        super().close()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a pipe would wait for its writer
