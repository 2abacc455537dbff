"""Stable Video Diffusion from a picture alone, as its weights were published: how it is sampled, and how it is tuned.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Appendix D.4.

    picture --CLIP--> what attention reads              \\
    picture + noise --encoder, mode, not scaled--> beside the noisy latents of every frame --unet--> latents --> video

    unet    learns as a whole, or its layers in time do
    lora    or factors in its attention in time (`svd_lora.py`), where `rank` is above 0

Guidance rises from the first frame to the last. Of one generator the noise of the picture is drawn first, then that of
the latents, frame by frame: in the order of diffusers' pipeline, which gives the same video for the same seed.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.diffusion.denoiser import Denoiser, is_guided
from storyreel.diffusion.noise_laws import preserving_law
from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
from storyreel.diffusion.samplers import OnStep, draw_noise
from storyreel.diffusion.schedules import draw_times
from storyreel.nn.null_text import drawn
from storyreel.nn.video_resample import cut_to_aspect
from storyreel.systems.base import (
    Batch,
    Loss,
    OnProgress,
    Request,
    Stage,
    System,
    TextEncoder,
    Tick,
    generators,
)
from storyreel.systems.cascade_stage import noise_like
from storyreel.systems.svd_autoencoder import Autoencoder
from storyreel.systems.svd_diffusion import AUGMENTATION, conditions, noised_picture, slowed_frames
from storyreel.systems.svd_lora import Factors, digest
from storyreel.systems.svd_motion import BUCKETS, USUAL_BUCKET, bucket_of, flow_speed, quantiles
from storyreel.systems.svd_picture import PictureEncoder, fitted
from storyreel.systems.svd_request import makes_of, sampled_clips
from storyreel.systems.svd_unet import Reuse, SvdUNet

if TYPE_CHECKING:
    from storyreel.systems.svd import SvdConfig

ENCODED = 2**21  # pixels that are encoded at once
BEYOND = 4  # a video may have so many times the frames that the model was trained on
MIN_FPS, MAX_FPS = 5, 30  # of the published model's training
MAX_SIDE = 4096


class FrozenStage(Stage):
    """A network that is read and never trained."""

    frozen = True
    filled: Tensor
    """uint8 (): 1 where it has the weights of a model; those of a new one mean nothing."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net
        self.register_buffer("filled", torch.zeros((), dtype=torch.uint8))

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        raise NotImplementedError("this network is not trained here")

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise NotImplementedError("this network makes no videos by itself")


