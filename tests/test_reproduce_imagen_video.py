"""`storyreel reproduce imagen-video` at toy size: equal compute, every part measured once and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reproductions.imagen_video_claims import reached
from reproductions.imagen_video_distilled import verdict
from reproductions.imagen_video_sampling import below, drift, frechet_gap, less, psnr, shift
from reproductions.imagen_video_training import Size, nets_of
from reproductions.settings import Settings
from storyreel import recipes
from storyreel.systems.imagen_video import ImagenVideoConfig
from storyreel.train.command import resolve
from storyreel.train.cost import cost_of

TINY = "imagen_video_tiny"


def test_what_is_compared_costs_the_same():
    nets = nets_of(TINY, (), 100, Size())

    def cost(name: str) -> float:
        recipe = resolve(TINY, nets[name].settings)
        with torch.device("meta"):
            system = recipe.system.build()
        return cost_of(system, nets[name].stage, recipe.stages[nets[name].stage]).step * nets[name].steps

    assert cost("ssr1-v") == cost("ssr1-eps")
    for one, other in (("base-v", "base-eps"), ("ssr1-v", "ssr1-eps"), ("ssr1", "ssr1-clean"), ("base", "base-alone")):
        assert nets[one].steps == nets[other].steps == 100
        differ = set(nets[one].settings) ^ set(nets[other].settings)
        assert len(differ) <= 2, "in one setting"


def test_the_distilled_are_halved_down_to_their_steps():
    nets = nets_of(TINY, (), 100, Size())
    config = resolve(TINY, nets["ssr1-4"].settings).system
    assert isinstance(config, ImagenVideoConfig)
    assert config.ssr1.distill.steps == (64, 32, 16, 8, 4)
    assert (nets["ssr1-4"].init, nets["ssr1-4"].steps, config.ssr1.sampling.steps) == ("ssr1", 50, 4)
    assert not config.base.distill.on


def test_colour_that_wanders_is_seen():
    still = torch.zeros(2, 3, 4, 2, 2)
    wandering = still + torch.tensor([0.0, 0.2, 0.0, 0.2]).view(1, 1, 4, 1, 1)
    assert drift(still) == [0, 0]
    assert drift(wandering) == pytest.approx([25.5, 25.5])
    assert drift(wandering, wandering) == [0, 0]
    assert shift(still + 0.1, still) == pytest.approx([12.75, 12.75], rel=1e-4)
    assert psnr(still, still) == pytest.approx([60, 60], rel=1e-4)
    assert psnr(still + 0.2, still) == pytest.approx([20, 20], rel=1e-4)


def test_verdicts_want_more_than_the_interval():
    assert below(less([1, 2, 3, 2] * 10, [2, 3, 4, 3.5] * 10)) is True
    assert below(less([2, 3, 4, 3.5] * 10, [1, 2, 3, 2] * 10)) is False
    assert below(less([1, 3] * 10, [3, 1] * 10)) is False
    assert below(None) is None
    rng = torch.Generator().manual_seed(0)
    real, near = torch.randn(60, 3, generator=rng), torch.randn(60, 3, generator=rng)
    gap = frechet_gap(near, near + 2, real)
    assert gap is not None
    assert gap.low is not None
    assert gap.high is not None
    assert -14 < gap.low < gap.value < gap.high < 0
    assert frechet_gap(near, None, real) is None


def test_when_a_loss_is_reached():
    falling = [1 - i / 100 for i in range(100)]
    assert reached(falling, [0.5] * 100) == pytest.approx(0.54, abs=0.03)
    assert reached(falling, [0.0] * 100) is None


def test_the_verdict_of_the_table():
    def row(seconds: float, distance: float, right: float | None) -> dict:
        told = {"seconds": {"value": seconds}, "frechet": {"value": distance}}
        return told | {"judged": None if right is None else {"accuracy": right}}

    rows = {"paper": row(20, 10, 0.9), "distilled-8": row(1, 10.4, 0.89)}
    assert verdict(rows) == {"of": "distilled-8", "faster": 20.0, "as_good": True, "holds": True}
    assert verdict(rows | {"distilled-8": row(1, 10.6, 0.89)})["holds"] is False
    assert verdict(rows | {"distilled-8": row(2, 10, 0.9)})["holds"] is False
    assert verdict(rows | {"distilled-8": row(1, 10, None)})["holds"] is None
    assert verdict({"paper": row(20, 10, 0.9), "distilled-4": row(1, 10, 0.9)})["holds"] is None, "of eight steps"
    assert verdict({"paper": row(1, 1, 1)})["holds"] is None


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny encoder that guesses."""
    return saved(tmp_path_factory.mktemp("encoder") / "encoder-tiny", "encoder_tiny")


def saved(folder: Path, name: str, **changes) -> str:
    from storyreel.model import save_model

    recipe = recipes.get(name)
    recipe = replace(recipe, system=replace(recipe.system, **changes)) if changes else recipe  # pyright: ignore
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = recipe.system.build()
    save_model(folder, system, recipe=recipe, card="# Tiny\n", training={})
    return str(folder)


def settings_for(out: Path, encoder: str, said: list[str] | None = None, **more) -> Settings:
    tell = (said if said is not None else []).append
    given = {"quick": True, "steps": 4, "recipe": TINY, "paper": "imagen-video", "encoder": encoder, "tell": tell}
    return Settings(out=out, **given | more)


