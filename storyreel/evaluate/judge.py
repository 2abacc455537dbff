"""A judge: a small network that says what is to be seen in a whole clip, attribute by attribute.

    clip -> frames folded into channels -> residual convolutions -> a linear head an attribute -> class probabilities

It is trained on real clips alone and never sees a generated one, so it can measure any model of the same world.
Time is folded into the channels (8 RGBA frames are 32 channels): an action is a fixed pattern over frames, and 2-D
convolutions over 32 channels cost a tenth of 3-D ones. On disk it is `judge.json`, `model.safetensors`, `README.md`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from storyreel.clip import Clip
from storyreel.evaluate.score import AttributeAccuracy, Report, labels

PRETRAINED = Path(__file__).parents[1] / "pretrained"
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """What a judge looks at, what it can say, and how wide it is."""

    classes: Mapping[str, tuple[str, ...]]  # attribute -> what it may be
    frames: int = 8
    size: int = 64  # pixels, square
    channels: int = 4  # 1 grey, 3 colour, 4 colour and alpha
    widths: tuple[int, ...] = (48, 96, 160)  # channels at half, quarter, eighth size
    blocks: tuple[int, ...] = (0, 1, 1)  # residual blocks at each of them
    grid: int = 4  # the last features are averaged to grid x grid places: where a colour is tells shirt from shoe
    dropout: float = 0.1

    def build(self) -> Judge:
        return Judge(self)


class Residual(nn.Module):
    """x + two 3x3 convolutions; the second starts at zero, so that a new block changes nothing."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(dim)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(dim)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


class Judge(nn.Module):
    """`judge(video)` gives class probabilities an attribute; `judge.accuracy(clips, wanted)` a report."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        dim = config.frames * config.channels
        for width, count in zip(config.widths, config.blocks, strict=True):
            layers += [nn.Conv2d(dim, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [Residual(width) for _ in range(count)]
            dim = width
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(config.grid), nn.Flatten())
        self.drop = nn.Dropout(config.dropout)
        self.heads = nn.Linear(dim * config.grid**2, sum(map(len, config.classes.values())))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def logits(self, video: Tensor) -> dict[str, Tensor]:
        """Float (b, c, t, h, w) in [-1, 1] -> attribute -> float (b, classes). ValueError for another shape."""
        c = self.config
        wanted = (c.channels, c.frames, c.size, c.size)
        if video.ndim != 5 or tuple(video.shape[1:]) != wanted:
            raise ValueError(f"video: this judge wants (b, {', '.join(map(str, wanted))}), got {tuple(video.shape)}")
        x = video.flatten(1, 2).contiguous(memory_format=torch.channels_last)  # (b, c*t, h, w)
        said = self.heads(self.drop(self.trunk(x)).float())
        return dict(zip(c.classes, said.split([len(v) for v in c.classes.values()], dim=1), strict=True))

    def forward(self, video: Tensor) -> dict[str, Tensor]:
        """Float (b, c, t, h, w) in [-1, 1] -> attribute -> probabilities (b, classes)."""
        return {name: said.softmax(1) for name, said in self.logits(video).items()}

    def see(self, clip: Clip) -> np.ndarray:
        """uint8 (c, t, h, w): the clip as this judge looks at it. Other lengths are resampled over the same time.

        Where the judge wants alpha and the clip has none, what differs from its flat background is taken as opaque.
        """
        from storyreel.data.pack import fit

        c = self.config
        if c.channels == 4 and not clip.has_alpha:
            clip = without_background(clip)
        if len(clip) != c.frames:
            clip = clip.resample(c.frames)
        return as_seen(fit(clip, c.size, 4 if c.channels == 4 else 3), c.channels)

    @torch.inference_mode()
    def read(self, clips: Iterable[Clip]) -> Iterator[dict[str, str]]:
        """For each clip, the likeliest class of every attribute."""
        self.eval()
        device = self.heads.weight.device
        rest = iter(clips)
        while some := list(islice(rest, BATCH)):
            video = to_video(np.stack([self.see(clip) for clip in some])).to(device)
            best = {name: said.argmax(1).tolist() for name, said in self.logits(video).items()}
            for i in range(len(some)):
                yield {name: self.config.classes[name][index[i]] for name, index in best.items()}

    def accuracy(self, clips: Iterable[Clip], wanted: Iterable[Mapping[str, Any]]) -> Report:
        """How often each attribute is as wanted; None, and attributes that `wanted` lacks, are not scored.

        Raises ValueError when there are fewer clips than wishes, or more.
        """
        metric = AttributeAccuracy(tuple(self.config.classes))
        for seen, wish in zip(self.read(clips), wanted, strict=True):
            metric.update((seen, labels(wish)))
        return metric.compute()

    def save(self, path: str | Path, *, card: str = "", facts: Mapping[str, Any] | None = None) -> Path:
        """Write the judge folder: weights in half precision, running statistics in single, and a digest of both."""
        from safetensors.torch import save

        from storyreel.files import replacing

        path = Path(path)
        parameters = {name for name, _ in self.named_parameters()}
        tensors = {
            name: (value.detach().cpu().half() if name in parameters else value.detach().cpu()).contiguous()
            for name, value in self.state_dict().items()
        }
        blob = save(tensors)
        document = {"storyreel_judge": 1, "config": asdict(self.config), "facts": dict(facts or {})}
        document["sha256"] = hashlib.sha256(blob).hexdigest()
        with replacing(path / "model.safetensors", path / "judge.json", path / "README.md") as (
            weights,
            config,
            readme,
        ):
            weights.write_bytes(blob)
            config.write_text(json.dumps(document, indent=1) + "\n")
            readme.write_text(card)
        return path

    @classmethod
    def load(cls, name: str | Path) -> Judge:
        """A judge folder, or the name of one that ships ("sprites", "digits"). ValueError says what is wrong."""
        return cls.load_with_facts(name)[0]

    @classmethod
    def load_with_facts(cls, name: str | Path) -> tuple[Judge, dict[str, Any]]:
        """As `load`, and what the judge's training wrote down: data, steps, accuracy on unseen clips."""
        path = find_judge(name)
        document = _document(path / "judge.json")
        settings = document["config"]
        try:
            settings["classes"] = {k: tuple(v) for k, v in settings["classes"].items()}
            settings |= {k: tuple(settings[k]) for k in ("widths", "blocks")}
            judge = JudgeConfig(**settings).build()
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path / 'judge.json'}: not the settings of a judge ({error})") from None
        judge.load_state_dict(_weights(path / "model.safetensors", document["sha256"], judge))
        return judge.eval(), document["facts"]


