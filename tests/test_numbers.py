"""Numbers and JSON from outside: what is refused, in one line, and how soon."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import pytest

from storyreel.json_file import parse_json, read_json, read_object
from storyreel.numbers import frame_rate, number, rational, whole

HOSTILE = [
    "1e999999999",
    "9" * 10_000,
    "1/" + "9" * 10_000,
    "0." + "9" * 10_000,
    10**10_000,
    float("inf"),
    float("nan"),
    "inf",
    "nan",
    "1/0",
    "٣",  # a digit to `int`, and to nobody who writes a file
    "1_000",
    True,
    None,
    [],
    {},
    "",
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(type(value).__name__))
def test_hostile_numbers_are_refused_at_once_in_one_short_line(value: object):
    begun = time.monotonic()
    for refuse in (
        lambda: whole(value, "frames", 1, 100),
        lambda: number(value, "seconds", 0, 100),
        lambda: rational(value, "start", 0, 100),
        lambda: frame_rate(value),
    ):
        with pytest.raises(ValueError, match=r"^(frames|seconds|start|fps): expected a ") as refused:
            refuse()
        assert len(str(refused.value)) < 200
        assert "\n" not in str(refused.value)
    assert time.monotonic() - begun < 1


def test_plain_numbers_are_taken_exactly():
    assert [whole(v, "n", -5, 10**18) for v in (3, "3", 3.0, " 17 ", "-5")] == [3, 3, 3, 17, -5]
    assert [number(v, "n", 0, 10) for v in (3, "2.5", "1e-3", ".5", Fraction(1, 4))] == [3.0, 2.5, 0.001, 0.5, 0.25]
    given = ("30000/1001", "29.97", "8", ".5", "-.5", "-1.25", 0.1, 3, Fraction(1, 3))
    exact = ("30000/1001", "2997/100", "8", "1/2", "-1/2", "-5/4", Fraction(0.1), 3, Fraction(1, 3))
    assert [rational(v, "n", -5, 1000) if v != "30000/1001" else frame_rate(v) for v in given] == [
        *map(Fraction, exact)
    ]
    for refused in (
        lambda: whole("1e3", "n", 0, 10**6),
        lambda: whole(0, "n", 1, 2),
        lambda: rational(0, "n", 0, 1, above=True),
    ):
        with pytest.raises(ValueError, match=r"^n: expected"):
            refused()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "NaN", "-Infinity", "1e999", "9" * 5_000, '"', "\ud800"],
    ids=["deep", "deep and whole", "NaN", "infinity", "overflow", "long", "unfinished", "surrogate"],
)
def test_json_that_breaks_later_is_refused_when_it_is_read(text: str, tmp_path: Path):
    file = tmp_path / "value.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (lambda: read_json(file), lambda: parse_json(file.read_bytes(), str(file))):
        with pytest.raises(ValueError, match=r"value\.json: is not JSON") as refused:
            read()
        assert "\n" not in str(refused.value)


def test_json_of_any_plain_kind_is_read(tmp_path: Path):
    value = {"a": [1, 2.5, -3e10, True, None, '[[[["\\'], "b": {"c": 2**63, "d": "NaN 1e999"}}
    file = tmp_path / "value.json"
    file.write_text(json.dumps(value), encoding="utf-8-sig")
    assert read_json(file) == read_object(file) == value
    file.write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object, got list"):
        read_object(file)
    with pytest.raises(ValueError, match="is larger than"):
        read_json(file, max_bytes=1)
    begun = time.monotonic()
    with pytest.raises(ValueError, match="more than 100 lists"):
        parse_json("[" * 200 + '"\\' * 3_000_000)
    assert time.monotonic() - begun < 5
