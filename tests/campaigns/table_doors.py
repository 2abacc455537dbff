"""Everything that reads tables, prompts, stories, manifests and documents: given the files of `tables.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from media_doors import verb
from watched import Door


def doors() -> dict[str, Door]:
    """Each door takes the files of its own suffixes and passes over all others."""
    import storyreel.browse.table
    import storyreel.curate.captions
    import storyreel.data.folder
    import storyreel.data.imports.howto100m
    import storyreel.data.imports.msr_vtt
    import storyreel.generate.prompts  # noqa: F401

    return {
        "dataset folder": _for(".parquet", _dataset),
        "curated rows": _for(".parquet", _curated),
        "manifest": _for(".parquet .csv .jsonl .txt", _manifest),
        "generate --prompts": _for(".csv .jsonl .json .txt", _prompts),
        "generate --story": _for(".jsonl .json .txt", _story),
        "captions beside a film": _for(".json .txt .srt .vtt", _captions),
        "data import msr-vtt": _for(".json", _msr_vtt),
        "data import howto100m": _for(".json", _howto),
        "howto100m table": _for(".csv", _table),
        "metadata": _for(".json .stamp", _stamp),
        "atlas": _for(".json", lambda path: verb("inspect", str(path))),
        "span": _for(".span", _span),
        "report, study, protocol": _for(".json", _documents),
        "shards": _for(".tar", _shards),
    }


def _for(suffixes: str, door: Door) -> Door:
    return lambda path: door(path) if path.suffix in suffixes.split() else None


def _dataset(path: Path) -> None:
    from storyreel.data.check import check
    from storyreel.data.folder import DatasetFolder

    folder = DatasetFolder.open(_moved(path, path.parent / "set" / "metadata.parquet").parent)
    used: list[Callable[[], object]] = [
        lambda: (folder.file_names, folder.splits, folder.contexts, folder.all_captions, folder.digest),
        lambda: [folder.row(index) for index in range(len(folder))],
        lambda: folder.attributes,
        lambda: str(check(folder, workers=1)),
    ]
    _each(used)


def _shards(path: Path) -> None:
    """What training asks of WebDataset shards."""
    from storyreel.data.shards import Shards

    shards = Shards.open(path)
    used: list[Callable[[], object]] = [
        lambda: (shards.file_names, shards.splits, shards.contexts, shards.all_captions, shards.digest),
        lambda: shards.clip(0),
    ]
    _each(used)


def _curated(path: Path) -> None:
    from storyreel.curate.rows import read_rows, table_of

    table_of(read_rows(path))


def _manifest(path: Path) -> None:
    from storyreel.curate.sources import find_sources

    find_sources([path])


def _prompts(path: Path) -> None:
    from storyreel.generate.prompts import read_prompts

    for row in read_prompts(path, {}):
        row.options.as_json()


def _story(path: Path) -> None:
    from storyreel.options.generation import GenerateOptions
    from storyreel.options.story import read_story

    GenerateOptions.of({"story": read_story(path)}).as_json()


def _captions(path: Path) -> None:
    from storyreel.curate.captions import Captions
    from storyreel.curate.sources import FilmSource

    film = path.with_name("film.mp4")
    _moved(path, path.parent / "beside" / f"film{path.suffix}")
    said = Captions(FilmSource("film.mp4", str(path.parent / "beside" / film.name)), ("subtitles", "sidecar"))
    said.of(0.0, 4.0)
    if said.notes:
        raise ValueError(said.notes[0])


def _msr_vtt(path: Path) -> None:
    from storyreel.data.imports import msr_vtt

    msr_vtt.read([path], _videos(path))


def _howto(path: Path) -> None:
    from storyreel.data.imports import howto100m

    howto100m.read(path, None, _videos(path))


def _table(path: Path) -> None:
    from storyreel.data.imports import howto100m

    howto100m.read_table(path, [])


def _stamp(path: Path) -> None:
    from storyreel import clip_metadata

    document = clip_metadata.parse(path.read_text(encoding="utf-8", errors="replace"))
    clip_metadata.file_facts(document)
    clip_metadata.clip_fields(document)


def _span(path: Path) -> None:
    from storyreel.span import Span

    Span.read(path).as_json()


def _documents(path: Path) -> None:
    from storyreel.evaluate import protocols
    from storyreel.evaluate.compare import read_report
    from storyreel.evaluate.judge_registry import document_of
    from storyreel.study.plan import Study

    study = _moved(path, path.parent / "study" / "study.json").parent
    judge = _moved(path, path.parent / "judge" / "judge.json").parent
    _each(
        [
            lambda: read_report(path),
            lambda: protocols.protocol_named(str(path)),
            lambda: Study.open(study),
            lambda: document_of(judge),
        ]
    )


def _moved(path: Path, to: Path) -> Path:
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(path.read_bytes())
    return to


def _videos(path: Path) -> Path:
    folder = path.parent / "videos"
    folder.mkdir(exist_ok=True)
    for name in ("video0.mp4", "aaaaaaaaaaa.mp4"):
        (folder / name).write_bytes(b"x")
    return folder


def _each(uses: list[Callable[[], object]]) -> None:
    """All of them, whatever the others say; the last refusal is raised."""
    last: Exception | None = None
    for use in uses:
        try:
            use()
        except (ValueError, OSError) as error:
            last = error
    if last is not None:
        raise last
