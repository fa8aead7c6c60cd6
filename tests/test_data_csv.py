"""CSV files: values, categories, and errors with file, line and column."""

from __future__ import annotations

import csv
import gzip
import tracemalloc

import numpy as np
import pytest

from cinta.data import Table, read_csv, text_columns


@pytest.fixture
def write(tmp_path):
    def written(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        content = text.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return written


PEOPLE = 'name,age,height\n"Puig, Anna",41,1.68\nBernat,,1.8e0\r\n\n"O""Neil",-3, 1.5 \n'


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_numbers_and_categories(write, name):
    table = read_csv(write(PEOPLE, name), categorical=["name"])
    assert table.names == ["name", "age", "height"]
    assert len(table) == 3
    np.testing.assert_array_equal(table["age"], [41, np.nan, -3])
    np.testing.assert_array_equal(table["height"], [1.68, 1.8, 1.5])
    assert table.categories == {"name": ["Bernat", 'O"Neil', "Puig, Anna"]}
    assert table["name"].tolist() == [2, 0, 1]
    assert (table["age"].dtype, table["name"].dtype) == (np.float64, np.int64)


def test_categories_of_the_training_table(write):
    train = read_csv(write("x\nb\na\nNA\n", "train.csv"), categorical=["x"])
    assert train["x"].tolist() == [1, 0, -1]
    test = read_csv(write("x\nb\nb\n", "test.csv"), categorical=train.categories)
    assert test["x"].tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"other.csv, line 3, column 'x': got 'c', expected one of a, b"):
        read_csv(write("x\na\nc\n", "other.csv"), categorical=train.categories)


def test_unknown_categories_as_missing_values(write):
    path = write("x,y\na,u\nc,v\n")
    table = read_csv(path, categorical={"x": ["a", "b"], "y": ["u", "v"]}, unknown="missing")
    assert table["x"].tolist() == [0, -1]
    assert table["y"].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"unknown got 'new', expected 'error' or 'missing'"):
        read_csv(path, unknown="new")


def test_columns_of_text(write):
    assert text_columns(write("a,b,c,d\n1,x,,1_000\n-2e3, 7,NA,2\n\nnan,3,?,5\n")) == ["b", "d"]
    assert text_columns(write("1;x\n2;3\n"), header=False, delimiter=";") == ["1"]
    assert text_columns(write("a\n-\n"), missing=["-"]) == []
    with pytest.raises(ValueError, match=r"\[text_columns\] .*table.csv, line 3: got 1 fields, expected 2"):
        text_columns(write("a,b\n1,2\n3\n"))
    with pytest.raises(OSError, match=r"nowhere.csv"):
        text_columns("nowhere.csv")


def test_features(write):
    table = read_csv(write("a,b,c\n1,x,\n2,?,4\n3,y,5\n"), categorical=["b"])
    np.testing.assert_array_equal(table.features(), np.float32([[1, 1, 0, np.nan], [2, 0, 0, 4], [3, 0, 1, 5]]))
    assert table.features().dtype == np.float32
    np.testing.assert_array_equal(table.features("c", "a"), np.float32([[np.nan, 1], [4, 2], [5, 3]]))
    with pytest.raises(KeyError, match=r"\[Table\] got column 'd', expected one of a, b, c"):
        table.features("d")
    assert Table({}, {}).features().shape == (0, 0)


def test_a_selection_of_columns_leaves_the_rest_unread(write):
    path = write("a,b,c\n1,text,3\n4,more,6\n")
    table = read_csv(path, columns=["c", "a"])
    assert table.names == ["c", "a"]
    assert table["c"].tolist() == [3, 6]


def test_without_a_header(write):
    table = read_csv(write("1;x\n2;y\n"), header=False, delimiter=";", categorical=["1"])
    assert table.names == ["0", "1"]
    assert table["0"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="line 3, column '0': got 'x'"):
        read_csv(write("\n\nx\n"), header=False)


def test_words_for_missing_values(write):
    path = write("a\n-9\n?\n")
    assert np.isnan(read_csv(path, missing=["-9", "?"])["a"]).all()
    with pytest.raises(ValueError, match=r"line 3, column 'a': got '\?', expected a number"):
        read_csv(path, missing=[])


