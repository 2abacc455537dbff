"""Benchmark `moving-digits`: captioned Moving MNIST, scored. Do the right digits move the right way?

The prompts are 400 captions of the world `digits`, in the words of GODIVA (arXiv 2104.14806), SyncDRAW and MAGE: one
digit or two, combinations of digit and motion that the training split of the world has, or that it holds out. For each
video the judge `digits` finds the digits frame by frame, and the motion of each is fitted to its track in closed form;
of a single digit the motion is also told without any network, from the middle of what is bright. docs/benchmarks/ has
it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.evaluate.benchmarks.prompt_list import Found, Prompt, PromptList, find_videos, to_text
from storyreel.evaluate.score import Share, share_json
from storyreel.evaluate.trajectory import middle_track, motion_of

if TYPE_CHECKING:
    from storyreel.evaluate.locator import Locator

FILE = Path(__file__).with_suffix(".json")
JUDGE = "digits"
SEED = 210414806  # of the world's clips whose captions are the prompts; never a training seed
EACH = 100  # prompts a group
GROUPS = ("single, seen", "single, held out", "double, seen", "double, held out")
MEASURES = ("right", "digits", "motions", "path")
FRAMES, SIZE = 10, 64  # what the judge looks at; longer and larger videos are brought to it


def prompts() -> PromptList:
    return PromptList.read(FILE)


def run(path: str | Path, *, quiet: bool = False, judge: str | Path = "") -> tuple[dict[str, Any], list[str]]:
    """Score the videos of a folder. See `storyreel.evaluate.benchmarks.run`."""
    from storyreel.data.parallel import progress
    from storyreel.evaluate.locator import Locator

    asked = prompts()
    found = find_videos(path, asked)
    locator = Locator.load(judge or JUDGE)
    bar = nullcontext(lambda n: None) if quiet else progress("judging", len(found.files))
    broken: list[str] = []
    with bar as advance:
        verdicts = list(_judged(locator, asked, found, broken, advance))
    if not verdicts:
        raise ValueError(f"{path}: none of its videos can be read: {broken[0]}")
    return report(path, asked, found, verdicts, broken, str(judge or JUDGE))


@dataclass(frozen=True)
class Verdict:
    """What is right in one video, and what was seen in it.

    digits: just the wanted ones are there. motions: each moves as wanted, whichever digit it became. right: both, that
    is every wanted digit is there, nothing else, and each moves as it was told. path: of a single digit, whether the
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
        told = {"index": self.prompt.index, "prompt": self.prompt.prompt, "group": self.prompt.group}
        told |= {"file": str(file), "seen": self.seen}
        return told | {name: getattr(self, name) for name in MEASURES}


def judge_clips(locator: Locator, clips: Iterable[Clip], asked: Iterable[Prompt]) -> Iterator[Verdict]:
    """A verdict for each clip and its prompt."""
    for clip, prompt, seen in _seen(locator, clips, asked):
        yield _verdict(prompt, clip, seen)


def score(verdicts: Iterable[Verdict]) -> dict[str, dict[str, Share]]:
    """Group, and "all" -> measure -> how many are right out of how many."""
    verdicts = list(verdicts)
    found = {}
    for group in (*GROUPS, "all"):
        mine = [v for v in verdicts if group in (v.prompt.group, "all")]
        found[group] = {}
        for name in MEASURES:
            told = [getattr(v, name) for v in mine if getattr(v, name) is not None]
            found[group][name] = Share(sum(told), len(told))
    return found


def report(
    path: str | Path, asked: PromptList, found: Found, verdicts: list[Verdict], broken: list[str], judge: str
) -> tuple[dict[str, Any], list[str]]:
    """The document and the table."""
    from storyreel.evaluate.judge_folder import find_judge
    from storyreel.storage import digest_of

    shares = score(verdicts)
    digest = digest_of(find_judge(judge) / "model.safetensors")
    own = digest == asked.protocol["judge_sha256"]
    missing = sorted({p.index for p in asked.prompts} - {v.prompt.index for v in verdicts})
    document = {
        "benchmark": "moving-digits",
        "version": asked.protocol["version"],
        "sha256": asked.digest,
        "judge": {"name": judge, "sha256": digest, "own": own},
        "path": str(path),
        "prompts": len(asked.prompts),
        "videos": len(verdicts),
        "missing": missing,
        "broken": broken,
        "strangers": [str(f) for f in found.strangers],
        "again": [str(f) for f in found.again],
        "comparable": own and not missing,
        "groups": {group: {name: share_json(s) for name, s in row.items()} for group, row in shares.items()},
        "verdicts": [v.as_json(found.files[v.prompt.index]) for v in verdicts],
    }
    return document, list(_lines(document, shares))


