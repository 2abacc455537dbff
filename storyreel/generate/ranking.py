"""Of several candidates for a prompt, the one that shows it best (GODIVA, Wu et al. 2021, Section 4.1).

The paper ranks with CLIP. A model of one of the worlds is ranked with that world's own encoder, any other with CLIP,
where its weights are; `encoder` chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from storyreel.clip import Clip
from storyreel.worlds import named_in

CLIP = ("clip-vit-l-14", "clip-vit-b-32")  # tried in this order


class Ranker(Protocol):
    """`storyreel.encoder.Encoder` is one."""

    name: str

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        """How well each clip shows the prompt; higher is better."""
        ...


class ClipRanker:
    """CLIPSIM: the cosine of sentence and frame, the mean over the frames."""

    def __init__(self, name: str) -> None:
        from storyreel.evaluate.extractors import load_extractor

        self._net: Any = load_extractor(name)
        self.name = name

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        import torch

        said = self._net.text_embeddings([prompt])[0]
        frames = (torch.from_numpy(clip.over().frames[None, ..., :3].copy()) for clip in clips)
        return [float((self._net.frame_embeddings(each)[0] @ said).mean()) for each in frames]


def load_ranker(encoder: str | None, about: Iterable[str]) -> Ranker:
    """The encoder of this name or folder; None: of the world that a model's names (`about`) tell, else CLIP.

    ValueError says why there is none.
    """
    if encoder is not None:
        return _load(encoder)
    world, reasons = named_in(*about), []
    for name in (*([world] if world else []), *CLIP):
        try:
            return _load(name)
        except (ValueError, OSError) as error:
            reasons.append(str(error))
    raise ValueError(f"candidates: no text-video encoder to rank them with; name one as encoder ({reasons[0]})")


def _load(name: str) -> Ranker:
    if name.startswith("clip-"):
        return ClipRanker(name)
    from storyreel.encoder import load_encoder

    return load_encoder(name)


def best(ranker: Ranker, prompt: str, clips: Sequence[Clip]) -> tuple[int, dict[str, Any]]:
    """Which clip ranks first (of equals the earlier), and what a file's metadata says of it."""
    scores = ranker.rank(prompt, clips)
    first = max(range(len(scores)), key=lambda i: (scores[i], -i))
    return first, {"encoder": ranker.name, "chosen": first, "scores": [round(score, 4) for score in scores]}
