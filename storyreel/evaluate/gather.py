"""What a pass over clips leaves behind: features, embeddings, measures, judgements; a row a clip, in order.

Memory is flat in the number of clips but for these rows (n x d float32): no frame is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor

from storyreel.evaluate.decode import DecodedClip
from storyreel.evaluate.moments import check_finite
from storyreel.numbers import number

if TYPE_CHECKING:
    from storyreel.evaluate.extractors import Extractor, TextVideo
    from storyreel.evaluate.judges import AnyJudge

Kind = Literal["features", "logits", "frames", "videos"]
Damage = Literal["", "shuffled", "frozen"]


class Gathered:
    """Rows of one kind. `label` says what they are, `depends` everything that they depend on besides the clips."""

    label: str
    depends: dict[str, Any]

    def __init__(self) -> None:
        self.rows: dict[int, Tensor] = {}

    def take(self, batch: Sequence[DecodedClip]) -> None:
        """Clips of one shape are looked at together."""
        shapes: dict[tuple[int, ...], list[DecodedClip]] = {}
        for seen in batch:
            shapes.setdefault(tuple(seen.frames.shape), []).append(seen)
        for alike in shapes.values():
            try:
                found = self.look(alike)
            except ValueError as error:
                raise ValueError(f"{alike[0].source.file.name}: {error}") from None
            self.rows |= dict(zip((t.row for t in alike), found, strict=True))

    def look(self, alike: list[DecodedClip]) -> Tensor:
        """A row a clip."""
        raise NotImplementedError

    def merge(self, other: Gathered) -> None:
        """Add the rows of clips that another process looked at. ValueError for rows of another kind, or twice."""
        if other.label != self.label or other.depends != self.depends:
            raise ValueError(f"{self.label}: cannot be merged with {other.label}")
        if repeated := self.rows.keys() & other.rows.keys():
            raise ValueError(f"{self.label}: clip {min(repeated)} is on both sides")
        self.rows |= other.rows

    def compute(self) -> Tensor:
        """(n, ...) in the order of the clips. ValueError when rows differ in shape: clips of other lengths."""
        rows = [self.rows[i] for i in sorted(self.rows)]
        if len({row.shape for row in rows}) > 1:
            raise ValueError(f"{self.label}: clips of several lengths; a protocol with `frames` brings them to one")
        return torch.stack(rows) if rows else torch.zeros(0, 0)


class Network(Gathered):
    """What an extractor says of each clip, as it is or damaged: frames in random order, or the first one repeated."""

    def __init__(self, extractor: Extractor, kind: Kind = "features", damage: Damage = "") -> None:
        super().__init__()
        self.extractor, self.kind = extractor, kind
        self.damage: Damage = damage
        self.label = f"{extractor.name}/{kind}" + (f"/{damage}" if damage else "")
        self.depends = {
            "extractor": extractor.name,
            "digest": extractor.digest,
            "preprocessing": extractor.preprocessing,
            "kind": kind,
            "damage": damage,
        }

    @torch.inference_mode()
    def look(self, alike: list[DecodedClip]) -> Tensor:
        frames = torch.stack([damaged(t.frames, self.damage, t.row) for t in alike])  # (b, t, h, w, 3)
        if self.kind == "features":
            found = self.extractor.features(frames)
        elif self.kind == "logits":
            found = self.extractor.logits(frames)
        else:
            both = cast("TextVideo", self.extractor)
            found = both.frame_embeddings(frames) if self.kind == "frames" else both.video_embeddings(frames)
        found = found.float().cpu()
        check_finite(found, f"extractor {self.extractor.name}")
        return found


def damaged(frames: Tensor, damage: Damage, seed: int) -> Tensor:
    """(t, ...) with its frames shuffled, by this seed, or all of them the first."""
    if damage == "shuffled":
        return frames[torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed))]
    return frames[:1].expand_as(frames) if damage == "frozen" else frames


class MotionMeasures(Gathered):
    """Measures of motion, float64 (n, names)."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.label = "motion"
        self.depends = {"motion": list(names), "version": 1}

    def look(self, alike: list[DecodedClip]) -> Tensor:
        from storyreel.evaluate.motion import measures_of

        return torch.tensor([list(measures_of(t.frames, self.names).values()) for t in alike], dtype=torch.float64)


class Pairs(Gathered):
    """PSNR, SSIM and LPIPS of each clip against the real clip of the same name: float64 (n, names)."""

    def __init__(self, measures: dict[str, Any], real: dict[str, Any], cut: Any) -> None:
        super().__init__()
        self.measures, self.real, self.cut = measures, real, cut
        self.label = "pairs"
        self.depends = {"pairs": list(measures)}

    def look(self, alike: list[DecodedClip]) -> Tensor:
        from storyreel.data.folder import read_clip

        rows = []
        for clip in alike:
            file = self.real.get(clip.source.file.stem)
            if file is None:
                raise ValueError(f"no real clip is called {clip.source.file.stem}")
            real = self.cut(read_clip(file), clip.row)
            if isinstance(real, str):
                raise ValueError(f"{file}: {real}")
            rows.append([measure(clip.frames, real) for measure in self.measures.values()])
        return torch.tensor(rows, dtype=torch.float64)


class JudgeReadings:
    """What a judge sees in each clip, as it was read (with its alpha and at its own size)."""

    def __init__(self, judge: AnyJudge) -> None:
        self.judge = judge
        self.seen: list[Any] = []

    def take(self, batch: Sequence[DecodedClip]) -> None:
        self.seen += self.judge.read(t.clip for t in batch)


class ClipRows:
    """Who each clip is: file, prompt, seed, what its metadata wants, and its story."""

    def __init__(self) -> None:
        self.clips: list[dict[str, Any]] = []

    def take(self, batch: Sequence[DecodedClip]) -> None:
        for t in batch:
            own = t.clip.meta.get("attributes")
            expected = t.source.expected if t.source.expected is not None else own if isinstance(own, dict) else {}
            self.clips.append({"file": str(t.source.file), "prompt": t.prompt, "seed": t.seed, "wanted": expected})

    @property
    def prompts(self) -> list[str]:
        return [clip["prompt"] for clip in self.clips]


class Stories:
    """Seams of the clips that tell a story, by the story that their metadata holds; the parts begin at its joints."""

    def __init__(self) -> None:
        from storyreel.evaluate.seams import Seams

        self.seams, self.n = Seams(cycle=1), 0

    def take(self, batch: Sequence[DecodedClip]) -> None:
        for t in batch:
            parts = parts_of(t.clip.meta.get("story"), float(t.clip.fps), len(t.clip))
            if len(parts) > 1:
                self.seams.add(t.clip, parts, [])
                self.n += 1


def parts_of(story: Any, fps: float, frames: int) -> list[int]:
    """Frames of each part of a story [[prompt, seconds], ...] in a clip of so many; [] where it does not fit."""
    try:
        seconds = [number(part[1], "seconds", 0, 1e9) for part in story] if len(story) <= frames else []
    except (TypeError, ValueError, IndexError, KeyError):
        return []
    ends = [round(until * fps) for until in accumulate(seconds)]
    if not ends or abs(ends[-1] - frames) > len(ends) or (len(ends) > 1 and ends[-2] >= frames):
        return []
    ends[-1] = frames
    return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
