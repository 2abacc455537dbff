"""`storyreel reproduce` measures what it says: seams and intervals on made-up clips, the whole at toy size."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reproductions.accuracies import gap_of
from reproductions.script import act, write_script
from reproductions.settings import Settings
from reproductions.story import starts_of_clips
from storyreel.clip import Clip
from storyreel.evaluate.interval import mean_of, ratio_of
from storyreel.evaluate.seams import Seams, differences

CYCLE = 8


def walk(steps: list[float]) -> Clip:
    """A clip of flat frames whose brightness differs from frame to frame by just these steps."""
    level = np.concatenate([[0], np.cumsum(steps)]) % 256
    return Clip(np.broadcast_to(level[:, None, None, None], (len(level), 4, 4, 3)).astype(np.uint8))


def test_clips_begin_where_the_system_begins_them():
    carried = lambda made: min(made, 1)  # noqa: E731
    starts = starts_of_clips([10, 9], 8, carried)
    assert starts == [0, 8, 10, 17]  # 8 new frames, then 7 a clip; the second part begins anew at 10
    assert len(starts_of_clips([40] * 12, 8, carried)) == 72  # six a part: each part's last clip is cut


def test_joint_places_are_those_of_phenaki():
    from storyreel import recipes
    from storyreel.systems.base import Request
    from storyreel.systems.phenaki import Phenaki

    config = recipes.get("phenaki_tiny").system
    system = Phenaki(config)  # pyright: ignore[reportArgumentType]
    parts = system._parts(Request.of(story=(("a", 2.0), ("b", 1.0), ("c", 3.0))))
    frames = [count for _, count in parts]
    starts = starts_of_clips(frames, system.config.frames, system.config.carried)
    assert len(starts) == system._clips(parts, 0, 0)


def test_a_jump_at_the_joints_is_seen():
    smooth = [2.0] * 31
    jumpy = [6.0 if i + 1 in (7, 14, 21, 28) else 2.0 for i in range(31)]
    for steps, ratio, beyond in ((smooth, 1.0, 0.0), (jumpy, 3.0, 1.0)):
        seams = Seams(CYCLE)
        for _ in range(2):
            seams.add(walk(steps), [16, 16], [0, 7, 14, 16, 21, 28])
        found = seams.as_json()
        assert found["ratio"]["value"] == pytest.approx(ratio)
        assert found["beyond"]["value"] == beyond
        assert found["beyond"]["n"] == 8
        assert found["boundary"] == {"value": 2.0, "interval": [2.0, 2.0], "n": 2}


def test_the_cycle_of_an_action_is_not_taken_for_a_jump():
    """A large step that comes once a cycle: where it falls on a joint, only the ratio of all steps is fooled."""
    steps = [10.0 if (i + 1) % CYCLE == 7 else 1.0 for i in range(39)]
    seams = Seams(CYCLE)
    seams.add(walk(steps), [40], [0, 7])
    found = seams.as_json()
    assert found["ratio"]["value"] > 4
    assert found["ratio_same_phase"]["value"] == pytest.approx(1.0)


def test_differences_are_of_what_is_seen():
    frames = np.zeros((2, 4, 4, 4), np.uint8)
    frames[1, ..., :3] = 200  # another colour, and both are transparent
    assert differences(Clip(frames)).tolist() == [0.0]


def test_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(40):
        found = mean_of(rng.normal(3.0, 1.0, 60).tolist())
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 3.0 <= found.high
    assert inside >= 33
    assert mean_of([1.0]).as_json() == {"value": 1.0, "interval": None, "n": 1}
    assert mean_of([]).as_json()["value"] is None
    assert ratio_of([2.0, 4.0], [1.0, 2.0]).value == 2.0
    assert ratio_of([2.0], [0.0]).as_json()["value"] is None


def test_the_gap_between_two_models():
    from storyreel.evaluate.score import AttributeAccuracy

    good, bad = AttributeAccuracy(("x",)), AttributeAccuracy(("x",))
    for i in range(60):
        good.update(({"x": "a"}, {"x": "a"}))
        bad.update(({"x": "a"}, {"x": "a" if i % 2 else "b"}))
    gap = gap_of(good, bad)
    assert gap.value == 0.5
    assert gap.low is not None
    assert 0.3 < gap.low < 0.5


def test_scripts_change_what_is_done_and_tell_what_can_be_seen():
    for seed in range(30):
        script = write_script(seed, 12, 5.0)
        poses = [(p.action, p.facing) for p in script.parts]
        assert all(a != b for a, b in pairwise(poses))
        assert {p.action for p in script.parts} <= set(script.who.weapons)
        assert len({p.expected["body"] for p in script.parts if "body" in p.expected}) <= 1  # one character
        for part in script.parts:
            assert part.expected.get("action", part.action) == part.action
            assert part.expected.get("facing", part.facing) == part.facing
            assert None not in part.expected.values()
            assert part.facing != "up" or not part.expected.get("facial_hair")
    assert write_script(3, 4, 1.0) == write_script(3, 4, 1.0)


def test_real_sprites_tell_the_same_story(lpc: Path):
    from fractions import Fraction

    script = write_script(5, 3, 2.0)
    clip = act(lpc, script, Fraction(8), CYCLE)
    assert len(clip) == 48
    assert clip.has_alpha
    assert (clip.frames[0] == clip.frames[8]).all()  # after a cycle the action begins again


@pytest.mark.parametrize("late", [0, 3])
def test_an_action_is_read_wherever_its_cycle_begins(lpc: Path, late: int):
    from fractions import Fraction

    from reproductions.story import Judged
    from storyreel.evaluate.judge import Judge

    judge = Judge.load("sprites")
    read = Judged(judge.attributes, CYCLE)
    for seed in range(2):
        script = write_script(seed, 4, 3.0)
        clip = act(lpc, script, Fraction(8), CYCLE)
        parts = np.split(clip.frames, len(script.parts))
        turned = np.concatenate([np.roll(part, -late, axis=0) for part in parts])
        read.add(judge, clip.replace(frames=turned), script)
    found = read.as_json()["parts"]["attributes"]["action"]
    assert found["n"] == 8
    assert found["accuracy"] >= 0.85


def test_what_is_seen_is_that_of_the_plainest_action():
    from reproductions.story import surest

    plain = {"action": {"walk": 0.1, "slash": 0.9}, "body": {"orc": 0.6, "human": 0.4}}
    doubtful = {"action": {"walk": 0.6, "slash": 0.4}, "body": {"orc": 0.0, "human": 1.0}}
    assert surest([doubtful, plain, doubtful]) == {"action": "slash", "body": "orc"}


def test_both_codings_cost_the_same():
    from reproductions.tokens import codings

    clips, frames = codings("phenaki_digits", 300)
    assert frames.flops == pytest.approx(clips.flops, rel=0.01)
    assert frames.stage.data.frames == 1
    assert frames.stage.steps == clips.stage.steps == 300
    assert frames.stage.data.batch > clips.stage.data.batch
    assert frames.command("phenaki_digits", Path("d"), Path("r")).startswith("storyreel train phenaki_digits --data d")


# -- the whole, at toy size ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny model for both worlds, and a judge of each that guesses."""
    import torch
    from tiny_model import make_tiny

    from storyreel.evaluate.judge import JudgeConfig
    from storyreel.evaluate.locator import LocatorConfig
    from storyreel.worlds.sprites import JUDGED, draw_character

    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    drawn = [draw_character(rng).attributes for _ in range(200)]
    classes = {n: tuple(sorted({str(d[n]) for d in drawn if d[n]})) for n in JUDGED}
    torch.manual_seed(0)
    judge = JudgeConfig(classes=classes, frames=5, size=16, channels=3, widths=(8,), blocks=(0,), grid=2).build()
    locator = LocatorConfig(frames=5, size=16, dim=8, dilations=(1,)).build()
    judge.save(folder / "judge-s")
    locator.save(folder / "judge-d")
    return {
        "model": str(make_tiny(folder / "tiny")),
        "sprites": str(folder / "judge-s"),
        "digits": str(folder / "judge-d"),
    }


