"""In continuous integration (CI=true) a skipped test fails: what it needs must be installed there.

Exempt are tests marked `needs_download`: of weights that cannot be installed, only fetched by who accepts their
licence, and of game engines, which come from npm's registry.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

STRICT = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _fail(report: Any) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{reason}\nCI=true allows no skipped test: install what is missing."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    exempt = hasattr(report, "wasxfail") or item.get_closest_marker("needs_download") is not None
    if STRICT and report.skipped and not exempt:
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole file that skips itself, as `pytest.importorskip` at its head does."""
    report = yield
    if STRICT and report.skipped:
        _fail(report)
    return report
