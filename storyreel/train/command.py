"""What `storyreel train` and `storyreel.train` do: recipe and folders in, run folder out."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch

from storyreel.model import own_tensors
from storyreel.names import expanded
from storyreel.options.training import TrainOptions
from storyreel.ownership import check_owner
from storyreel.recipe import Recipe, StageRecipe, override_all
from storyreel.run import Run
from storyreel.storage import read_json, write_json
from storyreel.systems.base import Stage, System
from storyreel.tensor_file import copy_into

if TYPE_CHECKING:
    from storyreel.data.dataset import Dataset
from storyreel.train.budget import Budget, Shares, TimeBudget, saved_steps, time_stages, with_steps
from storyreel.train.card import card, licence_of
from storyreel.train.distributed import first_alone, processes
from storyreel.train.frozen_encoders import take_encoders
from storyreel.train.loggers import check_installed
from storyreel.train.loop import BatchSource
from storyreel.train.parallel import Kind
from storyreel.train.report import Reporter
from storyreel.train.stages import MakeLoader, Prepare, train_system
from storyreel.worlds import find, names


def resolve(name: str, settings: Sequence[str]) -> Recipe:
    """The named recipe with `field.field=value` overrides. ValueError names the nearest recipe or field."""
    from storyreel import recipes

    return changed(recipes.get(name), settings)


def changed(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with `field.field=value` overrides. ValueError names the nearest field."""
    changes = []
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            raise ValueError(f"--set {setting}: expected field=value, such as stages.tokenizer.optim.lr=3e-4")
        changes.append((path.strip(), value.strip()))
    return override_all(recipe, changes)


Data: TypeAlias = str | Path
Folders: TypeAlias = "list[tuple[Dataset, float]]"


def train(
    recipe: str | Recipe, data: Data | Sequence[Data], out: str | Path, *, quiet: bool = True, **options: Any
) -> Path | None:
    """Train a recipe on datasets into the run folder `out`; the same again resumes it exactly.

    data: dataset folders, `DIR,WEIGHT`, or worlds such as "digits:?clips=2000". Options: the fields of `TrainOptions`,
    as on the command line. quiet: no progress on stderr. Gives the model folder, or None while other stages are not
    finished. ValueError or OSError, in one line: an option, a recipe, data that it cannot be trained on, or a run
    folder of another recipe or in use.
    """
    if isinstance(data, (str, Path)):
        data = [data]
    name = recipe if isinstance(recipe, str) else recipe.name
    checked = TrainOptions.of({"recipe": name, "data": [str(each) for each in data], "out": out, **options})
    return run(checked, None if isinstance(recipe, str) else recipe, quiet=quiet)


def run(options: TrainOptions, recipe: Recipe | None = None, *, quiet: bool = True) -> Path | None:
    """Train; the model folder, if every stage is finished. recipe: in place of the one that the options name."""
    from storyreel.published_svd.files import is_published

    found = resolve(options.recipe, ()) if recipe is None else recipe
    if options.init is not None and is_published(options.init):
        from storyreel.published_svd.model import sized_for

        found = sized_for(found, options.init)
    found = changed(found, options.sets)
    from storyreel.text import using

    with using(options.text):
        return Command(recipe=found, options=options, quiet=quiet).run()


