"""Catalogues of gettext and tab-separated sentence pairs, good ones and damaged ones."""

from __future__ import annotations

import gettext
import importlib.util
import subprocess
from pathlib import Path
from shutil import which

import pytest

from cinta.text import PoEntry, read_pairs, read_po

HEADER = r"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

"""
CATALOGUE = (
    HEADER
    + r"""# a translator's comment
#. extracted
#: file.py:3
#, python-format
msgid "%(count)s file\n"
msgid_plural ""
"%(count)s "
"files\n"
msgstr[0] "%(count)s Datei\n"
msgstr[1] "%(count)s "
"Dateien\n"

#, fuzzy, python-format
#| msgid "before"
msgid "unsure"
msgstr "unsicher"

msgctxt "menu"
msgid "say \"hi\"\t\\ \101"
msgstr "sag „hi“"
msgid "close"
msgstr "nah"

msgctxt "window"
msgid "close"
msgstr "schließen"

msgid "none yet"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
#~| msgid "older"
#~ msgid "two "
#~ "lines"
#~ msgstr "zwei Zeilen"
"""
)


def written(folder, text):
    path = folder / "test.po"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class TestCatalogues:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_everything_that_may_stand_in_one(self, tmp_path, end):
        catalogue = read_po(written(tmp_path, "\ufeff" + CATALOGUE.replace("\n", end)))
        assert list(catalogue) == [
            PoEntry("%(count)s file\n", "%(count)s files\n", ("%(count)s Datei\n", "%(count)s Dateien\n"), None,
                    ("python-format",), False, 10),
            PoEntry('say "hi"\t\\ A', None, ("sag „hi“",), "menu", (), False, 23),
            PoEntry("close", None, ("nah",), None, (), False, 26),
            PoEntry("close", None, ("schließen",), "window", (), False, 29),
        ]  # fmt: skip
        assert catalogue.header["Plural-Forms"] == "nplurals=2; plural=(n != 1);"
        assert catalogue.skipped == {"fuzzy": 1, "obsolete": 2, "untranslated": 1}

    def test_what_is_left_out_can_be_had(self, tmp_path):
        catalogue = read_po(written(tmp_path, CATALOGUE), fuzzy=True, obsolete=True)
        assert [e.msgid for e in catalogue if e.obsolete] == ["old", "two lines"]
        assert [e.msgid for e in catalogue if "fuzzy" in e.flags] == ["unsure"]
        assert catalogue.skipped == {"fuzzy": 0, "obsolete": 0, "untranslated": 1}

    def test_pairs(self):
        assert PoEntry("a").pairs() == []
        assert PoEntry("a", "b", ("x", "y", "z")).pairs() == [("a", "x"), ("b", "z")]

    def test_nothing(self, tmp_path):
        assert read_po(written(tmp_path, "")) == []
        assert read_po(written(tmp_path, HEADER)) == []

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('msgid "a"\nmsgid "b"\nmsgstr "c"\n', "test.po, line 2: got a second msgid in one entry"),
            ('msgid "a"\n\nmsgstr[0] "b"\n', r"line 1: got an entry of msgid, msgstr\[0\], expected msgid and msgstr"),
            ('msgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"\nmsgstr[2] "d"\n', "line 1: got an entry of"),
            ('msgstr "b"\n', "line 1: got an entry of msgstr"),
            ('msgid "a"\nmsgstr "b\n', "line 2: got 'msgstr \"b'"),
            ('"lost"\n', "line 1: got '\"lost\"'"),
            ("hello\n", "line 1: got 'hello'"),
            ('msgid "a"\n', "line 1: got an entry of msgid"),
            (HEADER.replace("UTF-8", "ISO-8859-1"), "line 1: got charset ISO-8859-1, expected UTF-8"),
            ('msgid "a"\nmsgstr "\xe9"\n'.encode("latin-1"), "line 2: got bytes that are not UTF-8"),
        ],
    )
    def test_refused(self, tmp_path, text, message):
        with pytest.raises(ValueError, match=message):
            read_po(written(tmp_path, text))


@pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="Django is not installed")
def test_real_catalogues_as_gettext_compiled_them():
    """Django ships each catalogue beside the one that msgfmt made of it."""
    folder = Path(importlib.util.find_spec("django").origin).parent
    paths = sorted(folder.rglob("LC_MESSAGES/django.po"))
    languages = ("de", "fr", "ar", "ja", "pl", "pt_BR")
    paths = [path for path in paths if path.parent.parent.name in languages]
    assert len(paths) > 30
    count = 0
    for path in paths:
        with path.with_suffix(".mo").open("rb") as file:
            compiled = gettext.GNUTranslations(file)._catalog
        for entry in read_po(path):
            context = "" if entry.msgctxt is None else entry.msgctxt + "\x04"
            if entry.msgid_plural is None:
                assert compiled[context + entry.msgid] == entry.msgstr[0]
            else:
                for form, text in enumerate(entry.msgstr):
                    assert compiled[context + entry.msgid, form] == text
            count += 1
    assert count > 3000


@pytest.mark.skipif(which("msgfmt") is None, reason="gettext's msgfmt is not installed")
def test_the_catalogue_of_these_tests_is_one(tmp_path):
    subprocess.run(["msgfmt", "-o", tmp_path / "test.mo", written(tmp_path, CATALOGUE)], check=True)


class TestPairs:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_columns_marks_and_line_ends(self, tmp_path, end):
        lines = ["Go.\tGeh.\tCC-BY 2.0 (France) Attribution: tatoeba.org #1", "", "Hi! \t Hallo!", "lonely", "\tleer"]
        lines += ["1276\tLet's try.\t77\tVersuchen wir's!", "1\t2"]
        path = written(tmp_path, "\ufeff" + end.join(lines))
        pairs = read_pairs(path)
        assert pairs == [("Go.", "Geh."), ("Hi!", "Hallo!"), ("Let's try.", "Versuchen wir's!"), ("1", "2")]
        assert pairs.skipped == {"empty": 1, "long": 0, "undecodable": 0, "malformed": 2}

    def test_lines_that_are_left_out_are_counted(self, tmp_path):
        path = written(tmp_path, b"a\tb\n\xff\t\xe9\n" + b"x" * 50 + b"\ty\n")
        pairs = read_pairs(path, max_length=20)
        assert pairs == [("a", "b")]
        assert pairs.skipped == {"empty": 0, "long": 1, "undecodable": 1, "malformed": 0}

    def test_a_file_without_pairs(self, tmp_path):
        with pytest.raises(ValueError, match=r"test.po: got no pairs .*'malformed': 2.*a tab between them"):
            read_pairs(written(tmp_path, "one\ntwo\n"))
