"""C-ViViT: what Phenaki lives on is that time runs one way only."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel.nn import attention
from storyreel.systems.base import Tick
from storyreel.systems.phenaki_tokenizer import CViViT, CViViTConfig

STEMS: dict[str, Any] = {"linear": {}, "conv": {"widths": (16, 32)}}
QUANTIZERS: dict[str, Any] = {"vq": {"num_codes": 64, "code_dim": 8}, "fsq": {"levels": (5, 4, 3)}}
KINDS = [(stem, quantizer) for stem in STEMS for quantizer in QUANTIZERS]


def make(stem: str = "linear", quantizer: str = "vq", **more: Any) -> CViViT:
    """A small tokenizer in which no weight is zero, so that what could leak would."""
    settings: dict[str, Any] = {
        "size": 8, "patch": 4, "tube": 2, "dim": 32, "space_depth": 1, "time_depth": 2, "heads": 2, "mlp": 64,
        "adversarial": 0.0, "image_perceptual": 0.0, "video_perceptual": 0.0,
    }  # fmt: skip
    torch.manual_seed(0)
    made = CViViTConfig(**(settings | STEMS[stem] | QUANTIZERS[quantizer] | more)).build()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return made


def clip(frames: int, channels: int = 3, b: int = 2) -> Tensor:
    return torch.rand(b, channels, frames, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def tick(turn: str = "main") -> Tick:
    return Tick(step=0, turn=turn, rng=torch.Generator().manual_seed(0))


@pytest.fixture(params=KINDS, ids="-".join)
def tokenizer(request: pytest.FixtureRequest) -> CViViT:
    return make(*request.param)


@torch.no_grad()
def test_what_comes_later_changes_no_earlier_code(tokenizer: CViViT):
    short, long = clip(5), clip(9)
    long[:, :, :5] = short
    before, after = tokenizer._encode(short), tokenizer._encode(long)  # (b, t, p, d)
    torch.testing.assert_close(after[:, :3], before)
    assert tokenizer.encode(long)[:, :3].equal(tokenizer.encode(short))
    other = long.clone()
    other[:, :, 5:] *= -1
    changed = tokenizer._encode(other)
    torch.testing.assert_close(changed[:, :3], before)
    assert not changed[:, 3:].allclose(after[:, 3:]), "the test would see a change"


@torch.no_grad()
def test_the_past_reaches_the_future(tokenizer: CViViT):
    video = clip(7)
    other = video.clone()
    other[:, :, 0] *= -1
    for frame in range(1, 4):
        assert not tokenizer._encode(other)[:, frame].allclose(tokenizer._encode(video)[:, frame], atol=1e-4)


@torch.no_grad()
def test_an_image_has_the_codes_of_a_first_frame(tokenizer: CViViT):
    video = clip(7)
    assert tokenizer.encode(video[:, :, :1]).equal(tokenizer.encode(video)[:, :1])


@torch.no_grad()
def test_later_codes_change_no_earlier_frame(tokenizer: CViViT):
    codes = tokenizer.encode(clip(9))
    other = codes.clone()
    other[:, 3:] = (other[:, 3:] + 1) % torch.tensor(tokenizer.sizes)
    video, changed = tokenizer.decode(codes), tokenizer.decode(other)
    torch.testing.assert_close(changed[:, :, :5], video[:, :, :5])
    assert not changed[:, :, 5:].allclose(video[:, :, 5:], atol=1e-4)
    torch.testing.assert_close(tokenizer.decode(codes[:, :1]), video[:, :, :1])


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 3, 11, 31])
def test_any_length(tokenizer: CViViT, frames: int):
    codes = tokenizer.encode(clip(frames, b=1))
    assert codes.shape == (1, 1 + (frames - 1) // 2, 4, len(tokenizer.sizes))
    assert codes.dtype == torch.int64
    assert tokenizer.decode(codes).shape == (1, 3, frames, 8, 8)
    torch.testing.assert_close(tokenizer.reconstruct(clip(frames, b=1)), tokenizer.decode(codes))


@torch.no_grad()
def test_one_clip_does_not_see_another():
    tokenizer, video = make(), clip(5)
    torch.testing.assert_close(tokenizer._encode(video)[1:], tokenizer._encode(video[1:]))


def test_frames_that_do_not_fill_a_tube_are_refused():
    with pytest.raises(ValueError, match=r"frames: expected 1 \+ a multiple of 2 \(as 3 or 5\), got 4"):
        make().encode(clip(4))


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="video: expected 3 channels of 8x8"):
        make().encode(torch.zeros(1, 3, 1, 16, 16))


@pytest.mark.parametrize(("value", "told"), [(64, "got 64"), (-1, "got -1")])
def test_codes_out_of_range_are_refused(value: int, told: str):
    tokenizer = make()
    codes = tokenizer.encode(clip(3))
    codes[0, 1, 2, 0] = value
    with pytest.raises(ValueError, match=rf"digit 0 must be in \[0, 64\), {told}"):
        tokenizer.decode(codes)


def test_codes_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"codes: expected \(b, t, 4, 1\), got \(1, 2, 3, 1\)"):
        make().decode(torch.zeros(1, 2, 3, 1, dtype=torch.long))


@pytest.mark.parametrize(("stem", "quantizer"), KINDS)
@pytest.mark.parametrize("weights", [{"l2": 1.0}, {"l2": 0.0, "l1": 1.0}, {"l2": 1.0, "l1": 0.5}], ids=str)
def test_the_quantiser_is_in_the_loss_whatever_else_is(stem: str, quantizer: str, weights: dict[str, float]):
    tokenizer = make(stem, quantizer, **weights)
    loss = tokenizer.loss({"video": clip(5)}, tick())
    rest = weights["l2"] * loss.parts["l2"] + weights.get("l1", 0.0) * loss.parts["l1"]
    torch.testing.assert_close(loss.total.detach(), rest + loss.parts["vq"])
    assert (loss.parts["vq"] > 0.01) == (quantizer == "vq")
    loss.total.backward()
    without = [n for n, p in tokenizer.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == [], "every weight learns"


@pytest.mark.parametrize("frames", [1, 5])
def test_bfloat16_gives_a_finite_loss(tokenizer: CViViT, frames: int):
    with torch.autocast("cpu", torch.bfloat16):
        loss = tokenizer.loss({"video": clip(frames)}, tick())
    loss.total.backward()
    assert loss.total.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in tokenizer.parameters())


@torch.no_grad()
def test_the_fused_kernel_in_bfloat16(monkeypatch: pytest.MonkeyPatch):
    """What long clips and GPUs run, with ALiBi's minus infinity as its bias."""
    monkeypatch.setattr(attention, "SHORT", 0)
    with torch.autocast("cpu", torch.bfloat16):
        assert make().reconstruct(clip(21, b=1)).isfinite().all()


