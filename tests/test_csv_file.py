"""What is exported for spreadsheets runs nothing in them."""

from __future__ import annotations

import csv
import io

import pytest

from storyreel.csv_file import cell, write_rows

FORMULAS = [
    "=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", "  =1+1", "\u00a0=1",
    "＝1+1", "＋1", "－1", "＠A1",
]  # fmt: skip
PLAIN = ["", "an orc - walking", "a=b", "-0.5", "-1e-07", "-3", -3, 2.5, None, True, "'quoted'"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_text(text: str):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["", "an orc - walking", "a=b", "-0.5", "-1e-07", "-3", -3, 2.5, None, True, "'quoted'"]
)
def test_everything_else_stays(value: object):
    assert cell(value) == value


def test_rows_and_headers():
    out = io.StringIO()
    write_rows(out, ["name", "=x"], [{"name": "=1+1", "=x": -0.5}, {"name": 'a "b", c', "=x": "-7"}])
    assert out.getvalue().splitlines()[0] == "name,'=x"
    assert list(csv.reader(io.StringIO(out.getvalue())))[1:] == [["'=1+1", "-0.5"], ['a "b", c', "-7"]]
