"""Nothing in a text can drive a terminal, and a printed JSON document stays JSON."""

from __future__ import annotations

import io
import json
import sys

import pytest

from storyreel.screen_text import GuardedStream, guard_stderr, guarded_streams, one_line, printable, rich_console

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07", "\x9b31m", "a\rb", "\x00\x08", "\x7f", "abc\u202edcba", "\u2066x\u2069", "\u200f",
    "\u2028", "\ud800", "\U000e0041", "\x84\x90",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_only_characters_that_draw_something_are_left(text: str):
    for shown in (printable(text), one_line(text)):
        assert shown.isprintable()
        shown.encode()
    assert not any(character in printable(text) for character in text if not character.isprintable())


def test_text_of_any_language_stays_as_it_is():
    text = "犬が走る — naïve שלום مرحبا क्‍ष 👩‍👩‍👧 a\tb\nc"
    assert printable(text) == text
    assert one_line(text).replace("\\t", "\t").replace("\\n", "\n") == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_document_with_such_text_is_still_the_same_document(text: str):
    document = json.dumps({"caption": text, "x": [text]}, ensure_ascii=False, indent=1)
    assert json.loads(printable(document)) == {"caption": text, "x": [text]}


def test_one_line_takes_anything_and_ends():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert one_line({"a": [1, "x\n"]}) == '{"a": [1, "x\\n"]}'
    assert one_line(b"\x1b") == "b'\\x1b'"
    assert len(one_line("x" * 10**6)) == 2_000
    assert "\n" not in one_line({1: object()})
    assert len(one_line(10**4000)) <= 2_000


def test_every_print_within_the_block_is_escaped(capsys: pytest.CaptureFixture[str]):
    before = sys.stdout
    with guarded_streams(), guarded_streams():
        print("a\x1b[31mb")
        sys.stdout.writelines(["c\x9b\n"])
        print("d\u202e", file=sys.stderr)
        sys.stdout.flush()
    assert sys.stdout is before
    out, err = capsys.readouterr()
    assert out == "a\\x1b[31mb\nc\\u009b\n"
    assert err == "d\\u202e\n"


def test_an_encoding_that_lacks_a_character_gets_an_escape():
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = GuardedStream(raw)
    stream.write("naïve 犬\n")
    stream.flush()
    assert raw.buffer.getvalue() == b"na\\xefve \\u72ac\n"  # pyright: ignore[reportAttributeAccessIssue]


def test_over_a_proxy_of_rich_the_colours_go_to_the_terminal_and_text_is_escaped(monkeypatch: pytest.MonkeyPatch):
    from rich.live import Live

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    raw = io.StringIO()
    before, sys.stderr = sys.stderr, raw
    try:
        with guarded_streams():
            console = rich_console()
            with Live("bar", console=console, redirect_stdout=False):
                guard_stderr()
                print("a\x9b2Jb\x1b]0;t\x07", file=sys.stderr)
                console.print("[red]c[/red]")
    finally:
        sys.stderr = before
    said = raw.getvalue()
    assert "a\\u009b2Jb\\x1b]0;t\\x07" in said
    assert "\x1b[31mc" in said
    assert "\x9b" not in said