@dataclass(kw_only=True)
class Command:
    """A training with its recipe, which is changed as the minutes allow."""

    recipe: Recipe
    options: TrainOptions
    quiet: bool = True
    ends: float | None = None  # one of the processes side by side: the Unix time at which the minutes are over
    beside: bool = False  # one of the processes side by side, whose run folder was begun by another one
    text_dim: int | None = None  # numbers of a token's state that the system reads, once it is built

    @property
    def out(self) -> Path:
        assert self.options.out is not None
        return self.options.out

    def run(self) -> Path | None:
        """Train, and write RUN/model when every stage is finished; gives that folder, if it is there then."""
        options = self.options
        left = options.minutes if self.ends is None else (self.ends - time.time()) / 60
        budget = None if left is None else Budget(left)
        if options.threads:
            torch.set_num_threads(options.threads)
        check_installed(options.log)
        with processes(device_of(options.device)) as (rank, world, device):
            if world > 1 and (budget or options.stages_at_once):
                raise ValueError("--minutes and --stages-at-once are for one process, and this is one of several")
            folders = open_folders(options.data, options.cache)
            check_captions(self.recipe, self.stages(), folders)
            if options.stages_at_once:
                from storyreel.train.at_once import train_side_by_side

                train_side_by_side(self, device, folders, budget)
                self.recipe, budget = with_steps(self.recipe, saved_steps(self.out)), None
            shares = self._planned(budget, folders, device) if budget else None
            run = begin_run(self, folders, device, rank)
            try:
                return self._train(run, folders, (rank, world, device), shares)
            finally:
                run.close()

    def build(self, device: torch.device) -> System:
        """The system with the weights that it starts from."""
        torch.manual_seed(self.recipe.seed)
        system: System = self.recipe.system.build()
        if self.options.init is not None:
            begin_from(system, self.options.init)
        take_encoders(system)
        self.text_dim = system.text_dim
        return system.to(device)

    def stages(self) -> list[str]:
        """The names of the stages that this call is to train."""
        names = [str(name) for name in self.recipe.stages]
        return [name for name in names if name == self.options.stage] or names

    def unfinished(self) -> list[str]:
        """Those of them that have no final weights yet."""
        return [name for name in self.stages() if not (self.out / name / "final.json").exists()]

    def _planned(self, budget: Budget, folders: Folders, device: torch.device) -> Shares:
        """Time the stages, and give the recipe the steps that the minutes allow."""
        names, saved = self.unfinished(), saved_steps(self.out)
        done = {n: steps for n, steps in saved.items() if n in self.recipe.stages and n not in names}
        self.recipe = with_steps(self.recipe, done)
        if not self.quiet and names:
            print(f"storyreel: timing {', '.join(names)}", file=sys.stderr, flush=True)
        times = time_stages(self.build(device), self.recipe, names) if names else {}
        clips = sum(len(folder) for folder, _ in folders)
        self.recipe = budget.plan(self.recipe, self.out, times, clips=clips)
        return Shares(budget, times, clips)

    def _train(
        self, run: Run, folders: Folders, where: tuple[int, int, torch.device], shares: Shares | None = None
    ) -> Path | None:
        rank, world, device = where
        with Reporter(
            self.out, quiet=self.quiet, log=self.options.log, active=rank == 0, bar=not self.beside
        ) as reporter:

            def begin(name: str, loader: BatchSource) -> TimeBudget:
                assert shares is not None
                return shares.begin(run, name, loader, reporter.tell)

            system = train_system(
                lambda: self.build(device),
                run,
                self._loaders(run, folders, rank, world),
                only=self.options.stage,
                on_step=reporter,
                tell=reporter.tell,
                kind="none" if world == 1 else cast(Kind, self.options.parallel),
                begin=begin if shares else None,
            )
        if system is not None and rank == 0 and not self.beside:
            self._export(system, run, folders)
        return None if system is None else run.path / "model"

    def _loaders(self, run: Run, folders: Folders, rank: int, world: int) -> MakeLoader:
        from storyreel.data.loader import Loader

        def make(
            name: str, settings: StageRecipe, stage: Stage, prepare: Prepare | None, prepare_key: str
        ) -> BatchSource:
            device = next(stage.parameters()).device

            def open_loader() -> BatchSource:
                text = None
                if stage.needs_text:
                    from storyreel.text import load_text_encoder

                    text = load_text_encoder(self.recipe.text).to(device)
                    if self.text_dim not in (None, text.dim):
                        reads = f"its states are {text.dim} wide, and the network reads {self.text_dim}"
                        raise ValueError(f"text: {text.name}: {reads}; change the recipe's text_dim with --set")
                return Loader(
                    folders,
                    settings.data,
                    seed=self.recipe.seed,
                    rank=rank,
                    world=world,
                    text=text,
                    prepare=prepare,
                    prepare_key=prepare_key,
                    cache=self.options.cache,
                    device=device,
                )

            loader = first_alone(open_loader, rank, world)
            if rank == 0:
                note_words(run, folders, self.recipe)
            return loader

        return make

    def _export(self, system: System, run: Run, folders: Folders) -> None:
        from storyreel.model import save_model

        training = {
            "steps": {name: (run.stage(name).final() or {}).get("step") for name in self.recipe.stages},
            "data": described(folders),
            "words": known_words(folders),
            "attributes": declared_attributes(folders),
            "text": text_encoder_of(self.recipe),
            "torch": torch.__version__,
        }
        steps = {name: stage.steps for name, stage in run.recipe.stages.items()}
        recipe = with_steps(portable(self.recipe), {str(name): count for name, count in steps.items()})
        save_model(run.path / "model", system.cpu(), recipe=recipe, card=card(recipe, training), training=training)


