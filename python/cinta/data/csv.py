"""Tables in CSV files: numeric and categorical columns, with quoting, missing values and errors that name the place."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cinta.data.source import Source

_MAX_LINE, _MAX_COLUMNS = 1 << 24, 1 << 17  # characters, fields: beyond that it is no table
_PIECE = 1 << 14  # fields that are converted at a time
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")


class Table:
    """Columns of one length by name: float64, NaN where a value is missing; categories as int64 codes, missing ones -1.

    Example:
        >>> table = Table({"age": np.array([22.0, 38.0]), "sex": np.array([1, 0])}, {"sex": ["female", "male"]})
        >>> len(table), table.names, table["age"], table.categories["sex"]
        (2, ['age', 'sex'], array([22., 38.]), ['female', 'male'])
    """

    def __init__(self, columns: Mapping[str, np.ndarray], categories: Mapping[str, Sequence[str]]) -> None:
        self.columns = dict(columns)
        self.categories = {name: list(values) for name, values in categories.items()}

    @property
    def names(self) -> list[str]:
        """The columns as they stand in the file."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise KeyError(f"[Table] got column {name!r}, expected one of {', '.join(self.columns)}")
        return self.columns[name]

    def features(self, *names: str) -> np.ndarray:
        """The matrix [N, D] of these columns, or of all, in float32, as a network takes it.

        A numeric column is one of D, a categorical one as many as it has categories (one-hot; all 0 where missing).

        Example:
            >>> table = Table({"age": np.array([22.0, 38.0]), "sex": np.array([1, 0])}, {"sex": ["female", "male"]})
            >>> table.features("sex", "age")
            array([[ 0.,  1., 22.],
                   [ 1.,  0., 38.]], dtype=float32)
        """
        parts = []
        for name in names or self.names:
            column = self[name]
            if name in self.categories:
                parts.append(column[:, None] == np.arange(len(self.categories[name])))
            else:
                parts.append(column[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32) if parts else np.zeros((len(self), 0), np.float32)


def read_csv(
    path: str | os.PathLike[str],
    *,
    categorical: Collection[str] | Mapping[str, Sequence[str]] = (),
    columns: Sequence[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
    missing: Collection[str] = MISSING,
    unknown: str = "error",
    encoding: str = "utf-8-sig",
    checksum: str | None = None,
) -> Table:
    """A CSV file, gzipped or not, as a `Table`.

    Every column holds numbers, unless it is named in `categorical`: then its values become codes of the sorted texts
    that occur, or of the texts given for it, {name: texts}: a test set needs the categories of the training table.
    Nothing is guessed: a text in a column of numbers is an error.

    columns: those that are read, all unless given. header: whether the first line has their names; else they are "0",
    "1", ... missing: texts that stand for no value. unknown: "missing" takes texts that are none of the categories
    given for missing values, "error" refuses them. Spaces around a field do not count, empty lines are skipped, and
    quoting is as in Python's csv module. checksum: of the file, as "md5:..." or "sha256:...".

    Errors: OSError where the file cannot be opened; ValueError naming file, line and column for a value that is no
    number or no known category, a line with another number of fields, names that are missing or come twice.

    Example:
        >>> with open("people.csv", "w") as file:
        ...     _ = file.write('age,home\\n22,"Vic, Osona"\\n,Olot\\n')
        >>> table = read_csv("people.csv", categorical=["home"])
        >>> table["age"], table["home"], table.categories["home"]
        (array([22., nan]), array([1, 0]), ['Olot', 'Vic, Osona'])
    """
    for option, names in (("categorical", categorical), ("columns", columns)):
        if isinstance(names, str):
            raise TypeError(f"[read_csv] {option} got {names!r}, expected a list of names")
    if unknown not in ("error", "missing"):
        raise ValueError(f"[read_csv] unknown got {unknown!r}, expected 'error' or 'missing'")
    with Source(path, "read_csv", checksum) as source:
        rows = csv.reader(_lines(source, encoding), delimiter=delimiter, skipinitialspace=True)
        try:
            words = frozenset(missing)
            return _Reading(source, rows, categorical, columns, header, words, unknown == "missing").table()
        except csv.Error as error:
            raise source.error(f"no CSV ({error})", "rows of fields", f"line {rows.line_num}") from error


def text_columns(
    path: str | os.PathLike[str],
    *,
    header: bool = True,
    delimiter: str = ",",
    missing: Collection[str] = MISSING,
    encoding: str = "utf-8-sig",
) -> list[str]:
    """The names of the columns that hold something else than numbers: what `read_csv` may take as categorical.

    A number for which a column of numbers is not meant, such as a postcode, only its owner can tell. Arguments and
    errors as those of `read_csv`.

    Example:
        >>> with open("people.csv", "w") as file:
        ...     _ = file.write("age,home\\n22,Vic\\n,Olot\\n")
        >>> text_columns("people.csv")
        ['home']
    """
    with Source(path, "text_columns") as source:
        rows = csv.reader(_lines(source, encoding), delimiter=delimiter, skipinitialspace=True)
        try:
            reading = _Reading(source, rows, (), None, header, frozenset(missing), False)
            return reading.columns_of_text()
        except csv.Error as error:
            raise source.error(f"no CSV ({error})", "rows of fields", f"line {rows.line_num}") from error


def _lines(source: Source, encoding: str) -> Iterator[str]:
    """Its lines, with their ends as they are; none longer than a table has them."""
    text = io.TextIOWrapper(io.BufferedReader(source), encoding, newline="")
    number = 0
    while True:
        number += 1
        try:
            line = text.readline(_MAX_LINE)
        except UnicodeError as error:
            got = f"bytes that are not {encoding} ({error})"
            raise source.error(got, "text (encoding= takes others)", f"line {number}") from error
        if not line:
            return
        if len(line) >= _MAX_LINE:
            raise source.error(f"{_MAX_LINE} characters without an end", "shorter lines", f"line {number}")
        yield line


class _Reading:
    """A table while it is being read."""

    def __init__(
        self,
        source: Source,
        rows: Any,
        categorical: Collection[str] | Mapping[str, Sequence[str]],
        columns: Sequence[str] | None,
        header: bool,
        missing: frozenset[str],
        lenient: bool,
    ) -> None:
        self.source, self.rows, self.missing, self.lenient = source, rows, missing, lenient
        self.numbers_missing = any(_is_number(word) and float(word) == float(word) for word in missing)  # as in "-9"
        first = next((row for row in rows if row), None)
        if first is None:
            raise source.error("no line with anything in it", "a table")
        names = [field.strip() for field in first] if header else [str(i) for i in range(len(first))]
        self.first: tuple[list[list[str]], list[int]] = ([], []) if header else ([first], [rows.line_num])
        self.place = self._places(names)
        wanted = names if columns is None else list(columns)
        if unknown := [name for name in (*wanted, *categorical) if name not in self.place]:
            raise source.error(f"no column {unknown[0]!r}", f"one of {', '.join(names):.300}")
        given = categorical if isinstance(categorical, Mapping) else {}
        self.codes: dict[str, dict[str, int]] = {
            name: {text: i for i, text in enumerate(given.get(name, ()))} for name in wanted if name in categorical
        }
        self.closed = set(given)
        self.columns: dict[str, array[Any]] = {name: array("q" if name in self.codes else "d") for name in wanted}

    def table(self) -> Table:
        """All rows, some thousand fields at a time."""
        rows, lines = self.first
        for row in self.rows:
            if row:
                if len(row) != len(self.place):
                    self._add(rows, lines)  # where an earlier error would be
                    raise self._error(f"{len(row)} fields", f"{len(self.place)}, as the first line has")
                rows.append(row)
                lines.append(self.rows.line_num)
                if len(rows) * len(row) >= _PIECE:
                    self._add(rows, lines)
                    rows, lines = [], []
        self._add(rows, lines)
        arrays = {name: np.array(column) for name, column in self.columns.items()}
        for name, codes in self.codes.items():
            if name not in self.closed:
                self.codes[name] = {text: i for i, text in enumerate(sorted(codes))}
                renumbered = np.array([self.codes[name][text] for text in codes] + [-1])  # -1: missing stays missing
                arrays[name] = renumbered[arrays[name]]
        return Table(arrays, {name: list(codes) for name, codes in self.codes.items()})

    def columns_of_text(self) -> list[str]:
        """The columns with some field that is neither a number nor missing."""
        left = dict(self.place)
        for row in (*self.first[0], *self.rows):
            if row and len(row) != len(self.place):
                raise self._error(f"{len(row)} fields", f"{len(self.place)}, as the first line has")
            for name, i in list(left.items()) if row else ():
                if row[i].strip() not in self.missing and not _is_number(row[i].strip()):
                    del left[name]
        return [name for name in self.place if name not in left]

    def _add(self, rows: list[list[str]], lines: list[int]) -> None:
        for name, column in self.columns.items():
            texts = [row[self.place[name]] for row in rows]
            codes = self.codes.get(name)
            if codes is not None:
                column.extend(self._code(text.strip(), name, codes, line) for text, line in zip(texts, lines))
                continue
            try:
                column.extend(self._all_numbers(texts))
            except ValueError:  # some are missing, or there is an error to be placed
                column.extend(self._number(text.strip(), name, line) for text, line in zip(texts, lines))

    def _all_numbers(self, texts: list[str]) -> array[float]:
        if self.numbers_missing or any("_" in text for text in texts):
            raise ValueError
        return array("d", map(float, texts))

    def _number(self, text: str, name: str, line: int) -> float:
        if text in self.missing:
            return float("nan")
        if _is_number(text):
            return float(text)
        expected = "a number (categorical= takes columns of text, missing= more words)"
        raise self._error(f"{text!r:.60}", expected, name, line)

    def _code(self, text: str, name: str, codes: dict[str, int], line: int) -> int:
        if text in codes:
            return codes[text]
        if text in self.missing or (self.lenient and name in self.closed):
            return -1
        if name in self.closed:
            raise self._error(f"{text!r:.60}", f"one of {', '.join(codes):.300}", name, line)
        codes[text] = len(codes)
        return codes[text]

    def _places(self, names: list[str]) -> dict[str, int]:
        if len(names) > _MAX_COLUMNS:
            raise self._error(f"{len(names)} fields", f"at most {_MAX_COLUMNS}")
        places: dict[str, int] = {}
        for i, name in enumerate(names):
            if not name or name in places:
                got = "twice" if name else f"no name for column {i}"
                raise self._error(got, "names, each once (header=False for a file without)", name)
            places[name] = i
        return places

    def _error(self, got: str, expected: str, column: str = "", line: int | None = None) -> ValueError:
        place = f"line {line or self.rows.line_num}" + (f", column {column!r:.60}" if column else "")
        return self.source.error(got, expected, place)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's own 1_000
