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
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.diffusion.samplers import draw_noise
from storyreel.diffusion.schedules import NoiseLevel, draw_times
from storyreel.nn.null_text import drawn
from storyreel.nn.video_resample import cut_to_aspect
from storyreel.systems.base import Batch, Loss, OnProgress, Request, Stage, System, TextEncoder, Tick, generators
from storyreel.systems.svd_autoencoder import Autoencoder
from storyreel.systems.svd_diffusion import AUGMENTATION, LatentStage, conditions, noised_picture, slowed_frames
from storyreel.systems.svd_lora import Factors, digest
from storyreel.systems.svd_motion import USUAL_BUCKET, bucket_of
from storyreel.systems.svd_picture import PictureEncoder, fitted
from storyreel.systems.svd_request import BEYOND, check_length, check_request, makes_of, sampled_clips
from storyreel.systems.svd_unet import SvdUNet

if TYPE_CHECKING:
    from storyreel.systems.svd import SvdConfig

ENCODED = 2**21  # pixels that are encoded at once
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


class ImageStage(LatentStage):
    """The diffusion network, its conditioning and its training. Subclasses say which of its weights learn."""

    name = "image_to_video"

    def __init__(self, config: SvdConfig, autoencoder: FrozenStage, encoder: FrozenStage):
        super().__init__(config.image_to_video, config.shape)
        assert config.picture is not None
        self.config, self.picture = config, config.picture
        self._frozen = (autoencoder, encoder)  # in a tuple, so that their weights are not weights of this stage

    @property
    def autoencoder(self) -> Autoencoder:
        return self._frozen[0].net  # pyright: ignore[reportReturnType]

    @property
    def encoder(self) -> PictureEncoder:
        return self._frozen[1].net  # pyright: ignore[reportReturnType]

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
        """The `embedding` of the first frame as well."""
        video = cut_to_aspect(batch["video"], self.shape.height, self.shape.width)
        return super().prepare({"video": video}) | {"embedding": self.encoder(video[:, :, 0]).half()}

    def latents_of(self, video: Tensor) -> Tensor:
        return self.encode(video) * self.autoencoder.config.scale

    def encode(self, video: Tensor) -> Tensor:
        """(b, 3, t, h, w) -> the mode of its latents, not scaled, a few frames at once."""
        frames = video.transpose(1, 2).flatten(0, 1)[:, :, None]
        count = max(1, ENCODED // (video.shape[3] * video.shape[4]))
        mode = torch.cat([self.autoencoder.encode(part).mode for part in frames.split(count)])[:, :, 0]
        return mode.view(len(video), -1, *mode.shape[1:]).transpose(1, 2)

    # -- training and sampling ---------------------------------------------------------------------------------

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The squared error of v. CLIP's embedding and the latents of the picture are dropped independently."""
        entries = batch if "latents" in batch else {**batch, **self.prepare(batch)}
        x, rng, diffusion = entries["latents"].float(), tick.rng, self.diffusion
        b, device = len(x), x.device
        x, fps = slowed_frames(x, diffusion, self.shape.fps, None, rng)
        times = draw_times(b, rng, spread=True)
        beside, sigma = noised_picture(diffusion, self.encode, entries["first"], times, rng)
        embedding = entries["embedding"].float()[:, None]
        unread, unseen = drawn(b, diffusion.drop, rng, device), drawn(b, diffusion.drop, rng, device)
        motion = bucket_of(entries["motion"].to(device), self.speeds)
        read = {
            "context": torch.where(unread.view(-1, 1, 1), 0, embedding),
            "beside": torch.where(unseen.view(-1, 1, 1, 1, 1), 0, beside),
            "conditions": conditions(fps, motion, sigma),
        }
        return self.error(x, times, read, rng)

    def conditioning(
        self, cond: Batch, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """cond: `image` (b, 3, h', w') in [-1, 1], and `fps` and `motion` (b,) where they are not the usual ones."""
        image = cond["image"].to(self.speeds.device)
        usual = torch.ones(len(rng), device=image.device)
        noisy = image[:, :, None] + AUGMENTATION * draw_noise((len(rng), 3, 1, *image.shape[2:]), rng).to(image)
        fps, motion = cond.get("fps", self.shape.fps * usual), cond.get("motion", USUAL_BUCKET * usual)
        read: dict[str, Any] = {
            "context": self.encoder(image)[:, None].float(),
            "beside": self.encode(noisy).float(),
            "conditions": conditions(fps.to(usual), motion.to(usual), AUGMENTATION * usual),
        }
        return read, {**read, "context": 0 * read["context"], "beside": 0 * read["beside"]} if guided else None

    def noise(self, read: Mapping[str, Any], frames: int, levels: NoiseLevel, rng: Sequence[torch.Generator]) -> Tensor:
        """Drawn frame by frame."""
        b, c, _, h, w = read["beside"].shape
        return draw_noise((b, frames, c, h, w), rng).transpose(1, 2)

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
        check_request(options, config, "this model makes a video from one picture")
        if options.image is None:
            raise ValueError("image: this model makes a video from a picture; expected one")
        width, height = options.size or (config.shape.width, config.shape.height)
        multiple = self._multiple
        if height % multiple or width % multiple or max(height, width) > MAX_SIDE:
            raise ValueError(f"size: expected multiples of {multiple} up to {MAX_SIDE}, got {width}x{height}")
        check_length(options.frames, config.frames)
        if options.fps is not None and not MIN_FPS <= options.fps <= MAX_FPS:
            warnings.warn(
                f"fps: it was trained at {MIN_FPS} to {MAX_FPS} frames a second, not {options.fps}", stacklevel=2
            )
        if isinstance(self.image_stage, LoraStage):
            self.image_stage.check_base()
        return height, width