def device_of(name: str) -> torch.device:
    """The device that a person names; "auto" is a GPU where there is one. ValueError for one that is not here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device: expected cpu, cuda, ... or auto, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        have = f"{torch.cuda.device_count()} CUDA devices" if torch.cuda.is_available() else "no CUDA device"
        raise ValueError(f"--device {name}: PyTorch {torch.__version__} finds {have} here; expected cpu or auto")
    return device


def portable(recipe: Recipe) -> Recipe:
    """The recipe without the place of a packed text encoder: what it packs gives the same states but for rounding."""
    packed = recipe.text.startswith("minilm-words:")
    return replace(recipe, text="minilm") if packed else recipe


def text_encoder_of(recipe: Recipe) -> dict[str, str]:
    """What encoded the captions; a packed encoder is told by whose words it has and its digest."""
    from storyreel.text import PACKED

    kind, _, folder = recipe.text.partition(":")
    if kind == "minilm":
        kind, folder = ("minilm-words", os.environ[PACKED]) if os.environ.get(PACKED) else (kind, "")
    if kind != "minilm-words":
        return {"name": kind}
    from storyreel.text.minilm_words import read_info

    info = read_info(expanded(folder))
    return {"name": "minilm-words", "words": str(info["words"]), "digest": str(info["digest"])}


def known_words(folders: Folders, most: int = 1_000) -> list[str]:
    """The words of the captions that a model was trained on, the most frequent ones, in alphabetic order."""
    counts: Counter[str] = Counter()
    for folder, _ in folders:
        for captions in folder.all_captions:
            counts.update(word for caption in captions for word in re.findall(r"[^\W_]+", caption.lower()))
    return sorted(word for word, _ in counts.most_common(most))


def declared_attributes(folders: Folders) -> dict[str, Any]:
    """The attributes of the world that the clips are from, as a card has them; {} where they are from several."""
    worlds = {folder.world for folder, _ in folders}
    name = worlds.pop() if len(worlds) == 1 else ""
    return {key: one.as_json() for key, one in find(name).attributes.items()} if name in names() else {}


def open_folders(data: Sequence[str], cache: Path | None = None) -> Folders:
    """DIR, DIR,WEIGHT, or a world such as sprites:FOLDER?clips=60000, with a weight or without, each."""
    from storyreel.data.dataset import open_dataset

    found = []
    for each in data:
        path, comma, weight = each.rpartition(",")
        if not comma or os.path.isdir(each) or "?" in weight:
            path, weight = each, "1"
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not number > 0:
            raise ValueError(f"--data {each}: the weight after the comma: expected a number above 0, got {weight!r}")
        if cache is not None and os.path.isdir(path):
            place = cache.resolve()
            if Path(path).resolve() in (place, *place.parents):
                raise ValueError(
                    f"--cache {cache}: lies in {path}, which is read; give a folder of its own to write to"
                )
        found.append((open_dataset(path, cache), number))
    return found


def check_captions(recipe: Recipe, stages: Sequence[str], folders: Folders) -> None:
    """ValueError where one of the stages reads texts and a folder has none, before an earlier one trains for hours."""
    silent = [folder for folder, _ in folders if not folder.has_captions]
    if not silent:
        return
    from storyreel.data.source import need_captions

    with torch.device("meta"):
        system: System = recipe.system.build()
    if any(system.stages[name].needs_text for name in stages if name in system.stages):
        need_captions(silent[0])


def begin_run(command: Command, folders: Folders, device: torch.device, rank: int | None = None) -> Run:
    """The run folder, in which nothing is written before it is known that this process may train into it.

    rank: of the process that is to train; None begins the folder for others, and holds no stage.
    """
    check_owner(command.out / "model", "model")
    recipe = command.recipe
    write = not rank and not command.beside
    run = Run.open(
        command.out,
        recipe,
        device=device,
        inputs=[*(f.path for f, _ in folders), command.options.init],
        hold=command.stages() if rank == 0 else (),
        write=write,
    )
    note_data(run, folders, write)
    return run


def note_data(run: Run, folders: Folders, write: bool) -> None:
    """RUN/data.json says what a run was trained on. Other data is allowed, and said, since no resume is exact then."""
    file = run.path / "data.json"
    now = {"folders": [{"digest": f.digest, "weight": w} for f, w in folders]}
    saved = read_json(file) if file.exists() else {}
    if saved and saved.get("folders") != now["folders"] and write:
        print(f"storyreel: {run.path} was begun on other data; it goes on with what is given now", file=sys.stderr)
        saved = {}
    if write:
        write_json(file, {**saved, **now, "data": described(folders)})


def note_words(run: Run, folders: Folders, recipe: Recipe) -> None:
    """Add to RUN/data.json what a model's card needs of the captions, once they have been read."""
    noted = read_json(run.path / "data.json")
    if "words" not in noted:
        write_json(run.path / "data.json", {**noted, "text": text_encoder_of(recipe), "words": known_words(folders),
                                            "attributes": declared_attributes(folders)})  # fmt: skip


def described(folders: Folders) -> list[dict[str, Any]]:
    return [
        {"name": f.name, "digest": f.digest, "clips": len(f), "weight": w, "license": licence_of(f)} for f, w in folders
    ]


def begin_from(system: System, path: Path) -> None:
    """Give the stages the weights of a model folder, of the finished stages of a run, or published ones."""
    from storyreel.published_svd.files import is_published

    if is_published(path):
        from storyreel.published_svd.model import fill

        fill(system, path)
        return
    if (path / "model.json").exists():
        from storyreel.model import load_tensors

        found = load_tensors(path)
    else:
        finals = sorted(path.glob("*/final.json"))
        if not finals:
            raise ValueError(f"{path}: expected a model folder (with model.json) or a run with a finished stage")
        from storyreel.run import StageRun

        found = {f.parent.name: StageRun(f.parent, f.parent.name).final_tensors() for f in finals}
    if not set(found) & set(system.stages):
        raise ValueError(f"{path}: has {', '.join(found)}; expected one of {', '.join(system.stages)}")
    found = system.adopt(found)
    for name, stage in system.stages.items():
        if name in found:
            own = own_tensors(stage)
            left_out = tuple(f"{n}." for n in getattr(stage, "training_only", ()))
            own = {n: t for n, t in own.items() if n in found[name] or not n.startswith(left_out)}
            copy_into(own, found[name], f"{path}: {name}")
