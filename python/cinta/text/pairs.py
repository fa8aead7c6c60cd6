"""Sentence pairs in two columns, as Tatoeba and its users give them out."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cinta.data.source import Source
from cinta.text.files import read_lines


class Pairs(list[tuple[str, str]]):
    """Pairs of sentences; `skipped` says how many lines were left out and why.

    Example:
        >>> pairs = Pairs([("Go.", "Geh.")], {"malformed": 1})
        >>> pairs[0], pairs.skipped["malformed"]
        (('Go.', 'Geh.'), 1)
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], skipped: dict[str, int]) -> None:
        super().__init__(pairs)
        self.skipped = skipped


def read_pairs(path: str | os.PathLike[str], *, max_length: int = 1000, checksum: str | None = None) -> Pairs:
    r"""Pairs of a tab-separated UTF-8 file, gzipped or not, with line ends of any style: a sentence, its translation.

    Further columns (attributions) are ignored; of lines that begin with a number, as tatoeba.org's own "sentence
    pairs" do (number, sentence, number, translation), the sentences are taken. Spaces around sentences are dropped.
    max_length: characters that a line may have. Left out and counted in `skipped` are lines that are "undecodable" (not
    UTF-8), "long", "empty" and "malformed" (without two sentences).
    checksum: of the file, as "md5:..." or "sha256:...".

    Errors: OSError where the file cannot be opened; ValueError naming the file where no line has two sentences.

    Example:
        >>> with open("deu.txt", "wb") as file:
        ...     _ = file.write("\ufeffGo.\tGeh.\tCC-BY 2.0 (France)\r\n17\tHi!\t4711\tHallo!\nalone\n".encode())
        >>> pairs = read_pairs("deu.txt")
        >>> pairs, pairs.skipped["malformed"]
        ([('Go.', 'Geh.'), ('Hi!', 'Hallo!')], 1)
    """
    lines = read_lines(path, max_length=max_length, long="skip", undecodable="skip", checksum=checksum)
    pairs, malformed = [], 0
    for line in lines:
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) >= 4 and columns[0].isdecimal() and columns[2].isdecimal():
            columns = columns[1::2]
        if len(columns) >= 2 and columns[0] and columns[1]:
            pairs.append((columns[0], columns[1]))
        else:
            malformed += 1
    found = Pairs(pairs, {**lines.skipped, "malformed": malformed})
    if not found:
        with Source(path, "read_pairs") as source:
            raise source.error(f"no pairs ({found.skipped})", "lines of two sentences with a tab between them")
    return found
