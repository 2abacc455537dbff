"""Reads JSON from outside: at most so many bytes, so deep, and with numbers that a computer can hold.

`json` alone accepts what breaks a program later: NaN and infinity, numbers of thousands of digits, and values so deep
that writing them again ends in RecursionError.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from storyreel.whole_file import MAX_BYTES, read_bytes

MAX_DEPTH = 100  # lists and objects within one another
_MAX_DIGITS = 40  # of a whole number
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # an unfinished text takes all that follows
_ODD_NUMBER = re.compile(r"NaN|Infinity|\d{39}|\d[eE]\+?\d{3}")


def parse_json(text: str | bytes, where: str = "", *, max_depth: int = MAX_DEPTH) -> Any:
    """The value in a JSON text. ValueError, one line that begins with `where`: no JSON, too deep, no number."""
    prefix = f"{where}: " if where else ""
    if not isinstance(text, (str, bytes)):
        raise ValueError(f"{prefix}is not JSON: expected text, got {type(text).__name__}")
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        if depth_above(text, max_depth):
            raise ValueError(f"more than {max_depth} lists and objects within one another")
        if _ODD_NUMBER.search(text):
            return json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_constant)
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"{prefix}is not JSON: byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        why = f"{error.msg}, line {error.lineno}, column {error.colno}"
        raise ValueError(f"{prefix}is not JSON: {why}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{prefix}is not JSON: {' '.join(str(error).split())}") from None


def read_json(path: str | Path, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value in a JSON file. ValueError names the file: too large, no JSON. OSError: not there, not readable."""
    return parse_json(read_bytes(path, max_bytes), str(path), max_depth=max_depth)


def read_object(path: str | Path, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """As `read_json`; ValueError also where the value is no object."""
    value = read_json(path, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return value


def depth_above(text: str, limit: int) -> bool:
    """Whether lists and objects stand more than `limit` deep within one another in a JSON text."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        sign = text[match.start()]
        if sign in "[{":
            depth += 1
            if depth > limit:
                return True
        elif sign != '"':
            depth -= 1
    return False


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits, expected at most {_MAX_DIGITS}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:40]} is no number that can be held")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
