"""Checks numbers from outside: whole numbers, decimals and rationals, each within a range, before they are used.

Prompt files, metadata in clips, atlases, tables and options all hold numbers that somebody else wrote. Python's own
conversions are no check: `Fraction("1e999999999")` allocates gigabytes, `int` of a long text takes minutes, and
`float` gives infinity or OverflowError. Text is matched against a plain form of bounded length first.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

DIGITS = 18  # of a number in text, at most: every such number fits 64 bits
FPS_MAX = 1000  # frames a second that somebody may ask for
MAX_FPS = 1_000_000  # frames a second of a clip; no container holds more
_WHOLE = re.compile(rf"[-+]?\d{{1,{DIGITS}}}", re.ASCII)
_DECIMAL = re.compile(
    rf"[-+]?(?:\d{{1,{DIGITS}}}(?:\.\d{{0,{DIGITS}}})?|\.\d{{1,{DIGITS}}})(?:e[-+]?\d{{1,3}})?", re.A | re.I
)
_RATIONAL = re.compile(
    rf"([-+]?\d{{1,{DIGITS}}})(?:/(\d{{1,{DIGITS}}})|\.(\d{{0,{DIGITS}}}))?|([-+]?)\.(\d{{1,{DIGITS}}})", re.ASCII
)


def is_digits(text: str) -> bool:
    """Whether a text is one or more of 0 to 9, which `int` takes: "²" is a digit to Python, and no number."""
    return text.isascii() and text.isdigit()


def whole(value: Any, name: str, low: int, high: int) -> int:
    """The whole number in an int, a whole float or digits, from `low` to `high`. ValueError names it otherwise."""
    if isinstance(value, str):
        found = int(value) if _WHOLE.fullmatch(value := value.strip()) else None
    elif isinstance(value, float):
        found = int(value) if math.isfinite(value) and value == math.floor(value) else None
    else:
        found = value if isinstance(value, int) and not isinstance(value, bool) else None
    if found is None or not low <= found <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {shown(value)}")
    return int(found)


def number(value: Any, name: str, low: float, high: float, *, above: bool = False) -> float:
    """The finite float in a number or text, from `low` (or above it) to `high`. ValueError names it otherwise."""
    found: float | None = None
    if isinstance(value, str):
        found = float(value) if _DECIMAL.fullmatch(value := value.strip()) else None
    elif isinstance(value, (int, float, Fraction)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = None
    if found is None or not math.isfinite(found) or not low <= found <= high or (above and found == low):
        start = f"above {low:g} and at most" if above else f"from {low:g} to"
        raise ValueError(f"{name}: expected a number {start} {high:g}, got {shown(value)}")
    return found


def rational(
    value: Any, name: str, low: int | Fraction, high: int | Fraction, *, above: bool = False, example: str = ""
) -> Fraction:
    """The exact number in an int, a float, a Fraction or text such as 8, 29.97 or 30000/1001, within a range.

    above: `low` itself is refused. Text has no exponent and at most 18 digits on either side. ValueError names it
    otherwise; `example` tells what would do.
    """
    found = _rational(value)
    if found is None or not low <= found <= high or (above and found == low):
        start = f"above {low} and at most" if above else f"from {low} to"
        such = f", such as {example}" if example else ""
        raise ValueError(f"{name}: expected a number {start} {high}{such}, got {shown(value)}")
    return found


def frame_rate(value: Any, name: str = "fps") -> Fraction:
    """Frames a second, above 0 and at most 1000, its denominator at most 1,001,000. ValueError names it otherwise."""
    exact = rational(value, name, 0, FPS_MAX, above=True, example="8 or 30000/1001")
    rounded = exact.limit_denominator(1_001_000)
    if rounded <= 0:
        raise ValueError(f"{name}: expected a number above 0 and at most {FPS_MAX}, got {shown(value)}")
    return rounded


def is_whole(value: Any, low: int, high: int) -> bool:
    """Whether a value of JSON is a whole number (no text, no truth value, no float) within a range."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def shown(value: Any) -> str:
    """A value as an error shows it: one line of at most 60 characters, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if value.bit_length() < 200 else f"a number of about {value.bit_length() * 3 // 10} digits"
    elif isinstance(value, str):
        text = repr(value[:80])
    elif isinstance(value, (float, bool)) or value is None:
        text = repr(value)
    elif isinstance(value, Fraction):
        text = f"{value.numerator}/{value.denominator}" if value.denominator.bit_length() < 200 else "a long fraction"
    else:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rational(value: Any) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return Fraction(value) if math.isfinite(value) else None
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    match = _RATIONAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    before, under, after, sign, tail = match.groups()
    if under is not None:
        return Fraction(int(before), int(under)) if int(under) else None
    digits = tail if before is None else after or ""
    whole_part, negative = int(before or 0), (before or sign).startswith("-")
    part = Fraction(int(digits or 0), 10 ** len(digits))
    return Fraction(whole_part) - part if negative else whole_part + part
