"""Text files in UTF-8 with line ends of any style."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Iterable, Iterator

from cinta.data.source import Source

_TEXT_LINE = 1 << 24  # characters: a file of text has shorter lines


class Lines(list[str]):
    """Lines without their ends; `skipped` says how many were left out and why.

    Example:
        >>> lines = Lines(["one", "two"], {"empty": 1, "long": 0, "undecodable": 0})
        >>> lines[1], lines.skipped["empty"]
        ('two', 1)
    """

    def __init__(self, lines: Iterable[str], skipped: dict[str, int]) -> None:
        super().__init__(lines)
        self.skipped = skipped


def read_lines(
    path: str | os.PathLike[str],
    *,
    max_length: int = 10_000,
    empty: str = "skip",
    long: str = "error",
    undecodable: str = "error",
    checksum: str | None = None,
) -> Lines:
    """The lines of a UTF-8 file, gzipped or not, ended by \\n, \\r\\n or \\r, with a byte order mark or without.

    max_length: characters that a line may have. empty: what becomes of lines with nothing but white space: "skip",
    "keep" (files whose lines belong together need that) or "error". long: of lines longer than that, "error" or "skip".
    undecodable: of lines with bytes that are not UTF-8, "error" or "skip". Skipped lines are counted in
    `Lines.skipped` by these names; what is long or not UTF-8 is never cut or replaced.
    checksum: of the file, as "md5:..." or "sha256:...".

    Errors: OSError where the file cannot be opened; ValueError naming file and line where a line is refused.

    Example:
        >>> with open("notes.txt", "wb") as file:
        ...     _ = file.write("\\ufeffuna línia\\r\\n\\r\\nzwei Zeilen\\n".encode() + b"caf\\xe9\\n")
        >>> lines = read_lines("notes.txt", undecodable="skip")
        >>> lines, lines.skipped
        (['una línia', 'zwei Zeilen'], {'empty': 1, 'long': 0, 'undecodable': 1})
    """
    return _read("read_lines", path, max_length, {"empty": empty, "long": long, "undecodable": undecodable}, checksum)


def read_text(path: str | os.PathLike[str], *, checksum: str | None = None) -> str:
    """A whole UTF-8 file, gzipped or not, with \\n for line ends of any style and without a byte order mark.

    Errors: OSError where the file cannot be opened; ValueError naming file and line where bytes are not UTF-8.

    Example:
        >>> with open("notes.txt", "wb") as file:
        ...     _ = file.write(b"one\\r\\ntwo\\rthree")
        >>> read_text("notes.txt")
        'one\\ntwo\\nthree\\n'
    """
    how = {"empty": "keep", "long": "error", "undecodable": "error"}
    return "".join(line + "\n" for line in _read("read_text", path, _TEXT_LINE, how, checksum))


def _read(
    reader: str, path: str | os.PathLike[str], max_length: int, how: dict[str, str], checksum: str | None
) -> Lines:
    if max_length < 1:
        raise ValueError(f"[{reader}] max_length got {max_length}, expected at least 1")
    for option, choice in how.items():
        choices = ("skip", "error", "keep") if option == "empty" else ("skip", "error")
        if choice not in choices:
            raise ValueError(f"[{reader}] {option} got {choice!r}, expected one of {', '.join(map(repr, choices))}")
    lines, skipped = [], dict.fromkeys(how, 0)
    with Source(path, reader, checksum) as source:
        for number, line in enumerate(_raw_lines(source, 4 * max_length + 3), 1):
            place = f"line {number}"
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                kind = "long" if len(line) > 4 * max_length else "undecodable"
                problem = source.error(
                    _undecodable(line, number, error), 'text (undecodable="skip" leaves it out)', place
                )
            else:
                kind = "long" if len(text) > max_length else "" if text.strip() else "empty"
                problem = source.error("no text", 'a line with something in it (empty="skip" leaves it out)', place)
            if kind == "long":
                got, expected = f"more than {max_length} characters", 'shorter lines (max_length=, or long="skip")'
                problem = source.error(got, expected, place)
            if not kind or how[kind] == "keep":
                lines.append(text)
            elif how[kind] == "skip":
                skipped[kind] += 1
            else:
                raise problem
    return Lines(lines, skipped)


def _raw_lines(source: Source, limit: int) -> Iterator[bytes]:
    """Lines as bytes without their ends; of one with more than `limit` bytes, its beginning."""
    # Latin-1 is bytes as characters, so that the line ends of all styles are found before anything is decoded.
    stream = io.TextIOWrapper(io.BufferedReader(source), "latin-1", newline=None)
    first = True
    while line := stream.readline(limit + 2):
        rest = line
        while not rest.endswith("\n") and len(rest) == limit + 2:
            rest = stream.readline(limit + 2)
        raw = line.removesuffix("\n").encode("latin-1")
        yield raw.removeprefix(codecs.BOM_UTF8) if first else raw
        first = False


def _undecodable(line: bytes, number: int, error: UnicodeDecodeError) -> str:
    if number == 1 and line[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "UTF-16"
    return f"bytes that are not UTF-8 ({error.reason} {line[error.start]:#04x} at byte {error.start})"
