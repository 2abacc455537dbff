"""Benchmark `moving-digits`: captioned Moving MNIST, scored. Do the right digits move the right way?

The prompts are 400 captions of the world `digits`, in the words of GODIVA (arXiv 2104.14806), SyncDRAW and MAGE: one
digit or two, combinations of digit and motion that the training split of the world has, or that it holds out. For each
video the judge `digits` finds the digits frame by frame, and the motion of each is fitted to its track in closed form;
of a single digit the motion is also told without any network, from the middle of what is bright. docs/benchmarks/ has
it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.evaluate.benchmarks.prompt_list import Prompt, PromptList, find_videos
from storyreel.evaluate.benchmarks.scoring import document_of, lines_of, readable
from storyreel.evaluate.score import Share, share_json
from storyreel.evaluate.trajectory import middle_track, motion_of
from storyreel.wording import counted

if TYPE_CHECKING:
    from storyreel.evaluate.locator import Locator

FILE = Path(__file__).with_suffix(".json")
JUDGE = "digits"
GROUPS = ("single, seen", "single, held out", "double, seen", "double, held out")
MEASURES = ("right", "digits", "motions", "path")
FRAMES, SIZE = 10, 64  # what the judge looks at; longer and larger videos are brought to it


def prompts() -> PromptList:
    return PromptList.read(FILE)


def run(path: str | Path, *, quiet: bool = False, judge: str | Path = "") -> tuple[dict[str, Any], list[str]]:
    """Score the videos of a folder. See `storyreel.evaluate.benchmarks.run`."""
    from storyreel.evaluate.locator import Locator

    prompt_list, judge = prompts(), str(judge or JUDGE)
    found, locator = find_videos(path, prompt_list), Locator.load(judge)
    broken: list[str] = []
    verdicts = list(judge_clips(locator, readable(path, prompt_list, found, broken, quiet)))
    shares, document = score(verdicts), document_of(path, prompt_list, found, broken, judge)
    missing = sorted({p.index for p in prompt_list.prompts} - {v.prompt.index for v in verdicts})
    document |= {
        "missing": missing,
        "comparable": document["judge"]["own"] and not missing,
        "groups": {group: {name: share_json(s) for name, s in row.items()} for group, row in shares.items()},
        "verdicts": [v.as_json(found.files[v.prompt.index]) for v in verdicts],
    }
    without = counted(len(missing), "prompt")
    lacking = [f"note: no video of {without}; a result to be compared has all of them"] if missing else []
    return document, lines_of(document, _table(shares), iter(lacking))


@dataclass(frozen=True)
class DigitsVerdict:
    """What is right in one video, and what was seen in it.

    digits: just the expected ones are there. motions: each moves as expected, whichever digit it became. right: every
    expected digit is there, nothing else, and each moves as the prompt says. path: of a single digit, whether the
    motion is right judging by the middle of what is bright, without a network; None for two.
    """

    prompt: Prompt
    digits: bool
    motions: bool
    path: bool | None
    seen: list[dict[str, str]]

    @property
    def right(self) -> bool:
        return self.digits and self.motions

    def as_json(self, file: Path) -> dict[str, Any]:
        values = {"index": self.prompt.index, "prompt": self.prompt.prompt, "group": self.prompt.group}
        values |= {"file": str(file), "seen": self.seen}
        return values | {name: getattr(self, name) for name in MEASURES}


def judge_clips(locator: Locator, clips: Iterable[tuple[Prompt, Clip]]) -> Iterator[DigitsVerdict]:
    """A verdict for each clip and the prompt that it answers. Clips are taken in batches, as the judge reads them."""
    from storyreel.evaluate.locator import BATCH

    rest = iter(clips)
    while some := [(prompt, clip.over((0, 0, 0))) for prompt, clip in islice(rest, BATCH)]:
        for (prompt, clip), seen in zip(some, locator.read([clip for _, clip in some]), strict=True):
            yield _verdict(prompt, clip, seen)


def score(verdicts: Iterable[DigitsVerdict]) -> dict[str, dict[str, Share]]:
    """Group, and "all" -> measure -> how many are right out of how many."""
    verdicts = list(verdicts)
    found = {}
    for group in (*GROUPS, "all"):
        mine = [v for v in verdicts if group in (v.prompt.group, "all")]
        found[group] = {}
        for name in MEASURES:
            values = [getattr(v, name) for v in mine if getattr(v, name) is not None]
            found[group][name] = Share(sum(values), len(values))
    return found


def _table(shares: Mapping[str, Mapping[str, Share]]) -> Iterator[str]:
    yield f"{'':18}  all right %  95 % interval        n  digits %  motions %  path %"
    for group, row in shares.items():
        low, high = row["right"].interval
        line = f"{group:18}  {_percent(row['right']):>11}  {100 * low:6.1f} - {100 * high:5.1f}   {row['right'].n:5d}"
        yield f"{line}  {_percent(row['digits']):>8}  {_percent(row['motions']):>9}  {_percent(row['path']):>6}"


def _percent(share: Share) -> str:
    return f"{100 * share.accuracy:.1f}" if share.n else "--"


def _verdict(prompt: Prompt, clip: Clip, seen: list[dict[str, str]]) -> DigitsVerdict:
    from storyreel.evaluate.locator import pairs

    *things, count = pairs(seen, prompt.expected)
    digits = all(got["digits"] == want["digits"] for got, want in things) and count[0] == count[1]
    motions = all(got["motions"] == want["motions"] for got, want in things)
    path = None
    if len(things) == 1:
        path = _path_of(clip) == prompt.expected["motions"][0]
    return DigitsVerdict(prompt, digits, motions, path, seen)


def _path_of(clip: Clip) -> str:
    """The motion of what is bright, on the judge's canvas; no network is asked."""
    from storyreel.data.pack import fit

    small = Clip(fit(clip if len(clip) == FRAMES else clip.resample(FRAMES), SIZE, 3))
    track, weights = middle_track(small)
    return motion_of(track, SIZE * (1 - 28 / 64), weights).name


def real_clip(prompt: Prompt, source: Path | None = None) -> Clip:
    """The world's own clip that the prompt is the caption of: what a model cannot do better than."""
    from storyreel.worlds.digits import Digits

    if source is not None:
        raise ValueError("--source: moving-digits is drawn from the samples that come with scikit-learn")

    count, split = (
        ("1" if prompt.group.startswith("single") else "2"),
        ("held_out" if "held" in prompt.group else "train"),
    )
    return Digits(digits=count, captions=1).make(*prompt.source, split)[0]
