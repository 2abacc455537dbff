"""`storyreel leaderboard`: the same prompts, seeds and real clips, or one line that says what differs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel.clip import Clip


def write_clips(folder: Path, noise: float, *, n: int = 5, frames: int = 6, words: str = "a square") -> Path:
    folder.mkdir(parents=True)
    for i in range(n):
        rng = np.random.default_rng(i)
        pixels = np.full((frames, 16, 16, 3), 60.0)
        for t, frame in enumerate(pixels):
            frame[4:8, t : t + 4] = 200
        pixels += rng.normal(0, noise, pixels.shape)
        made = {"seconds": 0.5 + 0.01 * i, "machine": "a chip, 2 threads", "warm": i > 0}
        meta = {"prompt": f"{words} {i}", "seed": i, "made_in": made}
        Clip(pixels.clip(0, 255).round().astype(np.uint8), meta=meta).save(folder / f"{i}.mkv")
    return folder


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    from storyreel.cli import main

    with pytest.raises(SystemExit) as done:
        main(["leaderboard", *args])
    said = capsys.readouterr()
    return int(done.value.code or 0), said.out, " ".join(said.err.replace("│", " ").split())


def test_folders_of_clips_stand_side_by_side(tmp_path: Path, capsys):
    calm = write_clips(tmp_path / "calm", 2.0)
    noisy = write_clips(tmp_path / "noisy<i>", 20.0)
    out = tmp_path / "board"
    code, said, err = run([str(noisy), str(calm), "--metrics", "flicker,dynamic", "-o", str(out), "--json"], capsys)
    assert code == 0, err
    board = json.loads(said)
    assert board == json.loads((out / "leaderboard.json").read_text())
    assert [model["name"] for model in board["models"]] == ["calm", "noisy<i>"]  # flicker: higher is better
    assert [score["best"] for score in board["scores"]] == ["calm", None]
    first, second = (model["scores"]["flicker"] for model in board["models"])
    assert first["to_best"] is None
    gap = second["to_best"]
    assert gap["difference"] == pytest.approx(second["value"] - first["value"])
    assert gap["interval"][0] <= gap["difference"] <= gap["interval"][1] < 0
    assert (gap["paired"], gap["worse"], gap["n"]) == (True, True, 5)
    seconds = board["models"][0]["seconds_a_clip"]
    assert (seconds["value"], seconds["n"], seconds["machine"]) == (0.525, 4, "a chip, 2 threads")  # the first is cold
    html = (out / "leaderboard.html").read_text()
    assert "noisy&lt;i&gt;" in html
    assert "<i>" not in html
    assert 'class="gap worse"' in html
    assert html.count('<article class="beside">') == 5, "a row a prompt"
    films = re.findall(r'<video src="data:video/mp4;base64,([^"]+)"', html)
    assert len(films) == 10, "of both models"
    assert len(set(films)) == 10
    assert (out / "reports" / "calm" / "report.html").is_file()
    table = (out / "leaderboard.tex").read_text()
    assert table.index(r"\toprule") < table.index("calm & $\\mathbf{") < table.index(r"\bottomrule")

    reports = [str(out / "reports" / name) for name in ("calm", "noisy<i>")]
    code, said, _ = run([*reports, "-o", str(tmp_path / "again"), "--json"], capsys)  # measured already
    assert code == 0
    again = json.loads(said)
    assert again["models"][1]["scores"] == board["models"][1]["scores"]


def test_models_make_their_clips_once_from_the_same_prompts_and_seeds(tiny: Path, tmp_path: Path, capsys):  # noqa: F811
    (tmp_path / "p.txt").write_text("an orc walks left\na woman walks right\n")
    args = [
        "one=tiny",
        "two=tiny",
        "--prompts",
        "p.txt",
        "--metrics",
        "flicker",
        "--seed",
        "5",
        "-o",
        "board",
        "--json",
    ]
    code, said, err = run(args, capsys)
    assert code == 0, err
    board = json.loads(said)
    one, two = board["models"]
    assert one["parameters"] == two["parameters"] > 1000
    assert one["training"] is None
    assert one["seconds_a_clip"]["value"] > 0
    assert one["seconds_a_clip"]["n"] == 1
    assert one["scores"]["flicker"]["value"] == two["scores"]["flicker"]["value"]
    told = json.loads((tmp_path / "board" / "reports" / "one" / "report.json").read_text())["per_clip"]
    assert sorted((c["prompt"], c["seed"]) for c in told) == [("a woman walks right", 6), ("an orc walks left", 5)]
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "board" / "clips").rglob("*.mkv")}
    assert len(made) == 4
    next(iter(made)).unlink()
    code, said, _ = run(args, capsys)
    assert code == 0
    after = {file: file.stat().st_mtime_ns for file in (tmp_path / "board" / "clips").rglob("*.mkv")}
    assert after.keys() == made.keys()
    assert sum(after[file] != made[file] for file in made) == 1


def test_the_table_for_people_has_a_line_a_score_and_both_of_a_tie(tmp_path: Path, capsys):
    calm = write_clips(tmp_path / "calm", 2.0)
    same, noisy = write_clips(tmp_path / "same", 2.0), write_clips(tmp_path / "noisy", 20.0)
    runs = [str(noisy), str(calm), str(same)]
    code, said, err = run([*runs, "--metrics", "flicker,dynamic", "-o", str(tmp_path / "board")], capsys)
    assert code == 0, err
    lines = {line.partition("  ")[0]: line for line in said.splitlines()}
    assert lines["score"].split() == ["score", "better", "calm", "same", "noisy"]
    flicker = lines["flicker"]
    assert flicker.count(" *") == 2
    assert flicker.index(" *") < flicker.rindex(" *") < lines["score"].index("noisy")
    assert " *" not in lines["dynamic"]  # nobody knows what real clips have
    assert lines["seconds a clip"].split()[-3:] == ["0.525"] * 3
    html = (tmp_path / "board" / "leaderboard.html").read_text()
    assert html.count('class="num best"') == 2


def test_a_score_that_is_the_same_for_all_stands_in_the_middle_of_its_scale():
    from storyreel.evaluate.report.page import plots

    models = [{"name": name, "scores": {"is": {"value": 1.0, "interval": [1.0, 1.0]}}} for name in "ab"]
    drawn = plots().forest(models, {"name": "is", "real": None, "floor": None}, (1.0, 1.0))
    assert drawn.count(f'cx="{(plots().FROM + plots().TO) / 2}"') == 2
    assert drawn.count('class="tick"') == 1


def test_too_few_clips_are_told_once(tmp_path: Path, capsys):
    folders = [write_clips(tmp_path / name, noise, n=9) for name, noise in (("a", 2.0), ("b", 9.0), ("real", 1.0))]
    args = ["--metrics", "flicker", "--real", str(folders[2]), "-o", str(tmp_path / "board"), "--json"]
    assert run([*map(str, folders[:2]), *args], capsys)[0] == 0
    from storyreel.evaluate.report.leaderboard import Entrant, Terms, document_of

    reports = [json.loads((tmp_path / "board" / "reports" / name / "report.json").read_text()) for name in "ab"]
    for report, warning in zip(reports, ("9 clips, expected 2048", "9 clips, expected 2048"), strict=True):
        report["scores"][0]["warning"] = warning
    entrants = [Entrant(name, report) for name, report in zip("ab", reports, strict=True)]
    assert document_of(entrants, Terms())["notes"] == ["flicker: 9 clips, expected 2048"]
    reports[1]["scores"][0]["warning"] = "and worse"
    notes = document_of(entrants, Terms())["notes"]
    assert notes == ["flicker of a: 9 clips, expected 2048 (there is one for b too)"]
    reports[0]["scores"][0]["warning"] = None
    assert document_of(entrants, Terms())["notes"] == ["flicker of b: and worse"]


def test_unequal_terms_are_refused_in_one_line(tmp_path: Path, capsys):
    first = write_clips(tmp_path / "a", 2.0)
    longer = write_clips(tmp_path / "b", 2.0, frames=8)
    code, out, err = run([str(first), str(longer), "--metrics", "flicker", "-o", str(tmp_path / "o")], capsys)
    assert (code, out) == (1, "")
    assert "a and b were not measured alike, fingerprints differ in flicker: frames (6 and 8)" in err
    assert not (tmp_path / "o" / "leaderboard.html").exists()
    other = write_clips(tmp_path / "c", 2.0, words="a circle")
    code, out, err = run([str(first), str(other), "--metrics", "flicker", "-o", str(tmp_path / "o")], capsys)
    assert (code, out) == (1, "")
    assert "a and c were not made from the same prompts: 5 of 5 differ, such as 'a square 0' of a" in err


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["tiny"], 2, "expected two models or more"),
        (["tiny", "tiny"], 1, "two of the models are called 'tiny'"),
        (["tiny", "a=tiny"], 1, "tiny: makes its clips now; expected --prompts, --benchmark or --world"),
        (["tiny", "a=tiny", "--world", "sprits"], 1, "--world sprits: expected digits or "),
        (["tiny", "a=tiny", "--benchmark", "moving-digit"], 1, "did you mean 'moving-digits'?"),
        (["tiny", "a=tiny", "--world", "digits", "--benchmark", "moving-digits"], 2, "--benchmark is given as well"),
        (
            ["tiny", "a=tiny", "--num-prompts", "4"],
            2,
            "--num-prompts: applies to clips that are made now; expected --prompts",
        ),
        (["tiny", "a=tiny", "--real-split", "train"], 2, "--real-split: there are no real clips"),
        (["tiny", "tny"], 1, "did you mean 'tiny'?"),
        (["tiny", "../x=tiny"], 1, "a model cannot be called '../x'"),
    ],
)
def test_bad_wishes_get_one_clear_line(tiny: Path, capsys, args: list[str], code: int, line: str):  # noqa: F811
    got, out, err = run([*args, "-o", "board"], capsys)
    assert (got, out) == (code, "")
    assert line in err


def test_a_world_gives_held_out_prompts_with_what_they_should_show():
    from storyreel.leaderboard.prompts import prompts_of
    from storyreel.options.leaderboard import LeaderboardOptions

    def prompts(seed: int):
        options = LeaderboardOptions(entries=("a", "b"), out=Path("board"), world="digits", count=3, seed=seed)
        return prompts_of(options, {})

    found = prompts(7)
    assert [row.seed for row in found.rows] == [7, 8, 9]
    assert [row.options.prompt for row in found.rows] == list(found.expected)
    assert all("digits" in expected for expected in found.expected.values())
    assert found.digest() == prompts(7).digest()
    assert found.digest() != prompts(8).digest() != found.digest("another model")


def test_a_benchmark_is_cut_evenly():
    """Its prompts stand in groups: the first few would all be of one kind."""
    from storyreel.evaluate import benchmarks
    from storyreel.leaderboard.prompts import prompts_of
    from storyreel.options.leaderboard import LeaderboardOptions

    every = {p.prompt: p.group for p in benchmarks.prompts("moving-digits").prompts}

    def rows(count: int | None):
        options = LeaderboardOptions(entries=("a", "b"), out=Path("board"), benchmark="moving-digits", count=count)
        return prompts_of(options, {}).rows

    assert {every[row.options.prompt] for row in rows(8)} == set(every.values())
    assert len(rows(8)) == 8
    assert len(rows(10_000)) == len(rows(None))


@pytest.mark.parametrize(
    ("gap", "bold"),
    [
        ({"difference": -0.1, "interval": [-0.3, 0.1], "worse": False}, True),
        ({"difference": -0.1, "interval": [-0.2, -0.05], "worse": True}, False),
        ({"difference": -0.1, "interval": None, "worse": False}, False),
        ({"difference": -0.1, "interval": [-0.3, 0.1], "worse": None}, False),
        ({"difference": 0, "interval": None, "worse": None}, True),
    ],
)
def test_the_best_is_not_alone_where_another_is_not_surely_worse(gap: dict, bold: bool):
    from storyreel.evaluate.report.leaderboard import leads

    score = {"name": "judge", "best": "a"}
    assert leads({"name": "b", "scores": {"judge": {"to_best": gap}}}, score) is bold
    assert leads({"name": "a", "scores": {"judge": {"to_best": None}}}, score)
