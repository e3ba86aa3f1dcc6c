"""Whatever a job's fields hold, every reader sees the same rows: cut, Python's csv, pandas and DuckDB."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from snapshot import table
from snapshot.job import Job, parse

from tests.fuzz import examples
from tests.samples import file_of, payload

NASTY = (
    *("NA", "NULL", "null", "None", "nan", "\\N", "-", "1e5", "00", "True", "2026-01-01"),
    *('"', '"open', 'clo"sed', '""', '"a\tb"', "'", "\\", "\\t", "\\", ",", ";", "|", "#", "# x", "//", "--"),
    *("=1+1", "@x", "+1", "\ufeff", "\u200b", "\u202e", "\U0001f600", "e\u0301", "\ud800", "\udfff\ud800"),
    *("\n", "\r", "\r\n", "\t", "\0", "\x0b", "\x0c", "\x1a", "\x1c", "\x7f", "\x85", "\xa0", "\u2028", "\u2029"),
)
characters = st.characters() | st.characters(categories=["Cs", "Cc", "Zl", "Zp", "Zs"])
texts = st.text(characters, max_size=12) | st.lists(st.sampled_from(NASTY), max_size=4).map("".join)
ids = texts.map(lambda text: "".join(c for c in text if c.isprintable() and c != " "))


@st.composite
def payloads(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Jobs with any text in every text field."""
    return [
        payload(
            number,
            id=f"{draw(ids)}{number}",
            status=draw(texts) + "x",
            model=draw(texts),
            fine_tuned_model=draw(texts),
            training_file=draw(texts),
            error={"code": draw(texts), "message": draw(texts)},
            method={"type": draw(texts)},
            metadata=draw(st.dictionaries(texts, texts, max_size=2)),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def rows_of_cut(path: Path) -> list[list[str]]:
    columns = []
    for number in range(1, len(Job._fields) + 1):
        output = subprocess.run(["cut", "-f", str(number), path], check=True, capture_output=True).stdout
        columns.append(output.decode().removesuffix("\n").split("\n"))
    return [list(row) for row in zip(*columns, strict=True)]


def rows_of_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def rows_of_pandas(path: Path) -> list[list[str]]:
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)
    return [list(frame.columns), *frame.to_numpy().tolist()]


def rows_of_duckdb(path: Path) -> list[list[str]]:
    found = duckdb.execute(
        "FROM read_csv(?, delim = '\t', quote = '', escape = '', header = true, all_varchar = true)", [str(path)]
    )
    names = [column[0] for column in found.description]
    return [names, *(["" if field is None else field for field in row] for row in found.fetchall())]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers") / "table.tsv"


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(jobs=payloads())
@example(jobs=[payload(n, model=text, metadata={text: text}, status=f"{text}x") for n, text in enumerate(NASTY)])
def test_every_tsv_reader_sees_the_same_fields(jobs: list[dict[str, Any]], file: Path) -> None:
    parsed = [parse(job).job for job in jobs]
    file.write_bytes(file_of([table.to_line(job) for job in parsed]))
    expected = [list(Job._fields), *([field.encode("utf-8", "replace").decode() for field in job] for job in parsed)]
    for rows in (rows_of_cut, rows_of_csv, rows_of_pandas, rows_of_duckdb):
        assert rows(file) == expected, rows.__name__
