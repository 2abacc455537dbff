"""Reads a prompt by the words that attributes declare: of each attribute the value whose longest phrase is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from storyreel.worlds import Attribute

_WORD = re.compile(r"[^\W_]+")


def attributes_in(prompt: str, attributes: Mapping[str, Attribute]) -> dict[str, str]:
    """Attribute -> the value that the prompt says, the longest phrase first; else the one nearest to what it says."""
    runs = runs_of(prompt)
    found = {name: longest(runs, a, "words") or longest(runs, a, "near") for name, a in attributes.items()}
    return {name: value for name, value in found.items() if value}


def runs_of(text: str) -> set[str]:
    """All that stands in it of one to seven words."""
    tokens = tokens_of(text)
    return {" ".join(tokens[i : i + n]) for n in range(1, 8) for i in range(len(tokens) - n + 1)}


def longest(runs: set[str], attribute: Attribute, kind: str) -> str:
    """The value of which the longest phrase is among these runs of words; "" where none is."""
    best, found = 0, ""
    for name, value in attribute.values.items():
        for phrase in getattr(value, kind):
            words = tokens_of(phrase)
            if len(words) > best and " ".join(words) in runs:
                best, found = len(words), name
    return found


def tokens_of(text: str) -> list[str]:
    """Its words, in lower case."""
    return _WORD.findall(text.lower())
