"""Numbers with their nouns, as sentences have them, the name that somebody may have meant, and columns."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

MAX_NAME = 100  # characters; comparing a longer one, from a file, would take its length in time and memory


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name that is most like this one, by at least `alike` (0 to 1); None for a name that is too long.

    >>> nearest("phenaky", ["phenaki", "godiva"]), nearest("phenaky" * 20, ["phenaki"])
    ('phenaki', None)
    """
    return next(iter(difflib.get_close_matches(name, known, 1, alike)), None) if len(name) <= MAX_NAME else None


def suggestion(name: str, known: Collection[str], there: str = "there are", more: str = "") -> str:
    """What an error says of an unknown name: the one that was meant, or all that there are.

    >>> suggestion("phenaky", ["phenaki", "godiva"]), suggestion("x", ["phenaki", "godiva"])
    ("did you mean 'phenaki'?", 'there are phenaki, godiva')
    """
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else f"{there} {', '.join(known) or 'none'}{more}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, their texts one below the other.

    >>> columns([("NAME", "SIZE"), ("phenaki", "3 MB")])
    ['NAME     SIZE', 'phenaki  3 MB']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number and its noun, thousands with commas.

    >>> counted(1, "film"), counted(1200, "film"), counted(2, "entry", "entries")
    ('1 film', '1,200 films', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def amount(number: float) -> str:
    """1234567 -> 1.23 M, with the letters of powers of a thousand."""
    for factor, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {letter}"
    return f"{number:g} "
