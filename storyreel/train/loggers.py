"""Where a training's numbers and contact sheets go beside its own files: TensorBoard, wandb, trackio, mlflow.

A stage is a run of its own there, which a training that is resumed goes on with: RUN/<stage>/loggers.json says what the
services call it. A service that fails is told of once and left out; training goes on.
"""

from __future__ import annotations

import importlib
import importlib.util
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from storyreel.storage import read_json, write_json

SERVICES = ("wandb", "trackio", "mlflow")
PROJECT = "storyreel"


class Logger(Protocol):
    """One stage of a training, open for numbers and pictures."""

    def numbers(self, values: Mapping[str, float], step: int) -> None: ...

    def picture(self, file: Path, step: int) -> None:
        """A contact sheet of samples, a PNG file."""
        ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in RUN/<stage>/tensorboard; steps after `step`, of an earlier process, are taken back."""

    def __init__(self, run: Path, stage: str, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.stage = stage
        self.writer = SummaryWriter(str(run / stage / "tensorboard"), purge_step=step)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{self.stage}/{name}", value, step)

    def picture(self, file: Path, step: int) -> None:
        from storyreel.video_io import open_image

        pixels = open_image(file).over().frames[0]
        self.writer.add_image(f"{self.stage}/samples", pixels, step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class Wandb:
    """Weights & Biases, and trackio, which is called in the same way but goes on with a run by its name."""

    def __init__(self, service: Any, run: Path, stage: str) -> None:
        self.service = service
        name, known = f"{run.resolve().name}-{stage}", known_runs(run, stage)
        if service.__name__ == "wandb":
            more = {"group": run.resolve().name, "id": known.get("wandb") or secrets.token_hex(8), "resume": "allow"}
            service.init(project=PROJECT, name=name, **more)
            note_run(run, stage, "wandb", more["id"])
        else:
            service.init(project=PROJECT, name=name, resume="allow" if "trackio" in known else "never")
            note_run(run, stage, "trackio", name)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self.service.log(dict(values), step=step)

    def picture(self, file: Path, step: int) -> None:
        self.service.log({"samples": self.service.Image(str(file))}, step=step)

    def close(self) -> None:
        self.service.finish()


class Mlflow:
    def __init__(self, service: Any, run: Path, stage: str) -> None:
        self.service = service
        service.set_experiment(PROJECT)
        if (known := known_runs(run, stage).get("mlflow")) is not None:
            service.start_run(run_id=known)
        else:
            started = service.start_run(run_name=f"{run.resolve().name}-{stage}")
            note_run(run, stage, "mlflow", started.info.run_id)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self.service.log_metrics(dict(values), step=step)

    def picture(self, file: Path, step: int) -> None:
        self.service.log_artifact(str(file), "samples")

    def close(self) -> None:
        self.service.end_run()


def known_runs(run: Path, stage: str) -> dict[str, str]:
    """Service -> what it calls this stage, where the training began before."""
    file = run / stage / "loggers.json"
    found = read_json(file) if file.is_file() else {}
    return {name: id for name, id in found.items() if isinstance(id, str)} if isinstance(found, dict) else {}


def note_run(run: Path, stage: str, service: str, id: str) -> None:
    known = known_runs(run, stage)
    if known.get(service) != id:
        write_json(run / stage / "loggers.json", {**known, service: id})


def check_installed(names: Sequence[str]) -> None:
    """ValueError names the first service that is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ValueError(f"log: {name} is not installed; run: pip install {name}")


def open_service(name: str, run: Path, stage: str) -> Logger:
    service = importlib.import_module(name)
    return Mlflow(service, run, stage) if name == "mlflow" else Wandb(service, run, stage)


class Loggers:
    """All loggers of one stage. tell: gets the line that says which one failed."""

    def __init__(self, opened: Mapping[str, Logger], tell: Callable[[str], None]) -> None:
        self._opened, self._tell = dict(opened), tell

    @classmethod
    def open(cls, names: Sequence[str], run: Path, stage: str, step: int, tell: Callable[[str], None]) -> Loggers:
        """tensorboard and any of `SERVICES`, by name."""
        found = cls({}, tell)
        for name in names:
            try:
                found._opened[name] = (
                    TensorBoard(run, stage, step) if name == "tensorboard" else open_service(name, run, stage)
                )
            except Exception as error:  # of a service: each has its own
                found._drop(name, error)
        return found

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self._each("numbers", values, step)

    def picture(self, file: Path, step: int) -> None:
        self._each("picture", file, step)

    def close(self) -> None:
        self._each("close")
        self._opened.clear()

    def _each(self, what: str, *values: Any) -> None:
        for name, logger in list(self._opened.items()):
            try:
                getattr(logger, what)(*values)
            except Exception as error:
                self._drop(name, error)

    def _drop(self, name: str, error: Exception) -> None:
        lost = self._opened.pop(name, None)
        if lost is not None:
            with suppress(Exception):
                lost.close()
        reason = (str(error).splitlines() or [""])[0][:160]
        self._tell(f"{name}: {type(error).__name__}: {reason}; it gets nothing more, and training goes on")
