"""An encoder is trained like a system, read without one, and looks at each clip by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.encoder import TextVideoEncoder, as_frames, as_seen, load_encoder, windows
from storyreel.evaluate.extractors import Extractor, TextVideo, load_extractor
from storyreel.model import save_model
from storyreel.nn.damage import damage
from storyreel.nn.dual_encoder import DAMAGES
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.encoder import DualStage, contrast, distinct


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = recipes.get("encoder_tiny")
    torch.manual_seed(0)
    system = recipe.system.build()
    with torch.no_grad():
        for p in system.parameters():  # layers that begin at zero would hide a mistake
            p.add_(torch.randn_like(p) * 0.05)
    return save_model(
        tmp_path_factory.mktemp("encoders") / "encoder-tiny",
        system,
        recipe=recipe,
        card="# Tiny\n\nSees.\n",
        training={},
    )


@pytest.fixture
def encoder(folder: Path) -> TextVideoEncoder:
    return load_encoder(folder)


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def batch(b: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(0)
    mask = torch.arange(6) < torch.randint(2, 7, (b, 1), generator=rng)
    return {
        "video": torch.rand(b, 3, 5, 16, 16, generator=rng) * 2 - 1,
        "length": torch.full((b,), 5),
        "text": torch.randn(b, 6, 32, generator=rng) * mask[..., None],
        "text_mask": mask,
    }


def trained(stage: DualStage, data: Batch, steps: int) -> dict[str, float]:
    optimizer = torch.optim.Adam(stage.parameters(), lr=3e-3)
    loss = Loss(torch.zeros(()))
    for step in range(steps):
        optimizer.zero_grad()
        loss = stage.loss(data, Tick(step, "main", torch.Generator().manual_seed(step)))
        loss.total.backward()
        optimizer.step()
    return {name: float(value) for name, value in loss.parts.items()}


def test_it_learns_a_batch_by_heart():
    torch.manual_seed(0)
    stage = recipes.get("encoder_tiny").system.build().dual
    parts = trained(stage, batch(), 60)
    assert parts["video_top1"] > 0.9, parts
    assert parts["frame_top1"] > 0.9, parts


def test_it_learns_what_is_damaged():
    """Of clips that stand still, or are noise, or blurred: the feature tells them apart."""
    torch.manual_seed(0)
    config: Any = recipes.get("encoder_tiny").system
    net = config.dual.build()
    rng = torch.Generator().manual_seed(0)
    video = torch.rand(24, 3, 5, 16, 16, generator=rng) * 2 - 1
    kinds = torch.tensor([DAMAGES.index(k) for k in ("none", "frozen", "blurred")]).repeat(8)
    broken = damage(video, kinds, rng)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    said = torch.zeros(())
    for _ in range(40):
        said = net.damage(net.feature(net.frame_features(broken)))
        loss = torch.nn.functional.cross_entropy(said, kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((said.argmax(1) == kinds).float().mean()) > 0.9


def test_same_captions_are_no_negatives():
    data = batch(4)
    text, mask = data["text"].clone(), data["text_mask"].clone()
    text[2], mask[2] = text[0], mask[0]
    other = distinct(text, mask)
    assert other.tolist() == [[i != j and {i, j} != {0, 2} for j in range(4)] for i in range(4)]
    logits = torch.zeros(4, 4)
    logits[0, 2] = logits[2, 0] = 100.0
    loss, _ = contrast(logits, other)
    assert float(loss) == pytest.approx((2 * np.log(3) + 2 * np.log(4)) / 4, rel=1e-5)


def test_each_damage_changes_its_own_clip_alone():
    video = torch.rand(len(DAMAGES), 3, 8, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    kinds = torch.arange(len(DAMAGES))
    out = damage(video, kinds, torch.Generator().manual_seed(1))
    assert out.shape == video.shape
    assert out.abs().max() <= 1 + 1e-6
    assert torch.equal(out[0], video[0])
    for i, name in enumerate(DAMAGES[1:], 1):
        assert not torch.equal(out[i], video[i]), name
        alone = damage(video, torch.where(kinds == i, kinds, 0), torch.Generator().manual_seed(1))
        assert torch.equal(alone[i], out[i]), f"{name} depends on the damage of others"
        assert torch.equal(alone[kinds != i], video[kinds != i])
    assert torch.equal(out[1].sort(1).values, video[1].sort(1).values), "shuffled frames are the same frames"


def test_an_embedding_depends_on_its_clip_alone(encoder: TextVideoEncoder):
    clips = frames(5, 5, 16, 16)
    for function in (encoder.features, encoder.frame_embeddings, encoder.video_embeddings):
        together = function(clips)
        alone = torch.cat([function(clip[None]) for clip in clips])
        assert torch.allclose(together, alone, atol=1e-5)
        assert not torch.allclose(together[0], together[1], atol=1e-3)
    pictures = encoder.frame_embeddings(clips)
    for f in range(5):
        assert torch.allclose(encoder.frame_embeddings(clips[:, f : f + 1])[:, 0], pictures[:, f], atol=1e-5)


def test_a_sentence_depends_on_itself_alone(encoder: TextVideoEncoder):
    prompts = ["a cat", "a much longer sentence about a dog that runs", "a cat"]
    together = encoder.text_embeddings(prompts)
    assert torch.allclose(together, torch.cat([encoder.text_embeddings([p]) for p in prompts]), atol=1e-5)
    assert torch.equal(together[0], together[2])
    assert torch.allclose(together.norm(dim=-1), torch.ones(3), atol=1e-5)


def test_the_order_of_frames_matters_to_a_video_and_not_to_its_frames(encoder: TextVideoEncoder):
    clips = frames(1, 5, 16, 16)
    back = clips.flip(1)
    assert torch.allclose(encoder.frame_embeddings(clips), encoder.frame_embeddings(back).flip(1), atol=1e-5)
    assert not torch.allclose(encoder.features(clips), encoder.features(back), atol=1e-3)


def test_it_is_an_extractor(encoder: TextVideoEncoder):
    assert isinstance(encoder, Extractor)
    assert isinstance(encoder, TextVideo)
    assert encoder.name == "tiny-v1"
    assert encoder.features(frames(2, 5, 16, 16)).shape == (2, encoder.dim)
    with pytest.raises(ValueError, match="no classes"):
        encoder.logits(frames(2, 5, 16, 16))


def test_any_size_and_length_will_do(encoder: TextVideoEncoder):
    assert encoder.features(frames(1, 12, 20, 30)).shape == (1, 32)
    assert encoder.features(frames(1, 2, 16, 16)).shape == (1, 32)
    assert list(windows(12, 5)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [7, 8, 9, 10, 11]]
    assert list(windows(10, 5)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert list(windows(5, 5)) == [[0, 1, 2, 3, 4]]
    assert list(windows(2, 4)) == [[0, 0, 1, 1]]
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        encoder.features(frames(1, 1, 16, 16))
    with pytest.raises(ValueError, match=r"expects uint8 \(b, t, h, w, 3\), got float32"):
        encoder.features(frames(1, 5, 16, 16).float())


def test_what_it_sees_is_what_the_loader_gives():
    from storyreel.data.loader import to_video

    clip = frames(1, 3, 16, 16)
    assert torch.allclose(as_seen(clip, 16), to_video(clip), atol=1e-6)


def test_rank(encoder: TextVideoEncoder):
    clips = [Clip(f.numpy()) for f in frames(3, 5, 16, 16)]
    clips.append(Clip(np.concatenate([clips[0].frames, np.zeros((5, 16, 16, 1), np.uint8)], -1)))
    said = encoder.rank("a cat", clips)
    assert len(said) == 4
    expected = encoder.video_embeddings(frames(3, 5, 16, 16)) @ encoder.text_embeddings(["a cat"])[0]
    assert said[:3] == pytest.approx(expected.tolist(), abs=1e-5)
    assert (as_frames(clips[3]) == 128).all(), "what is transparent is seen over grey"


def test_errors(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storyreel.encoder.__file__", str(tmp_path / "encoder.py"))  # nothing ships there
    with pytest.raises(ValueError, match="storyreel train encoder_sprites --data DIR -o RUN"):
        load_encoder("sprites-v1")
    with pytest.raises(ValueError, match="is not trained yet"):
        load_extractor("digits-v1")
    with pytest.raises(ValueError, match="did you mean 'sprites'"):
        load_encoder("spritse")
    with pytest.raises(ValueError, match="is the extractor 'tiny-v1', expected 'sprites-v1'"):
        load_extractor("sprites-v1", weights=folder)
    monkeypatch.setenv("STORYREEL_MODELS", str(folder.parent))
    assert load_encoder("tiny").digest == load_encoder(folder).digest
    broken = tmp_path / "broken"
    (broken / "dual").mkdir(parents=True)
    told = json.loads((folder / "model.json").read_text())
    (broken / "model.json").write_text(json.dumps(told))
    (broken / "dual" / "model.safetensors").write_bytes((folder / "dual" / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        load_encoder(broken)
    (broken / "model.json").write_text(json.dumps({**told, "components": {}}))
    with pytest.raises(ValueError, match="expected the model of an encoder; it lacks 'dual'"):
        load_encoder(broken)


def test_it_makes_no_videos(folder: Path):
    from storyreel.generate.model import load

    with pytest.raises(ValueError, match="an encoder makes no videos"):
        load(folder)("a cat")


def test_it_is_trained_listed_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """`storyreel train encoder_tiny`, as a person calls it; the folder is an extractor, and `models` lists it."""
    from storyreel.cli import main
    from storyreel.data.folder import write_folder

    def call(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (6, 16, 16, 3)).astype(np.uint8) for _ in range(5)]
    write_folder(tmp_path / "data", [(Clip(f, caption=f"noise {i}"), {"split": "train"}) for i, f in enumerate(noise)])
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "encoder-toy"
    short = ("--set=stages.dual.steps=3", "--set=stages.dual.data.batch=4", "--threads", 1)
    code, _, err = call("train", "encoder_tiny", "--data", tmp_path / "data", "-o", run, *short)
    assert code == 0, err
    logged = json.loads((run / "dual" / "log.jsonl").read_text().splitlines()[-1])
    assert {"video_top1", "frame_top1", "damage_accuracy", "temperature"} <= set(logged)
    encoder = load_encoder(run)
    assert encoder.features(frames(1, 5, 16, 16)).isfinite().all()
    (run / "model").rename(tmp_path / "shelf-encoder")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (tmp_path / "shelf-encoder").rename(shelf / "encoder-toy")
    monkeypatch.setenv("STORYREEL_MODELS", str(shelf))
    row = next(line for line in call("models")[1].splitlines() if line.startswith("encoder-toy"))
    assert "encoder" in row.split()
    code, _, err = call("generate", "noise 1", "-m", "encoder-toy", "-o", tmp_path / "a.mp4")
    assert code == 1
    assert "an encoder makes no videos" in err
    assert err.count("\n") == 1
