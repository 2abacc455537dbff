"""Two processes descend the same curve as one with the same global batch, and any number resumes the other's run."""

from __future__ import annotations

import json
import multiprocessing
import socket
from pathlib import Path

import pytest
import torch
from child import train_as
from safetensors.torch import load_file

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["storyreel.train.distributed", "storyreel.train.stages"])  # imported once, then forked


def launch(path: Path, kind: str, steps: int, accumulate: int, stop: int | None = None) -> None:
    """Start the child once, or as two ranks as torchrun would."""
    world = 1 if kind == "none" else 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    ranks = [
        FORKS.Process(
            target=train_as, args=(base | {"RANK": str(r), "LOCAL_RANK": str(r)}, path, kind, steps, accumulate, stop)
        )
        for r in range(world)
    ]
    try:
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join(600)
        assert [rank.exitcode for rank in ranks] == [0] * world
    finally:
        for rank in ranks:
            rank.kill()


def curve(path: Path, stage: str) -> list[dict]:
    return [json.loads(line) for line in (path / stage / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("alone")
    launch(path, "none", 8, 2)
    return path


def same(a: Path, b: Path) -> None:
    """Logs and averaged weights agree within rounding."""
    for stage in ("tokenizer", "prior"):
        ours, theirs = curve(a, stage), curve(b, stage)
        assert len(ours) == len(theirs) == 8
        for x, y in zip(ours, theirs, strict=True):
            assert x.keys() == y.keys()
            for name in x:
                assert x[name] == pytest.approx(y[name], rel=1e-4, abs=1e-6), (stage, x["step"], name)
        mine, other = (load_file(p / stage / "final.safetensors") for p in (a, b))
        assert mine.keys() == other.keys()
        for name, tensor in mine.items():
            if name != "seen":  # counts the calls of one process
                torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_equal_one(tmp_path, alone, kind):
    launch(tmp_path, kind, 8, 1)
    same(tmp_path, alone)


def test_one_process_goes_on_with_the_run_of_two(tmp_path, alone):
    launch(tmp_path, "fsdp", 8, 1, stop=5)
    assert len(curve(tmp_path, "tokenizer")) == 5
    launch(tmp_path, "none", 8, 2)
    same(tmp_path, alone)
