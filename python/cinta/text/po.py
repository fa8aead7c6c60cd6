"""Message catalogues (*.po) of GNU gettext: texts of a program beside their translations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cinta.data.source import Source
from cinta.text.files import read_lines

_KEYWORD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)\s*(?=\")")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*$')
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]+|.)")
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class PoEntry(NamedTuple):
    """A message and its translations.

    msgid: the text as the program has it, msgid_plural: its form for several, or None; msgstr: the translation, with
    plural forms one for each, empty where there is none; msgctxt: what tells equal messages apart, or None; flags such
    as "python-format"; obsolete: no longer in the program; line: where the entry begins.

    Example:
        >>> PoEntry("one file", "%d files", ("una línia", "%d línies")).pairs()
        [('one file', 'una línia'), ('%d files', '%d línies')]
    """

    msgid: str
    msgid_plural: str | None = None
    msgstr: tuple[str, ...] = ()
    msgctxt: str | None = None
    flags: tuple[str, ...] = ()
    obsolete: bool = False
    line: int = 0

    def pairs(self) -> list[tuple[str, str]]:
        """Texts with their translations: of plural forms the first beside msgid, the last beside msgid_plural."""
        pairs = [(self.msgid, self.msgstr[0])] if self.msgstr else []
        if self.msgid_plural is not None and len(self.msgstr) > 1:
            pairs.append((self.msgid_plural, self.msgstr[-1]))
        return [(text, translation) for text, translation in pairs if text and translation]


class PoFile(list[PoEntry]):
    """Entries in the order of the file; `header` by name, `skipped` says how many were left out and why.

    Example:
        >>> PoFile([PoEntry("yes", msgstr=("sí",))], {"Language": "ca"}, {"fuzzy": 1})[0].msgstr
        ('sí',)
    """

    def __init__(self, entries: Iterable[PoEntry], header: dict[str, str], skipped: dict[str, int]) -> None:
        super().__init__(entries)
        self.header, self.skipped = header, skipped


def read_po(path: str | os.PathLike[str], *, fuzzy: bool = False, obsolete: bool = False) -> PoFile:
    r"""The translated messages of a catalogue, in UTF-8, gzipped or not.

    fuzzy: whether translations that nobody has checked yet come too; obsolete: those of messages that the program no
    longer has (#~). Left out and counted in `skipped` are else "fuzzy", "obsolete" and "untranslated" ones (in one of
    their forms). Strings of several lines are joined, escapes (\n, \", octal, hexadecimal) resolved; placeholders such
    as %(name)s and the line ends inside of texts stay. Comments are dropped.

    Errors: OSError where the file cannot be opened; ValueError naming file and line for what is no catalogue, or one
    in another charset than UTF-8.
    Source of the format: GNU gettext manual, "The Format of PO Files".

    Example:
        >>> with open("ca.po", "w") as file:
        ...     _ = file.write('msgid ""\nmsgstr "Language: ca\\n"\n\n#, fuzzy\nmsgid "no"\nmsgstr "sí"\n\n'
        ...                    'msgid "%(n)s file"\nmsgid_plural "%(n)s "\n"files"\nmsgstr[0] "%(n)s fitxer"\n'
        ...                    'msgstr[1] "%(n)s fitxers"\n')
        >>> catalogue = read_po("ca.po")
        >>> catalogue.header, catalogue.skipped
        ({'Language': 'ca'}, {'fuzzy': 1, 'obsolete': 0, 'untranslated': 0})
        >>> [entry.pairs() for entry in catalogue]
        [[('%(n)s file', '%(n)s fitxer'), ('%(n)s files', '%(n)s fitxers')]]
    """
    lines = read_lines(path, max_length=1 << 20, empty="keep")
    with Source(path, "read_po") as source:
        entries = list(_entries(lines, source))
        header: dict[str, str] = {}
        kept, skipped = [], {"fuzzy": 0, "obsolete": 0, "untranslated": 0}
        for entry in entries:
            if not entry.msgid and entry.msgctxt is None:
                if not entry.obsolete:
                    header = _header(entry, source)
            elif not (entry.msgstr and all(entry.msgstr)):
                skipped["untranslated"] += 1
            elif entry.obsolete and not obsolete:
                skipped["obsolete"] += 1
            elif "fuzzy" in entry.flags and not fuzzy:
                skipped["fuzzy"] += 1
            else:
                kept.append(entry)
    return PoFile(kept, header, skipped)


class _Fields:
    """An entry while it is read."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.flags: list[str] = []
        self.obsolete, self.line, self.field = False, 0, ""

    def entry(self, source: Source) -> PoEntry:
        joined = {name: "".join(texts) for name, texts in self.texts.items()}
        forms = {name: text for name, text in joined.items() if name.startswith("msgstr")}
        wanted = ["msgstr"] if "msgid_plural" not in joined else [f"msgstr[{n}]" for n in range(max(len(forms), 1))]
        if "msgid" not in joined or sorted(forms) != sorted(wanted):
            raise source.error(f"an entry of {', '.join(joined)}", f"msgid and {wanted[0]}", f"line {self.line}")
        return PoEntry(
            joined["msgid"], joined.get("msgid_plural"), tuple(forms[name] for name in wanted), joined.get("msgctxt"),
            tuple(self.flags), self.obsolete, self.line,
        )  # fmt: skip


def _entries(lines: list[str], source: Source) -> Iterator[PoEntry]:
    fields = _Fields()
    for number, whole in enumerate(lines, 1):
        line = whole.strip()
        place = f"line {number}"
        obsolete = line.startswith("#~")
        if obsolete:
            line = line[2:].lstrip()
            if line.startswith("|"):
                continue  # the message as it was before
        if not line or line.startswith("#"):
            if any(name.startswith("msgstr") for name in fields.texts):
                yield fields.entry(source)
                fields = _Fields()
            if line.startswith("#,"):
                fields.flags += [flag.strip() for flag in line[2:].split(",") if flag.strip()]
            continue
        keyword = _KEYWORD.match(line)
        if keyword:
            field, rest = keyword[1], line[keyword.end() :]
            begins = field in ("msgctxt", "msgid")
            if begins and any(name.startswith("msgstr") for name in fields.texts):
                yield fields.entry(source)
                fields = _Fields()
            if field in fields.texts:
                raise source.error(f"a second {field} in one entry", "each once", place)
            if not fields.texts:
                fields.line = number
            fields.texts[field], fields.field, fields.obsolete = [], field, obsolete
        else:
            rest = line
        string = _STRING.match(rest)
        if string is None or not fields.field:
            raise source.error(f"{whole!r:.60}", 'msgid "...", msgstr "..." or a string that goes on', place)
        fields.texts[fields.field].append(_ESCAPE.sub(_resolved, string[1]))
    if fields.texts:
        yield fields.entry(source)


def _resolved(found: re.Match[str]) -> str:
    what = found[1]
    if what[0] in "01234567":
        return chr(int(what, 8))
    return chr(int(what[1:], 16)) if what[0] == "x" and len(what) > 1 else _NAMED.get(what, what)


def _header(entry: PoEntry, source: Source) -> dict[str, str]:
    named = (line.partition(":") for line in "".join(entry.msgstr).splitlines() if ":" in line)
    header = {name.strip(): value.strip() for name, _, value in named}
    charset = re.search(r"charset=([\w-]+)", header.get("Content-Type", ""))
    if charset and charset[1].lower() not in ("utf-8", "utf8", "ascii", "us-ascii", "charset"):
        raise source.error(f"charset {charset[1]}", "UTF-8 (msgconv -t UTF-8 converts it)", f"line {entry.line}")
    return header
