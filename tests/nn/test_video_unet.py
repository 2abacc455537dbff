"""The Video U-Net: what it may mix and what not, what it is at birth, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel.nn.null_text import without_text
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_blocks import TemporalConv, features, positions, rms_norm

KINDS = ["conv", "attention", "both"]


def make(*, born: bool = False, **more: Any) -> VideoUNet:
    """Two levels; weights large enough that everything matters, unless it is as born (temporal layers, that is)."""
    settings: dict[str, Any] = {
        "widths": (16, 32),
        "attention": (False, True),
        "temporal": ("both",),
        "head_dim": 16,
        "text_dim": 8,
        "emb": 32,
    }
    torch.manual_seed(0)
    net = VideoUNetConfig(**(settings | more)).build()
    temporal = {id(p) for p in net.temporal_parameters()}
    with torch.no_grad():
        for p in net.parameters():
            if not (born and id(p) in temporal):
                p.add_(0.1 * torch.randn_like(p))
    return net.eval()


def video(b: int = 2, c: int = 3, t: int = 4, h: int = 8, w: int = 12, seed: int = 1) -> Tensor:
    return torch.randn(b, c, t, h, w, generator=torch.Generator().manual_seed(seed))


def inputs(net: VideoUNet, x: Tensor) -> dict[str, Any]:
    b, c, rng = len(x), net.config, torch.Generator().manual_seed(2)
    told: dict[str, Any] = {"logsnr": torch.linspace(-3, 3, b)}
    if c.text_dim:
        text = torch.randn(b, 5, c.text_dim, generator=rng)
        told["memory"] = net.text_memory(text, torch.arange(5) < torch.arange(b)[:, None] + 2)
    if c.extra:
        told["extra"] = torch.randn(b, c.extra, *x.shape[2:], generator=rng)
    if c.augmented:
        told["augmentation"] = torch.linspace(0, 2, b)
    if c.fps:
        told["fps"] = torch.linspace(3, 24, b)
    if c.vector_dim:
        told["vector"] = torch.randn(b, c.vector_dim, generator=rng)
    return told


@torch.no_grad()
def run(net: VideoUNet, x: Tensor, **more: Any) -> Tensor:
    return net(x, **(inputs(net, x) | more))


def frames_apart(net: VideoUNet, x: Tensor) -> Tensor:
    """The net on each frame as a picture of its own."""
    told = inputs(net, x) | {"video": torch.zeros(len(x), dtype=torch.bool)}
    made = []
    for i in range(x.shape[2]):
        extra = {"extra": told["extra"][:, :, i : i + 1]} if "extra" in told else {}
        made.append(run(net, x[:, :, i : i + 1], **(told | extra)))
    return torch.cat(made, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_at_birth_the_video_net_is_the_image_net(kind: str):
    net, x = make(born=True, temporal=(kind,)), video()
    alone = run(net, x, video=torch.tensor([False, False]))
    assert run(net, x).equal(alone), "exactly"
    torch.testing.assert_close(alone, frames_apart(net, x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_switch_is_a_samples_own(kind: str):
    net, x = make(temporal=(kind,)), video(3)
    mixed = run(net, x, video=torch.tensor([True, False, True]))
    all_videos, no_videos = run(net, x), run(net, x, video=torch.zeros(3, dtype=torch.bool))
    torch.testing.assert_close(mixed[[0, 2]], all_videos[[0, 2]])
    torch.testing.assert_close(mixed[1], no_videos[1])
    torch.testing.assert_close(no_videos, frames_apart(net, x))
    assert (all_videos - no_videos).abs().amax((1, 2, 3, 4)).min() > 1e-3


@pytest.mark.parametrize("kind", [*KINDS, "none"])
def test_nothing_leaks_between_the_frames_of_an_image(kind: str):
    net, x = make(temporal=(kind,), extra=2, augmented=True), video()
    other = x.clone()
    other[:, :, 1] += 5
    pictures = None if kind == "none" else torch.tensor([False, True])
    changed = (run(net, other, video=pictures) - run(net, x, video=pictures)).abs().amax((1, 3, 4))  # (b, t)
    assert changed[0, [0, 2, 3]].eq(0).all(), "other frames of an image stay, to the bit"
    assert changed[0, 1] > 1e-3
    assert bool((changed[1, [0, 2, 3]] > 1e-4).all()) == (kind != "none")


def test_temporal_convolution_starts_as_the_identity_and_sees_neighbours():
    layer, x = TemporalConv(4), torch.randn(1, 5, 2, 2, 4)
    assert layer(x, None).equal(x)
    with torch.no_grad():
        layer.weight.normal_()
        seen = (layer(x + torch.eye(5)[2].view(1, 5, 1, 1, 1), None) - layer(x, None)).abs().amax((0, 2, 3, 4)) > 1e-6
        wanted = torch.nn.functional.conv1d(
            x.permute(0, 2, 3, 4, 1).flatten(0, 2), layer.weight[..., 0], layer.bias, padding=1
        )
    assert seen.tolist() == [False, True, True, True, False]
    torch.testing.assert_close(layer(x, None), wanted.view(1, 2, 2, 4, 5).permute(0, 4, 1, 2, 3))


@pytest.mark.parametrize(("t", "h", "w"), [(1, 4, 4), (1, 2, 2), (3, 2, 10), (5, 16, 4)])
def test_any_frames_and_sizes(t: int, h: int, w: int):
    net = make(widths=(16, 32), out_channels=2, fps=True, vector_dim=7)
    out = run(net, video(2, 3, t, h, w))
    assert out.shape == (2, 2, t, h, w)
    assert out.isfinite().all()


def test_patches_are_put_back_where_they_were():
    net = make(widths=(16,), attention=(False,), temporal=("none",), patch=4, text_dim=0)
    x = video(1, 3, 1, 16, 16)
    other = x.clone()
    other[..., :4, :4] += 1  # the convolutions reach four patches of four; the last corner is far away
    change = (run(net, other) - run(net, x)).abs().amax((0, 1, 2))
    assert change[:4, :4].min() > 0
    assert net.multiple == 4
    assert run(net, x).shape == x.shape


def test_the_fine_path_sees_every_pixel_and_mixes_no_frames():
    net, x = (
        make(widths=(16,), attention=(False,), temporal=("none",), patch=4, text_dim=0, fine=8, extra=3),
        video(1, 3, 2, 32, 32),
    )
    assert run(net, x).shape == x.shape
    other = x.clone()
    other[:, :, 0, 13, 14] += 1
    change = (run(net, other) - run(net, x)).abs().amax((0, 1))  # (t, h, w)
    assert change[1].eq(0).all()
    pixels, _ = net.reach
    rows, columns = change[0].nonzero().T
    assert change[0, 13, 14] > 0
    assert (rows - 13).abs().max() <= pixels
    assert (columns - 14).abs().max() <= pixels


def test_what_the_fine_path_is_given_passes_by_as_the_noise_tells():
    """A net of super-resolution whose layers say nothing: what it says is a share of each input, another at each
    noise level."""
    net, x = make(patch=4, fine=8, extra=3, text_dim=0), video(h=8, w=16)
    fine = net.fine
    assert fine is not None
    assert fine.from_noisy is not None
    assert fine.from_extra is not None
    extra = video(h=8, w=16, seed=5)
    with torch.no_grad():
        fine.head.weight.zero_()
        fine.head.bias.zero_()
        said = net(x, torch.tensor([-2.0, 4.0]), extra=extra)
        emb = net._embedding(torch.tensor([-2.0, 4.0]), None, None, None, None, None)
        shares = [share(emb)[:, :, None, None, None] for share in (fine.from_noisy, fine.from_extra)]
    torch.testing.assert_close(said, shares[0] * x + shares[1] * extra)
    assert (shares[0][0] - shares[0][1]).abs().max() > 1e-3


def test_the_text_is_read_once_a_sample():
    net, x = make(), video()
    told = inputs(net, x)
    memory = told["memory"]
    assert len(memory.keys_values) == sum(unit.reads for unit in net._units()) == 6
    once = run(net, x, memory=memory)
    moved = memory._replace(pooled=memory.pooled.flip(0))
    assert not run(net, x, memory=moved).allclose(once)
    masked = memory._replace(mask=torch.ones_like(memory.mask))
    assert not run(net, x, memory=masked).allclose(once), "padding is not read"


def test_a_dropped_text_is_forgotten():
    net = make()
    text, mask = torch.randn(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    states, seen = without_text(text, mask, net.null_text, torch.tensor([True, False, True]))
    assert seen.tolist() == [[True] + 4 * [False], 5 * [True], [True] + 4 * [False]]
    assert states[1].equal(text[1])
    memory = net.text_memory(states, seen)
    torch.testing.assert_close(memory.pooled[0], memory.pooled[2])


@pytest.mark.parametrize("name", ["logsnr", "augmentation", "fps", "vector", "extra"])
def test_everything_that_is_told_matters(name: str):
    net, x = make(extra=2, augmented=True, fps=True, vector_dim=7), video()
    told = inputs(net, x)
    once, again = run(net, x), run(net, x, **{name: told[name].flip(0)})
    assert (once - again).abs().amax((1, 2, 3, 4)).min() > 1e-3


def test_a_sample_does_not_see_its_batch():
    net, x = make(fps=True), video(3)
    told = inputs(net, x)
    memory = told["memory"]
    whole = run(net, x)
    alone = memory._replace(
        keys_values=[(k[1:2], v[1:2]) for k, v in memory.keys_values], mask=memory.mask[1:2], pooled=memory.pooled[1:2]
    )
    found = run(net, x[1:2], memory=alone, logsnr=told["logsnr"][1:2], fps=told["fps"][1:2])
    torch.testing.assert_close(found, whole[1:2], atol=1e-4, rtol=1e-4)


def test_checkpointing_changes_no_gradient():
    net, x = make().train(), video(t=2)
    found = []
    for saving in (False, True):
        net.gradient_checkpointing = saving
        net.zero_grad()
        net(x, **inputs(net, x), video=torch.tensor([True, False])).square().mean().backward()
        found.append({n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None})
    assert set(found[0]) == set(found[1]) == {n for n, _ in net.named_parameters()} - {"null_text"}
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, msg=lambda m, name=name: f"{name}: {m}")


def test_what_is_refused():
    net, x = make(), video()
    told = inputs(net, x)
    with pytest.raises(ValueError, match="size: expected height and width that 2 divides, got 7x8"):
        net(video(h=7, w=8), **told)
    with pytest.raises(ValueError, match=r"video: expected \(b, 3, t, h, w\), got \(2, 4, 4, 8, 12\)"):
        net(video(c=4), **told)
    with pytest.raises(ValueError, match="extra: expected none"):
        net(x, **told, extra=x)
    with pytest.raises(ValueError, match=r"extra: expected \(2, 3, 4, 8, 12\), got none"):
        make(extra=3)(x, **told)
    with pytest.raises(ValueError, match="fps: this net takes none"):
        net(x, **told, fps=torch.ones(2))
    with pytest.raises(ValueError, match="text: this net needs it"):
        net(x, told["logsnr"])
    with pytest.raises(ValueError, match="temporal: expected attention, conv, both, none, got magic"):
        VideoUNetConfig(temporal=("magic",))
    with pytest.raises(ValueError, match="blocks: expected one entry or one for each of 3 widths, got 2"):
        VideoUNetConfig(blocks=(1, 2))


def test_it_is_built_on_meta_and_mixed_precision_is_kept():
    with torch.device("meta"):
        large = VideoUNetConfig(widths=(512, 1024), text_dim=4096, temporal=("attention",)).build()
    assert sum(p.numel() for p in large.parameters()) > 100e6
    net, x = make(fps=True), video(t=2)
    with torch.autocast("cpu", torch.bfloat16):
        half = run(net, x)
    torch.testing.assert_close(half.float(), run(net, x), atol=0.2, rtol=0.1)


def test_features_tell_scalars_apart():
    levels = torch.linspace(-20, 20, 400)
    apart = torch.cdist(features(levels), features(levels)) + 10 * torch.eye(400)
    assert apart.min() > 0.3
    spots = positions(32, 16, torch.device("cpu"))
    assert (torch.cdist(spots, spots) + 10 * torch.eye(32)).min() > 0.3


def test_the_norm_is_pytorchs():
    x, wanted = (torch.randn(3, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) for _ in "ab")
    x.requires_grad_()
    grads = []
    for norm in (rms_norm, lambda v: torch.nn.functional.rms_norm(v, (8,), eps=0.0)):
        y = norm(x)
        (y * wanted).sum().backward()
        grads.append((y.detach(), x.grad))
        x.grad = None
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-6)
    assert rms_norm(torch.zeros(1, 4)).equal(torch.zeros(1, 4))


def test_it_compiles_as_a_whole():
    net, x = make(widths=(8,), attention=(True,), middle=1, head_dim=8, fps=True), video(t=2)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    with torch.no_grad():
        made = compiled(x, **inputs(net, x), video=torch.tensor([True, False]))
    torch.testing.assert_close(made, run(net, x, video=torch.tensor([True, False])))
