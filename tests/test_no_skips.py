"""The rule that continuous integration skips nothing, tried on a suite of four tests in a fresh pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "test_one.py": """
import pytest
def test_runs(): pass
def test_skips(): pytest.skip("no browser is here")
@pytest.mark.needs_download
def test_may_skip(): pytest.skip("no published weights are here")
""",
    "test_two.py": "import pytest\npytest.importorskip('a_package_that_nobody_has')\ndef test_runs(): pass\n",
}


@pytest.mark.parametrize(
    ("ci", "closing"),
    [("true", r"1 failed, 1 passed, 1 skipped, 1 error in"), ("", r"1 passed, 3 skipped in")],
    ids=["ci", "elsewhere"],
)
def test_what_is_skipped_fails_in_ci(tmp_path: Path, ci: str, closing: str):
    for name, text in TESTS.items():
        (tmp_path / name).write_text(text)
    here = str(Path(__file__).parent)
    env = {**os.environ, "CI": ci, "PYTHONPATH": here, "PYTEST_ADDOPTS": "-W ignore"}
    command = [sys.executable, "-m", "pytest", "-p", "no_skips", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors", f"--rootdir={tmp_path}", str(tmp_path)],
        env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert re.search(closing, done.stdout), done.stdout
    assert (done.returncode == 0) == (not ci)
    if ci:
        assert "could not import 'a_package_that_nobody_has'" in done.stdout
        assert "no browser is here" in done.stdout
