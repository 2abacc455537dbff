"""The refiner takes the pose from the video and the looks from the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from storyreel.clip import Clip
from storyreel.recipes import get
from storyreel.systems import palette
from storyreel.systems.base import Batch, Request, TextEncoder, Tick
from storyreel.systems.palette import PREFERRED, _visible
from storyreel.systems.palette_refiner import PaletteRefiner, PaletteRefinerConfig
from storyreel.systems.pixels import BACKGROUND

CONFIG = PaletteRefinerConfig(
    palette="ff0000 00ff00 0000ff", text_dim=8, size=16, patch=8, dim=16, heads=2, mlp=32, widths=(8, 16, 16),
    features=8, frames=2, depth=1, time_depth=1, text_layers=0, drop_text=0.0,
)  # fmt: skip


def make(config: PaletteRefinerConfig = CONFIG, seed: int = 0) -> PaletteRefiner:
    torch.manual_seed(seed)
    return config.build()


def batch(count: int = 6) -> Batch:
    """Squares at one of two places, in one of three colors, which the text says."""
    color, left = torch.arange(count) % 3, torch.arange(count) % 2 == 0
    video = torch.full((count, 4, 3, 16, 16), BACKGROUND)
    video[:, 3] = -1
    for i in range(count):
        inside = video[i, :, :, 4:12, 1:7] if left[i] else video[i, :, :, 4:12, 9:15]
        inside[:3] = -1
        inside[color[i]], inside[3] = 1, 1
    text = torch.zeros(count, 2, 8)
    text[torch.arange(count), 0, color] = 3
    return {"video": video, "text": text, "text_mask": torch.ones(count, 2, dtype=torch.bool)}


def tick(step: int = 0) -> Tick:
    return Tick(step=step, turn="main", rng=torch.Generator().manual_seed(step))


def test_painting_some_pixels_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    refiner, given = make(replace(CONFIG, text_layers=1, text_colors=True)), batch(3)
    torch.nn.init.normal_(refiner.named[-1].weight)  # pyright: ignore
    whole = refiner.refined(given["video"], given["text"], given["text_mask"])
    assert len(whole[:, :3, :, 4:12].unique()) > 2, "several colors"
    monkeypatch.setattr(palette, "AT_ONCE", 7)
    assert torch.equal(refiner.refined(given["video"], given["text"], given["text_mask"]), whole)
    nobody = torch.full_like(given["video"], -1)
    torch.nn.init.constant_(refiner.to_alpha.bias, -100.0)
    assert (refiner.refined(nobody, given["text"], given["text_mask"])[:, :3] == BACKGROUND).all(), "not a pixel"


def test_the_pose_comes_from_the_video_and_the_color_from_the_text() -> None:
    refiner, given = make(replace(CONFIG, tinted=1.0, tint=2.0, swapped=0.5)), batch(12)
    optimizer = torch.optim.AdamW(refiner.parameters(), lr=3e-3, weight_decay=0.0)
    for step in range(120):
        optimizer.zero_grad()
        refiner.loss(given, tick(step)).total.backward()
        optimizer.step()
    other = given["text"].roll(1, 0)  # somebody else's color
    with torch.no_grad():
        made = refiner.refined(given["video"], other, given["text_mask"])
    solid = given["video"][:, 3] > 0
    assert ((made[:, 3] > 0) == solid).float().mean() > 0.97
    said = other[:, 0, :3].argmax(-1)[:, None, None, None].expand_as(solid)
    assert (made[:, :3].argmax(1) == said)[solid & (made[:, 3] > 0)].float().mean() > 0.9


def test_rare_colors_are_drawn_as_often_as_the_balance_says() -> None:
    video = torch.full((1, 4, 1, 16, 16), -1.0)
    video[0, 3] = 1
    video[0, 0, 0, :1, :4] = 1  # 4 red pixels, 252 black ones
    solid = video[:, 3] > 0
    for balance, wanted in ((0.0, 4 / 256), (0.5, 2 / (2 + 252**0.5)), (1.0, 0.5)):
        weights = make(replace(CONFIG, balance=balance))._weights(video, solid)
        drawn = torch.stack([_visible(solid.flatten(), weights, 1, tick(step).rng) for step in range(1_500)])
        assert (drawn % 16 < 4).logical_and(drawn < 16).float().mean() == pytest.approx(wanted, abs=0.05)


def test_the_transformer_on_the_text_changes_nothing_before_it_is_trained() -> None:
    with_it = replace(CONFIG, text_dim=32, text_layers=2)
    refiner, plain = make(with_it), make(replace(with_it, text_layers=0))
    plain.load_state_dict({name: v for name, v in refiner.state_dict().items() if not name.startswith("adapt")})
    video, text, mask = torch.randn(2, 4, 2, 16, 16).clamp(-1, 1), torch.randn(2, 3, 32), torch.ones(2, 3).bool()
    before, after = (each.features(video, each.read_text(text, mask)) for each in (plain, refiner))
    assert torch.equal(before, after)
    after.square().sum().backward()
    with torch.no_grad():
        for block in refiner.space:
            block.to_text.to_out.weight.add_(0.1)  # pyright: ignore
    refiner.features(video, refiner.read_text(text, mask)).square().sum().backward()
    assert refiner.adapted.weight.grad is not None
    assert refiner.adapted.weight.grad.abs().sum() > 0


def test_the_text_alone_makes_colors_likelier() -> None:
    refiner, given = make(replace(CONFIG, text_layers=1, text_colors=True)), batch(6)
    read = refiner.read_text(given["text"], given["text_mask"])
    assert read.colors is not None
    assert not read.colors.any(), "not before it is trained"
    refiner.loss(given, tick()).total.backward()
    last = refiner.named[-1].weight
    assert last.grad is not None
    assert last.grad.any()
    features = refiner.features(given["video"], read)
    for color in range(3):
        said = torch.zeros(6, 3)
        said[2:, color] = 1e4
        made, plain = refiner.painted(features, said), refiner.painted(features)
        solid = made[2:, 3] > 0
        assert (made[2:, :3].argmax(1) == color)[solid].all()
        assert torch.equal(made[:2], plain[:2]), "each clip has a text of its own"
    with pytest.raises(ValueError, match="text_colors: expected text_layers of 1 or more"):
        replace(CONFIG, text_colors=True)


def test_any_size_comes_in_and_its_own_size_goes_out() -> None:
    refiner, given = make(), batch(2)
    for size, frames in ((8, 3), (16, 1), (32, 5)):
        made = refiner.refined(torch.zeros(2, 4, frames, size, size), given["text"], given["text_mask"])
        assert made.shape == (2, 4, frames, 16, 16)
    with pytest.raises(ValueError, match="video: expected"):
        refiner.refined(torch.zeros(2, 3, 1, 16, 16), given["text"], given["text_mask"])


def test_somebody_else_is_somebody_in_the_same_pose() -> None:
    refiner, given = make(), batch(6)
    solid = given["video"][:, 3] > 0
    every, none = torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)
    assert torch.equal(refiner._somebody_else(solid, none), torch.arange(6))
    others = refiner._somebody_else(solid, every)
    assert (others != torch.arange(6)).all()
    assert torch.equal(others % 2, torch.arange(6) % 2)  # even ones stand on the left
    alone = solid[:2]
    assert torch.equal(refiner._somebody_else(alone, every[:2]), torch.arange(2))


@pytest.mark.parametrize("share", ["swapped", "tinted"])
def test_some_rows_alone_may_be_made_worse(share: str) -> None:
    shares = {"swapped": 0.0, "tinted": 0.0, "noise": 0.0, "partly": 1.0}
    video = torch.full((8, 4, 1, 64, 64), 1.0)
    video[:, :3] = torch.linspace(-0.5, 0.5, 8)[:, None, None, None, None]  # each in a color of its own

    def worse(**more: float) -> torch.Tensor:
        return make(replace(CONFIG, size=64, **(shares | more))).worse(video, torch.Generator().manual_seed(0))

    changed = (worse(**{share: 1.0}) != worse()).any(1).any(1).any(-1)  # (b, rows)
    assert changed.any(1).all()
    assert (changed.sum(1) <= 52).all()  # half of the rows, and what the blur takes in
    assert (worse(**{share: 1.0, "partly": 0.0}) != worse()).any(1).any(1).any(-1).all()


def test_a_video_depends_on_itself_alone() -> None:
    refiner, given = make(), batch(6)
    with torch.no_grad():
        for weight in refiner.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
        whole, one = (
            refiner.features(given["video"][some], refiner.read_text(given["text"][some], given["text_mask"][some]))
            for some in (slice(None), slice(2, 3))
        )
    torch.testing.assert_close(one, whole[2:3], atol=1e-4, rtol=0)


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="patch: expected a divisor"):
        replace(CONFIG, size=20)
    tiny: Any = get("imagen_video_tiny").system
    with pytest.raises(ValueError, match="refiner: expected videos of 4 channels"):
        replace(tiny, refiner=CONFIG).build()


class Words(TextEncoder):
    """A text encoder: a sentence says a color by its length."""

    name, dim = "words", 384

    def __call__(self, captions: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        states = torch.zeros(len(captions), 1, 384)
        for i, caption in enumerate(captions):
            states[i, 0, len(caption) % 8] = 1
        return states, torch.ones(len(captions), 1, dtype=torch.bool)


NAMES = ["godiva_sprites", "imagen_video_four", "make_a_video_sprites", "phenaki_sprites", "svd_sprites"]


@pytest.mark.parametrize("name", NAMES)
def test_systems_end_with_it_unless_a_stage_is_asked_for(name: str) -> None:
    recipe = get(name)
    assert "refiner" in recipe.stages
    system = _small(name).build().eval()
    stages = system.stages
    assert list(stages)[-1] == "refiner"
    assert isinstance(stages["refiner"], PaletteRefiner)
    palette = {(255, 0, 0), (0, 255, 0), (0, 0, 255)}

    def colors(clip: Clip) -> set[tuple[int, ...]]:
        solid = clip.frames[clip.frames[..., 3] > 0]
        return {tuple(pixel) for pixel in solid[:, :3].tolist()}

    with torch.no_grad():
        stages["refiner"].to_alpha.bias.fill_(5)  # pyright: ignore
    steps = {} if name == "godiva_sprites" else {"steps": 2}
    clip = system.generate(Request.of(prompt="a word", transparent=True, **steps), Words(), lambda progress: None)
    assert colors(clip)
    assert colors(clip) <= palette
    picture = clip.replace(frames=clip.frames[:1])
    others: dict[str, dict[str, Any]] = {
        "imagen_video_four": {"prompt": "a word", "stage": "ssr2"},
        "make_a_video_sprites": {"image": picture},
        "phenaki_sprites": {"image": picture},
        "svd_sprites": {"image": picture},
    }
    if name in others:  # a stage that is asked for, or a picture, which says more than a text
        asked = Request.of(transparent=True, **others[name], **steps)
        other = system.generate(asked, Words(), lambda progress: None)
        assert not colors(other) <= palette
        if system.paints:  # who the picture shows is said
            painted = system.generate(replace(asked, appearance="a word"), Words(), lambda progress: None)
            new = painted.replace(frames=painted.frames[1:])  # after the picture, which stays as it is
            assert colors(new) <= palette


def test_a_turnaround_is_painted_where_somebody_says_who_turns() -> None:
    system = _small("svd_turnaround").build().eval()
    assert list(system.stages) == ["autoencoder", "decoder", "turnaround", "refiner"]
    assert system.paints
    palette = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    with torch.no_grad():
        system.stages["refiner"].to_alpha.bias.fill_(5)
    picture = Clip(np.full((1, 64, 64, 4), (90, 90, 90, 255), np.uint8))
    asked = Request.of(image=picture, transparent=True, steps=2)

    def colored(request: Request) -> bool:
        """Whether all that is seen is in the palette, after the picture, which stays as it is."""
        first, *frames = system.generate(request, Words(), lambda progress: None).frames
        assert (first == picture.frames[0]).all()
        frames = np.stack(frames)
        seen = frames[frames[..., 3] > 0][:, None, :3]
        return len(seen) > 0 and bool((seen == palette).all(-1).any(-1).all())

    assert not colored(asked)
    assert colored(replace(asked, appearance="a word"))


def test_each_side_of_a_turnaround_is_painted_by_its_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    system = _small("svd_turnaround").build().eval()
    picture = Clip(np.full((1, 64, 64, 4), 90, np.uint8))
    views = ("left", "behind", "right side", "front")
    asked = Request.of(image=picture, transparent=True, steps=2)
    painted: list[tuple[torch.Size, torch.Tensor]] = []
    refined = system.refiner.refined

    def spied(video: torch.Tensor, text: torch.Tensor, mask: torch.Tensor, **more: Any) -> torch.Tensor:
        painted.append((video.shape, text))
        return refined(video, text, mask, **more)

    monkeypatch.setattr(system.refiner, "refined", spied)
    requests = [replace(asked, appearance="a word", views=views, candidate=i) for i in range(2)]
    for made in system.generate_batch(requests, Words(), lambda progress: None):
        assert len(made.frames) == 4
    ((shape, text),) = painted
    assert shape == (8, 4, 1, 64, 64), "each frame of both is a clip of its own"
    assert text.equal(Words()(views * 2)[0])


def _small(name: str) -> Any:
    """The recipe's system at a size for tests."""
    system: Any = get(name).system
    if name == "godiva_sprites":
        tokenizer = replace(system.tokenizer, size=16, patch=8, dim=16, widths=(8, 16))
        generator = replace(system.generator, frames=2, dim=16, heads=2, mlp=16, layers="TRC")
        system = replace(system, tokenizer=tokenizer, generator=generator)
    elif name == "phenaki_sprites":
        tokenizer = replace(system.tokenizer, size=16, dim=16, heads=2, mlp=16, widths=(8, 16))
        prior = replace(system.prior, dim=16, heads=2, mlp=16)
        system = replace(system, tokenizer=tokenizer, prior=prior, decoder=None)
    size = 16 if name in ("godiva_sprites", "phenaki_sprites") else 64
    return replace(system, refiner=replace(CONFIG, size=size, text_dim=384))


def test_colors_of_a_picture_are_preferred_by_how_many_of_its_pixels_have_them() -> None:
    refiner = make()
    picture = torch.full((1, 4, 1, 16, 16), -1.0)
    picture[:, 3, 0, :4] = 1
    picture[:, 0, 0, :3], picture[:, 2, 0, 3] = 1, 1  # 48 red pixels, 16 blue ones
    red, green, blue = refiner.preferred(picture)[0].tolist()
    assert red > blue > 0 > green
    assert red - blue == pytest.approx(PREFERRED * math.log(48.2 / 16.2), abs=1e-4)
    nobody = refiner.preferred(torch.full_like(picture, -1.0))
    assert (nobody == nobody[0, 0]).all()
    given = batch(2)
    with torch.no_grad():
        refiner.to_color.weight.zero_()
        refiner.to_color.bias.zero_()
        refiner.to_alpha.bias.fill_(5)
        made = refiner.refined(given["video"], given["text"], given["text_mask"], picture=picture)
    solid = made[:, 3] > 0
    assert solid.any()
    assert (made[:, 0][solid] == 1).all(), "nothing else decides"
