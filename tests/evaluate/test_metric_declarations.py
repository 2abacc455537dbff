"""A metric is one file: a declaration that is put beside the others is measured, named in errors and reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from storyreel.clip import Clip
from storyreel.evaluate import metrics as package
from storyreel.evaluate.evaluation import evaluate
from storyreel.options.evaluation import EvaluateOptions

BRIGHTNESS = '''
"""How bright clips are."""

from storyreel.evaluate.metric import Metric
from storyreel.evaluate.metrics.motion import compute
from storyreel.evaluate.per_clip import per_clip_score


def mean(inputs):
    done = inputs.evaluation
    return per_clip_score(inputs.who, inputs.column(done.rows, "motion", done.plan.per_clip), done.clip_rows.prompts)


METRICS = (
    Metric(name="brightness", direction="higher", compute=mean, per_clip=lambda m: float(m.frames.float().mean())),
)
'''


@pytest.fixture
def brightness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "brightness.py").write_text(BRIGHTNESS)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "more")])
    package.metrics.cache_clear()
    yield
    package.metrics.cache_clear()
    sys.modules.pop("storyreel.evaluate.metrics.brightness", None)


def test_a_new_file_is_a_new_metric(brightness: None, tmp_path: Path, grey_clip: Clip):
    (tmp_path / "clips").mkdir()
    grey_clip.save(tmp_path / "clips" / "a.mkv", scale=None)
    grey_clip.save(tmp_path / "clips" / "b.mkv", scale=None)
    done = evaluate(EvaluateOptions(clips=tmp_path / "clips", metrics=("brightness",), workers=0))
    (found,) = done.measurements
    assert found.score.name == "brightness"
    assert found.score.value == pytest.approx(100, abs=1)
    assert "brightness" in package.default_metrics()
    with pytest.raises(ValueError, match=r"metrics: no 'brightnes'; did you mean 'brightness'\?"):
        package.named("brightnes")


@pytest.fixture
def grey_clip() -> Clip:
    import numpy as np

    return Clip(np.full((4, 16, 16, 3), 100, np.uint8), 8)


def test_every_declaration_is_whole():
    for name, metric in package.metrics().items():
        assert metric.name == name
        assert metric.direction in ("lower", "higher", "real")
        assert bool(metric.kind) <= bool(metric.gathers)
        assert not (metric.paired and metric.default), "reconstruction is measured only where it is asked for"
    orders = [metric.order for metric in package.metrics().values()]
    assert orders == sorted(orders)
    assert len(set(orders)) == len(orders)
