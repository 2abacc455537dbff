"""`storyreel evaluate` from end to end: small clips, a small network, everything that it promises and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from storyreel.clip import Clip
from storyreel.data.write import write_folder
from storyreel.evaluate.evaluation import evaluate
from storyreel.options.evaluation import EvaluateOptions

SIDE, FRAMES = 16, 8
COLORS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 220)}


def made_clip(color: str, row: int, speed: float, noise: float, seed: int) -> Clip:
    """A bright square that slides over a dim ground."""
    rng = np.random.default_rng(seed)
    frames = np.full((FRAMES, SIDE, SIDE, 3), 60, np.float64)
    for t, frame in enumerate(frames):
        x = int(2 + speed * t) % (SIDE - 4)
        frame[row : row + 4, x : x + 4] = COLORS[color]
    frames += rng.normal(0, noise, frames.shape)
    return Clip(frames.clip(0, 255).round().astype(np.uint8), caption=f"a {color} square in row {row}")


def clips_of(n: int, seed: int, noise: float = 4.0, speed: float = 1.0):
    rng = np.random.default_rng(seed)
    for i in range(n):
        yield made_clip(str(rng.choice(list(COLORS))), int(rng.integers(0, 12)), speed, noise, seed * 1000 + i)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    items = ((clip, {"split": "train", "attributes": {}}) for clip in clips_of(40, 1))
    folder = tmp_path_factory.mktemp("real") / "data"
    write_folder(folder, items, workers=1)
    return folder


def write_clips(folder: Path, n: int = 24, **how: float) -> Path:
    """Clips of a model, of these prompts."""
    folder.mkdir(parents=True)
    for i, clip in enumerate(clips_of(n, 2, **how)):
        clip.replace(meta={"prompt": clip.caption, "seed": i}).save(folder / f"{i:03}.mkv")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("made") / "clips", noise=8.0)


def asking(
    clips: Path,
    real: Path | None,
    metrics: tuple[str, ...],
    extractors: tuple[str, ...],
    *,
    cache: bool = False,
    **how,
) -> EvaluateOptions:
    return EvaluateOptions(clips=clips, real=real, metrics=metrics, extractors=extractors, cache=cache, **how)


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    from storyreel.cli import main

    with pytest.raises(SystemExit) as done:
        main(["evaluate", *args])
    said = capsys.readouterr()
    return int(done.value.code or 0), said.out, " ".join(said.err.replace("│", " ").split())


TINY = ["--extractor", "tiny,tiny-frames"]


def test_the_whole_command_writes_a_report(made: Path, real: Path, tmp_path: Path, capsys):
    code, out, _ = run(
        [str(made), "--real", str(real), *TINY, "--metrics", "fvd,kvd,fid,kid,is,flicker,jitter,sticking,dynamic",
         "-o", str(tmp_path / "report"), "--json"], capsys,
    )  # fmt: skip
    assert code == 0
    said = json.loads(out)
    assert said == json.loads((tmp_path / "report" / "report.json").read_text())
    assert (said["storyreel"], said["kind"], said["clips"]["n"], said["real"]["n"]) == (1, "evaluation", 24, 40)
    scores = {score["name"]: score for score in said["scores"]}
    assert list(scores) == [
        "fvd[tiny]", "kvd[tiny]", "fid[tiny-frames]", "kid[tiny-frames]", "is[tiny]", "is[tiny-frames]",
        "flicker", "jitter", "sticking", "dynamic",
    ]  # fmt: skip
    fvd = scores["fvd[tiny]"]
    assert fvd["interval"][0] <= fvd["value"] <= fvd["interval"][1]
    assert not fvd["trusted"]
    assert fvd["controls"]["shuffled"] > 0
    assert fvd["controls"]["frozen"] > fvd["controls"]["shuffled"]
    assert fvd["floor"] > 0
    assert fvd["floor_n"] == 20
    assert "24 clips where storyreel needs 2048: expect it about" in fvd["warning"]
    assert fvd["fingerprint"]["extractor"] == "tiny@random:0"
    assert (fvd["fingerprint"]["n"], fvd["fingerprint"]["real_n"], fvd["fingerprint"]["codec"]) == (24, 40, "lossless")
    assert scores["flicker"]["real"] > scores["flicker"]["value"]  # these clips are noisier than real ones
    clip = said["per_clip"][3]
    assert clip["file"] == "003.mkv"
    assert clip["seed"] == 3
    assert clip["prompt"].startswith("a ")
    assert set(clip["scores"]) == {*scores} - {"is[tiny]", "is[tiny-frames]"}
    assert sum(clip["scores"]["fvd[tiny]"] for clip in said["per_clip"]) == pytest.approx(0, abs=1e-6)
    assert len(said["map"]["clips"]) == 24
    assert sum(said["distributions"]["flicker"]["counts"]) == 24


def test_without_metrics_everything_that_can_be_measured_is(made: Path, capsys):
    code, out, _ = run([str(made), "--json"], capsys)
    said = json.loads(out)
    assert code == 0
    assert {score["name"] for score in said["scores"]} == {"flicker", "jitter", "sticking", "dynamic"}
    assert said["skipped"]["fvd"] == "needs real clips, --real DATASET"
    assert "nothing says which world" in said["skipped"]["clipsim"]
    assert "no clip has a story" in said["skipped"]["seams"]


def test_the_table_says_what_is_not_to_be_trusted(made: Path, real: Path, capsys):
    from storyreel.evaluate.report import latex

    code, out, _ = run([str(made), "--real", str(real), *TINY, "--metrics", "fvd,flicker"], capsys)
    assert code == 0
    assert "NOT TRUSTED" in next(line for line in out.splitlines() if line.startswith("fvd[tiny]"))
    code, out, _ = run([str(made), "--real", str(real), *TINY, "--metrics", "fvd,flicker", "--json"], capsys)
    said = json.loads(out)
    row = latex.row(said)
    assert "% fvd[tiny] is left out: measured with random or untrained weights" in row
    assert row.splitlines()[-1].startswith("clips & -- & $0.9")


def test_what_was_gathered_from_real_clips_is_kept_and_makes_no_difference(
    made: Path, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path))
    asked = asking(made, real, ("fvd",), ("tiny",), cache=True)
    first = evaluate(asked)
    kept = sorted(tmp_path.rglob("*.safetensors"))
    assert len(kept) == 3  # as they are, shuffled, frozen
    again = evaluate(asked)
    assert again.measurements[0].score == first.measurements[0].score
    assert evaluate(asking(made, real, ("fvd",), ("tiny",))).measurements[0].score == first.measurements[0].score
    kept[0].write_bytes(b"half a file")
    assert evaluate(asked).measurements[0].score == first.measurements[0].score


def test_real_clips_measured_against_themselves_are_perfect(real: Path):
    done = evaluate(asking(real, real, ("fvd", "fid", "psnr", "ssim"), ("tiny", "tiny-frames")))
    values = {m.score.name: m.score.value for m in done.measurements}
    assert values["fvd[tiny]"] == pytest.approx(0, abs=1e-9)
    assert values["fid[tiny-frames]"] == pytest.approx(0, abs=1e-9)
    assert (values["psnr"], values["ssim"]) == (100, pytest.approx(1))


def test_workers_and_batches_change_nothing(made: Path, real: Path):
    found = {
        evaluate(asking(made, real, ("kvd",), ("tiny",), controls=False, batch=b, workers=w))
        .measurements[0]
        .score.value
        for b, w in ((1, 0), (7, 3))
    }
    assert max(found) - min(found) < 1e-6


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["{made}", "--metrics", "fdv"], 1, "metrics: no 'fdv'; did you mean 'fvd'?"),
        (["{made}", "--metrics", "fvd", *TINY], 1, "fvd: needs real clips, --real DATASET"),
        (["{made}", "--protocol", "stylegan-v-fvd61"], 1, "did you mean 'stylegan-v-fvd16'?"),
        (["{made}", "--real", "{real}", "--metrics", "fvd", "--extractor", "tiny-frames"], 1, "needs one of videos"),
        (["{made}", "--real", "{real}", "--metrics", "fvd", *TINY, "--limit", "5"], 1, "needs at least 8"),
        (["{made}", "--real", "{real}", "--metrics", "fvd", *TINY, "--protocol", "stylegan-v-fvd16"], 1,
         "24 clips, stylegan-v-fvd16 needs at least 256"),
        (["{made}", "--real", "{real}", "--metrics", "is", *TINY, "--protocol", "ucf101-zero-shot"], 1,
         "no clip counts: has 8 frames, ucf101-zero-shot needs 16"),
        (["{made}", "--metrics", "clipsim", *TINY], 1, "tiny, tiny-frames cannot give it; it needs one of text"),
        (["{made}", "--metrics", "lpips", "--real", "{real}"], 1, "needs torchvision's VGG16 as safetensors"),
        (["{made}", "--metrics", "psnr", "--real", "{real}"], 1, "no real clip is called 000"),
        (["{made}", "--weights", "x.safetensors"], 2, "Invalid value for --weights: FILE needs one extractor"),
        (["{made}", "--metrics", "judge"], 1, "nothing says which world these clips are of"),
        (["{made}", "--compare", "a", "b"], 2, "--compare is a command now: storyreel evaluate compare REPORT REPORT"),
        (["compare", "{real}/dataset.json", "{real}/metadata.parquet"], 1, "expected a report"),
        (["{made}", "--split", "train", "--metrics", "flicker"], 1, "needs a dataset folder"),
    ],
)  # fmt: skip
def test_bad_wishes_get_one_clear_line(made: Path, real: Path, capsys, args: list[str], code: int, line: str):
    (real / "dataset.json").write_text("{}")
    got, out, err = run([a.format(made=made, real=real) for a in args], capsys)
    assert (got, out) == (code, "")
    assert line in err


def test_an_unreadable_clip_is_told_and_more_than_one_in_a_hundred_refused(tmp_path: Path, capsys):
    folder = write_clips(tmp_path / "many", n=100)
    (folder / "050.mkv").write_bytes(b"not a video")
    code, out, _ = run([str(folder), "--metrics", "flicker", "--json"], capsys)
    said = json.loads(out)
    assert code == 0
    assert said["clips"]["n"] == 99
    assert [Path(u["file"]).name for u in said["clips"]["unreadable"]] == ["050.mkv"]
    assert "1 of 100 clips cannot be read" in said["warnings"][0]
    (folder / "051.mkv").write_bytes(b"")
    code, out, err = run([str(folder), "--metrics", "flicker"], capsys)
    assert (code, out) == (1, "")
    assert "2 of 100 clips cannot be read, at most 1 % may be: 050.mkv" in err


def test_clips_without_a_prompt_have_no_clipsim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = write_clips(tmp_path / "c", n=3)
    made_clip("red", 2, 1, 0, 0).replace(caption="").save(folder / "zz.mkv")
    with pytest.raises(ValueError, match=r"clipsim: 1 of 4 clips have no prompt .*zz.mkv"):
        evaluate_with(Wordy(), asking(folder, None, ("clipsim",), ("wordy",)), monkeypatch)


def test_clips_without_prompts_are_compared_with_real_ones(tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch):
    """As those of a model that reads no text."""
    folder = tmp_path / "c"
    folder.mkdir()
    for i in range(12):
        made_clip("red", i, 1, 2, i).replace(caption="").save(folder / f"{i}.mkv")
    encoder = Wordy()
    encoder.logits = encoder.features  # type: ignore[attr-defined]
    done = evaluate_with(encoder, asking(folder, real, (), ("wordy",)), monkeypatch)
    assert "fvd[wordy]" in {m.score.name for m in done.measurements}
    for metric in ("clipsim", "rm"):
        assert done.plan.skipped[metric].startswith("12 of 12 clips have no prompt")


def test_a_world_without_a_judge_is_measured_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the clips of a shipped model of skies, of which no judge ships."""
    folder = tmp_path / "c"
    folder.mkdir()
    for i in range(3):
        clip = made_clip("red", i, 1, 2, i)
        clip.replace(meta={**clip.meta, "model": "stylesv-skies"}).save(folder / f"{i}.mkv")
    encoder = Wordy()
    encoder.logits = encoder.features  # type: ignore[attr-defined]
    done = evaluate_with(encoder, asking(folder, None, (), ("wordy",)), monkeypatch)
    assert "is not trained yet" in done.plan.skipped["judge"]
    with pytest.raises(ValueError, match=r"judge 'skies': is not trained yet"):
        evaluate_with(Wordy(), asking(folder, None, ("judge",), ()), monkeypatch)


