"""What installs and checks the package agrees with itself: ranges, pins, floors, and the targets that CI calls."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def requirements() -> list[Requirement]:
    """Those of the package, of its extras and of its groups, without the package itself."""
    lists = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    lists += PROJECT["dependency-groups"].values()
    found = [Requirement(text) for one in lists for text in one if isinstance(text, str)]
    return [one for one in found if one.name != PROJECT["project"]["name"]]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines) if version
    }


def test_every_requirement_is_pinned_within_its_range():
    pinned = pins()
    wrong = [str(r) for r in requirements() if not r.specifier.contains(pinned.get(canonicalize_name(r.name), "0"))]
    assert wrong == []


def test_the_lowest_versions_are_the_floors_of_the_ranges():
    command = [sys.executable, ROOT / ".ci" / "requirements.py", "lowest"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    floors = dict(line.split("==") for line in done.stdout.split())
    expected = {r.name: r for r in requirements() if r.name in floors}
    assert set(floors) >= {"numpy", "av", "pillow", "pyarrow", "transformers"}
    assert "torch" not in floors
    for name, floor in floors.items():
        specifier = expected[name].specifier
        assert specifier.contains(floor), f"{name}: {floor} is not in {specifier}"
        assert f">={floor}" in str(specifier).split(","), f"{name}: {floor} is not the floor of {specifier}"


def test_ci_calls_targets_that_there_are():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    scripts = [ROOT / ".ci" / "run", ROOT / ".ci" / "full", *WORKFLOWS]
    called = {name for file in scripts for name in re.findall(r"\bmake ([a-z0-9]+)", file.read_text())}
    assert {"lint", "test", "avx2", "lowest", "plain", "newer", "docs", "journey"} <= called
    assert called <= targets


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_are_workflows(file: Path):
    read = yaml.safe_load(file.read_text())
    assert set(read) >= {"name", "jobs", "permissions"}
    for name, job in read["jobs"].items():
        assert job["runs-on"] == "ubuntu-latest", name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "storyreel" / "py.typed").is_file()
    assert {"Homepage", "Changelog", "Issues"} <= set(PROJECT["project"]["urls"])