def settings_for(out: Path, shop: dict[str, str], said: list[str] | None = None) -> Settings:
    tell = (said if said is not None else []).append
    return Settings(
        out=out,
        quick=True,
        steps=4,
        recipe="phenaki_tiny",
        models={"sprites": shop["model"], "digits": shop["model"]},
        judges={"sprites": shop["sprites"], "digits": shop["digits"]},
        tell=tell,
    )


@pytest.fixture(scope="module")
def reproduced(shop: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from reproductions.phenaki import run

    out = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "clips", 40)
        patch.setattr(Settings, "prompts", 3)
        run(settings_for(out, shop))
    return out


def test_it_measures_all_claims(reproduced: Path):
    parts = json.loads((reproduced / "results.json").read_text())["parts"]
    assert set(parts) == {
        *("tokens", "story", "combinations-sprites", "combinations-digits"),
        *("reconstruction-sprites", "reconstruction-digits"),
    }
    assert [name for name, part in parts.items() if "missing" in part] == ["reconstruction-sprites"]  # wants sheets
    left = parts["reconstruction-digits"]
    assert left["reconstructed"]["clips"] == left["real"]["clips"] == left["psnr"]["n"] == 3
    assert 0 < left["psnr"]["value"] < 40
    tokens = parts["tokens"]
    assert tokens["codings"]["clips"]["tokens"] == 3 * 16
    assert tokens["codings"]["frames"]["tokens"] == 5 * 16
    assert tokens["tokens_saved"] == pytest.approx(0.4)
    assert tokens["codings"]["clips"]["flops"] == pytest.approx(tokens["codings"]["frames"]["flops"], rel=0.05)
    assert tokens["psnr_gain"]["n"] == tokens["codings"]["clips"]["psnr"]["n"] >= 2
    assert tokens["codings"]["clips"]["judged"]["clips"] == tokens["psnr_gain"]["n"]
    story = parts["story"]
    assert story["frames"] == 48
    assert story["seams"]["beyond"]["n"] == story["clips"] - story["parts"]
    assert story["parts_judged"]["parts"]["attributes"]["action"]["n"] <= 3
    assert story["parts_judged"]["parts"]["mean"]["interval"] is None  # one story
    assert story["holds"] is False  # nothing was learnt
    for world in ("sprites", "digits"):
        part = parts[f"combinations-{world}"]
        assert part["held_out"]["clips"] == part["train"]["clips"] == 3
    assert parts["combinations-digits"]["held_out_real"]["clips"] == 3


