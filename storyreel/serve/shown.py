"""Folders that the server shows beside the studio, each at /pages/NAME/: datasets, studies, reports, leaderboards.

A report is one file that holds all it needs; its own script, which the package made, may run by its digest alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from storyreel.ownership import own_file
from storyreel.serve.errors import ApiError
from storyreel.whole_file import read_text

PAGES = {"report.html": "report", "leaderboard.html": "leaderboard"}
REPORT = re.compile(r"(?:reports/[\w.-]+/)?(?:report|leaderboard)\.html")
MAX_PAGE = 64 << 20  # bytes


@dataclass(frozen=True)
class ServedFolder:
    """A folder, what it holds, its routes, and what ends them. everybody: no token is asked for."""

    name: str
    kind: str
    routes: APIRouter
    close: Callable[[], Any] = lambda: None
    everybody: bool = False

    @property
    def path(self) -> str:
        return f"/pages/{self.name}/"


def show(folders: Sequence[Path], token: str | None) -> list[ServedFolder]:
    """Open folders. ValueError, OSError: one is none of these, two have one name, a page cannot show a token."""
    found: dict[str, ServedFolder] = {}
    for folder in folders:
        shown = _opened(folder)
        if not shown.everybody and token is not None:
            raise ValueError(f"--show {folder}: with --token only a study can be shown; serve this without one")
        if found.setdefault(shown.name, shown) is not shown:
            raise ValueError(f"--show {folder}: another folder of the name {shown.name!r} is shown as well")
    return list(found.values())


def _opened(folder: Path) -> ServedFolder:
    name = re.sub(r"[^\w.-]", "-", folder.resolve().name)
    if (folder / "curation").is_dir():
        from storyreel.serve import browse_routes

        browsing = browse_routes.Browsing(folder)
        return ServedFolder(name, "dataset", browse_routes.router(browsing), browsing.close)
    if (folder / "study.json").is_file():
        from storyreel.serve import study_routes
        from storyreel.study.plan import Study
        from storyreel.study.votes import Votes

        study = Study.open(folder)
        votes = Votes(study)
        return ServedFolder(name, "study", study_routes.router(study, votes), votes.close, everybody=True)
    for page, kind in PAGES.items():
        if (folder / page).is_file():
            return ServedFolder(name, kind, _report(folder, page))
    kinds = "a curated dataset, a study, a report, a leaderboard"
    raise ValueError(f"--show {folder}: expected one of {kinds}; there is none")


def _report(folder: Path, first: str) -> APIRouter:
    from storyreel.evaluate.report.page import policy

    routes = APIRouter()

    @routes.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        path = path or first
        if REPORT.fullmatch(path) is None:
            raise ApiError(404, "there is nothing here", code="not_found")
        try:
            text = read_text(own_file(folder, path), MAX_PAGE)
        except (OSError, ValueError):
            raise ApiError(404, "this page is gone", code="not_found") from None
        allowed = policy(path.rpartition("/")[2].removesuffix(".html")) + "; frame-ancestors 'none'"
        return Response(text, media_type="text/html; charset=utf-8", headers={"content-security-policy": allowed})

    return routes