def test_gradient_checkpointing_changes_no_gradient(tokenizer: CViViT):
    found = []
    for saving in (False, True):
        tokenizer.gradient_checkpointing = saving
        tokenizer.zero_grad()
        tokenizer.loss({"video": clip(5)}, tick()).total.backward()
        found.append({n: p.grad.clone() for n, p in tokenizer.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=lambda m, name=name: f"{name}: {m}")


def test_it_learns_a_batch_by_heart(tokenizer: CViViT):
    video = clip(5)
    video[:, :, 1:] = video[:, :, :1].roll(1, -1)  # a picture, and the same one moved
    optimizer = torch.optim.AdamW(tokenizer.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = tokenizer.loss({"video": video}, tick())
        losses.append(float(loss.parts["l2"]))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2, (losses[0], losses[-1])


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch: 3 does not divide size 8"):
        CViViTConfig(size=8, patch=3)
    with pytest.raises(ValueError, match="halvings do not fit"):
        CViViTConfig(patch=2, widths=(64, 128, 512))


@pytest.mark.parametrize(("stem", "quantizer"), KINDS, ids=lambda kind: kind)
def test_what_decodes_goes_on_learning_while_the_codes_stay(stem: str, quantizer: str):
    tokenizer, video = make(stem, quantizer, frozen_codes=True), clip(5)
    codes = tokenizer.encode(video)
    descent = torch.optim.Adam(list(tokenizer.parameters_for("main")), lr=0.01)
    losses = []
    for _ in range(20):
        loss = tokenizer.loss({"video": video}, tick()).total
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    assert torch.equal(tokenizer.encode(video), codes)
