"""Training begins again with glibc's allocator set for it: when, and that what it starts has its own settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storyreel.allocator import OURS, PAGES, SETTINGS, SWITCH, settings_for


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    return tmp_path / "enabled"


@pytest.mark.parametrize("args", [["train", "phenaki_tiny"], ["reproduce", "svd"], ["evaluate", "train-judge"]])
def test_what_trains_gets_the_settings(pages: Path, args: list[str]):
    assert settings_for(args, {}, pages) == {**SETTINGS, SWITCH: OURS}


@pytest.mark.parametrize(
    ("args", "variables"),
    [
        (["generate", "a train"], {}),
        (["generate", "an orc", "train"], {}),
        (["train", "--help"], {}),
        (["train", "phenaki_tiny"], {SWITCH: "0"}),
        (["train", "phenaki_tiny"], {"GLIBC_TUNABLES": "glibc.malloc.perturb=1"}),
        (["train", "phenaki_tiny"], {"MALLOC_TOP_PAD_": "4096"}),
    ],
)
def test_nothing_is_set_where_nothing_trains_or_somebody_has_chosen(
    pages: Path, args: list[str], variables: dict[str, str]
):
    assert settings_for(args, variables, pages) == {}


def test_a_machine_without_huge_pages_is_left_alone(tmp_path: Path, pages: Path):
    assert settings_for(["train", "x"], {}, tmp_path / "nothing") == {}
    pages.write_text("always madvise [never]\n")
    assert settings_for(["train", "x"], {}, pages) == {}


CODE = """
import os, sys
at_start = str(dict(os.environ))
sys.argv = ["storyreel", *sys.argv[1:]]
from storyreel.allocator import SETTINGS, SWITCH, begin_again
begin_again(sys.argv[1:])
print("MALLOC_TOP_PAD_" in at_start, bool(SETTINGS.keys() & os.environ.keys()), SWITCH in os.environ, sys.argv[1:])
"""


@pytest.mark.parametrize(("switch", "again"), [({}, True), ({SWITCH: "0"}, False)])
def test_a_process_begins_again_once_with_its_own_words(switch: dict[str, str], again: bool):
    again = again and PAGES.is_file() and "[never]" not in PAGES.read_text()
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    words = ["train", "a recipe", "--set", "x=1"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], env=clean | switch, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == f"{again} False {bool(switch)} {words}"