class ImageStage(Stage):
    """The diffusion network, its conditioning and its training. Subclasses say which of its weights learn."""

    surveyed = ("motion",)
    speeds: Tensor
    """The map of motion buckets of the clips that it was tuned on, float32 (256,); zeros before that."""

    def __init__(self, config: SvdConfig, autoencoder: FrozenStage, encoder: FrozenStage):
        super().__init__()
        assert config.picture is not None
        self.config, self.picture, self.row = config, config.picture, config.image_to_video
        self._frozen = (autoencoder, encoder)  # in a tuple, so that their weights are not weights of this stage
        self.register_buffer("speeds", torch.zeros(BUCKETS))

    @property
    def network(self) -> SvdUNet:
        raise NotImplementedError

    @property
    def autoencoder(self) -> Autoencoder:
        return self._frozen[0].net  # pyright: ignore[reportReturnType]

    @property
    def encoder(self) -> PictureEncoder:
        return self._frozen[1].net  # pyright: ignore[reportReturnType]

    @property
    def gradient_checkpointing(self) -> bool:
        return self.network.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, on: bool) -> None:
        self.network.gradient_checkpointing = on

    @property
    def prepared_from(self) -> str:
        """The digest of the networks that `prepare` runs. ValueError where they are nobody's."""
        self.notes()
        return digest({f"{i}.{n}": t for i, each in enumerate(self._frozen) for n, t in each.state_dict().items()})

    def notes(self) -> list[str]:
        if not all(each.filled.is_meta or bool(each.filled) for each in self._frozen):
            raise ValueError("this recipe tunes a model that is there: give its folder with --init")
        return []

    # -- what is known of clips --------------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(self, batch: Batch) -> Batch:
        """`latents` of all frames at deviation one, `motion` in pixels a second, the `first` frame, uint8, and its
        `embedding`."""
        shape = self.config.shape
        video = cut_to_aspect(batch["video"], shape.height, shape.width)
        return {
            "latents": (self.encode(video) * self.autoencoder.config.scale).half(),
            "motion": flow_speed(video, shape.fps),
            "first": ((video[:, :, 0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8),
            "embedding": self.encoder(video[:, :, 0]).half(),
        }

    @torch.no_grad()
    def survey(self, entries: Mapping[str, Tensor]) -> None:
        self.speeds.copy_(quantiles(entries["motion"]))

    def encode(self, video: Tensor) -> Tensor:
        """(b, 3, t, h, w) -> the mode of its latents, not scaled, a few frames at once."""
        frames = video.transpose(1, 2).flatten(0, 1)[:, :, None]
        count = max(1, ENCODED // (video.shape[3] * video.shape[4]))
        mode = torch.cat([self.autoencoder.encode(part).mode for part in frames.split(count)])[:, :, 0]
        return mode.view(len(video), -1, *mode.shape[1:]).transpose(1, 2)

    # -- training ----------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The squared error of v. CLIP's embedding and the latents of the picture are dropped independently."""
        entries = batch if "latents" in batch else {**batch, **self.prepare(batch)}
        x, rng, row = entries["latents"].float(), tick.rng, self.row
        b, device = len(x), x.device
        x, fps = slowed_frames(x, row, self.config.shape.fps, None, rng)
        times = draw_times(b, rng, spread=True)
        beside, sigma = noised_picture(row, self.encode, entries["first"], times, rng)
        embedding = entries["embedding"].float()[:, None]
        unread, unseen = drawn(b, row.drop, rng, device), drawn(b, row.drop, rng, device)
        motion = bucket_of(entries["motion"].to(device), self.speeds)
        level = preserving_law(row.noise, row.shift).level(times)
        noise = noise_like(x, rng)
        z = diffuse(x, noise, level)
        read = {
            "context": torch.where(unread.view(-1, 1, 1), 0, embedding),
            "beside": torch.where(unseen.view(-1, 1, 1, 1, 1), 0, beside),
            "conditions": conditions(fps, motion, sigma),
        }
        return Loss(diffusion_loss(self.v(z, level.each(z).logsnr, read), x, noise, level).mean())

    # -- sampling ----------------------------------------------------------------------------------------------

    def v(self, z: Tensor, logsnr: Tensor, read: Mapping[str, Any], *, reuse: Reuse | None = None) -> Tensor:
        """v of noisy latents at deviation one."""
        entered = torch.cat([z, read["beside"].to(z.dtype).expand(-1, -1, z.shape[2], -1, -1)], 1)
        return self.network(entered, logsnr, read["context"], read["conditions"], reuse=reuse)

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
        """Latents (b, c, t, h, w) at deviation one, a video a generator. reuse: see `svd_unet.Reuse`.

        cond: `image` (b, 3, h', w') in [-1, 1], and `fps` and `motion` (b,) where they are not the usual ones.
        ValueError for steps or guidance out of range, and NaN (the step is named).
        """
        s, count = self.row.sampling, frames or self.config.shape.frames
        steps, guidance = s.resolve(steps, guidance)
        levels = s.levels(preserving_law(self.row.noise, self.row.shift), steps)
        guidances = s.guidance_of(guidance, levels, count)
        image = cond["image"].to(self.speeds.device)
        usual = torch.ones(len(rng), device=image.device)
        noisy = image[:, :, None] + AUGMENTATION * draw_noise((len(rng), 3, 1, *image.shape[2:]), rng).to(image)
        fps, motion = cond.get("fps", self.config.shape.fps * usual), cond.get("motion", USUAL_BUCKET * usual)
        read: dict[str, Any] = {
            "context": self.encoder(image)[:, None].float(),
            "beside": self.encode(noisy).float(),
            "conditions": conditions(fps.to(usual), motion.to(usual), AUGMENTATION * usual),
        }
        uncond = {**read, "context": 0 * read["context"], "beside": 0 * read["beside"]}
        network = partial(self.v, reuse=Reuse(reuse)) if reuse else self.v
        denoiser = Denoiser(network, read, uncond if is_guided(guidances) else None, guidances, "v")
        noise = draw_noise((len(rng), count, *read["beside"].shape[1:2], *read["beside"].shape[3:]), rng)
        z = noise.transpose(1, 2).to(image.device, torch.float32)
        return s.method(denoiser, z, levels, rng=rng, on_step=on_step)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents at deviation one -> video, `config.chunk` frames at once."""
        return self.autoencoder.decode(latents / self.autoencoder.config.scale, chunk=self.config.chunk)

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: videos of the first pictures of a batch."""
        first = (batch if "first" in batch else self.prepare(batch))["first"][:2]
        return self.decode(self.sample({"image": first.float() / 127.5 - 1}, rng=generators(len(first), rng)))


class TunedStage(ImageStage):
    """The network itself learns: all of it, or its layers in time."""

    def __init__(self, config: SvdConfig, autoencoder: FrozenStage, encoder: FrozenStage):
        super().__init__(config, autoencoder, encoder)
        self.net = config.unet.build()

    @property
    def network(self) -> SvdUNet:
        return self.net

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        chosen = self.net.temporal_parameters() if self.picture.tuned == "temporal" else self.net.parameters()
        return [p for p in chosen if p.requires_grad]


class LoraStage(ImageStage):
    """Factors in the attention in time learn; the network stays as it is."""

    base: Tensor
    """sha256 of the network that the factors are for, uint8 (32,)."""

    def __init__(self, config: SvdConfig, autoencoder: FrozenStage, encoder: FrozenStage, network: FrozenStage):
        super().__init__(config, autoencoder, encoder)
        self._frozen = (autoencoder, encoder, network)
        self.factors = Factors(network.net, self.picture.rank, self.picture.alpha)
        self.register_buffer("base", torch.zeros(32, dtype=torch.uint8))
        self._checked = False

    @property
    def network(self) -> SvdUNet:
        return self._frozen[2].net  # pyright: ignore[reportReturnType]

    def base_digest(self) -> str:
        return digest(self.network.state_dict())

    def begin(self) -> None:
        self.base.copy_(torch.tensor(list(bytes.fromhex(self.base_digest()))))

    def train(self, mode: bool = True) -> LoraStage:
        """The network too: it has no dropout, and recomputes its blocks in training alone."""
        super().train(mode)
        self.network.train(mode)
        return self

    def check_base(self) -> None:
        """ValueError where the factors were trained on another network; it is looked at once."""
        if self._checked or self.base.is_meta:
            return
        found, here = bytes(self.base.tolist()).hex(), self.base_digest()
        if found != here:
            raise ValueError(
                f"lora: its factors are for the network with the digest {found[:12]}, and this one has {here[:12]}"
            )
        self._checked = True

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        self.check_base()
        return super().loss(batch, tick)


class ImageSvd(System):
    """A picture to a video."""

    name = "svd"
    serves = frozenset({"no prompt", "motion", "size", "reuse"})
    conditional = False
    text_dim = 1

    def __init__(self, config: SvdConfig):
        super().__init__()
        assert config.picture is not None
        self.config, picture = config, config.picture
        self.autoencoder = FrozenStage(config.autoencoder.build())
        self.image_encoder = FrozenStage(PictureEncoder(picture.vision, picture.embedding))
        frozen = {"autoencoder": self.autoencoder, "image_encoder": self.image_encoder}
        if picture.rank:
            self.base = FrozenStage(config.unet.build())
            self.image_stage: ImageStage = LoraStage(config, self.autoencoder, self.image_encoder, self.base)
            frozen["unet"] = self.base
        else:
            self.image_stage = TunedStage(config, self.autoencoder, self.image_encoder)
        self._stages: dict[str, Stage] = {**frozen, "lora" if picture.rank else "unet": self.image_stage}
        for stage in frozen.values():
            stage.requires_grad_(False)

    @property
    def makes(self) -> Abilities:
        makes = makes_of(self, BEYOND * self.config.frames, needs="image")
        return replace(makes, multiple=self._multiple, max_side=MAX_SIDE)

    @property
    def _multiple(self) -> int:
        """Of width and height."""
        return self.config.autoencoder.patch * self.config.unet.multiple

    @property
    def stages(self) -> dict[str, Stage]:
        return self._stages

    @property
    def steps(self) -> int:
        return self.config.image_to_video.sampling.steps

    @property
    def guidance(self) -> float:
        return self.config.image_to_video.sampling.guidance

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        options, count, stage = attempts[0].options, len(attempts), self.image_stage
        height, width = self._check(attempts[0])
        assert options.image is not None
        cond: Batch = {"image": fitted(options.image, height, width, options.fit)}
        if options.fps is not None:
            cond["fps"] = torch.tensor([float(options.fps)])
        if options.motion is not None:
            cond["motion"] = torch.tensor([float(options.motion)])

        cond = {name: value.expand(count, *value.shape[1:]) for name, value in cond.items()}
        return sampled_clips(stage, stage.decode, cond, attempts, self.config.fps, on_progress, "image_to_video")

    def _check(self, request: Request) -> tuple[int, int]:
        """Height and width of the video. ValueError names what cannot be served; what was not trained is warned of."""
        options, config = request.options, self.config
        for name in ("extend", "story"):
            if getattr(options, name):
                raise ValueError(f"{name}: this model makes a video from one picture")
        if options.image is None:
            raise ValueError("image: this model makes a video from a picture; expected one")
        if options.transparent:
            raise ValueError("transparent: this model has no matte; it was trained without transparency")
        width, height = options.size or (config.shape.width, config.shape.height)
        multiple = self._multiple
        if height % multiple or width % multiple or max(height, width) > MAX_SIDE:
            raise ValueError(f"size: expected multiples of {multiple} up to {MAX_SIDE}, got {width}x{height}")
        longest = BEYOND * config.frames
        if options.frames is not None and not 1 <= options.frames <= longest:
            raise ValueError(f"frames: this model makes 1 to {longest} frames, got {options.frames}")
        if options.frames is not None and options.frames > config.frames:
            warnings.warn(f"frames: {options.frames} are more than the {config.frames} it was trained on", stacklevel=2)
        if options.fps is not None and not MIN_FPS <= options.fps <= MAX_FPS:
            warnings.warn(
                f"fps: it was trained at {MIN_FPS} to {MAX_FPS} frames a second, not {options.fps}", stacklevel=2
            )
        if options.image.has_alpha:
            warnings.warn("image: this model has no matte; what is transparent becomes grey", stacklevel=2)
        h, w = options.image.size
        if h * width != w * height and options.fit is None:
            warnings.warn(f"image: {w}x{h} is cropped to the shape of {width}x{height}; --fit pad keeps all of it",
                          stacklevel=2)  # fmt: skip
        if isinstance(self.image_stage, LoraStage):
            self.image_stage.check_base()
        return height, width
