"""The steps that need a model: captions from pictures, their fusion, similarity of text and frames, aesthetics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storyreel.curate.captioners import load_captioner
from storyreel.curate.fusion import fuse
from storyreel.curate.model_work import Captioner, ModelSettings, Work, ask
from storyreel.curate.picture_captions import Endpoint, folder_of
from storyreel.curate.similarity import aesthetics, similarity

__all__ = ["ModelSettings", "Work", "ask", "check_captioners", "picture_captioner", "run_models"]


def picture_captioner(models: ModelSettings) -> Captioner:
    """The captioner that `models.captioner` names; weights are loaded with the first clip.

    ValueError, one line: no such folder, no model that transformers knows, pickled weights, or not on this machine.
    """
    name = str(models.captioner)
    if name.startswith(("http://", "https://")):
        return Endpoint(name, models)
    return load_captioner(folder_of(name), "video" if models.pictures > 1 else "image", pictures=models.pictures)


def check_captioners(models: ModelSettings) -> None:
    """ValueError, one line, for a captioner that is not here, before the hours of work; no weights are read."""
    for kind in ("image", "video"):
        if folder := getattr(models, kind):
            load_captioner(folder, kind)
    if models.captioner:
        picture_captioner(models)


def run_models(work: Work, steps: Sequence[str], kinds: Sequence[str], choose_again: Callable[[], None]) -> None:
    """Captions, then similarity and aesthetics, into the rows; `choose_again` is called after each that was done.

    kinds: of the captions that need no model, in order.
    """
    if "captions" in steps and (work.models.image or work.models.video):
        _captions(work)
        choose_again()
    if "captions" in steps and work.models.captioner:
        _picture_captions(work, kinds)
        choose_again()
    if "similarity" in steps and work.models.encoder:
        _guarded(work, "similarity", similarity)
        choose_again()
    if "aesthetics" in steps and work.models.aesthetics:
        _guarded(work, "aesthetics", aesthetics)
        choose_again()


def _guarded(work: Work, name: str, step: Callable[[Work], None]) -> None:
    """A model that is not here leaves the column empty; a disk that is full still ends the run."""
    try:
        step(work)
    except (ValueError, ImportError, FileNotFoundError) as error:
        work.notes.append(note := f"{name}: not scored: {' '.join(str(error).split())}")
        work.screen.say(note)


def _picture_captions(work: Work, kinds: Sequence[str]) -> None:
    """Captions of `--captions MODEL`, for what the kinds before it do not caption."""
    first = kinds[: work.models.before]
    rows = [row for row in work.candidates() if row.get("caption_made_from") not in first]
    captions = ask(work, picture_captioner(work.models), "captions", rows)
    for row in rows:
        if text := captions.get(row["clip"]):
            row["captions_made"] = list(dict.fromkeys([text, *(row.get("captions_made") or [])]))
            row["caption_made_from"] = "captioner"


def _captions(work: Work) -> None:
    captions: list[dict[str, str]] = []
    for kind in ("image", "video"):
        if folder := getattr(work.models, kind):
            captions.append(ask(work, load_captioner(folder, kind), f"{kind} captions"))
    rows = [row for row in work.candidates() if any(row["clip"] in one for one in captions)]
    texts = {row["clip"]: [one[row["clip"]] for one in captions if one.get(row["clip"])] for row in rows}
    fused: dict[str, str] = {}
    if work.models.chat:
        fused = fuse(work, texts)
    for row in rows:
        found = [*([fused[row["clip"]]] if row["clip"] in fused else []), *texts[row["clip"]]]
        if found:
            before = row.get("captions_made") or []
            row["captions_made"] = list(dict.fromkeys([*found, *before]))
            row["caption_made_from"] = "fused" if row["clip"] in fused else "captioner"
