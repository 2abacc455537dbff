"""What every `storyreel reproduce` does alike: measure once, keep, tell what is missing, refuse another's results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reproductions.claims import MissingError, Todo, run_claims
from reproductions.report import done, number, why_not
from reproductions.settings import Settings
from storyreel.cli import main
from storyreel.cli.reproduce import PAPERS


class Paper:
    """Two claims, the first of two parts; it counts how often each part is measured."""

    def __init__(self, out: Path) -> None:
        self.measured: list[str] = []
        self.said: list[str] = []
        self.missing = ""
        self.settings = Settings(out=out, tell=self.said.append)

    def run(self, only: str | None = None, seed: int = 7) -> dict[str, Any]:
        def todo(settings: Settings, claims: Sequence[str]) -> Todo:
            names = {"colour": ("colour-red", "colour-blue"), "speed": ("speed",)}
            return {n: ((lambda n=n: self.measure(n)), {"seed": seed}) for claim in claims for n in names[claim]}

        return run_claims(self.settings, only, ("colour", "speed"), todo, self.report)["parts"]

    def measure(self, name: str) -> dict[str, Any]:
        if name == self.missing:
            raise MissingError(f"no {name} here")
        self.measured.append(name)
        return {"value": 1}

    def report(self, results: dict[str, Any]) -> list[str]:
        return [f"{name}: {number(p) if done(p) else why_not(p)}" for name, p in results["parts"].items()]


def test_each_part_is_measured_once(tmp_path: Path):
    paper = Paper(tmp_path)
    parts = paper.run()
    assert json.loads((tmp_path / "results.json").read_text()) == {"reproduces": "phenaki", "parts": parts}
    assert (tmp_path / "results.md").read_text() == "colour-red: 1.00\ncolour-blue: 1.00\nspeed: 1.00\n"
    assert [part["command"].split()[-1] for part in parts.values()] == ["colour", "colour", "speed"]
    assert paper.run() == parts
    assert paper.measured == ["colour-red", "colour-blue", "speed"]
    assert [line.split(" on ")[0] for line in paper.said] == [f"{name}: measured" for name in parts]
    paper.run("speed", seed=8)
    assert paper.measured[3:] == ["speed"], "other settings, and one claim alone"


def test_what_is_finished_survives_what_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paper = Paper(tmp_path)
    monkeypatch.setattr(paper, "measure", lambda name: {"value": 1} if name == "colour-red" else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        paper.run()
    assert list(json.loads((tmp_path / "results.json").read_text())["parts"]) == ["colour-red"]
    assert (tmp_path / "results.md").read_text() == "colour-red: 1.00\n"


def test_what_is_missing_is_asked_for_again(tmp_path: Path):
    paper = Paper(tmp_path)
    paper.missing = "speed"
    assert paper.run("speed")["speed"]["missing"] == "no speed here"
    assert (tmp_path / "results.md").read_text() == "speed: Not measured: no speed here\n"
    paper.missing = ""
    assert paper.run("speed")["speed"]["value"] == 1
    paper.missing = "speed"
    assert paper.run("speed", seed=8)["speed"]["asked"] == {"seed": 7}
    assert paper.said == ["speed: not measured: no speed here", "speed: no speed here; what was measured before stays"]


@pytest.mark.parametrize("paper", PAPERS)
def test_results_of_another_paper_are_refused(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = json.dumps({"reproduces": "godiva" if paper != "godiva" else "phenaki", "parts": {}})
    (tmp_path / "results.json").write_text(other)
    with pytest.raises(SystemExit) as end:
        main(["reproduce", paper, "-o", str(tmp_path)])
    assert end.value.code == 1
    assert f"expected the results of storyreel reproduce {paper}; give another folder" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == other


def test_count_is_of_prompts_and_part_of_what_a_result_depends_on(tmp_path: Path):
    usual, few = Settings(out=tmp_path), Settings(out=tmp_path, count=12)
    assert (usual.prompts, few.prompts) == (200, 12)
    assert "count" not in usual.how, "what was measured before there was a count stays"
    assert few.how == usual.how | {"count": 12}
    assert "--num-prompts 12" in few.command
    with pytest.raises(ValueError, match="--num-prompts: expected at least 1, got 0"):
        Settings(out=tmp_path, count=0)


def test_outside_a_clone_it_says_where_the_reproductions_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("storyreel.cli.reproduce.ROOT", tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["reproduce", "phenaki", "-o", str(tmp_path / "out")])
    assert end.value.code not in (0, None)
    assert "the reproductions are in the repository, not in the installed package" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
