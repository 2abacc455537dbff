"""Stable Video Diffusion's claim: a curated set beats one that is four times larger and is not curated.

Blattmann et al. 2023, https://arxiv.org/abs/2311.15127, Section 3. Dirty footage is made whose truth is known;
`storyreel curate` cleans it; the same small model is trained for the same steps and batch on (a) random windows,
(b) the curated clips, (c) the curated ones without each filter in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from reproductions import curation_filters as filters
from reproductions import curation_sets as sets
from reproductions import curation_training as training
from reproductions.claims import Claims, chosen
from reproductions.curation_jumps import JumpDetector
from reproductions.curation_report import report, verdict
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.generate.model import load
from storyreel.storage import read_json

CLAIMS = ("filters", "training")


@dataclass(frozen=True)
class Size:
    """How large it is: films, shots of each, prompts a model, arms that are trained."""

    films: int = 8
    shots: int = 40
    prompts: int = 100
    arms: tuple[str, ...] = tuple(sets.ARMS)

    @classmethod
    def of(cls, settings: Settings) -> Size:
        size = cls(films=1, shots=12, prompts=4, arms=("curated", "random")) if settings.quick else cls()
        return replace(size, prompts=settings.count) if settings.count else size


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    Each arm that is measured is kept. ValueError for an unknown claim.
    """
    requested = chosen(only, CLAIMS)
    work = _Work(settings)
    if "filters" in requested:
        work.measure("filters", "filters", work.conditions(), lambda: filters.measure_filters(work.made))
    if "training" in requested:
        work.training()
    work.save()
    return work.results


class _Work(Claims):
    """One call: what is needed is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, report)
        self.size, self.encoder = Size.of(settings), settings.find_encoder("no similarity and no Frechet distance")
        self._made: filters.Curated | None = None

    @property
    def made(self) -> filters.Curated:
        if self._made is None:
            self.settings.tell(f"footage: {self.size.films} films of {self.size.shots} shots, made and curated")
            size = self.size
            self._made = filters.curated(self.settings.out, size.films, size.shots, self.settings.seed, self.encoder)
        return self._made

    def conditions(self, more: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a result depends on."""
        encoder = self.encoder.digest if self.encoder else ""
        how = self.settings.how | {"films": self.size.films}
        return how | {"shots": self.size.shots, "encoder": encoder} | (more or {})

    def save(self) -> None:
        self.results["verdict"] = verdict(self.parts)
        super().save()

    def training(self) -> None:
        settings, size = self.settings, self.size
        name = settings.models.get("digits", "phenaki-digits")
        base, folder = training.base_model(name)
        recipe = training.recipe_for(base, 100)
        steps = settings.steps or training.steps_for(
            recipe, settings.minutes, len(size.arms), settings.out / f"steps-{settings.minutes:g}.txt"
        )
        recipe = training.recipe_for(base, steps)
        conditions = self.conditions(
            {"steps": steps, "judge": settings.judge_digest("digits"), "prompts": size.prompts}
        )
        conditions |= {"tokenizer": str(read_json(folder / "model.json")["components"]["tokenizer"]["sha256"])}
        todo = [arm for arm in size.arms if not self.is_measured(f"arm-{arm}", conditions)]
        if not todo and self.is_measured("real", conditions):
            return
        judge = settings.judge("digits")
        cases = training.draw_cases(size.prompts, settings.seed, base.frames, base.tokenizer.size)
        others = training.draw_cases(max(size.prompts, 8), settings.seed + 1, base.frames, base.tokenizer.size)
        system: Any = load(folder).system
        jumps = JumpDetector.of(training.through_tokenizer(system, [case.real for case in others]))
        if not self.is_measured("real", conditions):
            real = training.through_tokenizer(system, [case.real for case in cases])
            found = training.measure_clips(real, cases, judge, self.encoder, jumps)
            cut = [jumps.has_cut(clip) for clip in training.spliced(real)]
            found |= {"limit": jumps.limit, "spliced": training.share_json(training.Share(sum(cut), len(cut)))}
            self.put("real", "training", conditions, found)
        items = sets.choices(self.made, settings.seed)
        written = sets.write_sets(
            settings.out / "sets", {a: items[a] for a in size.arms}, base.frames, base.tokenizer.size
        )
        start = training.start_from(folder, settings.out / "start")
        for arm in todo:
            curated = self.parts.get("arm-curated", {})
            if arm != "curated" and items[arm] == items["curated"] and curated.get("asked") == conditions:
                settings.tell(f"training: {sets.ARMS[arm]}: the same clips, so the same model")
                same = {name: value for name, value in curated.items() if name not in ("date", "command", "pictures")}
                self.put(f"arm-{arm}", "training", conditions, same | {"same": True})
                continue
            settings.tell(f"training: {sets.ARMS[arm]}, {len(items[arm])} clips, {steps} steps")
            run = settings.out / "runs" / f"{arm}-{steps}"
            model = training.train(recipe, written[arm], run, start)
            clips = training.make(model, cases, settings.seed, settings.out / "clips" / f"{arm}-{steps}")
            found = training.measure_clips(clips, cases, judge, self.encoder, jumps)
            found |= {"set": sets.purity(items[arm], self.made), "steps": steps, "batch": training.BATCH}
            shown = [(f"{sets.ARMS[arm]}: {w.caption}", c) for w, c in zip(cases[:5], clips[:5], strict=False)]
            found["pictures"] = [write_sheet(settings.out / f"{arm}.png", shown, side=64).name]
            self.put(f"arm-{arm}", "training", conditions, found)
