"""The refiner of the models of sprites: one network, which several systems ship."""

from __future__ import annotations

from storyreel.systems.palette_refiner import PaletteRefinerConfig
from storyreel.worlds import find


def sprites_refiner() -> PaletteRefinerConfig:
    """In the 768 commonest colors of the world; the text alone makes some of them likelier."""
    return PaletteRefinerConfig(palette=find("sprites").commonest_colors(768), text_colors=True)
