"""Raters of known strength: studies and votes that were never on a page."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from storyreel.study.ballots import Ballots
from storyreel.study.bradley_terry import probabilities
from storyreel.study.plan import NOISE, PAIR, SAME, Study, StudyItem
from storyreel.study.presets import PRESETS
from storyreel.study.votes import Votes


def name(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()[:16] + ".mp4"


def make_study(folder: Path, prompts: int = 6, models: int = 2, catch: int = 2, **changes: object) -> Study:
    """A study folder without clips: a pair for each prompt and two models, and `catch` of each kind of catch trial."""
    items = [
        StudyItem(PAIR, f"prompt {p}", (a, b), (name(p, a, b, 0), name(p, a, b, 1)))
        for p in range(prompts)
        for a in range(models)
        for b in range(a + 1, models)
    ]
    for kind in (NOISE, SAME):
        items += [StudyItem(kind, f"prompt {p}", (0, None), (name(p, kind, 0), name(p, kind, 1))) for p in range(catch)]
    preset = PRESETS["make-a-video"]
    facts = dict(id="0123456789abcdef", preset="make-a-video", seed=7, models=tuple("ABCDEFG"[:models]))
    facts |= dict(questions=preset.questions, ties=preset.ties, raters=5, per_rater=0, catch=-1, items=tuple(items))
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(folder=folder, **(facts | changes))  # pyright: ignore[reportArgumentType]
    study.write()
    return study


def votes_of(
    gap: float, prompts: int, raters: int, rng: np.random.Generator, *, by_prompt: float = 0.0, by_rater: float = 0.0,
    tie: float = -1.0, each: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """(prompt, rater, outcome) of two models `gap` apart; tastes of prompts and raters are normal around it.

    each: raters a prompt, drawn by chance; None for all of them.
    """
    prompt, rater = (x.ravel() for x in np.mgrid[:prompts, :raters])
    if each is not None:
        keep = np.argsort(rng.random((prompts, raters)), axis=1) < each
        prompt, rater = prompt[keep.ravel()], rater[keep.ravel()]
    taste = by_prompt * rng.normal(size=prompts)[prompt] + by_rater * rng.normal(size=raters)[rater]
    p = probabilities(gap + taste, tie)
    drawn = rng.random(len(prompt))
    return prompt, rater, np.where(drawn < p[:, 0], 1, np.where(drawn < p[:, 0] + p[:, 1], 0, -1))


def true_win_rate(gap: float, tie: float, deviation: float) -> float:
    """What the win rate (ties as half) of such votes tends to."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    p = probabilities(gap + deviation * nodes, tie)
    return float(weights @ (p[:, 0] + p[:, 1] / 2) / weights.sum())


def ballots(study: Study, votes: int, raters: int, rng: np.random.Generator, strengths: list[float]) -> Ballots:
    """So many votes by chance on the pairs of a study, each rater once an item and question at most, roughly."""
    pairs = study.indices(PAIR)
    item, question = rng.choice(pairs, votes), rng.integers(len(study.questions), size=votes)
    rater = rng.integers(raters, size=votes)
    a, b = np.array([study.items[i].models for i in pairs], int)[np.searchsorted(pairs, item)].T
    s = np.array(strengths)
    p = probabilities(s[a] - s[b], -1.0)
    drawn = rng.random(votes)
    answer = np.where(drawn < p[:, 0], 0, np.where(drawn < p[:, 0] + p[:, 1], 2, 1))
    a_left = rng.integers(2, size=votes)
    texts = {text: n for n, text in enumerate(study.prompts)}
    prompt = np.array([texts[i.prompt] for i in study.items])[item]
    left = np.where(answer == 2, -1, np.where(answer == 0, a_left, 1 - a_left))
    return Ballots(rater, item, question, prompt, a, b, answer, np.zeros(votes, int), left)


def store(study: Study, votes: Ballots) -> None:
    """Put votes into the database of the study, as if the page had sent them."""
    kept = Votes(study)
    db = kept._db
    words = ("left", "right", "tie", "both_bad")
    db.execute("BEGIN")
    raters = np.unique(votes.rater).tolist()
    db.executemany("INSERT INTO raters VALUES (?, ?, 0, 0)", [(r + 1, f"{r}") for r in raters])
    rows, answers = [], []
    for n in range(len(votes)):
        a_left = int(votes.left[n] == (votes.answer[n] == 0)) if votes.answer[n] < 2 else 1
        rows.append((n + 1, f"{n}", int(votes.rater[n]) + 1, n, int(votes.item[n]), int(votes.question[n]), a_left))
        side = votes.answer[n] if votes.answer[n] > 1 or a_left else 1 - votes.answer[n]
        answers.append((n + 1, words[side]))
    db.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.executemany("INSERT INTO votes VALUES (?, ?, 1.0, 0)", answers)
    db.execute("COMMIT")
    kept.close()
