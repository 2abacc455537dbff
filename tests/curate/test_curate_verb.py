"""`storyreel curate` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stub_films import film, stub_measure

from storyreel.cli import main
from storyreel.cli.curate import RECIPE
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
    assert code == 0
    assert out.startswith("set: 2 of 3 spans kept (67%), 4.0 s, 1 film\n  rejected: text.max 1\n")
    assert err == "in/notes.txt: is no video, left out\n"
    code, out, err = curate("filter", "set", "--set", "motion.min=2", "--set", "motion.difference_min=none", "--json")
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
        (("in",), 2, "Missing option '--out'"),
        (("absent", "-o", "set"), 1, "absent: no such file or folder"),
        (("in", "-o", "set", "--set", "motion.mni=2"), 1, "no field 'mni'; did you mean 'min'?"),
        (("in", "-o", "set", "--set", "motion.min=fast"), 1, "motion.min: expected a number, got 'fast'"),
        (("in", "-o", "set", "--set", "motion"), 1, "expected NAME=VALUE"),
        (("in", "-o", "set", "--set", "moton.min=1"), 1, "did you mean 'motion'?"),
        (("in", "-o", "set", "--set", "export.format=avi"), 1, "export.format: expected one of mp4, mkv, virtual"),
        (("in", "-o", "set", "--engine", "slurm"), 2, "expected local or ray, got 'slurm'"),
        (("in", "-o", "set", "--only", "cut"), 1, "no step 'cut'"),
        (("in", "-o", "set", "--captions", "poem"), 1, "no kind 'poem'"),
        (("in", "-o", "set", "--captions", "http://x,a/model"), 1, "expected one model at most"),
        (("in", "-o", "set", "--captions", "name", "--chat-model", "x"), 2, "no URL among the captions"),
        (("in", "-o", "set", "--sidecar", "absent"), 2, "no such folder"),
        (("filter", "set"), 1, "set: was not curated here"),
        (("filter", "set", "in"), 2, "unexpected extra argument"),
        (("filter", "set", "--redo"), 2, "No such option: --redo"),
        (("--filter", "set"), 2, "--filter is a command now: storyreel curate filter DATASET"),
        (("in", "-o", "set", "--chat", "http://x"), 2, "there are no captions to fuse"),
        (("in", "-o", "set", "--chat-model", "x"), 2, "there is no chat"),
        (("filter", "in", "--set", "measure.trim=3"), 1, "was not curated here"),
        (("ablate", "in"), 2, "Missing option '--out'"),
        (("in/a.mp4", "-o", "in/a.mp4"), 1, "is a file, expected a folder"),
    ],
)
def test_mistakes_end_in_one_line(curate: Run, args: tuple[Any, ...], code: int, why: str):
    film(Path("in/a.mp4"))
    found, _, err = curate(*args)
    assert found == code
    assert why in " ".join(err.replace("│", " ").split()), err
    assert "Traceback" not in err
    assert not Path("set/metadata.parquet").exists()


def test_curate_ends_with_what_to_do_next(curate: Run):
    film(Path("in/a.mp4"))
    film(Path("in/b.mp4"), seed=1)
    Path("in/a.txt").write_text("a dog")
    code, out, _ = curate("in", "-o", "my set", *VIRTUAL)
    assert code == 0
    assert "  without a caption: 3 of 6 kept clips; text-to-video learns from captions" in out
    for command in ("browse 'my set'", "data check 'my set'", f"train {RECIPE} --data 'my set' -o run"):
        assert f"\n  storyreel {command}" in out
    code, out, _ = curate("in", "-o", "my set", *VIRTUAL, "--set", "motion.min=90", "--set", "motion.difference_min=90")
    assert "storyreel curate ablate 'my set' -o ablation" in out
    assert "train" not in out
    Path("in/b.txt").write_text("a cat")
    assert "without a caption" not in curate("in", "-o", "my set", *VIRTUAL)[1]


def test_settings_cannot_change_while_filtering(curate: Run):
    film(Path("in/a.mp4"))
    assert curate("in", "-o", "set", *VIRTUAL)[0] == 0
    code, _, err = curate("filter", "set", "--set", "export.side=64")
    assert code == 1
    assert "only thresholds can be set with filter" in err


def test_films_that_are_set_aside_are_told(curate: Run):
    film(Path("in/a.mp4"))
    film(Path("in/b.mp4"), refuse=True)
    code, out, err = curate("in", "-o", "set", *VIRTUAL)
    assert code == 0
    assert "set aside: 1 film, listed in set/curation/quarantine.jsonl" in out
    assert "b.mp4: set aside: b.mp4: is corrupt or truncated" in err


def test_nothing_measured_is_a_failure(curate: Run):
    film(Path("in/a.mp4"), refuse=True)
    film(Path("in/b.mp4"), refuse=True)
    code, out, err = curate("in", "-o", "set", *VIRTUAL)
    assert code == 1
    assert "set aside: 2 films" in out
    assert (
        err.splitlines()[-1]
        == "storyreel: error: set: no film could be measured, 2 set aside; see curation/quarantine.jsonl"
    )
    film(Path("in/c.mp4"))
    assert curate("in", "-o", "set", *VIRTUAL)[0] == 0


def test_a_package_that_is_missing_sets_no_film_aside(curate: Run):
    """However deep it is missed: the run ends, and the same command measures all once the package is there."""
    film(Path("in/a.mp4"), lacks="cv2")
    code, _, err = curate("in", "-o", "set", *VIRTUAL)
    assert code == 1
    wanted = "curate: films cannot be measured here: No module named 'cv2'; pip install 'storyreel[curation]'"
    assert err.splitlines()[-1] == f"storyreel: error: {wanted}"
    assert not Path("set/curation/quarantine.jsonl").exists()
    film(Path("in/a.mp4"))
    code, out, _ = curate("in", "-o", "set", *VIRTUAL)
    assert (code, "3 of 3 spans kept" in out) == (0, True)


def test_films_that_an_older_version_set_aside_for_a_package_are_measured(curate: Run):
    film(Path("in/a.mp4"), refuse=True)
    assert curate("in", "-o", "set", *VIRTUAL)[0] == 1
    film(Path("in/a.mp4"))
    stat = Path("in/a.mp4").stat()
    manifest = Path("set/curation/manifest.jsonl")
    line = json.loads(manifest.read_text())
    line |= {"error": "ModuleNotFoundError: No module named 'cv2'", "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    manifest.write_text(json.dumps(line) + "\n")
    code, out, _ = curate("in", "-o", "set", *VIRTUAL)
    assert (code, "3 of 3 spans kept" in out) == (0, True)


def test_on_the_default_install_nothing_is_begun(tmp_path: Path):
    """Without the extra `curation`: one line that says which to install, and no folder is made."""
    import os
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('cv2', 'rapidocr', 'onnxruntime'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    film(tmp_path / "in" / "a.mp4")
    done = subprocess.run(
        [sys.executable, "-m", "storyreel", "curate", "in", "-o", "set"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "storyreel: error: curate: films cannot be measured here: No module named 'cv2'; "
        "pip install 'storyreel[curation]'\n"
    )
    assert not (tmp_path / "set").exists()


MOTION = ["export.format=virtual", "motion.min=2", "motion.difference_min=none"]


def test_the_python_face(curate: Run):
    import storyreel

    film(Path("in/a.mp4"), scores=[{"motion_flow": 1.0}, {"motion_flow": 3.0}])
    done = storyreel.curate("in", "set", sets=MOTION, workers=1)
    assert (done.films, done.spans, done.selected, done.rejected) == (1, 2, 1, {"motion.min": 1})
    told = json.loads(curate("in", "-o", "set", *(w for each in MOTION for w in ("--set", each)), "--json")[1])
    assert told == done.as_json()
    for wrong, message in (
        ({"setz": 1}, "does not know the setting 'setz'"),
        ({"chat": "http://x"}, "chat: there are no captions to fuse"),
        ({"engine": "slurm"}, "engine: expected local or ray"),
        ({"sidecar": "absent"}, "sidecar: absent: no such folder"),
    ):
        with pytest.raises(ValueError, match=message):
            storyreel.curate(["in"], "set", **wrong)
    film(Path("bad/b.mp4"), refuse=True)
    with pytest.raises(ValueError, match="no film could be measured, 1 set aside"):
        storyreel.curate("bad", "other", workers=1)
