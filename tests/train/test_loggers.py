"""Loggers: event files with contact sheets as pictures; services as stub modules, which see what theirs would."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel.options.training import TrainOptions
from storyreel.train.loggers import SERVICES, check_installed
from storyreel.train.report import Reporter


class Service(types.ModuleType):
    """Writes down what it is called with."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = types.SimpleNamespace(name=name)  # pyright: ignore
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, args, named))
            if name == "start_run":
                return types.SimpleNamespace(info=types.SimpleNamespace(run_id=f"id-{len(self.named('start_run'))}"))
            return ("picture", args[0]) if name == "Image" else None

        return call

    def named(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, named) for each, args, named in self.calls if each == name]


def report(run: Path, *log: str) -> None:
    """A stage of 20 steps with a sheet at step 15."""
    for stage in ("base", "ssr"):
        (run / stage / "samples").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 12, 3), 77, np.uint8)).save(run / stage / "samples" / "0000015.png")
    with Reporter(run, quiet=True, log=log) as reporter:
        for stage in ("base", "ssr"):
            for step in range(1, 21):
                reporter({"step": step, "loss": 1 / step}, {"stage": stage, "clips": 4, "seconds": 0.5, "steps": 20})


def test_tensorboard_has_curves_and_contact_sheets(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    report(tmp_path / "run")
    for stage in ("base", "ssr"):
        events = EventAccumulator(str(tmp_path / "run" / stage / "tensorboard")).Reload()
        assert [(each.step, round(each.value, 4)) for each in events.Scalars(f"{stage}/loss")] == [
            (10, 0.1),
            (20, 0.05),
        ]
        (sheet,) = events.Images(f"{stage}/samples")
        assert (sheet.step, sheet.width, sheet.height) == (15, 12, 8)


@pytest.mark.parametrize("name", SERVICES)
def test_services_get_the_numbers_and_the_sheets_of_each_stage(name: str, tmp_path: Path, monkeypatch: Any):
    service = Service(name)
    monkeypatch.setitem(sys.modules, name, service)
    check_installed([name])
    report(tmp_path / "run", name)
    sheet = str(tmp_path / "run" / "ssr" / "samples" / "0000015.png")
    if name == "mlflow":
        assert [named["run_name"] for _, named in service.named("start_run")] == ["run-base", "run-ssr"]
        numbers = service.named("log_metrics")
        assert service.named("log_artifact")[-1] == ((sheet, "samples"), {})
        assert len(service.named("end_run")) == 2
    else:
        assert [named["name"] for _, named in service.named("init")] == ["run-base", "run-ssr"]
        numbers = [each for each in service.named("log") if "samples" not in each[0][0]]
        assert service.named("log")[-2] == (({"samples": ("picture", sheet)},), {"step": 15})
        assert len(service.named("finish")) == 2
    assert [named["step"] for _, named in numbers] == [10, 20, 10, 20]
    assert numbers[0][0][0]["loss"] == 0.1
    assert numbers[0][0][0]["clips_per_second"] == pytest.approx(8)


@pytest.mark.parametrize("name", SERVICES)
def test_a_training_that_is_resumed_goes_on_with_its_runs(name: str, tmp_path: Path, monkeypatch: Any):
    """Another run folder of the same name does not."""
    service = Service(name)
    monkeypatch.setitem(sys.modules, name, service)
    for run in (tmp_path / "run", tmp_path / "run", tmp_path / "other" / "run"):
        report(run, name)
    calls = [named for _, named in service.named("start_run" if name == "mlflow" else "init")]
    assert len(calls) == 6
    first, again, other = calls[:2], calls[2:4], calls[4:]
    if name == "wandb":
        ids = [each["id"] for each in calls]
        assert ids[:2] == ids[2:4]
        assert len(set(ids)) == 4
        assert {each["resume"] for each in calls} == {"allow"}
    elif name == "trackio":
        assert [each["resume"] for each in calls] == ["never"] * 2 + ["allow"] * 2 + ["never"] * 2
        assert [each["name"] for each in first] == [each["name"] for each in again]
    else:
        assert again == [{"run_id": "id-1"}, {"run_id": "id-2"}]
        assert first == other == [{"run_name": "run-base"}, {"run_name": "run-ssr"}]


def test_a_service_that_fails_is_told_of_once_and_training_goes_on(tmp_path: Path, monkeypatch: Any, capsys: Any):
    service = Service("wandb")

    def breaks(*args: Any, **named: Any) -> None:
        raise ConnectionError("no route\nto host")

    service.log = breaks
    monkeypatch.setitem(sys.modules, "wandb", service)
    report(tmp_path / "run", "wandb")
    said = capsys.readouterr().err
    assert (
        said.count("wandb: ConnectionError: no route; it gets nothing more, and training goes on") == 2
    )  # a stage each
    assert list((tmp_path / "run" / "ssr" / "tensorboard").iterdir())


def test_a_service_that_is_not_here_is_said_before_anything_is_trained(tmp_path: Path, monkeypatch: Any):
    import storyreel

    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match=r"log: wandb is not installed; run: pip install wandb"):
        storyreel.train("phenaki_tiny", "nothing", tmp_path / "run", log=["wandb"])
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="log: expected wandb or trackio or mlflow, got 'excel'"):
        TrainOptions(recipe="x", data=("d",), out=tmp_path, log=("excel",))  # pyright: ignore
