"""From raw footage to a dataset folder: measure each film once, then caption, choose and write.

    footage ──measure──► curation/films ──rows──► captions, similarity ──choose──► clips/ + metadata.parquet

Killed at any moment, the same call goes on and ends with the same bytes as one that was never killed: what is measured
is written film by film, and everything after it is a function of these files alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from storyreel.curate.captions import Captions
from storyreel.curate.choose import choose
from storyreel.curate.model_work import Work
from storyreel.curate.models import check_captioners, run_models
from storyreel.curate.requirements import check_imports, text_note
from storyreel.curate.rows import number_copies, rows_of
from storyreel.curate.scores import judged
from storyreel.curate.screen import CurationScreen
from storyreel.curate.settings import CurationSettings, Execution
from storyreel.curate.sources import FilmSource, find_sources
from storyreel.curate.store import FilmRecord, Store, read_object, shown
from storyreel.curate.supervise import Beat, Job, Outcome
from storyreel.curate.thresholds import Duplicates, Thresholds
from storyreel.curate.write import Written, write_dataset

__all__ = ["STEPS", "CurationSettings", "Execution", "check_steps", "curate"]

STEPS = ("cuts", "motion", "text", "quality", "captions", "similarity", "aesthetics", "duplicates", "write")


def check_steps(steps: Sequence[str]) -> tuple[str, ...]:
    """ValueError for a step that is not known, and for leaving out the cuts."""
    for step in steps:
        if step not in STEPS:
            raise ValueError(f"steps: no step {step!r}; there are {', '.join(STEPS)}")
    if "cuts" not in steps:
        raise ValueError("steps: cuts cannot be left out, clips are the spans between them")
    return tuple(steps)


def without(thresholds: Thresholds, steps: Sequence[str]) -> Thresholds:
    """The thresholds of the steps that are done; the other scores are stored but reject nothing."""
    off = {name: score.off for name, score in judged().items() if score.step not in steps}
    thresholds = replace(thresholds, **off)
    if "duplicates" not in steps:
        thresholds = replace(thresholds, duplicates=Duplicates(share=None))
    return thresholds


def measure_film(job: tuple[str, Any], beat: Beat) -> dict[str, Any]:
    """(path, MeasureSettings) -> what was measured, as JSON values. Runs in a watched process."""
    from storyreel.curate.measure import measure

    path, settings = job
    return measure(Path(path), settings, on_frames=beat).as_json()


def curate(
    footage: Sequence[str | Path],
    dataset: str | Path,
    settings: CurationSettings,
    thresholds: Thresholds,
    *,
    steps: Sequence[str] = STEPS,
    where: Execution = Execution(),
    redo: bool = False,
    retry: bool = False,
    columns: Mapping[str, str] | None = None,
    videos: Path | None = None,
    screen: CurationScreen | None = None,
    job: Job = measure_film,
) -> Written:
    """Curate `footage` into the dataset folder; films of earlier calls stay in it.

    redo: throw away what another configuration measured. retry: try films again that could not be read.
    columns, videos: of manifests, as for `find_sources`.
    ValueError or OSError: no footage, a folder of another configuration or in use, a full disk. What a single film
    does wrong is listed, and the others go on.
    """
    steps = check_steps(steps)
    films, others = find_sources(footage, columns, videos)
    if not films and not others:
        raise ValueError("no footage was given; expected files, folders or a manifest")
    if not films:
        raise ValueError(f"no film among the footage: {shown([f'{name} {why}' for name, why in others])}")
    screen = screen or CurationScreen(quiet=True)
    if job is measure_film:
        check_imports()
        if "text" in steps and (note := text_note()):
            screen.say(f"note: {note}")
    if "captions" in steps:
        check_captioners(settings.models)
    if settings.measure.transnet is not None:
        from storyreel.curate.transnet import check_network

        network = str(Path(settings.measure.transnet).resolve())  # other machines have other working folders
        check_network(network)
        settings = replace(settings, measure=replace(settings.measure, transnet=network))
    with Store(dataset, [*footage, *(source.path for source in films), settings.sidecars]) as store, screen:
        if "text" not in steps:
            settings = replace(settings, measure=replace(settings.measure, text_long_side=0))
        config = store.configure(settings.lasting(), redo=redo)
        sources = store.sources(films)
        for name, why in others:
            screen.say(f"{name}: {why}, left out")
        _measure(store, sources, settings, thresholds, where, retry, screen, job)
        rows, notes = assemble(store, sources, settings, config)
        if "captions" not in steps:
            for row in rows:
                row["captions_made"], row["caption_made_from"] = [], None
        thresholds = without(thresholds, steps)
        choose(rows, thresholds, store.edits())
        work = Work(store, rows, settings.models, screen, notes)
        run_models(work, steps, settings.captions, lambda: choose(rows, thresholds, store.edits()))
        return write_dataset(
            store, rows, thresholds, settings, where=where, screen=screen, notes=notes, export="write" in steps
        )


def _measure(
    store: Store,
    sources: Sequence[FilmSource],
    settings: CurationSettings,
    thresholds: Thresholds,
    where: Execution,
    retry: bool,
    screen: CurationScreen,
    job: Job,
) -> None:
    """Every film that is not measured yet; each result is on disk before the next is begun in its place."""
    todo = [source for source in sources if not store.is_done(source, retry=retry)]
    screen.begin_films(len(sources), [_size(source) for source in todo])

    def finish(index: int, outcome: Outcome) -> None:
        source = todo[index]
        film = store.put_film(source, outcome)
        if film.error is not None:
            screen.say(f"{source.name}: set aside: {film.error}")
        selected, spans = (
            _selected_seconds(store, film, source, thresholds) if outcome.result is not None else (0.0, 0.0)
        )
        screen.film_done(index, film.seconds, selected, spans)

    where.run(job, [(source.path, settings.measure) for source in todo], settings.watch, finish, screen.film_beat)
    store.settle()


def _size(source: FilmSource) -> int:
    try:
        return Path(source.path).stat().st_size
    except OSError:
        return 0


def _selected_seconds(
    store: Store, film: FilmRecord, source: FilmSource, thresholds: Thresholds
) -> tuple[float, float]:
    """(seconds that would be kept, seconds of all spans) of one film, before duplicates and models: for the screen."""
    rows = rows_of(_read_film(store, film), source, "")
    choose(rows, thresholds)
    return sum(r["seconds"] for r in rows if r["kept"]), sum(r["seconds"] for r in rows)


def _read_film(store: Store, film: FilmRecord) -> Any:
    from storyreel.curate.measures import FilmMeasures

    return FilmMeasures.from_json(read_object(store.film_file(film.film)))


def assemble(
    store: Store, sources: Sequence[FilmSource], settings: CurationSettings, config: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """(all rows, in the order of the films' names, with the captions that need no model; notes for the card)."""
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    folder = Path(settings.sidecars) if settings.sidecars else None
    for source in sources:
        film = store.films.get(source.name)
        if film is None or film.error is not None:
            continue
        captions = Captions(source, settings.captions, folder)
        for row in rows_of(_read_film(store, film), source, config):
            row["captions_made"], row["caption_made_from"] = captions.of(row["start_seconds"], row["end_seconds"])
            rows.append(row)
        notes += captions.notes
    number_copies(rows)
    return rows, notes
