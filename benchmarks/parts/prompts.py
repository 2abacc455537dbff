"""Makes the lists of prompts that ship with the benchmarks, byte for byte.

python -m benchmarks.parts.prompts moving-digits [FILE]
python -m benchmarks.parts.prompts sprites LPC_FOLDER [FILE]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from storyreel.evaluate.benchmarks import moving_digits, sprites
from storyreel.evaluate.benchmarks.prompt_list import Prompt, to_text
from storyreel.evaluate.judge_registry import find_judge
from storyreel.evaluate.judges import load_judge
from storyreel.evaluate.score import AttributeAccuracy, labels
from storyreel.evaluate.trajectory import LEAST
from storyreel.storage import digest_of, replacing
from storyreel.worlds import sprites_language
from storyreel.worlds.digits import HELD_OUT, MOTIONS, Digits
from storyreel.worlds.sprites_captions import Mix, caption

NATURAL = Path(__file__).with_name("sprites_natural.jsonl")
DIGITS_SEED = 210414806  # of the world's clips whose captions are the prompts; never a training seed
DIGITS_EACH = 100  # prompts a group
SPRITES_SEED = 220502115  # of the characters; never a training seed
SPRITES_EACH = 150  # prompts a group, but for those written by hand


def draw_digits(seed: int = DIGITS_SEED, each: int = DIGITS_EACH) -> list[Prompt]:
    """`each` different captions a group, drawn from the world; single digits have every pair about equally often."""
    drawn: list[Prompt] = []
    for group in moving_digits.GROUPS:
        count, split = ("1" if group.startswith("single") else "2"), ("held_out" if "held" in group else "train")
        world = Digits(digits=count, captions=1)
        there = len(HELD_OUT) if split == "held_out" else 10 * len(MOTIONS) - len(HELD_OUT)
        most = -(-each // there) if count == "1" else each
        taken: dict[str, int] = {}
        said: set[str] = set()
        index = -1
        while len(said) < each:
            index += 1
            _, row = world.make(seed + moving_digits.GROUPS.index(group), index, split)
            wanted = {name: row["attributes"][name] for name in ("digits", "motions")}
            key = str(wanted)
            if row["caption"] in said or taken.get(key, 0) >= most:
                continue
            said.add(row["caption"])
            taken[key] = taken.get(key, 0) + 1
            source = (seed + moving_digits.GROUPS.index(group), index)
            drawn.append(Prompt(len(drawn), row["caption"], group, wanted, source))
    return drawn


def write_digits(path: Path = moving_digits.FILE) -> Path:
    protocol = {
        "benchmark": "moving-digits",
        "version": 1,
        "seed": DIGITS_SEED,
        "prompts_a_group": DIGITS_EACH,
        "frames": moving_digits.FRAMES,
        "size": moving_digits.SIZE,
        "box": 28 / 64,
        "least_motion": LEAST,
        "judge": moving_digits.JUDGE,
        "judge_sha256": digest_of(find_judge(moving_digits.JUDGE) / "model.safetensors"),
        "right": "just the wanted digits are there, and each moves as it was told",
    }
    with replacing(path) as (made,):
        made.write_text(to_text(protocol, draw_digits()), encoding="utf-8")
    return path


def draw_sprites(each: int = SPRITES_EACH) -> list[Prompt]:
    """The prompts of all groups, in order."""
    drawn: list[Prompt] = []
    for group in sprites.GROUPS[:-1]:
        for index in range(each):
            seen = sprites.character(Prompt(0, "", group, {}, (SPRITES_SEED, index))).attributes
            rng = np.random.default_rng([SPRITES_SEED, index, sprites.GROUPS.index(group)])
            if group == "plain":
                text, told = sprites_language.caption(seen, rng, full=True)
            else:
                text, told, _ = caption(seen, rng, full=True, phrasing=group, mix=Mix(typos=0.0))
            drawn.append(Prompt(len(drawn), text, group, {name: seen[name] for name in told}, (SPRITES_SEED, index)))
    for number, line in enumerate(NATURAL.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        drawn.append(Prompt(len(drawn), row["prompt"], "natural", row["attributes"], (SPRITES_SEED, number)))
    return drawn


def write_sprites(source: Path, path: Path = sprites.FILE) -> Path:
    """Write the list that ships, with what the judge says of real clips of its prompts."""
    reader, drawn, real = load_judge(sprites.JUDGE), draw_sprites(), {}
    for group in sprites.GROUPS:
        mine = [p for p in drawn if p.group == group]
        metric = AttributeAccuracy(reader.attributes)
        for prompt, seen in zip(mine, reader.read([sprites.real_clip(p, source) for p in mine]), strict=True):
            metric.update((seen, labels(prompt.expected)))
        found = metric.compute()
        real[group] = {"mean": round(found.mean, 5), "all_right": round(found.all_right.accuracy, 5)}
    protocol = {
        "benchmark": "sprites",
        "version": 1,
        "seed": SPRITES_SEED,
        "prompts_a_group": SPRITES_EACH,
        "judge": sprites.JUDGE,
        "judge_sha256": digest_of(find_judge(sprites.JUDGE) / "model.safetensors"),
        "right": "the judge sees what the prompt says, of what the judge reads",
        "real": real,
    }
    with replacing(path) as (made,):
        made.write_text(to_text(protocol, drawn), encoding="utf-8")
    return path


if __name__ == "__main__":
    name, *paths = sys.argv[1:]
    print({"moving-digits": write_digits, "sprites": write_sprites}[name](*map(Path, paths)))