def as_seen(frames: np.ndarray, channels: int) -> np.ndarray:
    """uint8 (t, h, w, 3 or 4) -> (channels, t, h, w); one channel is the mean of the three colours."""
    if channels == 1:
        frames = frames[..., :3].mean(-1, keepdims=True).round().astype(np.uint8)
    return np.ascontiguousarray(frames.transpose(3, 0, 1, 2))


def to_video(seen: np.ndarray) -> Tensor:
    """uint8 array -> float32 tensor in [-1, 1], the same shape."""
    return torch.from_numpy(seen).float().div_(127.5).sub_(1.0)


def without_background(clip: Clip, tolerance: int = 24) -> Clip:
    """RGBA: transparent where every channel is within `tolerance` of the commonest colour at the first frame's edge."""
    first = clip.frames[0]
    edge = np.concatenate([first[0], first[-1], first[:, 0], first[:, -1]])
    colors, counts = np.unique(edge, axis=0, return_counts=True)
    far = np.abs(clip.frames.astype(np.int16) - colors[counts.argmax()]).max(-1, keepdims=True) > tolerance
    return clip.replace(frames=np.concatenate([clip.frames, far.astype(np.uint8) * 255], axis=-1))


def find_judge(name: str | Path) -> Path:
    """The folder of a judge, given as a path or by its short name. ValueError suggests the nearest name."""
    import difflib

    if (Path(name) / "judge.json").is_file():
        return Path(name)
    shipped = {p.parent.name.removeprefix("judge-"): p.parent for p in sorted(PRETRAINED.glob("judge-*/judge.json"))}
    short = str(name).removeprefix("judge-")
    if short in shipped:
        return shipped[short]
    near = difflib.get_close_matches(short, shipped, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(shipped) or 'none'}, or give a judge folder"
    raise ValueError(f"judge: no judge {str(name)!r}; {hint}")


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text())
        missing = {"config", "sha256", "facts"} - set(document)
    except (ValueError, TypeError):
        raise ValueError(f"{file}: not a judge's JSON document") from None
    if missing:
        raise ValueError(f"{file}: wanted {', '.join(sorted(missing))} in it")
    return document


def _weights(file: Path, digest: str, judge: Judge) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    blob = file.read_bytes()
    if hashlib.sha256(blob).hexdigest() != digest:
        raise ValueError(f"{file}: its SHA-256 is not the one in judge.json; the file is damaged or was changed")
    try:
        tensors = load(blob)
    except SafetensorError as error:
        raise ValueError(f"{file}: not a safetensors file ({error})") from None
    wanted = judge.state_dict()
    for name in sorted(set(wanted) ^ set(tensors)):
        raise ValueError(f"{file}: tensor {name} is {'missing' if name in wanted else 'unknown'}")
    for name, value in wanted.items():
        if value.shape != tensors[name].shape:
            raise ValueError(f"{file}: tensor {name} is {tuple(tensors[name].shape)}, wanted {tuple(value.shape)}")
    return {name: value.to(wanted[name].dtype) for name, value in tensors.items()}


def check_known(classes: Mapping[str, Sequence[str]], wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Attributes that these wishes hold and the judge knows. ValueError when there is none."""
    there = {name for wish in wanted for name, value in labels(wish).items() if value is not None}
    known = [name for name in classes if name in there]
    if not known:
        raise ValueError(
            f"attributes: the clips are labelled with {', '.join(sorted(there)) or 'nothing'}; "
            f"this judge knows {', '.join(classes)}"
        )
    return known
