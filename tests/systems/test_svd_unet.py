"""The network of Stable Video Diffusion beside diffusers' with copied weights, and what it lives on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from storyreel.diffusion.denoiser import Denoiser
from storyreel.diffusion.guidance import linear
from storyreel.diffusion.noise_laws import LAWS
from storyreel.diffusion.samplers import euler, starting_noise
from storyreel.diffusion.schedules import karras
from storyreel.nn import spatiotemporal
from storyreel.nn.spatiotemporal import FeedForward, LearnedMix
from storyreel.systems.svd_unet import EPS, Reuse, SvdUNet, SvdUNetConfig

SMALL = SvdUNetConfig(widths=(32, 64, 64), heads=(2, 4, 0), blocks=1, context=16, condition_features=8)


def made(config: SvdUNetConfig = SMALL) -> SvdUNet:
    """With random weights, the shares of time among them."""
    torch.manual_seed(0)
    net = config.build().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.requires_grad_(False)


def inputs(frames: int = 3, channels: int = 8) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(2, channels, frames, 8, 16, generator=rng)
    context = torch.randn(2, 1, 16, generator=rng)
    return x, torch.tensor([2.0, -5.0]), context, torch.tensor([[6.0, 127.0, 0.02], [11.0, 40.0, 0.1]])


def peer(config: SvdUNetConfig) -> Any:
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    c, kinds = config, ("DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal")
    net = UNetSpatioTemporalConditionModel(
        in_channels=c.in_channels, out_channels=c.out_channels, block_out_channels=c.widths,
        down_block_types=tuple(kinds[heads > 0] for heads in c.heads),
        up_block_types=tuple(kinds[heads > 0].replace("Down", "Up") for heads in c.heads[::-1]),
        addition_time_embed_dim=c.condition_features,
        projection_class_embeddings_input_dim=c.conditions * c.condition_features, layers_per_block=c.blocks,
        cross_attention_dim=c.context, num_attention_heads=tuple(n or c.middle_heads for n in c.heads),
    ).eval()  # fmt: skip
    for name, module in net.named_modules():  # as in the published checkpoint
        if isinstance(module, nn.GroupNorm) and "attentions" not in name:
            module.eps = EPS
    return net


def off(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def theirs(net: Any, x: Tensor, logsnr: Tensor, context: Tensor, conditions: Tensor) -> Tensor:
    """diffusers reads ln(sigma) / 4, and frames before channels."""
    sigma = (-logsnr / 2).exp()
    return net(x.transpose(1, 2), 0.25 * sigma.log(), context, conditions).sample.transpose(1, 2)


@pytest.mark.parametrize(
    "config",
    [SMALL, replace(SMALL, widths=(32, 32, 64, 64), heads=(1, 2, 2, 0), blocks=2), replace(SMALL, in_channels=9)],
)
def test_it_is_that_of_diffusers(config: SvdUNetConfig):
    net, other = made(config), peer(config)
    other.load_state_dict(net.state_dict())
    given = inputs(channels=config.in_channels)
    with torch.no_grad():
        assert off(net(*given), theirs(other, *given)) < 1e-5


def test_a_hidden_layer_is_made_of_some_tokens_at_a_time(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    layer, x = FeedForward(8).eval(), torch.randn(3, 7, 8)
    with torch.no_grad():
        whole = layer(x)
        monkeypatch.setattr(spatiotemporal, "HIDDEN_CPU", 64 * 5)
        torch.testing.assert_close(layer(x), whole)
    torch.testing.assert_close(layer(x), whole)


def test_the_published_one_has_its_tensors_and_its_size():
    with torch.device("meta"):
        net, other = SvdUNetConfig().build(), peer(SvdUNetConfig())
    ours = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert ours == {name: tuple(tensor.shape) for name, tensor in other.state_dict().items()}
    assert len(ours) == 1428
    assert sum(p.numel() for p in net.parameters()) == 1_524_623_082


def test_a_sampled_video_is_that_of_the_pipeline():
    """Image latents beside the noisy ones, guidance from the first frame to the last, Karras grid, Euler."""
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    net, other = made(), peer(SMALL)
    other.load_state_dict(net.state_dict())
    frames, steps = 3, 4
    _, _, context, conditions = inputs(frames)
    beside = torch.randn(2, 4, frames, 8, 16, generator=torch.Generator().manual_seed(4))
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", interpolation_type="linear",
        prediction_type="v_prediction", sigma_min=0.002, sigma_max=700.0, steps_offset=1, timestep_spacing="leading",
        timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip
    scheduler.set_timesteps(steps)
    levels = karras(LAWS["svd-image-to-video"], steps, sigma_min=0.002, sigma_max=700.0)
    assert scheduler.sigmas.tolist() == pytest.approx(levels.sigma.tolist(), rel=1e-5)
    z = starting_noise((2, 4, frames, 8, 16), levels, [torch.Generator().manual_seed(i) for i in range(2)])

    def network(entering: Tensor, logsnr: Tensor, cond: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        context, beside, conditions = cond
        return net(torch.cat([entering, beside], 1), logsnr, context, conditions)

    uncond = (torch.zeros_like(context), torch.zeros_like(beside), conditions)
    denoiser = Denoiser(network, (context, beside, conditions), uncond, linear(1.0, 3.0, frames))
    ours = euler(denoiser, z, levels)
    latents, scale = z.transpose(1, 2), torch.linspace(1.0, 3.0, frames).view(1, -1, 1, 1, 1)
    for time in scheduler.timesteps:
        entering = scheduler.scale_model_input(latents, time)
        said = [
            other(torch.cat([entering, each[1].transpose(1, 2)], 2), time, each[0], conditions).sample
            for each in (uncond, (context, beside))
        ]
        guided = said[0] + scale * (said[1] - said[0])
        latents = scheduler.step(guided, time, latents).prev_sample
    assert off(ours, latents.transpose(1, 2).detach()) < 1e-4


def test_pictures_do_not_see_one_another():
    net, (x, logsnr, context, conditions) = made(), inputs()
    pictures = torch.tensor([True, False])
    made_ = net(x, logsnr, context, conditions, pictures)
    alone = [net(x[:, :, i : i + 1], logsnr, context, conditions, torch.tensor([True, True])) for i in range(3)]
    torch.testing.assert_close(made_[:1], torch.cat(alone, 2)[:1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made_[1:], net(x, logsnr, context, conditions)[1:], atol=1e-5, rtol=1e-4)
    assert off(made_[1:], torch.cat(alone, 2)[1:]) > 1e-3


def test_without_a_share_of_time_it_is_the_network_for_pictures():
    net, given = made(), inputs()
    x, logsnr, context, conditions = given
    for module in net.modules():
        if isinstance(module, LearnedMix):
            module.mix_factor.fill_(200)  # the whole share is the frames' own
    frames = [net(x[:, :, i : i + 1], logsnr, context, conditions) for i in range(3)]
    torch.testing.assert_close(net(*given), torch.cat(frames, 2), atol=1e-5, rtol=1e-4)


def test_every_weight_gets_a_gradient():
    net = made().requires_grad_()
    net(*inputs()).square().mean().backward()
    dead = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    one_token = [name for name in dead if ".attn2.to_q" in name or ".attn2.to_k" in name or ".norm2" in name]
    assert dead == one_token, "attention to a single token does not depend on the query"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"heads": (2, 4)}, "heads: expected one entry for each of 3 widths, got 2"),
        ({"heads": (0, 0, 0)}, "heads: expected attention at one level at least"),
        ({"widths": (32, 60, 64)}, "widths: expected multiples of 32 groups and of 4 heads, got 60"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        replace(SMALL, **settings)


def test_shapes_that_cannot_be():
    net, (x, logsnr, context, conditions) = made(), inputs()
    with pytest.raises(ValueError, match=r"latents: expected \(b, 8, t, h, w\) with sides that 4 divides"):
        net(x[..., :10], logsnr, context, conditions)
    with pytest.raises(ValueError, match=r"context: expected \(2, l, 16\) and conditions \(2, 3\), got"):
        net(x, logsnr, context, conditions[:, :2])


def test_deep_features_are_reused_between_steps_where_that_is_asked_for():
    net, (x, logsnr, context, numbers) = made(), inputs()
    rng = torch.Generator().manual_seed(2)
    steps = [x, *(x + 0.05 * torch.randn(x.shape, generator=rng) for _ in range(3))]
    whole = [net(each, logsnr, context, numbers) for each in steps]
    flops: dict[int, int] = {}
    found: dict[int, list[Tensor]] = {}
    for every in (1, 2):
        reuse = Reuse(every)
        with FlopCounterMode(display=False) as counter:
            found[every] = [net(each, logsnr, context, numbers, reuse=reuse) for each in steps]
        flops[every] = counter.get_total_flops()
    assert all(one.equal(other) for one, other in zip(found[1], whole, strict=True))
    assert flops[2] < 0.8 * flops[1]
    for step, (one, other) in enumerate(zip(found[2], whole, strict=True)):
        off = float((one - other).norm() / other.norm())
        assert (off == 0) if step % 2 == 0 else (0 < off < 0.1), (step, off)


def test_nothing_is_reused_of_a_step_with_another_batch():
    """Guidance that alternates with 1 takes one half of the batch at every other step."""
    net, (x, logsnr, context, numbers) = made(), inputs()
    reuse = Reuse(2)
    net(x, logsnr, context, numbers, reuse=reuse)
    half = [each[:1] for each in (x, logsnr, context, numbers)]
    assert net(*half, reuse=reuse).equal(net(*half))
