"""`storyreel curate` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stub_films import film, stub_measure

from storyreel.cli import main
from storyreel.curate import pipeline

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def curate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit code, stdout, stderr) of `storyreel curate ARGS` in an empty folder, with stub films."""
    monkeypatch.chdir(tmp_path)
    real = pipeline.curate
    monkeypatch.setattr(pipeline, "curate", lambda *args, **more: real(*args, job=stub_measure, **more))

    def run(*args: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["curate", *map(str, args)])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


VIRTUAL = ("--set", "export.format=virtual", "--workers", 1)


def test_from_footage_to_filter_to_ablation(curate: Run):
    film(Path("in/a.mp4"), scores=[{"motion_flow": 1.0}, {"motion_flow": 3.0}, {"text_share": 0.4}])
    Path("in/notes.txt").write_text("x")
    code, out, err = curate("in", "-o", "set", *VIRTUAL)
    assert (code, out) == (0, "set: 2 of 3 spans kept (67%), 4.0 s, 1 films\n  rejected: text.max 1\n")
    assert err == "in/notes.txt: is no video, left out\n"
    code, out, err = curate("--filter", "set", "--set", "motion.min=2", "--set", "motion.difference_min=none", "--json")
    assert json.loads(out)["kept"] == 1
    assert json.loads(out)["rejected"] == {"motion.min": 1, "text.max": 1}
    code, out, _ = curate("ablate", "set", "-o", "report", "--json")
    assert code == 0
    assert json.loads(out)["subsets"]["curated"] == 1
    assert Path("report/README.md").exists()


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        ((), 2, ""),
        (("in",), 2, "wanted footage and a dataset folder"),
        (("absent", "-o", "set"), 1, "absent: no such file or folder"),
        (("in", "-o", "set", "--set", "motion.mni=2"), 1, "no field 'mni'; did you mean 'min'?"),
        (("in", "-o", "set", "--set", "motion.min=fast"), 1, "motion.min wants a number, got 'fast'"),
        (("in", "-o", "set", "--set", "motion"), 1, "wanted NAME=VALUE"),
        (("in", "-o", "set", "--set", "moton.min=1"), 1, "did you mean 'motion'?"),
        (("in", "-o", "set", "--set", "export.format=avi"), 1, "export.format wants one of mp4, mkv, virtual"),
        (("in", "-o", "set", "--engine", "slurm"), 1, "wanted local or ray, got 'slurm'"),
        (("in", "-o", "set", "--steps", "cut"), 1, "no step 'cut'"),
        (("in", "-o", "set", "--captions", "poem"), 1, "no kind 'poem'"),
        (("in", "-o", "set", "--sidecar", "absent"), 2, "no such folder"),
        (("--filter", "set"), 1, "set: was not curated here"),
        (("--filter", "set", "in"), 2, "goes with --set alone"),
        (("--filter", "in", "--set", "measure.trim=3"), 1, "was not curated here"),
        (("ablate", "in"), 2, "wanted one curated folder"),
        (("in/a.mp4", "-o", "in/a.mp4"), 1, "is a file, wanted a folder"),
    ],
)
def test_mistakes_end_in_one_line(curate: Run, args: tuple[Any, ...], code: int, why: str):
    film(Path("in/a.mp4"))
    found, _, err = curate(*args)
    assert found == code
    assert why in " ".join(err.replace("│", " ").split()), err
    assert "Traceback" not in err
    assert not Path("set/metadata.parquet").exists()


def test_settings_cannot_change_while_filtering(curate: Run):
    film(Path("in/a.mp4"))
    assert curate("in", "-o", "set", *VIRTUAL)[0] == 0
    code, _, err = curate("--filter", "set", "--set", "export.side=64")
    assert code == 1
    assert "only thresholds can be set with --filter" in err


def test_films_that_are_set_aside_are_told(curate: Run):
    film(Path("in/a.mp4"))
    film(Path("in/b.mp4"), refuse=True)
    code, out, err = curate("in", "-o", "set", *VIRTUAL)
    assert code == 0
    assert "set aside: 1 films, listed in set/curation/quarantine.jsonl" in out
    assert "b.mp4: set aside: b.mp4: is corrupt or truncated" in err
