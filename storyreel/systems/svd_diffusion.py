"""The diffusion stages of Stable Video Diffusion: one network, trained on pictures, then videos, then from a picture.

    images          I      the layers in space alone, on single frames (the paper begins with Stable Diffusion 2.1)
    videos          II     all layers, on clips with captions; items of a batch may be pictures
    text_to_video   III    goes on for a short time on the best clips: the model for text
    image_to_video         goes on from there, with the latents of a noised picture beside the noisy ones; with some
                           clips without one (`pictureless`) it is the model for text, too

Each stage begins with the weights of the one before. Noise levels are drawn by each stage's own law (Appendix D), and
the network predicts v, whose squared error is that of the paper: (sigma^2 + 1) / sigma^2 in x.

Axes: b batch, c channels, t frames, h rows, w columns, l tokens, d width of a token. Latents are float (b, c, t, h, w)
at deviation one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from storyreel.diffusion.denoiser import Denoiser, is_guided
from storyreel.diffusion.noise_laws import LAWS, check_law, preserving_law
from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
from storyreel.diffusion.samplers import OnStep, draw_noise, starting_noise
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import NoiseLevel, draw_times
from storyreel.field_ranges import FramesASecond, Share
from storyreel.nn.null_text import drawn, everywhere, without_text
from storyreel.nn.video_resample import cut_to_aspect
from storyreel.systems.base import Batch, Loss, Stage, Tick, first_texts
from storyreel.systems.cascade_stage import FingerprintedStage, VideoShape, noise_like
from storyreel.systems.svd_motion import BUCKETS, USUAL_BUCKET, bucket_of, flow_speed, quantiles
from storyreel.systems.svd_reconstruction import AutoencoderStage, DecoderStage
from storyreel.systems.svd_unet import Reuse, SvdUNet, SvdUNetConfig

IMAGE_PATCH = 4  # latents a side of a token of the picture
AUGMENTATION = 0.02  # deviation of the noise in the picture, in sampling


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """A row of the paper's table of stages.

    noise, shift: the law of its noise levels, moved by a log-SNR (below zero: noisier). drop: share of the captions,
    and, independently, of pictures with their captions, that are dropped. pictureless: share of the clips that have no
    picture beside them, and keep their caption, so that one network serves text and pictures. slowed: share of the
    clips that are seen at a higher frame rate, up to `max_fps`, with frames repeated, so that the rate means something.

    cond_noise: of the picture, in training. fixed: in pixels, a deviation of 0.02. paper: in pixels, ln sigma ~ N(-3,
    0.5^2) (Appendix D.4). time_dependent: in latents, the more the noisier the video is, so that motion is not read off
    the picture (Zhao et al. 2024, "Identifying and Solving Conditional Image Leakage", https://arxiv.org/abs/2406.15735):
    `cond_noise_max` times the sigmoid of N(2 t^`cond_noise_power` - 1, 1), t the time of the noise level.
    """

    noise: str
    shift: float = 0.0
    drop: Share = 0.15
    pictureless: Share = 0.0
    slowed: Share = 0.0
    max_fps: FramesASecond = 30
    cond_noise: Literal["fixed", "paper", "time_dependent"] = "paper"
    cond_noise_max: float = 15.0
    cond_noise_power: float = 5.0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_law(self.noise)
        for name in ("cond_noise_max", "cond_noise_power"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name):g}")


def conditions(fps: Tensor, motion: Tensor, noise: Tensor) -> Tensor:
    """What a network reads of numbers (b,): frame rate - 1, motion bucket, deviation of the noise in the picture;
    (b, 3)."""
    return torch.stack([fps - 1, motion, noise], 1).float()


def slowed_frames(
    x: Tensor, diffusion: DiffusionConfig, rate: float, first: Tensor | None, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents (b, c, t, h, w) of clips at `rate` frames a second as they are learnt from, some of them slowed down, and
    the frame rate (b,) of each. first: the frame (b,) that stands in place of those before it; None: frame 0."""
    b, t, device = len(x), x.shape[2], x.device
    fps = torch.full((b,), float(rate), device=device)
    if diffusion.slowed:
        higher = torch.rand(b, generator=rng, device=rng.device).to(device) * (diffusion.max_fps - fps) + fps
        fps = torch.where(drawn(b, diffusion.slowed, rng, device), higher.round(), fps)
    at = (torch.arange(t, device=device) * rate / fps[:, None]).long()
    at = at if first is None else torch.maximum(at, first[:, None])
    return x.gather(2, at[:, None, :, None, None].expand_as(x)), fps


@torch.no_grad()
def noised_picture(
    diffusion: DiffusionConfig, encode: Callable[[Tensor], Tensor], first: Tensor, times: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents (b, c, 1, h, w) of first frames, uint8 (b, c', h', w'), noised as `diffusion` says, and the deviation
    (b,) of that noise. times: of the noise levels of the videos."""
    frame = first.float() / 127.5 - 1
    if diffusion.cond_noise == "time_dependent":
        latents = encode(frame[:, :, None]).float()
        middle = 2 * times.to(latents) ** diffusion.cond_noise_power - 1
        sigma = diffusion.cond_noise_max * (middle + noise_like(middle, rng)).sigmoid()
        return latents + sigma.view(-1, 1, 1, 1, 1) * noise_like(latents, rng), sigma
    sigma = torch.full((len(frame),), AUGMENTATION, device=frame.device)
    if diffusion.cond_noise == "paper":
        sigma = LAWS["svd-augmentation"].level(draw_times(len(first), rng)).each(frame).ratio
    noisy = frame + sigma.view(-1, 1, 1, 1) * noise_like(frame, rng)
    return encode(noisy[:, :, None]).float(), sigma


class LatentStage(Stage):
    """A network that predicts v of latents: what it is told of clips, its error, how it is sampled."""

    surveyed = ("motion",)
    name: str
    in_time = True  # False where it learns from single frames, and makes such
    speeds: Tensor
    """The map of motion buckets of the clips that it learnt from, float32 (256,): see `svd_motion.quantiles`."""

    def __init__(self, diffusion: DiffusionConfig, shape: VideoShape):
        super().__init__()
        self.diffusion, self.shape = diffusion, shape
        self.register_buffer("speeds", torch.zeros(BUCKETS))

    @property
    def network(self) -> SvdUNet:
        raise NotImplementedError

    @property
    def gradient_checkpointing(self) -> bool:
        return self.network.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, on: bool) -> None:
        self.network.gradient_checkpointing = on

    # -- what is known of clips --------------------------------------------------------------------------------

    def latents_of(self, video: Tensor) -> Tensor:
        """(b, c, t, h, w) -> latents at deviation one."""
        raise NotImplementedError

    @torch.no_grad()
    def prepare(self, batch: Batch) -> Batch:
        """`latents` of all frames, the `motion` of the clip in pixels a second, and its `first` frame, uint8."""
        video = cut_to_aspect(batch["video"], self.shape.height, self.shape.width)
        return {
            "latents": self.latents_of(video).half(),
            "motion": flow_speed(video, self.shape.fps),
            "first": ((video[:, :, 0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8),
        }

    @torch.no_grad()
    def survey(self, entries: Mapping[str, Tensor]) -> None:
        """The map of motion buckets, from the speeds of all training clips."""
        self.speeds.copy_(quantiles(entries["motion"]))

    # -- training and sampling ---------------------------------------------------------------------------------

    def error(self, x: Tensor, times: Tensor, read: Mapping[str, Any], rng: torch.Generator) -> Loss:
        """The squared error of v of latents x, noised to the levels of `times` (b,), meaned over the batch."""
        level = preserving_law(self.diffusion.noise, self.diffusion.shift).level(times)
        noise = noise_like(x, rng)
        z = diffuse(x, noise, level)
        return Loss(diffusion_loss(self.v(z, level.each(z).logsnr, read), x, noise, level).mean())

    def v(self, z: Tensor, logsnr: Tensor, read: Mapping[str, Any], *, reuse: Reuse | None = None) -> Tensor:
        """v of noisy latents at deviation one."""
        if "beside" in read:
            z = torch.cat([z, read["beside"].to(z.dtype).expand(-1, -1, z.shape[2], -1, -1)], 1)
        rest = {name: value for name, value in read.items() if name != "beside"}
        return self.network(z, logsnr, in_time=self.in_time, reuse=reuse, **rest)

    def conditioning(
        self, cond: Batch, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """What the network reads of a condition, and, where `guided`, what it reads without it."""
        raise NotImplementedError

    def noise(self, read: Mapping[str, Any], frames: int, levels: NoiseLevel, rng: Sequence[torch.Generator]) -> Tensor:
        """What sampling begins with, (b, c, t, h, w)."""
        raise NotImplementedError

    def sampling(self, cond: Batch) -> Sampling:
        return self.diffusion.sampling

    @torch.no_grad()
    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
        frames: int | None = None,
        reuse: int | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Latents (b, c, t, h, w) at deviation one, one video a generator. cond: see `conditioning`.

        reuse: see `svd_unet.Reuse`; None: the whole network always. ValueError for steps or guidance out of range, and
        NaN (the step is named).
        """
        s = self.sampling(cond)
        steps, guidance = s.resolve(steps, guidance)
        frames = frames or (self.shape.frames if self.in_time else 1)
        levels = s.levels(preserving_law(self.diffusion.noise, self.diffusion.shift), steps)
        guidances = s.guidance_of(guidance, levels, frames)
        read, uncond = self.conditioning(cond, rng, guided=is_guided(guidances))
        network = partial(self.v, reuse=Reuse(reuse) if reuse else None)
        denoiser = Denoiser(network, read, uncond, guidances, "v")
        z = self.noise(read, frames, levels, rng).to(self.speeds.device, torch.float32)
        try:
            return s.method(denoiser, z, levels, rng=rng, on_step=on_step, gamma=s.gamma or None)
        except ValueError as error:
            raise ValueError(f"stage {self.name!r}: {error}") from None


class DiffusionStage(LatentStage, FingerprintedStage):
    """See the module. pictures: it learns from single frames. image: a picture lies beside the noisy latents."""

    needs_text = True
    prepared_by = ("autoencoder",)

    def __init__(
        self,
        name: str,
        config: DiffusionConfig,
        unet: SvdUNetConfig,
        shape: VideoShape,
        decoder: DecoderStage,
        before: DiffusionStage | None,
        *,
        pictures: bool = False,
        image: bool = False,
    ):
        super().__init__(config, shape)
        self.name, self.pictures, self.image, self.in_time = name, pictures, image, not pictures
        self._frozen = (decoder, before)  # in a tuple, so that their weights are not weights of this stage
        self.unet: SvdUNet = unet.build()
        self.unet.begin_at_zero()
        self.null_text = nn.Parameter(torch.zeros(unet.context))
        self.image_tokens = nn.Linear(IMAGE_PATCH**2 * unet.out_channels, unet.context) if image else None
        self.set_fingerprint(f"{name}: {shape}, {unet}", f"({name} at {shape})")

    @property
    def autoencoder(self) -> AutoencoderStage:
        return self.decoder.autoencoder

    @property
    def decoder(self) -> DecoderStage:
        return self._frozen[0]

    @property
    def network(self) -> SvdUNet:
        return self.unet

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        """All, or those of the layers in space."""
        later = {id(p) for p in self.unet.temporal_parameters()} if self.pictures else set()
        return [p for p in self.parameters() if p.requires_grad and id(p) not in later]

    @torch.no_grad()
    def begin(self) -> None:
        """With the weights of the stage before, unless it has learnt already; what enters anew has no weight yet."""
        before = self._frozen[1]
        if before is not None and not bool(self.unet.conv_out.weight.any()):
            self.begin_as(before.state_dict())

    @torch.no_grad()
    def begin_as(self, theirs: Mapping[str, Tensor]) -> None:
        """With the weights of another stage, by name; what enters anew has no weight yet."""
        for name, mine in self.state_dict(keep_vars=True).items():
            old = theirs.get(name)
            if name in ("fingerprint", "speeds") or old is None:
                continue
            if old.shape == mine.shape:
                mine.copy_(old)
            else:  # of the first convolution: channels of a picture come after those of the noisy latents
                mine.zero_()
                mine[:, : old.shape[1]].copy_(old)

    def latents_of(self, video: Tensor) -> Tensor:
        return self.autoencoder.encode(video)

    # -- training ----------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The squared error of v, meaned over the batch."""
        entries = batch if "latents" in batch else {**batch, **self.prepare(batch)}
        x, rng, device = entries["latents"].float(), tick.rng, entries["latents"].device
        alone = batch["length"] == 1 if "length" in batch and not batch["length"].is_meta else None
        bare = self._bare(len(x), rng, device)
        x, fps = self._frames(x, self._num_known(batch, bare), rng)
        motion = bucket_of(entries["motion"].to(device), self.speeds)
        none = torch.zeros(len(x), device=device)
        read: dict[str, Any] = {"conditions": conditions(fps, motion, none)}
        dropped, times = drawn(len(x), self.diffusion.drop, rng, device), draw_times(len(x), rng, spread=True)
        if self.image:
            latents, sigma = self._noised(x, entries, times, rng)
            sigma = torch.where(bare, none, sigma)
            read = {"conditions": conditions(fps, motion, sigma), **self._beside(latents, ~(dropped | bare))}
            dropped = dropped | drawn(len(x), self.diffusion.drop, rng, device)
        text, mask = without_text(batch["text"], batch["text_mask"], self.null_text, dropped)
        read["context"], read["context_mask"] = self._context(text, mask, read.pop("tokens", None))
        if alone is not None and not self.pictures:
            read["pictures"] = alone.to(device)
        return self.error(x, times, read, rng)

    def _bare(self, count: int, rng: torch.Generator, device: torch.device) -> Tensor:
        """bool (count,): the clips of a batch that have no picture beside them, and keep their caption."""
        if not self.image:
            return torch.ones(count, dtype=torch.bool, device=device)
        if not self.diffusion.pictureless:
            return torch.zeros(count, dtype=torch.bool, device=device)
        return drawn(count, self.diffusion.pictureless, rng, device)

    def _num_known(self, batch: Batch, bare: Tensor) -> Tensor:
        """int64 (b,): how many frames at the beginning of each clip are not what its caption says, and are no picture
        either."""
        context = batch.get("context")
        if context is None or context.is_meta:
            return torch.zeros_like(bare, dtype=torch.long)
        return torch.where(bare, context.to(bare.device), 0)

    def _frames(self, x: Tensor, known: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The frames that are learnt from, and their rate (b,): one of a clip, or all, some clips slowed down.

        known: how many frames (b,) to skip at the beginning of each clip.
        """
        b, t, device = len(x), x.shape[2], x.device
        first = known.clamp(max=t - 1)
        if self.pictures:
            fps = torch.full((b,), float(self.shape.fps), device=device)
            chosen = (torch.rand(b, generator=rng, device=rng.device).to(device) * (t - first)).long() + first
            return x[torch.arange(b, device=device), :, chosen][:, :, None], fps
        return slowed_frames(x, self.diffusion, self.shape.fps, first, rng)

    def _noised(self, x: Tensor, entries: Batch, times: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Noised latents of the conditioning frames, in training, and the deviation (b,) of that noise."""
        return noised_picture(self.diffusion, self.autoencoder.encode, entries["first"], times, rng)

    def _beside(self, latents: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """What the network reads of a picture's latents (b, c, 1, h, w), and nothing where it is not `shown` (b,)."""
        assert self.image_tokens is not None
        latents = torch.where(shown.view(-1, 1, 1, 1, 1), latents, 0)
        patches = rearrange(latents, "b c 1 (h p) (w q) -> b (h w) (p q c)", p=IMAGE_PATCH, q=IMAGE_PATCH)
        return {"beside": latents, "tokens": self.image_tokens(patches) * shown.view(-1, 1, 1)}

    def _context(self, text: Tensor, mask: Tensor, tokens: Tensor | None) -> tuple[Tensor, Tensor]:
        """Text states, and behind them the tokens of the picture, of which those of a dropped one are zeros."""
        if tokens is None:
            return text, mask
        return torch.cat([text, tokens.to(text.dtype)], 1), torch.cat([mask, mask.new_ones(tokens.shape[:2])], 1)

    # -- sampling ----------------------------------------------------------------------------------------------

    def sampling(self, cond: Batch) -> Sampling:
        """Guidance is that of all frames where no first one is given."""
        s = self.diffusion.sampling
        has_picture = not self.image or "image" in cond
        return s if has_picture else replace(s, frame_guidance="constant", min_guidance=1)

    def noise(self, read: Mapping[str, Any], frames: int, levels: NoiseLevel, rng: Sequence[torch.Generator]) -> Tensor:
        patch = self.autoencoder.config.patch
        size = (len(rng), self.unet.config.out_channels, frames, self.shape.height // patch, self.shape.width // patch)
        return starting_noise(size, levels, rng)

    def conditioning(
        self, cond: Batch, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """What the network reads, and, where `guided`, what it reads without text and picture, of a clip that moves as
        usual: a bucket that is asked for is guided, too.

        cond: `text`, `text_mask`; `motion`, buckets (b,), and `fps` (b,), where they are not those of a usual clip; for
        a stage with a picture, `image` (b, c', 1, h', w') in [-1, 1], without which it makes a video of the text.
        """
        text, mask = (cond[name].to(self.fingerprint.device) for name in ("text", "text_mask"))
        usual = torch.ones(len(text), device=text.device)
        fps = cond.get("fps", self.shape.fps * usual).to(usual)
        motion = cond.get("motion", USUAL_BUCKET * usual).to(usual)
        image = cond.get("image") if self.image else None
        noise = 0 * usual if image is None else AUGMENTATION * usual
        null, null_mask = without_text(text, mask, self.null_text, everywhere(text))
        latents = self._latents_beside(image, len(text), rng)

        def read(states: Tensor, seen: Tensor, shown: Tensor, motion: Tensor) -> dict[str, Any]:
            numbers = conditions(fps, motion, noise)
            beside = {} if latents is None else self._beside(latents, shown)
            context, context_mask = self._context(states, seen, beside.pop("tokens", None))
            return {"conditions": numbers, **beside, "context": context, "context_mask": context_mask}

        nothing = torch.zeros_like(usual, dtype=torch.bool)
        uncond = read(null, null_mask, nothing, USUAL_BUCKET * usual) if guided else None
        return read(text, mask, nothing if image is None else ~nothing, motion), uncond

    def _latents_beside(self, image: Tensor | None, count: int, rng: Sequence[torch.Generator]) -> Tensor | None:
        """Latents of the picture; zeros where a stage with a picture is given none."""
        if not self.image:
            return None
        if image is not None:
            return self._picture(image.to(self.fingerprint.device), rng)
        patch = self.autoencoder.config.patch
        size = (self.shape.height // patch, self.shape.width // patch)
        return torch.zeros(count, self.unet.config.out_channels, 1, *size, device=self.fingerprint.device)

    def _picture(self, image: Tensor, rng: Sequence[torch.Generator]) -> Tensor:
        """Latents of the noised picture, in sampling."""
        return self.autoencoder.encode(image + AUGMENTATION * draw_noise(image.shape, rng).to(image))

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: videos of the first captions of a batch."""
        cond, each = first_texts(batch, rng, 6)
        if self.image:
            first = (batch if "first" in batch else self.prepare(batch))["first"]
            cond["image"] = first[:6, :, None].float() / 127.5 - 1
        return self.decoder.decode(self.sample(cond, rng=each))
