"""A system is two files, `systems/NAME.py` and `recipes/NAME.py`: everything else finds it by its name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import storyreel
from storyreel import recipes, worlds

PACKAGE = Path(storyreel.__file__).parent

SYSTEM = '''
"""A system whose videos have one colour, that of the mean of its training clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from storyreel.clip import Clip
from storyreel.systems.base import Batch, Loss, OnProgress, Request, Stage, System, TextEncoder, Tick


@dataclass(frozen=True, kw_only=True)
class OneColourConfig:
    size: int = 8
    frames: int = 2
    fps: int = 4
    text_dim: int = 32
    steps: int = 1
    guidance: float = 1.0

    def build(self) -> OneColour:
        return OneColour(self)


class ColourStage(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.zeros(3))

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        return Loss((batch["video"] - self.colour.view(3, 1, 1, 1)).square().mean(), {})

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.colour.view(1, 3, 1, 1, 1)


class OneColour(System):
    name = "one_colour"

    def __init__(self, config: OneColourConfig):
        super().__init__()
        self.config, self.text_dim, self.colour = config, config.text_dim, ColourStage()

    @property
    def stages(self) -> dict[str, Stage]:
        return {"colour": self.colour}

    @torch.no_grad()
    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        c = self.config
        video = self.colour.sample({}, rng=[request.rng()]).clamp(-1, 1).expand(1, 3, c.frames, c.size, c.size)
        return Clip.from_tensor(video[0], Fraction(c.fps), request.options.prompt)
'''
RECIPE = '''
"""Recipes for one colour."""

from __future__ import annotations

from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.systems.one_colour import OneColourConfig


def one_colour_tiny() -> Recipe:
    stage = StageRecipe(
        data=Data(frames=2, size=8, batch=4), optim=Optim(lr=0.1, warmup=1), steps=30, precision="fp32",
        checkpoint_every=30, sample_every=0,
    )
    return Recipe(name="one_colour_tiny", system=OneColourConfig(), stages={"colour": stage}, text="hash:32")
'''


def test_every_system_is_found_by_its_files():
    assert set(recipes.SYSTEMS) <= {file.stem for file in (PACKAGE / "systems").glob("*.py")}
    written = {
        node.name
        for file in (PACKAGE / "recipes").glob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) == "Recipe"
        if not node.args.args
    }
    encoders = {f"encoder_{world}" for world in worlds.names()}
    assert set(recipes.names()) == written | encoders
    assert len(recipes.names()) == len(written | encoders) >= 23


def test_two_files_are_a_system(tmp_path: Path):
    """In a copy of the package: trained, saved, opened by its name and asked for a video, from the shell."""
    import shutil

    left_out = shutil.ignore_patterns("pretrained", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "storyreel", ignore=left_out)
    (tmp_path / "storyreel" / "systems" / "one_colour.py").write_text(SYSTEM)
    (tmp_path / "storyreel" / "recipes" / "one_colour.py").write_text(RECIPE)

    def storyreel_says(*words: str) -> str:
        command = [sys.executable, "-m", "storyreel", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    storyreel_says("train", "one_colour_tiny", "--data", "digits:?clips=8", "-o", "run", "--device", "cpu", "-q")
    storyreel_says("generate", "anything", "-m", "run/model", "-o", "clip.png")
    from storyreel.video_io import read

    clip = read(tmp_path / "clip.png")
    assert clip.frames.shape == (2, 8, 8, 3)
    assert clip.frames.std((0, 1, 2)).max() == 0, "one colour"
