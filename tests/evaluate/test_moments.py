"""The state of features gathered by several processes is that of one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from storyreel.evaluate.moments import Moments


def test_two_ranks_gather_what_one_would(tmp_path: Path):
    x = torch.randn(31, 6, generator=torch.Generator().manual_seed(0))
    save_file({"x": x}, tmp_path / "x.safetensors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    child = Path(__file__).with_name("moments_child.py")
    command = [sys.executable, str(child), str(tmp_path / "x.safetensors"), str(tmp_path / "sum")]
    ranks = [
        subprocess.Popen(command, env={**base, "RANK": str(r), "LOCAL_RANK": str(r)}, stderr=subprocess.PIPE, text=True)
        for r in range(2)
    ]
    try:
        told = [rank.communicate(timeout=600)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], told[0][-2000:]
    whole = Moments.of(x)
    for rank in range(2):
        found = load_file(tmp_path / f"sum-{rank}")
        assert int(found["n"]) == 31
        torch.testing.assert_close(found["total"], whole.total)
        torch.testing.assert_close(found["outer"], whole.outer)


def test_without_processes_nothing_changes():
    moments = Moments.of(torch.ones(3, 2))
    moments.all_reduce()
    assert moments.n == 3
    assert moments.total.tolist() == [3, 3]
