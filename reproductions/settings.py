"""How large a reproduction is, and what it is made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from storyreel import worlds
from storyreel.encoder import TextVideoEncoder, load_encoder
from storyreel.evaluate.judges import AnyJudge, load_judge
from storyreel.generate.model import Model, load

Tell: TypeAlias = Callable[[str], None]
PLAIN = "plain"
WORLDS = ("digits", "sprites")  # of which Phenaki's models ship
PHRASINGS = max((worlds.find(world).phrasings for world in worlds.names()), key=len)
"""How prompts may be worded, in the world that has the most ways."""


def to_stderr(line: str) -> None:
    import sys

    print(f"storyreel: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of `storyreel reproduce`.

    minutes: of training, for both tokenizers of claim (a) together; `steps` says it exactly instead.
    count: prompts of each measurement, in place of its own number.
    source: folder of the LPC sheets; with it claim (a) is trained on sprites, and stories are compared with real ones.
    recipe: whose tokenizer claim (a) trains; "" is that of the world.
    models, judges: by world, names or folders. For Imagen Video, models by their names.
    paper: whose claims; results.json and the commands name it.
    encoder: name or folder of the encoder that ranks candidates (GODIVA).
    phrasing: how the prompts for new combinations of sprites are worded.
    """

    out: Path
    minutes: float = 60.0
    steps: int | None = None
    count: int | None = None
    source: Path | None = None
    quick: bool = False
    seed: int = 7
    recipe: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    judges: Mapping[str, str] = field(default_factory=dict)
    paper: str = "phenaki"
    encoder: str = "digits"
    phrasing: str = PLAIN
    tell: Tell = to_stderr

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 100_000:
            raise ValueError(f"--minutes: expected more than 0, got {self.minutes:g}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--train-steps: expected at least 1, got {self.steps}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"--num-prompts: expected at least 1, got {self.count}")
        if self.phrasing not in PHRASINGS:
            raise ValueError(f"--phrasing: expected one of {', '.join(PHRASINGS)}, got {self.phrasing!r}")
        for option, folders in (("--model", self.models), ("--judge", self.judges)):
            if option == "--model" and self.paper == "imagen-video":
                continue  # models have names there, such as imagen-video-sprites
            if unknown := sorted(set(folders) - set(worlds.names())):
                raise ValueError(f"{option}: no world {unknown[0]!r}; there are {' and '.join(worlds.names())}")

    @property
    def clips(self) -> int:
        """Clips that claim (a) makes: to train on, and a tenth to measure."""
        return 160 if self.quick else 3000

    @property
    def stories(self) -> int:
        return 1 if self.quick else 5

    @property
    def parts(self) -> tuple[int, float]:
        """How many parts a story has, and the seconds of each; a minute in all."""
        return (3, 2.0) if self.quick else (12, 5.0)

    @property
    def prompts(self) -> int:
        """Prompts a model for claim (c), from either split."""
        return self.count or (8 if self.quick else 200)

    @property
    def how(self) -> dict[str, Any]:
        """What every result depends on."""
        return {"quick": self.quick, "seed": self.seed} | ({"count": self.count} if self.count else {})

    @property
    def training(self) -> dict[str, Any]:
        """What a result that is trained for depends on besides."""
        return {"steps": self.steps} if self.steps else {"minutes": self.minutes}

    def model(self, world: str) -> Model:
        """ValueError, of one line, where there is none."""
        return load(self.models.get(world, f"phenaki-{world}"))

    def find_encoder(self, without: str, name: str = "") -> TextVideoEncoder | None:
        """The encoder that was named, or `name`. Where there is none, None, and the user is told what is missing."""
        try:
            return load_encoder(name or self.encoder)
        except (ValueError, OSError) as error:
            self.tell(f"{without}: {error}")
            return None

    def judge(self, world: str) -> AnyJudge:
        """ValueError, of one line, where there is none."""
        return load_judge(self.judges.get(world, world))

    def judge_digest(self, world: str) -> str:
        """sha256 of the judge's weights; "" where there is none."""
        from storyreel.evaluate.judge_registry import find_judge
        from storyreel.storage import digest_of

        try:
            return digest_of(find_judge(self.judges.get(world, world)) / "model.safetensors")
        except (ValueError, OSError):
            return ""

    @property
    def command(self) -> str:
        """What to type for the same."""
        words = [f"storyreel reproduce {self.paper}", f"-o {self.out}"]
        words += ["--quick"] if self.quick else []
        words += (
            [f"--train-steps {self.steps}"]
            if self.steps
            else []
            if self.quick or self.minutes == 60
            else [f"--minutes {self.minutes:g}"]
        )
        words += [f"--num-prompts {self.count}"] if self.count else []
        words += [f"--source {self.source}"] if self.source else []
        words += [f"--seed {self.seed}"] if self.seed != 7 else []
        words += [f"--recipe {self.recipe}"] if self.recipe else []
        words += [f"--model {world}={name}" for world, name in self.models.items()]
        words += [f"--judge {world}={name}" for world, name in self.judges.items()]
        words += [f"--phrasing {self.phrasing}"] if self.phrasing != PLAIN else []
        words += [f"--encoder {self.encoder}"] if self.encoder != "digits" else []
        return " ".join(words)
