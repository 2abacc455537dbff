"""What the models that ship have in common: how they are optimized, and the refiner of the models of sprites."""

from __future__ import annotations

from storyreel.recipe import Optim
from storyreel.systems.palette_refiner import PaletteRefinerConfig
from storyreel.worlds import find

SMALL = Optim(lr=1e-3, muon=0.02, warmup=100, weight_decay=0.01)
"""Muon learns in a third of the steps that AdamW alone takes (docs/log.md)."""


def sprites_refiner() -> PaletteRefinerConfig:
    """In the 768 commonest colors of the world; the text alone makes some of them likelier."""
    return PaletteRefinerConfig(palette=find("sprites").commonest_colors(768), text_colors=True)