def _lines(document: Mapping[str, Any], shares: Mapping[str, Mapping[str, Share]]) -> Iterator[str]:
    yield f"moving-digits, version {document['version']}, {document['videos']} of {document['prompts']} prompts"
    yield ""
    yield f"{'':18}  all right %  95 % interval        n  digits %  motions %  path %"
    for group, row in shares.items():
        low, high = row["right"].interval
        line = f"{group:18}  {_percent(row['right']):>11}  {100 * low:6.1f} - {100 * high:5.1f}   {row['right'].n:5d}"
        yield f"{line}  {_percent(row['digits']):>8}  {_percent(row['motions']):>9}  {_percent(row['path']):>6}"
    yield ""
    yield f"protocol {document['sha256'][:12]}, judge {document['judge']['sha256'][:12]}"
    if not document["judge"]["own"]:
        yield "note: another judge than the benchmark's own; not to be compared with other results"
    if document["missing"]:
        yield f"note: {len(document['missing'])} prompts have no video; a result to be compared has all of them"
    for name, what in (("broken", "cannot be read"), ("strangers", "answer no prompt"), ("again", "came second")):
        if document[name]:
            yield f"note: {len(document[name])} videos {what}, such as {document[name][0]}"


def _percent(share: Share) -> str:
    return f"{100 * share.accuracy:.1f}" if share.n else "--"


def _judged(
    locator: Locator, asked: PromptList, found: Found, broken: list[str], advance: Callable[[int], None]
) -> Iterator[Verdict]:
    from storyreel.data.folder import read_clip

    readable: list[Prompt] = []

    def clips() -> Iterator[Clip]:
        for index, file in sorted(found.files.items()):
            advance(1)
            try:
                clip = read_clip(file)
            except (ValueError, OSError) as error:
                broken.append(" ".join(str(error).split()))
                continue
            readable.append(asked.prompts[index])
            yield clip

    return judge_clips(locator, clips(), readable)


def _seen(
    locator: Locator, clips: Iterable[Clip], asked: Iterable[Prompt]
) -> Iterator[tuple[Clip, Prompt, list[dict[str, str]]]]:
    """A few clips at a time, since a judge reads them in batches; `asked` may grow while the clips are drawn."""
    from storyreel.evaluate.locator import BATCH

    rest, wishes = iter(clips), iter(asked)
    while some := [clip.over((0, 0, 0)) for clip in islice(rest, BATCH)]:
        for clip, seen in zip(some, locator.read(some), strict=True):
            yield clip, next(wishes), seen


def _verdict(prompt: Prompt, clip: Clip, seen: list[dict[str, str]]) -> Verdict:
    from storyreel.evaluate.locator import pairs

    *things, count = pairs(seen, prompt.wanted)
    digits = all(got["digits"] == want["digits"] for got, want in things) and count[0] == count[1]
    motions = all(got["motions"] == want["motions"] for got, want in things)
    path = None
    if len(things) == 1:
        path = _path_of(clip) == prompt.wanted["motions"][0]
    return Verdict(prompt, digits, motions, path, seen)


def _path_of(clip: Clip) -> str:
    """The motion of what is bright, on the judge's canvas; no network is asked."""
    from storyreel.data.pack import fit

    small = Clip(fit(clip if len(clip) == FRAMES else clip.resample(FRAMES), SIZE, 3))
    track, weights = middle_track(small)
    return motion_of(track, SIZE * (1 - 28 / 64), weights).name


# -- how the list was made -------------------------------------------------------------------------------------


def draw_prompts(seed: int = SEED, each: int = EACH) -> list[Prompt]:
    """`each` different captions a group, drawn from the world; single digits have every pair about equally often."""
    from storyreel.worlds.digits import HELD_OUT, MOTIONS, Digits

    drawn: list[Prompt] = []
    for group in GROUPS:
        count, split = ("1" if group.startswith("single") else "2"), ("held_out" if "held" in group else "train")
        world = Digits(digits=count, captions=1)
        there = len(HELD_OUT) if split == "held_out" else 10 * len(MOTIONS) - len(HELD_OUT)
        most = -(-each // there) if count == "1" else each
        taken: dict[str, int] = {}
        said: set[str] = set()
        index = -1
        while len(said) < each:
            index += 1
            _, row = world.make(seed + GROUPS.index(group), index, split)
            wanted = {name: row["attributes"][name] for name in ("digits", "motions")}
            key = str(wanted)
            if row["caption"] in said or taken.get(key, 0) >= most:
                continue
            said.add(row["caption"])
            taken[key] = taken.get(key, 0) + 1
            source = (seed + GROUPS.index(group), index)
            drawn.append(Prompt(len(drawn), row["caption"], group, wanted, source))
    return drawn


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


def write_prompts(path: Path = FILE) -> Path:
    """Write the list that ships; `python -m storyreel.evaluate.benchmarks.moving_digits` does it."""
    from storyreel.evaluate.judge_folder import find_judge
    from storyreel.evaluate.trajectory import LEAST
    from storyreel.storage import digest_of, replacing

    protocol = {
        "benchmark": "moving-digits",
        "version": 1,
        "seed": SEED,
        "prompts_a_group": EACH,
        "frames": FRAMES,
        "size": SIZE,
        "box": 28 / 64,
        "least_motion": LEAST,
        "judge": JUDGE,
        "judge_sha256": digest_of(find_judge(JUDGE) / "model.safetensors"),
        "right": "just the wanted digits are there, and each moves as it was told",
    }
    with replacing(path) as (made,):
        made.write_text(to_text(protocol, draw_prompts()), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write_prompts())
