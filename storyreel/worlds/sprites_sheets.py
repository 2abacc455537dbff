"""Which sheets the world `sprites` can draw from, whether they are all there, and how to take them along.

The full set has more than three thousand sheets; about half of them are ever drawn. An archive of those alone is a
tenth of the size; `storyreel.data.fetch.pictures_in` opens it where a folder would do.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from storyreel.worlds.sprites_parts import (
    BELTS,
    BODIES,
    CAPES,
    EYES,
    FACIAL_HAIR,
    FEET,
    HAIR_COLORS,
    HAIR_STYLES,
    HANDS,
    HEADS,
    LEGS,
    SEXES,
    TORSOS,
    WEAPONS,
    WITH_EARS,
)  # fmt: skip

CREDITS = ("AUTHORS.txt", "cc-by-sa-3.0.txt", "gpl-3.0.txt")

MAX_UNPACKED = 1 << 30  # bytes of an archive of the sheets; today's has 60 MB


@cache
def drawn_sheets() -> tuple[str, ...]:
    """The files that a character can be drawn from, relative to the folder of the sheets, sorted."""
    shades = {shade for colors in HAIR_COLORS.values() for shade in colors}
    names = {f"hair/{sex}/{style}/{shade}" for sex in SEXES for style in HAIR_STYLES for shade in shades}
    names |= {f"facial/male/{kind}/{shade}" for kind in FACIAL_HAIR for shade in shades}
    for body, sheets in BODIES.items():
        sexes = ("male",) if body == "skeleton" else SEXES
        names |= {f"body/{sex}/{sheet}" for sex in sexes for sheet in sheets}
        if body in WITH_EARS:
            names |= {f"body/{sex}/ears/elvenears_{sheet}" for sex in sexes for sheet in sheets}
            names |= {f"body/{sex}/eyes/{color}" for sex in sexes for color in EYES}
    for part in (*TORSOS, *LEGS, *FEET, *HEADS, *HANDS, *BELTS, *CAPES, *WEAPONS):
        names |= {file.format(sex=sex) for sex in part.sexes for _, file in part.files}
    names |= {name.replace("arrow", "arrow_skeleton") for name in names if name.endswith("/arrow")}
    return tuple(sorted(f"{name}.png" for name in names))


def check_sheets(folder: Path) -> None:
    """ValueError names the first sheet that is missing, and how many are."""
    if not (folder / "body" / "male" / "light.png").is_file():
        raise ValueError(
            f"source: {folder} holds no body/male/light.png; expected the folder of the Liberated Pixel Cup "
            "sheets (`storyreel data fetch sprites -o FOLDER` gets it)"
        )
    if missing := [name for name in drawn_sheets() if not (folder / name).is_file()]:
        raise ValueError(f"source: {folder} lacks {len(missing)} of {len(drawn_sheets())} sheets, first {missing[0]}")


def sheets_digest(folder: Path) -> str:
    """Hex digest of the names and sizes of the sheets that are drawn from; other files beside them do not matter."""
    hashed = hashlib.sha256()
    for name in drawn_sheets():
        hashed.update(f"{name}:{(folder / name).stat().st_size}\n".encode())
    return hashed.hexdigest()


def _is_packed(file: Path) -> bool:
    """Whether a file is an archive of `pack_sheets`."""
    from storyreel.archive import ArchiveLimits, names_in

    if file.is_symlink() or not file.is_file():
        return False
    try:
        return names_in(file, ArchiveLimits(MAX_UNPACKED, len(drawn_sheets()) + len(CREDITS))) <= {
            *CREDITS,
            *drawn_sheets(),
        }
    except (ValueError, OSError):
        return False


def pack_sheets(folder: Path, out: Path) -> int:
    """Write the sheets that are drawn from, and their credits, into one tar.xz; how many files. The same bytes always.

    ValueError or OSError: a sheet is missing, or `out` is there and is no such archive.
    """
    import tarfile

    from storyreel.ownership import claim_file
    from storyreel.storage import replacing

    claim_file(out, _is_packed(out))
    check_sheets(folder)
    credits = [name for name in CREDITS if (folder / name).is_file()]
    names = [*credits, *drawn_sheets()]
    with replacing(out) as (made,), tarfile.open(made, "w:xz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = (folder / name).stat().st_size
            with (folder / name).open("rb") as file:
                tar.addfile(info, file)
    return len(names)