def test_only_a_header(write):
    table = read_csv(write("a,b\n"), categorical=["b"])
    assert len(table) == 0
    assert table["b"].dtype == np.int64
    assert table.categories["b"] == []


def test_encodings(write):
    assert read_csv(write("a\n1\n", encoding="utf-8-sig")).names == ["a"]
    path = write("città\nForlì\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"table.csv, line 1: got bytes that are not utf-8-sig .*expected text"):
        read_csv(path)
    assert read_csv(path, categorical=["città"], encoding="latin-1").categories == {"città": ["Forlì"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv: got no line with anything in it, expected a table"),
        ("\n\n", "got no line with anything in it"),
        ("a,b\n1,2\n3\n", "table.csv, line 3: got 1 fields, expected 2, as the first line has"),
        ("a,b\n1,2,3\n", "line 2: got 3 fields, expected 2"),
        ("a,b\n1,2\n\n3,x\n", "table.csv, line 4, column 'b': got 'x', expected a number"),
        ('a,b\n"1\n2",3\n', r"line 3, column 'a': got '1\\n2', expected a number"),
        ("a\n1_000\n", "line 2, column 'a': got '1_000', expected a number"),
        ("a\n0x10\n", "got '0x10', expected a number"),
        ("a,a\n1,2\n", "line 1, column 'a': got twice, expected names, each once"),
        ("a,,b\n1,2,3\n", "line 1: got no name for column 1, expected names"),
        ("a\n" + "1" * 200_000 + "\n", r"line 2: got no CSV \(field larger than field limit"),
        ("a\n" + "9" * 100_000 + "x\n", r"line 2, column 'a': got '9{50,60}"),
        ("a\n" + "1" * (1 << 24), "line 2: got 16777216 characters without an end"),
        (",".join(map(str, range(140_000))), "line 1: got 140000 fields, expected at most 131072"),
    ],
)
def test_errors_name_the_place(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_csv(write(text))


@pytest.mark.parametrize("rows", [5, 20_000])
def test_errors_name_the_line_in_long_files(write, rows):
    lines = [f"{i},{i}.5" for i in range(rows)]
    with pytest.raises(ValueError, match=f"line {rows - 1}, column 'b': got 'x'"):
        read_csv(write("\n".join(["a,b", *lines[: rows - 3], "1,x", "1,2,3", "1"])))
    table = read_csv(write("\n".join(["a,b", *lines[: rows - 3], "", "1,NA", '"7","8"'])))
    assert len(table) == rows - 1
    assert np.isnan(table["b"][-2])
    assert (table["a"][-1], table["b"][-1], table["b"][1]) == (7, 8, 1.5)


def test_many_columns_and_many_categories_take_no_longer_than_they_must(write):
    names = [f"c{i}" for i in range(50_000)]
    table = read_csv(write("\n".join([",".join(names), ",".join(map(str, range(50_000)))])))
    assert table["c49999"].tolist() == [49999]
    table = read_csv(write("\n".join(["a", *names])), categorical=["a"])
    assert [table.categories["a"][code] for code in table["a"]] == names


def test_a_name_is_no_list_of_names(write):
    with pytest.raises(TypeError, match=r"\[read_csv\] columns got 'ab', expected a list of names"):
        read_csv(write("a,b\n1,2\n"), columns="ab")


def test_columns_that_are_not_there(write):
    for arguments in (dict(columns=["c"]), dict(categorical=["c"])):
        with pytest.raises(ValueError, match="got no column 'c', expected one of a, b"):
            read_csv(write("a,b\n1,2\n"), **arguments)


def test_whatever_the_csv_module_writes_is_read(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["plain", 'with "quotes"', "comma, comma", "line\nbreak", "ñ漢字", "'"]
    rows = [(repr(float(x)), texts[i], str(i)) for x, i in zip(rng.normal(size=500), rng.integers(0, 6, 500))]
    with open(tmp_path / "a.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("x", "text", "i"), *rows])
    table = read_csv(tmp_path / "a.csv", categorical=["text"])
    assert table["x"].tolist() == [float(row[0]) for row in rows]
    assert [table.categories["text"][code] for code in table["text"]] == [row[1] for row in rows]


def test_memory_stays_in_proportion(write):
    path = write("a\n" + "1\n" * 300_000, "a.csv.gz")
    tracemalloc.start()
    assert len(read_csv(path)) == 300_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