def test_the_report_has_tables_pictures_and_commands(reproduced: Path):
    text = (reproduced / "results.md").read_text()
    assert "| (a) C-ViViT" in text
    assert "storyreel train phenaki_tiny --data" in text
    assert "--only story" in text
    assert text.count("| sex |") == 1
    for part in json.loads((reproduced / "results.json").read_text())["parts"].values():
        assert part.get("pictures") or "--source" in part["missing"]
        for picture in part.get("pictures", ()):
            assert picture in text
            assert (reproduced / picture).stat().st_size > 1000


def test_what_is_measured_is_kept(reproduced: Path, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    from reproductions import phenaki

    def never(*args: object) -> None:
        raise AssertionError("measured again")

    for module in (phenaki.tokens, phenaki.story, phenaki.combinations, phenaki.reconstruction):
        monkeypatch.setattr(module, "measure", never)
    said: list[str] = []
    before = json.loads((reproduced / "results.json").read_text())
    phenaki.run(settings_for(reproduced, shop, said))
    assert {line.split(":")[0] for line in said} == set(before["parts"])
    assert json.loads((reproduced / "results.json").read_text()) == before


def test_a_story_is_not_told_twice(reproduced: Path, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    from reproductions import story
    from storyreel.generate.model import Model

    monkeypatch.setattr(Model, "make", lambda *args: pytest.fail("told again"))
    again = story.measure(settings_for(reproduced, shop))
    kept = json.loads((reproduced / "results.json").read_text())["parts"]["story"]
    assert again["seams"] == kept["seams"]
    assert again["parts_judged"] == kept["parts_judged"]


def test_what_is_missing_is_said_in_one_line(tmp_path: Path, shop: dict[str, str]):
    from reproductions.phenaki import run

    said: list[str] = []
    settings = Settings(
        out=tmp_path,
        quick=True,
        models={"sprites": "nobody", "digits": shop["model"]},
        judges={"digits": str(tmp_path / "no")},
        tell=said.append,
    )
    for claim in ("story", "combinations"):
        run(settings, claim)
    parts = json.loads((tmp_path / "results.json").read_text())["parts"]
    assert "model 'nobody' is not known" in parts["story"]["missing"]
    assert "no judge" in parts["combinations-digits"]["missing"]
    assert len(said) == 3
    assert not any("\n" in line for line in said)
    text = (tmp_path / "results.md").read_text()
    assert "| (b) a story of a minute: parts follow their prompts, no jump at the seams | -- | -- |" in text
    assert "Not measured." in text  # claim (a) was not asked for


def test_the_verb(tmp_path: Path, shop: dict[str, str], capsys: pytest.CaptureFixture[str]):
    from storyreel.cli import main

    for args, code, words in (
        (["nobody"], 2, "no paper 'nobody'"),
        (["phenaki", "--only", "fame"], 1, "expected one of tokens, story, combinations, reconstruction"),
        (["phenaki", "--minutes", "0"], 1, "--minutes: expected more than 0"),
        (["phenaki", "--quick", "--minutes", "60"], 2, "--minutes: --quick is given as well"),
        (["phenaki", "--train-steps", "3", "--minutes", "60"], 2, "--minutes: --train-steps is given as well"),
        (["phenaki", "--model", "sprites"], 2, "WORLD=NAME"),
        (["phenaki", "--judge", "cats=x"], 1, "no world 'cats'"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["reproduce", *args, "-o", str(tmp_path / "r")])
        assert end.value.code == code
        assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())
    with pytest.raises(SystemExit) as end:
        main(["reproduce", "phenaki", "-o", str(tmp_path / "r"), "--only", "story", "--model", "sprites=nobody"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{tmp_path / 'r' / 'results.md'}\n"


def test_new_combinations_in_words_that_were_never_trained_on(tmp_path: Path, shop: dict[str, str], monkeypatch):
    from reproductions.combinations import cases_of
    from reproductions.phenaki import run
    from storyreel.worlds.sprites_forms import HELD_OUT_FORMS
    from storyreel.worlds.sprites_reader import read

    monkeypatch.setattr(Settings, "prompts", 3)
    settings = replace(settings_for(tmp_path, shop), phrasing="held-out")
    plain = cases_of(settings_for(tmp_path, shop), "sprites", "held_out")
    other = cases_of(settings, "sprites", "held_out")
    assert [w.prompt for w in plain] != [w.prompt for w in other]
    assert [read(w.prompt).attributes for w in other] == [w.expected for w in other]
    assert HELD_OUT_FORMS
    parts = run(settings, "combinations")["parts"]
    assert set(parts) == {"combinations-sprites-held-out"}
    assert parts["combinations-sprites-held-out"]["held_out"]["all_right"]["n"] == 3
    text = (tmp_path / "results.md").read_text()
    assert "in words and forms never trained on" in text
    assert "| all attributes right |" in text
    assert "--phrasing held-out" in text
    with pytest.raises(ValueError, match="--phrasing: expected one of plain, training, held-out"):
        replace(settings, phrasing="free")
