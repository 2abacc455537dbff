"""The README.md of a model that has no hand-written one, with the header that hubs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from storyreel import model_card, worlds
from storyreel.model_folder import read_card
from storyreel.recipe import Recipe

if TYPE_CHECKING:
    from storyreel.data.dataset import Dataset


def card(recipe: Recipe, training: Mapping[str, Any], goals: Mapping[str, int] | None = None) -> str:
    """Of a finished training; goals: stage -> steps of its recipe, where it may not be finished."""
    rows = []
    for name, steps in training["steps"].items():
        of = f" of {goals[name]}" if goals is not None and goals[name] != steps else ""
        rows.append(f"| {name} | {steps}{of} | {recipe.stages[name].data.batch} |")
    made = f"`storyreel train {recipe.name}`"
    summary = f"Trained with {made}." if goals is None else f"The newest averages of a run of {made}."
    table = "\n".join(["| stage | steps | clips a step |", "|---|---|---|", *rows])
    data = [f"- {d['name']}: {d['clips']} clips, weight {d['weight']:g}" for d in training.get("data", [])]
    parts = [f"# {recipe.name}", summary, table, *(["## Data", "\n".join(data)] if data else [])]
    return model_card.header(header_of(training)) + "\n\n".join(parts) + "\n"


def header_of(training: Mapping[str, Any]) -> dict[str, Any]:
    """Licence of the data, where all have the same, and their names."""
    data = training.get("data", [])
    licences = {str(each.get("license", "unknown")) for each in data}
    return {
        **model_card.MODEL,
        "license": licences.pop() if len(licences) == 1 else "unknown",
        "datasets": [str(each["name"]) for each in data],
    }


def licence_of(dataset: Dataset) -> str:
    """The hub's name of a dataset's licence: of the world that made it, or what its card says; or "unknown"."""
    if dataset.world in worlds.names():
        return model_card.licence_of(worlds.find(dataset.world).licence)
    try:
        licence = model_card.split(read_card(dataset.path), "README.md")[0].get("license")
    except (ValueError, OSError):
        return "unknown"
    licence = licence[0] if isinstance(licence, list) and licence else licence
    return licence if isinstance(licence, str) else "unknown"
