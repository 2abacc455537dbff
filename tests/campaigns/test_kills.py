"""Killed at any moment, every verb that writes ends as if it had not been; and the campaign would see it otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "kills.py"
CARELESS = """
import random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from kills import Verb, files, kill
from storyreel.storage import replacing

def cut(box, out):
    out.mkdir(exist_ok=True)
    if not (out / "a").exists():
        with open(out / "a", "w") as file:
            file.write("whole")

def forgets(box, out):
    with replacing(out / "a") as (made,):
        made.write_text("whole")

for work in (cut, forgets):
    print(len(kill(Verb("careless", work, files, plants=()), Path(sys.argv[2]), 30, random.Random(0)).faults))
"""


def test_a_few_kills_of_each_verb():
    """`python tests/campaigns/kills.py --full` is forty of each."""
    args = [sys.executable, str(SCRIPT), "--kills", "2"]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8, done.stdout
    assert all(": 2 kills at up to" in line and line.endswith(" 0 faults") for line in lines), done.stdout


def test_the_campaign_sees_half_a_file_and_what_is_left(tmp_path: Path):
    args = [sys.executable, "-c", CARELESS, str(SCRIPT.parent), str(tmp_path)]
    done = subprocess.run(args, capture_output=True, text=True, check=True)
    half, left = map(json.loads, done.stdout.split())
    assert half > 0, "a file that was begun and not written"
    assert left > 0, "a temporary file that nobody swept"
