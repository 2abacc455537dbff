"""Two small folders of clips to compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_clips import ball


@pytest.fixture(scope="session")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders of two clips each, of the same prompts under other names."""
    folder = tmp_path_factory.mktemp("clips")
    for shift, model in enumerate(("ours", "theirs")):
        for number in range(2):
            ball(number, 3 * shift).save(folder / model / f"{model}-{number}.webp", scale=1)
    return [folder / "ours", folder / "theirs"]
