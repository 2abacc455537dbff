"""Footage as it comes: folders, files, manifests, strange names, and what is no film."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stub_films import film
from test_pipeline import rows_in, run

from storyreel.curate.sources import find_sources, named_apart

STRANGE = [
    "two words.mp4",
    "new\nline.mp4",
    "tab\there.mkv",
    "naïve – ünï.mp4",
    "日本語.webm",
    "-o.mp4",
    "'\"$(x).mp4",
    "a.b.c.mp4",
]


def test_strange_names_go_all_the_way_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for seed, name in enumerate(STRANGE):
        film(tmp_path / "in" / "sub folder" / name, spans=1, seed=seed)
    raw = os.fsencode(tmp_path / "in") + b"/not\xffutf8.mp4"
    film(Path(os.fsdecode(raw)), spans=1, seed=99)
    done = run(tmp_path / "in", tmp_path / "out dir")
    assert done.selected == len(STRANGE) + 1
    sources = {row["source"] for row in rows_in(tmp_path / "out dir")}
    assert sources == {f"sub folder/{name}" for name in STRANGE} | {"not\\xffutf8.mp4"}
    assert run(tmp_path / "in", tmp_path / "out dir").selected == len(STRANGE) + 1
    assert "new line.mp4" in (tmp_path / "out dir" / "README.md").read_text()


def test_what_is_no_film_is_listed_with_the_reason(tmp_path: Path):
    folder = tmp_path / "in"
    film(folder / "a.mp4")
    (folder / "a.srt").write_text("1\n")
    (folder / "a.en.vtt").write_text("1\n")
    (folder / "notes.txt").write_text("not a sidecar of any film")
    (folder / "data.json").write_text("{}")
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (folder / "photo.mp4").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    (folder / "empty.mp4").touch()
    (folder / ".hidden.mp4").touch()
    films, others = find_sources([folder])
    assert [f.name for f in films] == ["a.mp4"]
    assert {Path(name).name: why for name, why in others} == {
        "notes.txt": "is no video",
        "data.json": "is no video",
        "photo.png": "is a picture",
        "photo.mp4": "is a picture",
        "empty.mp4": "is empty (0 bytes)",
    }


def test_nothing_to_curate_is_said_in_one_line(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: the folder holds no files; expected footage"):
        run(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty" / "a.txt").write_text("x")
    with pytest.raises(ValueError, match=r"no film among the footage: .*a\.txt is no video"):
        run(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(ValueError, match="no footage was given"):
        run([], tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing is left behind"


ROWS = [{"path": "films/a.mp4", "license": "CC0", "caption": "a cat", "year": 1999}, {"path": "films/b c.mkv"}]


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "parquet"])
def test_manifests(tmp_path: Path, kind: str):
    for seed, row in enumerate(ROWS):
        film(tmp_path / str(row["path"]), seed=seed)
    path = tmp_path / f"list.{kind}"
    if kind == "txt":
        path.write_text("# films\n" + "".join(f"{row['path']}\r\n" for row in ROWS))
    elif kind == "csv":
        path.write_text("\ufeffpath,license,caption,year\nfilms/a.mp4,CC0,a cat,1999\nfilms/b c.mkv,,,\n")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    films, others = find_sources([path])
    assert not others
    assert [f.name for f in films] == ["films/a.mp4", "films/b c.mkv"]
    if kind != "txt":
        assert (films[0].licence, films[0].caption, films[0].carried) == ("CC0", "a cat", {"year": "1999"})
    assert (films[1].licence, films[1].carried) == (None, {})


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "a.csv",
            b"film,licence\nx,y\n",
            "line 2: no path; expected a column path or file; --columns",
        ),
        ("a.csv", b"path,licence\na.mp4,b,c\n", "line 2: more cells than columns"),
        ("a.jsonl", b"{}\n", "line 1: no path"),
        ("a.jsonl", b"[1]\n", "line 1: expected a JSON object"),
        ("a.jsonl", b"{\n", "line 1: expected JSON"),
        ("a.parquet", b"nonsense", "not a readable Parquet file"),
        ("a.txt", b"\xff\xfe", "expected text in UTF-8"),
        ("a.txt", b"# nothing\n", "no films in it"),
    ],
)
def test_broken_manifests_are_refused(tmp_path: Path, name: str, content: bytes, why: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=why):
        find_sources([tmp_path / name])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_of_public_tables_are_named(tmp_path: Path, kind: str):
    """WebVid's names of columns; films lie in folders of their own, and the table names them without suffix."""
    film(tmp_path / "videos" / "000001_000050" / "1066674784.mp4")
    rows = [
        {"videoid": "1066674784", "duration": "PT00H00M02S", "name": "a cat"},
        {"videoid": "99", "duration": "PT00H00M02S", "name": "not there"},
    ]
    path = tmp_path / f"results.{kind}"
    if kind == "csv":
        path.write_text("videoid,duration,name\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    columns = {"path": "videoid", "caption": "name"}
    ((found,), others) = find_sources([path], columns, tmp_path / "videos")
    assert (found.name, found.caption, found.carried) == ("1066674784.mp4", "a cat", {"duration": "PT00H00M02S"})
    assert others == [(str(tmp_path / "videos" / "99"), "no such file")]
    assert find_sources([path], columns)[0] == [found], "beside the manifest"
    with pytest.raises(ValueError, match=r'expected a column "title", as --columns says'):
        find_sources([path], {**columns, "caption": "title"})
    with pytest.raises(ValueError, match=r'no path; expected a column "id"'):
        find_sources([path], {"path": "id"})
    with pytest.raises(ValueError, match="columns: there is no table among the footage"):
        find_sources([tmp_path / "videos"], columns)


def test_a_film_that_a_manifest_names_and_that_is_not_there_is_listed(tmp_path: Path):
    film(tmp_path / "a.mp4")
    (tmp_path / "list.txt").write_text("a.mp4\ngone.mp4\n")
    films, others = find_sources([tmp_path / "list.txt"])
    assert len(films) == 1
    assert others == [(str(tmp_path / "gone.mp4"), "no such file")]


def test_films_of_one_name_are_told_apart_and_keep_their_names(tmp_path: Path):
    for folder in ("one", "two", "three"):
        film(tmp_path / folder / "a.mp4", seed=len(folder))
    first, _ = find_sources([tmp_path / "one"])
    both, _ = find_sources([tmp_path / "two", tmp_path / "three", tmp_path / "one"])
    known = {source.path: source for source in first}
    assert {Path(s.path).parent.name: s.name for s in named_apart(known, both)}["one"] == "a.mp4"
    assert len({s.name for s in named_apart(known, both)}) == 3
    assert len(find_sources([tmp_path / "one", tmp_path / "one" / "a.mp4"])[0]) == 1, "given twice, taken once"


def test_names_that_are_no_unicode_go_through_the_whole_of_it(tmp_path: Path):
    """One film that is fine and one that is not, both named in latin-1: the card is written, the clip opens."""
    import os

    import numpy as np

    from storyreel import video_io
    from storyreel.clip import Clip
    from storyreel.curate.measure import MeasureSettings
    from storyreel.curate.pipeline import CurationSettings, curate
    from storyreel.curate.score import Limit, MotionLimit
    from storyreel.curate.sources import real_path
    from storyreel.curate.thresholds import Thresholds
    from storyreel.data.folder import DatasetFolder

    folder = tmp_path / "in"
    frames = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), np.uint8)
    film = video_io.write(Clip(frames), folder / "a.mkv", metadata=False)
    os.rename(film, os.fsencode(folder) + b"/caf\xe9.mkv")
    (folder / "b.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(300))
    os.rename(folder / "b.mp4", os.fsencode(folder) + b"/b\xe9d.mp4")
    nothing = {name: Limit() for name in Thresholds.__dataclass_fields__ if name not in ("motion", "duplicates")}
    every = Thresholds(**{**nothing, "motion": MotionLimit(difference_min=None)})  # pyright: ignore
    from storyreel.curate.export import Export

    how = CurationSettings(measure=MeasureSettings(text_long_side=0), export=Export(format="virtual"))
    done = curate([folder], tmp_path / "out", how, every)
    assert [bad["name"] for bad in done.refused] == ["b\\xe9d.mp4"]
    assert "b\\xe9d.mp4" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    found = DatasetFolder.open(tmp_path / "out")
    assert len(found) == done.selected > 0
    assert found.clip(0).size == (48, 64)
    assert real_path(str(folder / "none\\xe9")) == str(folder / "none\\xe9")
