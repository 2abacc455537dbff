"""How a request becomes a video: which frames are known, which embedding is told, which stages run.

    a sentence      prior -> decoder -> interpolation -> super-resolution; more frames than one window: extrapolation
    a clip to vary  the mean embedding of its frames in place of the prior's (Section 4.3)
    a picture       interpolation with its first frame known alone, and its embedding, or that of a prompt beside it
    two pictures    interpolation with its first and its last frame known
    a clip          its last frames are known and what follows is made, or its first ones and what comes before

All that is longer than a window is made window by window, each beginning with the last frames of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from storyreel.clip import Clip
from storyreel.systems.base import Batch, OnProgress, Progress, Request, TextEncoder
from storyreel.systems.cascade import Shape, upto_stage
from storyreel.systems.pixels import for_model, shown

if TYPE_CHECKING:
    from storyreel.systems.make_a_video import MakeAVideo

LONGEST = 4096  # frames a request may ask for


class Making:
    """One video in the making."""

    def __init__(
        self,
        system: MakeAVideo,
        request: Request,
        text: TextEncoder,
        on_progress: OnProgress,
        *,
        upto: str | None,
        shapes: Mapping[str, Shape],
    ):
        self.system, self.request, self.text, self.on_progress = system, request, text, on_progress
        self.task, self.rng = system.task(request), [request.rng()]
        self.stages = upto_stage(system.cascade(), upto)
        if self.task != "text" and list(self.stages) == ["decoder_video"]:
            raise ValueError("stage: a picture or a clip does not pass through 'decoder_video'")
        self.shapes = {name: shapes.get(name, stage.shape) for name, stage in system.cascade().items()}
        self.device = next(system.parameters()).device
        window = self.shapes["interpolation"]
        self.carry = min(system.config.carry, window.frames - 1)
        self.frames = window.frames if request.options.frames is None else request.options.frames
        self.counts = {
            name: s.asked(request.options.steps, request.options.guidance)[0] for name, s in self.stages.items()
        }
        self.done, self.total = 0, self._steps()

    def clip(self) -> Clip:
        """Made, and as it is shown."""
        r, embedding = self.request.options, self._embedding()
        if self.task == "text":
            video = self._run("decoder_video", {"embedding": embedding}, self.shapes["decoder_video"])
            if "interpolation" not in self.stages:
                return self._shown(video[:, :, : r.frames], self.shapes["decoder_video"])
            video = self._run("interpolation", {"embedding": embedding, "low": video}, self.shapes["interpolation"])
            low, cut = self._longer(video, embedding, self.frames), slice(0, self.frames)
        elif self.task == "between":
            low, cut = self._between(embedding), slice(0, self.frames)
        else:
            low, cut = self._beside(embedding)
        shape = replace(self.shapes["interpolation"], frames=low.shape[2])
        for name in ("sr_l_video", "sr_h"):
            if name in self.stages:
                shape = replace(self.shapes[name], frames=low.shape[2])
                low = self._run(name, {"low": low}, shape)
        return self._shown(low[:, :, cut], shape)

    # -- what is told ------------------------------------------------------------------------------------------

    def _embedding(self) -> Tensor:
        """(1, e): of the sentence by the prior, or of the pictures that are given."""
        r, encoder = self.request.options, self.system.encoder
        if r.prompt.strip():
            states, mask = self.text([r.prompt])
            return self.system.prior.sample(
                {"text": states.to(self.device), "text_mask": mask.to(self.device)},
                rng=self.rng,
                steps=r.steps,
                guidance=r.guidance,
            )
        clips = [c for c in (r.image, r.image_end, r.extend, r.variation) if c is not None]
        seen = torch.cat([self._pixels(c, encoder.config.size) for c in clips], 2)
        return encoder.together(encoder.images(seen))

    def _pixels(self, clip: Clip, size: int) -> Tensor:
        return for_model(clip, size, self.system.config.channels, fit=self.request.options.fit).to(self.device)

    # -- known frames ------------------------------------------------------------------------------------------

    def _between(self, embedding: Tensor) -> Tensor:
        """All frames from one picture to another."""
        r, shape = self.request.options, replace(self.shapes["interpolation"], frames=self.frames)
        assert r.image is not None
        assert r.image_end is not None
        ends = [self._pixels(clip, shape.height)[:, :, :1] for clip in (r.image, r.image_end)]
        places = torch.tensor([0, self.frames - 1])
        return self._run("interpolation", {"embedding": embedding, "low": torch.cat(ends, 2), "places": places}, shape)

    def _beside(self, embedding: Tensor) -> tuple[Tensor, slice]:
        """What follows a picture or a clip, or comes before it, with the known frames that it was made from; and which
        of these frames are wanted: a picture is a frame of its video, a clip is not repeated."""
        r, size = self.request.options, self.shapes["interpolation"].height
        image = r.image is not None
        given = r.image if r.image is not None else r.extend
        assert given is not None
        kept = 1 if image else min(self.carry, len(given))
        frames = given.frames[:1] if image else given.frames[:kept] if r.backward else given.frames[-kept:]
        low = self._pixels(given.replace(frames=frames), size)
        wanted = self.frames if image else self.frames + kept
        if r.backward:
            low = self._longer(low, embedding, wanted)
            return low, slice(low.shape[2] - wanted, low.shape[2] - wanted + self.frames)
        return self._longer(low, embedding, wanted), slice(wanted - self.frames, wanted)

    def _longer(self, low: Tensor, embedding: Tensor, wanted: int) -> Tensor:
        """At least `wanted` frames, of which `low` are the first, or, backward, the last."""
        shape, back = self.shapes["interpolation"], self.request.options.backward
        while low.shape[2] < wanted:
            kept = min(self.carry, low.shape[2])
            known = low[:, :, :kept] if back else low[:, :, -kept:]
            places = torch.arange(kept) + (shape.frames - kept if back else 0)
            made = self._run("interpolation", {"embedding": embedding, "low": known, "places": places}, shape)
            low = torch.cat([made[:, :, :-kept], low] if back else [low, made[:, :, kept:]], 2)
        return low

    # -- stages ------------------------------------------------------------------------------------------------

    def _steps(self) -> int:
        """Of all stages together, for the progress."""
        window, known = self.shapes["interpolation"].frames, 0
        if self.task == "text":
            known = window
        elif self.task == "image":
            known = 1
        elif self.task == "extend" and self.request.options.extend is not None:
            known = min(self.carry, len(self.request.options.extend))
        times = {name: 1 for name in self.stages}
        if "interpolation" in times and self.task != "between":
            wanted = self.frames + (known if self.task == "extend" else 0)
            times["interpolation"] = int(self.task == "text")
            while known < wanted:
                known += window - min(self.carry, known)
                times["interpolation"] += 1
        if self.task != "text":
            times["decoder_video"] = 0
        return sum(self.counts[name] * count for name, count in times.items())

    def _run(self, name: str, cond: Batch, shape: Shape) -> Tensor:
        before, r = self.done, self.request.options

        def tell(step: int, steps: int, x: Tensor) -> None:
            self.done = before + step
            self.on_progress(Progress(self.done, self.total, name, lambda: self._shown(x, shape)))

        return self.stages[name].sample(
            cond, rng=self.rng, steps=r.steps, guidance=r.guidance, shape=shape, on_step=tell
        )

    def _shown(self, video: Tensor, shape: Shape) -> Clip:
        r = self.request.options
        seen = shown(video.clamp(-1, 1), transparent=r.transparent)[0]
        return Clip.from_tensor(seen, Fraction(shape.fps) if r.fps is None else r.fps, r.prompt)
