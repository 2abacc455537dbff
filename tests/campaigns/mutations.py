"""Seeded ways of breaking files: bytes of any kind, the fields of containers, and the values in a JSON document."""

from __future__ import annotations

import json
import random
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any

NUMBERS = (0, 1, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 4_000_000_000)
FIELDS = (  # what stands in front of a number that a container's reader believes
    *(b"stts", b"stsz", b"stsc", b"stco", b"ctts", b"elst", b"mvhd", b"mdhd", b"tkhd", b"avc1", b"avcC", b"hdlr"),
    *(b"\x21\xf9\x04", b"GIF89a", b"NETSCAPE2.0", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8L", b"VP8 ", b"EXIF"),
    *(b"IHDR", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"iTXt", b"avih", b"strh", b"strf", b"idx1"),
    *(
        b"\x2a\xd7\xb1",
        b"\x44\x89",
        b"\xb0",
        b"\xba",
        b"\x23\xe3\x83",
        b"\xe7",
        b"\xa3",
        b"\x86",
        b"\xff\xc0",
        b"\xff\xe1",
    ),
)
VALUES: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**63, 10**11, 10**30, 4e9, 0.1, -0.5, 1e308, 1e-308, True, None, [], {}, "", "x"),
    *("1e999999999", "9" * 1000, "1/0", "0/1", "nan", "-1/3", "1/" + "9" * 40, "30000/1001", "\ud800", "\x1b[2J\n"),
    *("../../etc/passwd", "/etc/passwd", "\0", "a" * 70_000, [[[[[[]]]]]], {"x": {"x": {}}}, [1, 2, 3], ["a"]),
)
TEXTS = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 5000,
    "1" + "0" * 400,
    "[" * 5000,
    '{"a":' * 3000,
    '"',
    "\\",
    "\ufeff",
)


def broken_bytes(rng: random.Random, data: bytes, others: Sequence[bytes]) -> tuple[str, bytes]:
    """(what was done, the bytes): bits flipped, numbers set, the end lost, parts zeroed, cut, doubled or foreign."""
    out = bytearray(data)
    way = rng.choice(
        ("bits", "head bits", "tail bits", "end", "zeros", "cut", "doubled", "splice", "number", "field", "field")
    )
    at, length = rng.randrange(len(out)), rng.randint(1, max(2, len(out) // 6))
    if way in ("bits", "head bits", "tail bits"):
        low = max(0, len(out) - 2000) if way == "tail bits" else 0
        high = min(len(out), 1000) if way == "head bits" else len(out)
        for _ in range(rng.choice((1, 2, 5, 20, 60))):
            out[rng.randrange(low, high)] ^= 1 << rng.randrange(8)
    elif way == "end":
        del out[at:]
    elif way == "zeros":
        out[at : at + length] = bytes(len(out[at : at + length]))
    elif way == "cut":
        del out[at : at + length]
    elif way == "doubled":
        out[at:at] = out[at : at + length]
    elif way == "splice":
        other = rng.choice(others)
        place = rng.randrange(len(other))
        out[at : at + rng.choice((0, length))] = other[place : place + length]
    elif way == "number":
        _set_number(rng, out, at)
    else:
        _set_field(rng, out)
    return way, bytes(out)


def _set_number(rng: random.Random, out: bytearray, at: int) -> None:
    form = rng.choice((">I", "<I", ">H", "<H", ">Q", "B"))
    size = struct.calcsize(form)
    value = rng.choice(NUMBERS) & ((1 << 8 * min(size, 4)) - 1)
    out[at : at + size] = struct.pack(form, value)


def _set_field(rng: random.Random, out: bytearray) -> None:
    """A number within 32 bytes behind one of FIELDS; the checksum of a PNG's chunk is made right again."""
    found = [match.end() for field in FIELDS for match in re.finditer(re.escape(field), bytes(out))]
    if not found:
        return _set_number(rng, out, rng.randrange(len(out)))
    for _ in range(rng.choice((1, 1, 2))):
        begin = rng.choice(found)
        _set_number(rng, out, min(len(out) - 1, begin + rng.randrange(32)))
    if out.startswith(b"\x89PNG"):
        _mend_png(out)


def _mend_png(out: bytearray) -> None:
    at = 8
    while at + 12 <= len(out):
        length = int.from_bytes(out[at : at + 4], "big")
        if at + 12 + length > len(out):
            return
        out[at + 8 + length : at + 12 + length] = struct.pack(">I", zlib.crc32(out[at + 4 : at + 8 + length]))
        at += 12 + length


def broken_value(rng: random.Random, value: Any) -> Any:
    """A copy of a JSON value with one of its parts, at any depth, replaced, left out or given twice."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        copy, key = dict(value), rng.choice(sorted(value))
        chance = rng.random()
        if chance < 0.1:
            del copy[key]
        elif chance < 0.2:
            copy[rng.choice(("storyreel", "x", "", "__class__", rng.choice(sorted(value))))] = rng.choice(VALUES)
        else:
            copy[key] = broken_value(rng, value[key])
        return copy
    if isinstance(value, list) and value and rng.random() < 0.9:
        copy, at = list(value), rng.randrange(len(value))
        chance = rng.random()
        if chance < 0.1:
            del copy[at]
        elif chance < 0.2:
            copy[at:at] = [copy[at]] * rng.choice((1, 3000))
        else:
            copy[at] = broken_value(rng, value[at])
        return copy
    return rng.choice(VALUES)


def broken_json(rng: random.Random, value: Any, ascii_only: bool = True) -> str:
    """The text of a JSON value with something wrong in it: parts of other kinds, huge numbers, too deep, cut off."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = broken_value(rng, value)
    text = json.dumps(value, ensure_ascii=ascii_only)
    chance = rng.random()
    if chance < 0.15 and (numbers := list(re.finditer(r"-?\d+(?:\.\d+)?", text))):
        match = rng.choice(numbers)
        text = text[: match.start()] + rng.choice(TEXTS) + text[match.end() :]
    elif chance < 0.2:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(TEXTS) + text[at + rng.randrange(3) :]
    elif chance < 0.23:
        text = text[: rng.randrange(len(text))]
    return text


def broken_text(rng: random.Random, text: str) -> bytes:
    """Lines doubled, cut, mixed or filled with odd characters and numbers; now and then bytes that are no UTF-8."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.choice((1, 2, 3))):
        at = rng.randrange(len(lines))
        way = rng.randrange(6)
        if way == 0:
            lines[at:at] = [lines[at]] * rng.choice((1, 50))
        elif way == 1 and len(lines) > 1:
            del lines[at]
        elif way == 2:
            cells = re.split(r"([,|:\s])", lines[at])
            cells[rng.randrange(len(cells))] = str(rng.choice((*VALUES, *TEXTS)))
            lines[at] = "".join(cells)
        elif way == 3:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:place] + rng.choice((*TEXTS, ",", '"', "\r", "\0", "\u2028", "|")) + lines[at][place:]
            )
        elif way == 4:
            rng.shuffle(lines)
        else:
            lines[at] = lines[at].swapcase()
    out = bytearray("".join(lines).encode("utf-8", "surrogatepass"))
    if out and rng.random() < 0.15:
        out[rng.randrange(len(out))] ^= 0x80
    return bytes(out)
