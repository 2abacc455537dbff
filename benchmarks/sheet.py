"""How long a whole sheet of one character takes, and in how many of its animations the character is right.

    make bench-sheet                  or: python benchmarks/sheet.py [--out FOLDER] [--candidates 4] [--prompts FILE]

Each prompt is drawn as `storyreel sheet` does, and read by the judge that results are reported with (`judge-sprites`),
which took no part in the choice. A line of JSON a prompt, then means: `said`, the share of animations in which all that
the prompt says of the character is right as far as it can be seen there; `all`, in which also everything that was drawn
for it is; `does`, in which action and facing are. "first", "ranked", "together" and "colors" are steps of the way: the
first candidate, the one that the ranker likes best, the one that agrees with the others, and the same in shared colors,
which is what is written; `again`, how many more candidates were made of animations that lacked what the prompt says.
With --out, a sheet that is there is not drawn again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.evaluate.judge import Judge
from storyreel.generate import character
from storyreel.generate.model import Model, load
from storyreel.generate.open_attributes import read
from storyreel.generate.ranking import load_ranker
from storyreel.model_folder import recipe_name
from storyreel.options.sheet import SheetOptions

PROMPTS = (
    "a grizzled blacksmith with a huge brown beard in a leather jerkin",
    "a young witch with purple hair and a black dress",
    "a royal guard all in gold",
    "a barefoot farm boy with messy blond hair and a white shirt",
    "an undead warrior with a rusty helmet",
    "an orc brute in chain mail with a spear",
    "a desert nomad woman with a red bandana and a maroon tunic",
    "a bald monk in a brown robe",
    "a lady buccaneer with pink pigtails and a saber",
    "a paladin in shining plate with a kettle hat",
    "a drow assassin with white hair and a hood",
    "a tanned gentleman in a suit with a thin mustache",
)
DOES = ("action", "facing")


def right(clips: Mapping[Any, Clip], attempts: character.Attempts, said: set[str], judge: Judge) -> dict[str, float]:
    """Shares of the animations whose attributes are right, as the judge reads them."""
    layout = attempts.world.sheet
    assert layout is not None
    counts = {"said": 0.0, "all": 0.0, "does": 0.0, "attributes": 0.0}
    for (action, facing), found in zip(clips, judge.read(clips.values()), strict=True):
        seen = layout.posed(attempts.attributes, action, facing)
        who = {name: found[name] == value for name, value in seen.items() if name in found and name not in DOES}
        counts["said"] += all(ok for name, ok in who.items() if name in said)
        counts["all"] += all(who.values())
        counts["does"] += all(found[name] == seen[name] for name in DOES)
        counts["attributes"] += float(np.mean(list(who.values()))) if who else 1.0
    return {name: round(count / len(clips), 3) for name, count in counts.items()}


def measured(prompt: str, model: Model, judge: Judge, options: dict[str, Any], out: Path | None) -> dict[str, Any]:
    began, worked = time.perf_counter(), time.process_time()
    ranker = load_ranker(None, (model.name, recipe_name(model.info)))
    attempts = character.attempted(model, SheetOptions.of({"prompt": prompt, **options}))
    made = sum(map(len, attempts.candidates.values()))
    attempts = character.made_again(model, attempts, ranker)
    again = sum(map(len, attempts.candidates.values())) - made
    drawn = character.chosen_of(attempts, ranker)
    if out is not None:
        drawn.save(out)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    ranked = {row: int(np.argmax(scores)) for row, scores in drawn.scores.items()}
    together = {row: drawn.facts["chosen"]["-".join(row)] for row in ranked}
    steps = {"first": dict.fromkeys(ranked, 0), "ranked": ranked, "together": together}
    ways = {name: {row: attempts.candidates[row][at] for row, at in took.items()} for name, took in steps.items()}
    ways["colors"] = dict(drawn.clips)
    said = set(read(prompt, model.attributes, attempts.world)) - set(DOES)
    figures = {name: right(clips, attempts, said, judge) for name, clips in ways.items()}
    return {"prompt": prompt, "seconds": round(seconds, 1), "cpu": round(cpu, 1), "animations": len(ranked),
            "again": again, **figures}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, help="Folder for the sheets, and for results.jsonl.")
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--model", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompts", type=Path, help="A file of other prompts, one a line.")
    args = parser.parse_args()
    prompts = args.prompts.read_text(encoding="utf-8").splitlines() if args.prompts else PROMPTS
    folder: Path | None = args.out
    rows: list[dict[str, Any]] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if (log := folder / "results.jsonl").is_file():
            rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    model, judge = load(args.model), Judge.load("sprites")
    there = {row["prompt"] for row in rows}
    for number, prompt in enumerate(prompts):
        if prompt in there:
            continue
        out = None if folder is None else folder / f"{number:02}.png"
        rows.append(measured(prompt, model, judge, {"candidates": args.candidates, "seed": args.seed}, out))
        print(json.dumps(rows[-1]), flush=True)
        if folder is not None:
            with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    means = {step: {name: round(float(np.mean([row[step][name] for row in rows])), 3) for name in rows[0][step]}
             for step in ("first", "ranked", "together", "colors")}  # fmt: skip
    times = {name: round(float(np.median([row[name] for row in rows])), 1) for name in ("seconds", "cpu")}
    print(json.dumps({"characters": len(rows), **times, **means}))


if __name__ == "__main__":
    main()
