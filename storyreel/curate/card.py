"""The README.md of a curated dataset: where its clips come from, by what they were chosen, and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from storyreel.curate.choose import counts
from storyreel.curate.scores import judged
from storyreel.curate.thresholds import Thresholds
from storyreel.model_card import DATASET, header
from storyreel.read_errors import printable
from storyreel.wording import counted

MOST = 200  # films that are listed by name


def card(
    rows: Sequence[Mapping[str, Any]],
    thresholds: Thresholds,
    config: Mapping[str, Any],
    *,
    head: Mapping[str, Any] | None = None,
    films: int = 0,
    refused: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
) -> str:
    """Markdown with the header that dataset hubs read. No dates: the same dataset has the same card.

    head: what the header says beside what is known here, as of `storyreel.data.card.write_splits`.
    """
    selected = [row for row in rows if row["kept"]]
    licences = Counter(row.get("licence") or "not stated" for row in selected)
    seconds, all_seconds = sum(r["seconds"] for r in selected), sum(r["seconds"] for r in rows)
    share = f"{len(selected) / len(rows):.1%}" if rows else "0 %"
    lines = [
        header({**DATASET, "license": _one_licence(licences), **(head or {})}).rstrip(),
        "# A curated video dataset",
        "",
        f"{counted(len(selected), 'clip')} ({seconds / 3600:.3f} hours), chosen from {counted(len(rows), 'span')}"
        f" ({all_seconds / 3600:.3f} hours) of {counted(films, 'film')}: {share} of the spans. `metadata.parquet` has a"
        " row a clip; `curation/spans.parquet` has every span, kept or not, with all scores and the reasons.",
        "",
        "## Licences",
        "",
        *(f"- {name}: {counted(n, 'clip')}" for name, n in sorted(licences.items(), key=lambda i: (-i[1], i[0]))),
        "",
        "## Chosen by",
        "",
        *_limits(thresholds),
        "",
        "## Rejected for",
        "",
        *([f"- {name}: {counted(count, 'span')}" for name, count in counts(rows).items()] or ["- nothing"]),
        "",
        "## Captions",
        "",
        *_captions(selected),
        "",
        "## Films",
        "",
        *_films(selected),
    ]
    if refused:
        lines += ["", f"## Could not be used ({len(refused)})", ""]
        lines += [f"- {_code(f['name'])}: {f['error']}{_later(f)}" for f in refused[:MOST]]
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    lines += ["", "## Configuration", "", *(f"- {name}: {_code(value)}" for name, value in sorted(config.items()))]
    return printable("\n".join(lines) + "\n")


def _later(film: Mapping[str, Any]) -> str:
    return f"; the next call tries it again; {film['tries']} tries so far" if film.get("passing") else ""


def _one_licence(licences: Mapping[str, int]) -> str:
    return (
        next(iter(licences)).lower().replace(" ", "-")
        if len(licences) == 1 and "not stated" not in licences
        else "other"
    )


def _limits(thresholds: Thresholds) -> list[str]:
    lines = []
    for name, parts in thresholds.as_json().items():
        settings = [f"{part.replace('_', ' ')} {value:g}" for part, value in parts.items() if value is not None]
        if settings:
            lines.append(f"- {name}: {', '.join(settings)}" + (f" ({judged()[name].says})" if name in judged() else ""))
    return lines or ["- nothing"]


def _captions(selected: Sequence[Mapping[str, Any]]) -> list[str]:
    made = Counter(row.get("caption_from") or "none" for row in selected)
    return [f"- {name}: {counted(n, 'clip')}" for name, n in sorted(made.items(), key=lambda i: (-i[1], i[0]))] or [
        "- none"
    ]


def _films(selected: Sequence[Mapping[str, Any]]) -> list[str]:
    clips: Counter[str] = Counter(row["source"] for row in selected)
    licence = {row["source"]: row.get("licence") for row in selected}
    lines = [
        f"- {_code(name)}: {counted(count, 'clip')}" + (f", {licence[name]}" if licence[name] else "")
        for name, count in sorted(clips.items())[:MOST]
    ]
    return [*lines, f"- and {len(clips) - MOST} more"] if len(clips) > MOST else lines or ["- none"]


def _code(text: Any) -> str:
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"
