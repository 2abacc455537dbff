"""Of several candidates for a prompt, the one that shows it best (GODIVA, Wu et al. 2021, Section 4.1).

The paper ranks with CLIP. A model of one of the worlds is ranked with that world's own encoder, and with a judge of
that world, which reads the attributes that the prompt says; any other with CLIP, where its weights are; `encoder`
chooses. The judge that ranks is not the one that results are reported with: it learnt from other clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from storyreel.clip import Clip
from storyreel.model_folder import recipe_name
from storyreel.worlds import find, named_in

DEFAULT = 4  # candidates
RANKING = "-ranking"  # what the name of a world's judge that ranks ends with
CLOSENESS = 0.5  # how much the encoder's cosine counts beside the share of attributes that are right
EQUALS = 0.05  # how much beside the share of things that are found: only between equals
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
        self.name = str(self._net.name)

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        import torch

        text = self._net.text_embeddings([prompt])[0]
        frames = (torch.from_numpy(clip.over().frames[None, ..., :3].copy()) for clip in clips)
        return [float((self._net.frame_embeddings(each)[0] @ text).mean()) for each in frames]


class AttributeRanker:
    """The share of the attributes said that a judge expects to be right, and the cosine of a world's encoder."""

    def __init__(self, encoder: Ranker, judge: Any, read: Callable[[str], Mapping[str, str]]) -> None:
        """judge: a `storyreel.evaluate.judge.Judge`. read: the attributes that a prompt says."""
        self.name = f"{encoder.name}+judge"
        self._encoder, self._judge, self._read = encoder, judge, read

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        close = self._encoder.rank(prompt, clips)
        classes = self._judge.config.classes
        named = {name: value for name, value in self._read(prompt).items() if value in classes.get(name, ())}
        if not named:
            return close
        likely = self._judge.probabilities(clips)
        shares = [sum(each[name][value] for name, value in named.items()) / len(named) for each in likely]
        return [share + CLOSENESS * cosine for share, cosine in zip(shares, close, strict=True)]

    def shows(self, attributes: Mapping[str, str], clips: Sequence[Clip]) -> list[bool]:
        """Whether the judge sees all of these values in a clip; what it does not read counts as seen."""
        classes = self._judge.config.classes
        read = {name: value for name, value in attributes.items() if value in classes.get(name, ())}
        return [all(found[name] == value for name, value in read.items()) for found in self._judge.read(clips)]


class ThingRanker:
    """The share of the things said that a judge finds, doing what is said, and between equals a world's encoder."""

    def __init__(self, encoder: Ranker, judge: Any, expected: Callable[[str], Mapping[str, Sequence[str]]]) -> None:
        """judge: a `storyreel.evaluate.locator.Locator`. expected: the things that a prompt says are there."""
        self.name = f"{encoder.name}+judge"
        self._encoder, self._judge, self._expected = encoder, judge, expected

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        from storyreel.evaluate.locator import pairs

        close, expected = self._encoder.rank(prompt, clips), self._expected(prompt)
        if not expected:
            return close
        scores = []
        for seen, cosine in zip(self._judge.read([clip.over((0, 0, 0)) for clip in clips]), close, strict=True):
            right = [found[name] == value for found, named in pairs(seen, expected) for name, value in named.items()]
            scores.append(sum(right) / len(right) + EQUALS * cosine)
        return scores


def load_ranker(encoder: str | None, about: Iterable[str]) -> Ranker:
    """The encoder of this name or folder; None: of the world that a model's names (`about`) tell, else CLIP.

    ValueError says why there is none.
    """
    if encoder is not None:
        return _load(encoder)
    world, reasons = named_in(*about), []
    for name in (*([world] if world else []), *CLIP):
        try:
            ranker = _load(name)
            return _with_judge(ranker, world) if name == world else ranker
        except (ValueError, OSError) as error:
            reasons.append(str(error))
    raise ValueError(f"candidates: no text-video encoder to rank them with; name one as encoder ({reasons[0]})")


def default_candidates(name: str, info: Mapping[str, Any]) -> int:
    """How many candidates a model makes of a prompt where it is not set; its name, and its `model.json`.

    More than one only where they are made in one batch (`together` in model.json) and a judge of its world ranks them.
    """
    from storyreel.evaluate.judge_registry import judges

    world = named_in(name, recipe_name(info))
    together = info.get("together")
    ranked = world and isinstance(together, int) and together > 1 and world + RANKING in judges()
    return DEFAULT if ranked else 1


def _with_judge(encoder: Ranker, world: str) -> Ranker:
    """The encoder, and the world's judge that ranks, where there is one."""
    from storyreel.evaluate.judge_registry import judges

    about, name = find(world), world + RANKING
    if name not in judges():
        return encoder
    if about.expected is not None:
        from storyreel.evaluate.locator import Locator

        return ThingRanker(encoder, Locator.load(name), about.expected)
    if about.read is not None:
        from storyreel.evaluate.judge import Judge

        return AttributeRanker(encoder, Judge.load(name), about.read)
    return encoder


def _load(name: str) -> Ranker:
    if name.startswith(("clip-", "clip:", "siglip:")):
        return ClipRanker(name)
    from storyreel.encoder import load_encoder

    return load_encoder(name)


def best(ranker: Ranker, prompt: str, clips: Sequence[Clip]) -> tuple[int, dict[str, Any]]:
    """Which clip ranks first (of equals the earlier), and what a file's metadata says of it."""
    scores = ranker.rank(prompt, clips)
    first = max(range(len(scores)), key=lambda i: (scores[i], -i))
    return first, {"encoder": ranker.name, "chosen": first, "scores": [round(score, 4) for score in scores]}
