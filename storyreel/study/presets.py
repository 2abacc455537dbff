"""The two protocols of the papers: what raters are asked, how many of them, and which answers they have."""

from __future__ import annotations

from dataclasses import dataclass

TIE, BOTH_BAD = "tie", "both_bad"


@dataclass(frozen=True)
class Question:
    """One thing that a rater is asked about two clips.

    name: how reports call it. text: what the rater reads. shows_prompt: whether the prompt stands beside the clips.
    """

    name: str
    text: str
    shows_prompt: bool = False


@dataclass(frozen=True)
class Preset:
    """raters: votes wanted a pair. per_rater: pairs a rater sees, 0 for all. ties: the answers that name no winner."""

    questions: tuple[Question, ...]
    raters: int
    per_rater: int
    ties: tuple[str, ...]


PRESETS = {
    # Singer et al., 2022 (arXiv:2209.14792), human evaluation: two questions, five annotators, the majority decides.
    "make-a-video": Preset(
        (
            Question("quality", "Which video is of better quality?"),
            Question("faithfulness", "Which video matches the text better?", shows_prompt=True),
        ),
        raters=5,
        per_rater=25,
        ties=(TIE,),
    ),
    # Wu et al., 2021 (arXiv:2104.14806), human evaluation: 200 people, visual realism and semantic consistency.
    "godiva": Preset(
        (
            Question("realism", "Which video looks more real?"),
            Question("consistency", "Which video is more consistent with the text?", shows_prompt=True),
        ),
        raters=200,
        per_rater=0,
        ties=(TIE, BOTH_BAD),
    ),
}


def preset(name: str) -> Preset:
    """ValueError when there is no such preset."""
    if name not in PRESETS:
        raise ValueError(f"preset: there is no {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
