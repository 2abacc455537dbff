"""Searches for files that stop a reader, led by what each file reaches in the code (atheris; libFuzzer inside).

    pip install atheris    # wheels for Linux and Python 3.11 to 3.13
    python tests/campaigns/fuzz.py [-max_total_time=300] [-seed=1] [CORPUS]

The doors are those of `tables.py`, and shards (.tar). The first byte of an input says which suffix the rest gets. It
stops at the first fault, prints it, and leaves the input in `crash-...`.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports]

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent)]
SUFFIXES = ("csv", "jsonl", "json", "stamp", "span", "txt", "srt", "tar")

with atheris.instrument_imports(include=["storyreel"]):
    import table_doors
    from tables import CSV, DOCUMENTS, LINES, SPAN, SRT, STAMP, STORY
    from watched import judged

    DOORS = table_doors.doors()


def seeds(folder: Path) -> None:
    """A whole file of each kind, for libFuzzer to begin with."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in (("a.mp4", b"film"), ("a.txt", b"words"), ("é" * 60 + ".json", b'{"split": "val"}')):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    texts = [(0, CSV), (1, LINES), (3, json.dumps(STAMP)), (4, json.dumps(SPAN)), (5, STORY), (6, SRT)]
    texts += [(2, json.dumps(document)) for document in DOCUMENTS]
    for number, (kind, text) in enumerate([*((k, t.encode()) for k, t in texts), (7, made.getvalue())]):
        (folder / f"{number:02d}").write_bytes(bytes([kind]) + text)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        place, corpus = Path(made) / "in", Path(made) / "corpus"
        place.mkdir()
        corpus.mkdir()
        seeds(corpus)

        def once(data: bytes) -> None:
            if not data:
                return
            file = place / f"broken.{SUFFIXES[data[0] % len(SUFFIXES)]}"
            file.write_bytes(data[1:])
            for name, door in DOORS.items():
                outcome, said = judged(door, file)
                if outcome == "fault":
                    raise RuntimeError(f"{name}: {said}")
            file.unlink()

        atheris.Setup([*sys.argv, str(corpus), "-max_len=16384", "-timeout=120", "-rss_limit_mb=3000"], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
