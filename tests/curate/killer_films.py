"""Curates stub films in a child and kills the child with SIGKILL at random file operations, as often as is asked.

    python killer_films.py FOOTAGE DATASET KILLS SEED

Each life is a fork of this process. Prints how many films were finished at each kill.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from stub_films import stub_measure  # noqa: E402

from storyreel.curate.export import Export  # noqa: E402
from storyreel.curate.measure import MeasureSettings  # noqa: E402
from storyreel.curate.pipeline import CurationSettings, Execution, curate  # noqa: E402
from storyreel.curate.thresholds import Thresholds  # noqa: E402


class Here(Execution):
    """In this process: a life is a fork, and a stub film neither dies nor hangs."""

    def run(self, function, items, watch, on_result, on_beat=lambda index, frames: None):  # type: ignore[override]
        from storyreel.curate.supervise import Outcome

        for index, item in enumerate(items):
            try:
                outcome = Outcome(function(item, lambda frames: None))
            except ValueError as error:
                outcome = Outcome(error=str(error))
            on_result(index, outcome)


def life(footage: Path, dataset: Path, moment: int = 0) -> tuple[int, int]:
    """(exit status, file operations): curates in a fork that kills itself at its `moment`-th file operation."""
    told, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def deadly(function):
            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        for name in ("replace", "fsync", "unlink", "mkdir"):
            setattr(os, name, deadly(getattr(os, name)))
        try:
            settings = CurationSettings(measure=MeasureSettings(), export=Export(format="virtual"))
            curate([footage], dataset, settings, Thresholds(), where=Here(), job=stub_measure)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os.write(theirs, str(count).encode())
        os._exit(0)
    os.close(theirs)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(told) as file:
        return status, int(file.read() or 0)


def main() -> None:
    footage, dataset, wanted, rng = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    status, moments = life(footage, dataset / "whole")
    assert status == 0, status
    kills = []
    run = 0
    while True:
        path = dataset / f"killed-{run}"
        status, _ = life(footage, path, rng.randint(1, moments) if len(kills) < wanted else 0)
        if status == -signal.SIGKILL:
            manifest = path / "curation" / "manifest.jsonl"
            kills.append(manifest.read_bytes().count(b"\n") if manifest.exists() else 0)
        elif status != 0:
            sys.exit(f"life after {len(kills)} kills ended with {status}")
        elif len(kills) < wanted:
            run += 1
        else:
            break
    print(json.dumps({"kills": kills, "runs": run + 1, "moments": moments}))


if __name__ == "__main__":
    main()
