"""The autoencoder of Stable Video Diffusion beside diffusers' with copied weights, and what its decoder lives on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel.nn.spatiotemporal import VideoBlock
from storyreel.systems.svd_autoencoder import Autoencoder, AutoencoderConfig, Latents

SMALL = AutoencoderConfig(widths=(32, 64, 64))


def made(config: AutoencoderConfig = SMALL) -> Autoencoder:
    """With random weights, the shares of time among them."""
    torch.manual_seed(0)
    net = config.build().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.requires_grad_(False)


def video(frames: int = 5, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, frames, 16, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1


def peer(config: AutoencoderConfig) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder

    c = config
    return AutoencoderKLTemporalDecoder(
        in_channels=c.channels, out_channels=c.channels, block_out_channels=c.widths, layers_per_block=c.blocks,
        latent_channels=c.latent_channels, down_block_types=("DownEncoderBlock2D",) * len(c.widths),
    ).eval()  # fmt: skip


def off(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    "config", [SMALL, AutoencoderConfig(widths=(32, 32, 64, 64)), replace(SMALL, channels=4, latent_channels=8)]
)
def test_it_is_that_of_diffusers(config: AutoencoderConfig):
    net, other, x = made(config), peer(config), video(channels=config.channels)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        theirs = other.encode(x.transpose(1, 2).flatten(0, 1)).latent_dist
        ours = net.encode(x)
        assert off(ours.mode.transpose(1, 2).flatten(0, 1), theirs.mode()) < 1e-5
        assert off(ours.logvar.transpose(1, 2).flatten(0, 1), theirs.logvar) < 1e-5
        z = torch.randn(ours.mean.shape, generator=torch.Generator().manual_seed(2))
        expected = other.decode(z.transpose(1, 2).flatten(0, 1), num_frames=5).sample
        assert off(net.decode(z).transpose(1, 2).flatten(0, 1), expected) < 1e-5


def test_the_papers_has_its_tensors_and_its_size():
    with torch.device("meta"):
        net, other = AutoencoderConfig().build(), peer(AutoencoderConfig())
    ours = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert ours == {name: tuple(tensor.shape) for name, tensor in other.state_dict().items()}
    count = sum(p.numel() for p in net.parameters())
    assert len(ours) == 374
    assert round(count / 1e6, 1) == 97.7
    assert round(sum(p.numel() for p in net.decoder.parameters()) / 1e6, 1) == 63.6
    assert round(sum(p.numel() for p in net.decoder.temporal_parameters()) / 1e6, 1) == 14.1


def test_without_its_share_of_time_it_decodes_frame_by_frame():
    net = made()
    z = net.encode(video()).mode
    frames = torch.cat([net.decode(z[:, :, i : i + 1], in_time=False) for i in range(5)], 2)
    torch.testing.assert_close(net.decode(z, in_time=False), frames, atol=1e-5, rtol=1e-4)
    for block in net.modules():
        if isinstance(block, VideoBlock):
            block.time_mixer.mix_factor.fill_(-200)  # a share of 0
    net.decoder.time_conv_out.weight.zero_()[range(3), range(3), 1, 0, 0] = 1
    net.decoder.time_conv_out.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
    torch.testing.assert_close(net.decode(z), frames, atol=1e-5, rtol=1e-4)


def test_a_share_begins_at_a_half_and_images_are_no_part_of_time():
    net = SMALL.build()
    assert all(block.time_mixer.mix_factor.sigmoid() == 0.5 for block in net.modules() if isinstance(block, VideoBlock))
    z = net.encode(video()).mode
    net.decode(z, in_time=False).square().sum().backward()
    assert all(p.grad is None for p in net.decoder.temporal_parameters())
    net.decode(z.detach()).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.decoder.temporal_parameters())


def test_the_decoder_sees_other_frames_and_the_encoder_does_not():
    net, x = made(), video()
    other = x.clone()
    other[:, :, 2] = -other[:, :, 2]
    one, two = net.encode(x).mode, net.encode(other).mode
    assert [bool((one - two)[:, :, i].any()) for i in range(5)] == [False, False, True, False, False]
    assert all(bool((net.decode(one) - net.decode(two))[:, :, i].abs().max() > 1e-4) for i in range(5))


def test_decoding_in_chunks():
    net = made()
    z = net.encode(video(6)).mode
    whole, parts = net.decode(z), net.decode(z, chunk=4)
    alone = torch.cat([net.decode(z[:, :, :4]), net.decode(z[:, :, 4:])], 2)
    assert parts.equal(alone), "a chunk sees no other"
    assert net.decode(z, chunk=6).equal(net.decode(z, chunk=60))
    torch.testing.assert_close(net.decode(z, chunk=6), whole)
    assert 1e-4 < off(parts, whole) < 1, "they differ, since layers in time do not cross the edge"
    assert net.decode(z, chunk=1, in_time=False).shape == whole.shape


def test_a_draw_has_the_mean_and_the_deviation_and_its_own_noise():
    mean, logvar = torch.full((2, 4, 3, 50, 50), 0.5), torch.full((2, 4, 3, 50, 50), -2.0)
    latents = Latents(mean, logvar)

    def rngs(*seeds: int) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    drawn = latents.draw(rngs(5, 6))
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.std()) == pytest.approx(torch.tensor(-1.0).exp().item(), rel=0.02)
    assert drawn[1:].equal(Latents(mean[1:], logvar[1:]).draw(rngs(6)))
    assert latents.mode.equal(mean)
    gaussian = torch.distributions.Normal(mean, (logvar / 2).exp())
    exact = torch.distributions.kl_divergence(gaussian, torch.distributions.Normal(0.0, 1.0)).flatten(1).mean(1)
    torch.testing.assert_close(latents.divergence(), exact)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"widths": ()}, r"widths: expected at least one level and one block, got \(\) and 2"),
        ({"widths": (48, 64)}, "widths: expected multiples of 32 groups, got 48"),
        ({"scale": -0.1}, "scale: expected 0 or more, got -0.1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        AutoencoderConfig(**settings)


def test_shapes_that_cannot_be():
    net = made()
    with pytest.raises(ValueError, match=r"video: expected \(b, 3, t, h, w\) with sides that 4 divides, got"):
        net.encode(video()[..., :22])
    with pytest.raises(ValueError, match=r"video: expected \(b, 3, t, h, w\)"):
        net.encode(video(channels=4))
    with pytest.raises(ValueError, match=r"latents: expected \(b, 4, t, h, w\), got \(2, 3, 5, 16, 24\)"):
        net.decode(video())
    with pytest.raises(ValueError, match="chunk: expected 0 or more, got -1"):
        net.decode(torch.zeros(1, 4, 2, 4, 4), chunk=-1)