@pytest.fixture(scope="module")
def reproduced(encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from reproductions.imagen_video import run

    out = tmp_path_factory.mktemp("imagen-video")
    run(settings_for(out, encoder))
    return out


def test_it_measures_every_claim(reproduced: Path):
    parts = json.loads((reproduced / "results.json").read_text())["parts"]
    assert list(parts) == ["prediction", "augmentation", "joint", "distillation", "stages"]
    assert list(parts["prediction"]["rows"]) == ["base-v", "base-eps", "ssr1-v", "ssr1-eps"]
    for row in parts["prediction"]["rows"].values():
        assert row["drift"]["value"] >= 0
        assert row["frechet"]["n"] == row["drift"]["n"] == 4
    assert set(parts["prediction"]["gaps"]) == {"base", "ssr1"}
    assert [row["snr"] for row in parts["augmentation"]["rows"].values()] == [10, None, None]
    assert [row["images"] for row in parts["joint"]["rows"].values()] == [0.125, 0]
    for name in ("prediction", "augmentation", "joint"):
        assert parts[name]["holds"] in (True, False)
        assert parts[name]["steps"] == 4


def test_the_table_counts_what_it_times(reproduced: Path):
    rows = json.loads((reproduced / "results.json").read_text())["parts"]["distillation"]["rows"]
    assert {name: row["asks"] for name, row in rows.items()} == {
        "paper": 2 * 8 + 4 + 4, "ddim-2": 2 * 2 + 2 + 2, "dpm-solver-2": 8, "distilled-2": 6, "distilled-1": 3,
    }  # fmt: skip
    for row in rows.values():
        assert row["seconds"]["value"] > 0
        assert row["frechet"]["value"] > 0


def test_the_report_says_how(reproduced: Path):
    text = (reproduced / "results.md").read_text()
    assert "a look at everything, no result" in text
    assert "| undistilled, ancestral | 8/4 | 24 |" in text
    assert "| distilled to 2, ddim | 2 | 6 |" in text
    assert "storyreel reproduce imagen-video -o" in text
    assert "--stage ssr1 --set system.ssr1.max_augmentation_time=0" in text
    for picture in ("prediction.png", "augmentation.png", "joint.png", "stages.png"):
        assert f"]({picture})" in text
        assert (reproduced / picture).stat().st_size > 500


def test_what_is_measured_is_kept(reproduced: Path, encoder: str, monkeypatch: pytest.MonkeyPatch):
    from reproductions import imagen_video
    from reproductions.imagen_video_sampling import Examined

    before = (reproduced / "results.json").read_text()
    said: list[str] = []
    imagen_video.run(settings_for(reproduced, encoder, said))
    assert [line.split(":")[0] for line in said] == list(imagen_video.CLAIMS)
    assert (reproduced / "results.json").read_text() == before
    monkeypatch.setattr("storyreel.train.command.Command.run", lambda self: pytest.fail("trained again"))
    again = imagen_video.measure_joint(settings_for(reproduced, encoder))
    assert again["rows"] == json.loads(before)["parts"]["joint"]["rows"]
    drawn, make = [], Examined.make
    monkeypatch.setattr(
        Examined, "make", lambda self, *a, **more: drawn.append(len(self.cases)) or make(self, *a, **more)
    )
    table = imagen_video.measure_distillation(settings_for(reproduced, encoder))["rows"]
    assert drawn == [1] * len(table), "drawn to be timed alone"
    frechets = {name: row["frechet"] for name, row in table.items()}
    assert frechets == {n: row["frechet"] for n, row in json.loads(before)["parts"]["distillation"]["rows"].items()}


def test_a_given_model_takes_the_place_of_the_small_ones(encoder: str, tmp_path: Path):
    from reproductions.imagen_video import run

    tiny = saved(tmp_path / "tiny", TINY)
    settings = settings_for(tmp_path / "out", encoder, models={"imagen-video-digits": tiny})
    parts = run(settings, "stages")["parts"]
    assert list(parts["stages"]["shapes"]) == ["base", "tsr1", "ssr1", "ssr2", "tsr2", "tsr3", "ssr3"]
    assert parts["stages"]["models"]["imagen-video-digits"]["distilled"] is None
    assert not (tmp_path / "out" / "nets").exists(), "nothing is trained"
    parts = run(settings, "distillation")["parts"]
    assert list(parts["distillation"]["rows"]) == ["paper", "ddim-2", "dpm-solver-2"]
    assert parts["distillation"]["holds"] is None
    text = (tmp_path / "out" / "results.md").read_text()
    assert "18 times as fast as the undistilled sampler, and within 5 % as good | -- |" in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--only", "fame"], "expected one of prediction, augmentation, joint, distillation, stages"),
        (["--recipe", "phenaki_tiny"], "expected a recipe of Imagen Video"),
        (["--model", "imagen-video-sprites=nowhere"], "nowhere"),
    ],
)
def test_bad_words(args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from storyreel.cli import main

    with pytest.raises(SystemExit) as end:
        main(["reproduce", "imagen-video", "-o", str(tmp_path / "r"), *args])
    assert end.value.code == 1
    assert words in capsys.readouterr().err
