"""Killed at any moment, every verb that writes ends as if it had not been; and the campaign would see it otherwise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from kills import VERBS, unkilled

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


def test_every_verb_that_writes_is_killed():
    assert unkilled() == []


def test_a_few_kills_of_each_verb():
    """`python tests/campaigns/kills.py --full` is forty of each."""
    args = [sys.executable, str(SCRIPT), "--kills", "2"]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == sum(not verb.slow for verb in VERBS) == 15, done.stdout
    assert all(": 2 kills at up to" in line and line.endswith(" 0 faults") for line in lines), done.stdout


def test_a_few_kills_of_each_server():
    """`python tests/campaigns/server_kills.py` is forty of each."""
    args = [sys.executable, str(SCRIPT.with_name("server_kills.py")), "--kills", "2"]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"(study|browse): 2 kills, (\d+) answers acknowledged, 0 faults", done.stdout)
    assert [name for name, _ in told] == ["study", "browse"], done.stdout
    assert all(int(count) > 0 for _, count in told)


def test_the_campaign_sees_what_a_server_lost(tmp_path: Path):
    """A study whose votes, and a set whose decisions, go back to what they were before."""
    script = (
        "import random, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import server_kills as s\n"
        "for name, file in (('study', 'votes.sqlite'), ('browse', 'curation/edits.jsonl')):\n"
        "    rng, box = random.Random(0), Path(sys.argv[2]) / name\n"
        "    served = s.SERVERS[name](box, rng)\n"
        "    told, count = {}, s.Count()\n"
        "    s.life(served, told, 0.1, count)\n"
        "    good = len(served.wrong(dict(told)))\n"
        "    for each in (served.folder / file).parent.glob(Path(file).name + '*'): each.write_bytes(b'')\n"
        "    try: bad = len(served.wrong(dict(told)))\n"
        "    except Exception: bad = 1\n"
        "    print(good, bad, len(told))\n"
    )
    args = [sys.executable, "-c", script, str(SCRIPT.parent), str(tmp_path)]
    done = subprocess.run(args, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        good, bad, told = map(int, line.split())
        assert good == 0 < bad
        assert told > 0


def test_the_campaign_sees_half_a_file_and_what_is_left(tmp_path: Path):
    args = [sys.executable, "-c", CARELESS, str(SCRIPT.parent), str(tmp_path)]
    done = subprocess.run(args, capture_output=True, text=True, check=True)
    half, left = map(json.loads, done.stdout.split())
    assert half > 0, "a file that was begun and not written"
    assert left > 0, "a temporary file that nobody swept"
