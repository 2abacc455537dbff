"""A story: scenes of which each goes on where the one before it ends, with the versions that were made of each.

Nothing is kept for it: a video says which one it follows, and what follows the same video is a version of one scene.
The versions of a first scene are its remixes.
"""

from __future__ import annotations

from storyreel.serve.table import VideoRow, VideoTable

MAX_SCENES = 200
MAX_VERSIONS = 100


def story_of(table: VideoTable, video: VideoRow) -> list[tuple[VideoRow, list[VideoRow]]]:
    """(chosen version, all versions, the oldest first) of each scene: those before `video`, itself, and the newest
    after it."""
    chosen = [video]
    while (before := _followed(table, chosen[0])) and len(chosen) < MAX_SCENES:
        chosen.insert(0, before)
    while (after := _following(table, chosen[-1].id)) and len(chosen) < MAX_SCENES:
        chosen.append(after[-1])
    return [(each, _versions(table, each)) for each in chosen]


def _followed(table: VideoTable, video: VideoRow) -> VideoRow | None:
    source = video.settings.get("follows")
    return table.get(source) if isinstance(source, str) else None


def _following(table: VideoTable, id: str) -> list[VideoRow]:
    where = "json_extract(settings, '$.follows') = ?"
    return table.list(where, [id], newest=True, limit=MAX_VERSIONS)[::-1]


def _versions(table: VideoTable, video: VideoRow) -> list[VideoRow]:
    source = video.settings.get("follows")
    if isinstance(source, str):
        found = _following(table, source)
    else:
        first = table.get(video.remixed_from) if video.remixed_from else None
        base = first if first is not None and not first.settings.get("follows") else video
        where = "remixed_from = ? AND json_extract(settings, '$.follows') IS NULL"
        found = [base, *table.list(where, [base.id], newest=True, limit=MAX_VERSIONS)[::-1]]
    return found if any(each.id == video.id for each in found) else [*found, video]