def test_features_that_are_no_numbers_are_refused(made: Path, real: Path, monkeypatch: pytest.MonkeyPatch):
    broken = Wordy()
    broken.features = lambda frames: torch.full((len(frames), 4), float("nan"))  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"extractor wordy: NaN or infinity in 16 of 16 rows"):
        evaluate_with(broken, asking(made, real, ("fvd",), ("wordy",)), monkeypatch)


class Wordy:
    """An encoder that knows colours: the mean colour of a frame, and the colour that a sentence names."""

    name, digest, kind, dim, trusted, min_frames = "wordy", "f" * 64, "video", 4, True, 1
    preprocessing = "mean colour"

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        return self.video_embeddings(frames)

    def frame_embeddings(self, frames: torch.Tensor) -> torch.Tensor:
        bright = (frames.float() - 60).clamp_min(0).mean((2, 3))
        return torch.nn.functional.normalize(torch.cat([bright, torch.ones(*bright.shape[:2], 1)], -1), dim=-1)

    def video_embeddings(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(self.frame_embeddings(frames).mean(1), dim=-1)

    def text_embeddings(self, prompts: list[str]) -> torch.Tensor:
        told = [[*COLORS[next(c for c in COLORS if c in p)], 5.0] for p in prompts]
        return torch.nn.functional.normalize(torch.tensor(told) - 35, dim=-1)


def test_an_encoder_without_classes_has_no_inception_score(made: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="is: wordy cannot give it; it needs one with classes"):
        evaluate_with(Wordy(), asking(made, None, ("is",), ("wordy",)), monkeypatch)


def evaluate_with(extractor: object, asked: EvaluateOptions, monkeypatch: pytest.MonkeyPatch):
    import storyreel.evaluate.extractors as extractors

    monkeypatch.setattr(extractors, "load_extractor", lambda name, *, weights=None: extractor)
    return evaluate(asked)


def test_text_scores_know_right_from_wrong_prompts(tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for folder in (right, wrong):
        folder.mkdir()
        for i, color in enumerate(list(COLORS) * 4):
            clip = made_clip(color, i, 1, 2, i)
            shown = clip if folder is right else clip.replace(frames=np.roll(clip.frames, 1, -1))
            shown.replace(meta={"prompt": clip.caption, "seed": 0}).save(folder / f"{i}.mkv")
    found = {}
    for folder in (right, wrong):
        asked = asking(folder, real, ("clipsim", "rm", "r-precision"), ("wordy",))
        done = evaluate_with(Wordy(), asked, monkeypatch)
        found[folder.name] = {m.score.name: m.score for m in done.measurements}
    for name in ("clipsim[wordy]", "rm[wordy]", "r-precision[wordy]"):
        assert found["right"][name].value >= found["wrong"][name].value, name
        assert found["right"][name].unit == "prompts"
    rm = found["right"]["rm[wordy]"]
    assert rm.value == pytest.approx(1, abs=0.1)  # as good as the real clips of these prompts
    assert "without a real clip" in rm.note or rm.n == 12


def test_reports_are_compared_clip_against_clip(made: Path, real: Path, tmp_path: Path, capsys):
    worse = write_clips(tmp_path / "worse", noise=30.0)
    for name, folder, more in (("a", made, []), ("b", worse, []), ("c", worse, ["--limit", "20"])):
        args = [str(folder), "--real", str(real), *TINY, "--metrics", "fvd,flicker", "-o", str(tmp_path / name), *more]
        args += ["--no-controls", "--quiet"]
        assert run(args, capsys)[0] == 0
    code, out, _ = run(["compare", str(tmp_path / "a"), str(tmp_path / "b" / "report.json"), "--json"], capsys)
    said = {score["name"]: score for score in json.loads(out)["scores"]}
    assert code == 0
    assert said["fvd[tiny]"]["paired"]
    assert said["fvd[tiny]"]["better"] == "a"
    assert said["flicker"]["difference"] < 0
    assert said["flicker"]["interval"][1] < 0
    same = run(["compare", str(tmp_path / "a"), str(tmp_path / "a"), "--json"], capsys)[1]
    assert all(s["difference"] == 0 and s["better"] is None for s in json.loads(same)["scores"])
    code, out, err = run(["compare", str(tmp_path / "a"), str(tmp_path / "c")], capsys)
    assert (code, out) == (1, "")
    assert "cannot be compared, their fingerprints differ in fvd[tiny]: n (24 and 20)" in err


def test_the_python_face_gives_what_the_command_gives(made: Path, real: Path, tmp_path: Path, capsys):
    import storyreel

    done = storyreel.evaluate(made, real=real, metrics="fvd,flicker", extractors=["tiny"], controls=False)
    code, out, _ = run(
        [str(made), "--real", str(real), "--metrics", "fvd,flicker", "--extractor", "tiny", "--no-controls", "--json"],
        capsys,
    )
    assert code == 0
    assert json.loads(out)["scores"] == json.loads(json.dumps(done.document["scores"]))
    assert str(done) == "\n".join(done.lines)
    assert any(line.startswith("fvd[tiny]") for line in done.lines)
    storyreel.evaluate(made, metrics="flicker", out=tmp_path / "report")
    assert json.loads((tmp_path / "report" / "report.json").read_text())["scores"][0]["name"] == "flicker"
    for wrong, message in (
        ({"metric": "fvd"}, "does not know the setting 'metric'"),
        ({"real_split": "train"}, "real_split: there are no real clips"),
        ({"limit": 0}, "limit: expected a whole number from 1 to"),
        ({"metrics": 3}, "metrics: expected names between commas, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            storyreel.evaluate(made, **wrong)
