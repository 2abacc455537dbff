"""Kills every verb that writes with SIGKILL at random file operations, and runs it again until it is done.

    python tests/campaigns/kills.py [--kills 40] [--seed 1] [--full] [VERB...]

A life is a fork of this process that kills itself at a random one of its file operations (open for writing, rename,
link, remove, make a folder, flush to the disk). What is there in the end is compared with a run that was never killed;
foreign files lie inside and beside; no temporary file may be left after the last run. Prints a line for each verb:
kills, folders, faults. Exits 1 if there is a fault. `--full` is 40 kills of each.
"""

from __future__ import annotations

import argparse
import builtins
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "study"), str(TESTS / "curate"), str(TESTS / "campaigns")]

from hostile_out import CASES, call, imports, prepare, writers  # noqa: E402

from storyreel.ownership import LOCK, MARKER  # noqa: E402
from storyreel.storage import is_temporary  # noqa: E402

OPERATIONS = ("replace", "rename", "link", "unlink", "mkdir", "rmdir", "fsync")
ALIKE = {LOCK, ".lock", ".edits.lock", "timing.jsonl"}  # what may differ between two runs: locks, and the clock
PLANTED = "mine, not storyreel's"
SURVIVES = 4  # one life in so many and one ends, so that what kills leave is compared often, and not once


@dataclass
class Verb:
    """What is killed. life: one call into the folder `out`; raises when it fails. state: what must be equal."""

    name: str
    life: Callable[[Path, Path], None]
    state: Callable[[Path], Any]
    begin: Callable[[Path, Path], None] = lambda box, out: None
    plants: tuple[str, ...] = ("notes.txt",)
    slow: bool = False  # seconds a life: left to `--full`, or to whoever names it
    warm: bool = False  # one life in this process first, so that no other imports anything; not where it trains


@dataclass
class Count:
    kills: int = 0
    folders: int = 0
    moments: int = 0
    faults: list[str] = field(default_factory=list)


def files(out: Path, but: Callable[[str], bool] = lambda name: False) -> dict[str, str]:
    """Digest of every file below a folder but locks, clocks and what was planted."""
    found = {}
    for file in sorted(out.rglob("*")):
        name = file.relative_to(out).as_posix()
        if file.is_file() and file.name not in ALIKE and not but(name):
            content = file.read_bytes()
            if content.decode("utf-8", "replace") != PLANTED:
                found[name] = hashlib.sha256(content).hexdigest()
    return found


# -- the verbs -----------------------------------------------------------------------------------------------


def cli(*argv: Any) -> None:
    """The command line in this process; RuntimeError with what it says when it fails."""
    code, err = call(list(argv), Path("/"))
    if code:
        raise RuntimeError(f"exit {code}: {err.strip()[-400:]}")


def _train(box: Path, out: Path) -> None:
    import torch

    torch.set_num_threads(1)
    sets = [f"--set=stages.{s}.{w}" for s in ("tokenizer", "prior") for w in ("steps=4", "checkpoint_every=1")]
    sets += [f"--set=stages.{s}.data.batch=2" for s in ("tokenizer", "prior")]
    cli("train", "phenaki_tiny", "--data", box / "in/data", "-o", out, *sets, "--quiet", "--threads", 1)


def _generate(box: Path, out: Path) -> None:
    cli("generate", "--prompts", box / "six.txt", "-m", box / "in/model", "-o", out, "--format", "png", "-q")


def _curate(box: Path, out: Path) -> None:
    from killer_films import Here
    from stub_films import measure_real

    from storyreel.curate.export import Export
    from storyreel.curate.pipeline import CurationSettings, curate
    from storyreel.curate.thresholds import Thresholds

    settings = CurationSettings(export=Export(side=32))
    curate([box / "in/footage"], out, settings, Thresholds(), where=Here(), job=measure_real)


def _make(box: Path, out: Path) -> None:
    from storyreel.data import write

    write.CHUNK = 3
    cli("data", "make", "digits", "-o", out, "--clips", 10, "--size", 32, "--digits", "1", "--workers", 1)


def _pack(box: Path, out: Path) -> None:
    cli("models", "pack", box / "in/model", "-o", out)


def _import(box: Path, out: Path) -> None:
    cli("data", "import", "msr-vtt", *imports(box, str(out)))


def _export(box: Path, out: Path) -> None:
    cli("data", "export", box / "in/data", "-o", out, "--shard", 1)


def _ablate(box: Path, out: Path) -> None:
    cli("curate", "ablate", box / "in/curated", "-o", out)


def _packed_before(box: Path, out: Path) -> None:
    """An earlier model, whose card somebody edited and beside which somebody keeps notes."""
    cli("models", "pack", box / "in/model", "-o", out)
    (out / "README.md").write_text("my own words")
    (out / "notes").mkdir()
    (out / "notes/a.txt").write_text("mine")
    (out / "model.json").write_text("{}")


def _evaluate(box: Path, out: Path) -> None:
    cli("evaluate", box / "in/clips/a", "--metrics", "flicker", "-o", out, "-q", "--workers", 0)


def _report(out: Path) -> Any:
    document = json.loads((out / "report.json").read_text())
    volatile = ("made", "command", "machine", "seconds")
    return {k: v for k, v in document.items() if k not in volatile}, sorted(files(out))


def _study(box: Path, out: Path) -> None:
    from storyreel.study.create import create

    create([box / "in/clips/a", box / "in/clips/b"], out)


def _items(out: Path) -> Any:
    """The study with the pixels of its clips instead of their names, which are drawn anew each time."""
    document = json.loads((out / "study.json").read_text())
    clips = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in (out / "clips").iterdir()}
    items = [item | {"files": [clips.pop(name, "gone") for name in item["files"]]} for item in document["items"]]
    return {**document, "id": "", "items": items}, clips, owner(out)


def owner(out: Path) -> str:
    return json.loads((out / MARKER).read_text())["kind"]


def _case(name: str, *more: Any) -> Callable[[Path, Path], None]:
    """A life of a case of hostile_out.py and `more` options; what it writes as a file lies in the folder `out`."""
    case = next(case for case in CASES if case.name == name)

    def life(box: Path, out: Path) -> None:
        target = out
        if case.suffix:
            out.mkdir(exist_ok=True)
            target = out / f"made{case.suffix}"
            if name in ONCE and target.exists():  # it writes over no file, not even its own
                return
        cli(*case.argv(box, str(target)), *more)

    return life


def _page(box: Path, out: Path) -> None:
    cli("models", "export", "phenaki-sprites", "--web", out, "--runtime", box / "onnxruntime-web")


def _begin_page(box: Path, out: Path) -> None:
    """Stand-ins for the files of onnxruntime-web; and the networks, which every life would export anew, exported once:
    lives write the same bytes in the same places."""
    from storyreel.generate.model import load
    from storyreel.web import export, runtime

    folder = box / "onnxruntime-web"
    if folder.exists():
        return
    folder.mkdir()
    for name in runtime.FILES:
        (folder / name).write_text(name)
        runtime.FILES[name] = hashlib.sha256(name.encode()).hexdigest()
    networks, model = box / "networks", load("phenaki-sprites", device="cpu")
    networks.mkdir()
    found = export._write_networks(networks, model, model.system.graphs() or {}, lambda line: None)

    def written(made: Path, *_: Any) -> Any:
        for file in sorted(networks.iterdir()):
            export.write_bytes(made / file.name, file.read_bytes())
        return found

    export._write_networks = written


def _begin_text(box: Path, out: Path) -> None:
    """MiniLM and its tokenizer are read once, and not in every life."""
    import safetensors.torch

    from storyreel.text import minilm_words

    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # whose threads do not outlive a fork
    if not hasattr(safetensors.torch.load_file, "cache_info"):
        safetensors.torch.load_file = cache(safetensors.torch.load_file)
        minilm_words.load_tokenizer = cache(minilm_words.load_tokenizer)
        files = minilm_words.find_weights(None)
        safetensors.torch.load_file(files["model.safetensors"])
        minilm_words.load_tokenizer(files["tokenizer.json"])


def _judge(out: Path) -> dict[str, Any]:
    """All of it; the card, whose digest is in the marker, names the folder."""
    found: dict[str, Any] = files(out, lambda name: name in (MARKER, "README.md"))
    found["README.md"] = (out / "README.md").read_text().replace(out.name, "NAME")
    return found | {MARKER: json.loads((out / MARKER).read_text()) | {"cards": None}}


def _names(out: Path) -> list[str]:
    return sorted(files(out))


EDITS = [("0123456789abcdef0123", {"keep": bool(i % 2)} if i % 3 else {"caption": f"words {i} é"}) for i in range(8)]


def _edit(box: Path, out: Path) -> None:
    """Decisions one after the other; each that is told to be on the disk must be found there afterwards."""
    from storyreel.curate.edits import add_edit, edits_file

    file, told = edits_file(out), out / "told"
    whole = file.read_bytes() if file.exists() else b""
    done = whole.count(b"\n")
    acknowledged = len(told.read_bytes()) if told.exists() else 0
    if not acknowledged <= done <= acknowledged + 1:
        raise RuntimeError(f"{acknowledged} edits were acknowledged, {done} are there")
    for clip, change in EDITS[done:]:
        with told.open("ab") as acknowledge:
            acknowledge.write(b"." * (done - len(told.read_bytes())))
        add_edit(out, clip, **change)
        done += 1
    with told.open("ab") as acknowledge:
        acknowledge.write(b"." * (done - len(told.read_bytes())))


def _begin_edits(box: Path, out: Path) -> None:
    (out / "curation").mkdir(parents=True)


ONCE = ("models convert F",)
UNTHREADED = ("--workers", 0)  # PyTorch's pool of threads does not outlive a fork
VERBS = [
    Verb("train", _train, lambda o: files(o, lambda name: "tensorboard/" in name), plants=("notes.txt", "model.txt")),
    Verb("generate", _generate, files),
    Verb("sheet", _case("sheet"), files, warm=True),
    Verb("curate", _curate, files, plants=("notes.txt", "clips/mine.mkv", "clips/mine.mp4", "curation/shelf/mine.mp4")),
    Verb("curate ablate", _ablate, files),
    Verb("data make", _make, files, plants=("notes.txt", "clips/mine.mkv", "clips/.mine")),
    Verb("data import msr-vtt", _import, files),
    Verb("data import manifest", _case("data import manifest"), files, slow=True),
    Verb("data import frames", _case("data import frames"), files, slow=True),
    Verb("data import ucf101", _case("data import ucf101"), files, slow=True),
    Verb("data import array", _case("data import array"), files, slow=True),
    Verb("data import howto100m", _case("data import howto100m"), files, slow=True),
    Verb("data export", _export, files),
    Verb("data preview", _case("data preview"), files, slow=True),
    Verb("data prompts", _case("data prompts"), files, slow=True),
    Verb("models pack", _pack, files, _packed_before, ()),
    Verb("models convert", _case("models convert"), files, warm=True),
    Verb("models convert F", _case("models convert F"), files, slow=True),
    Verb("models lora", _case("models lora"), files, warm=True),
    Verb("models export", _case("models export"), files, warm=True),
    Verb("models export --web", _page, files, _begin_page, slow=True, warm=True),
    Verb("models text", _case("models text"), files, _begin_text, slow=True, warm=True),
    Verb("evaluate", _evaluate, _report),
    Verb("evaluate benchmark", _case("evaluate benchmark"), _names, slow=True, warm=True),
    Verb("evaluate train-judge", _case("evaluate train-judge"), _judge, slow=True),
    Verb("leaderboard", _case("leaderboard", *UNTHREADED), _names, slow=True, warm=True),
    Verb("study create", _study, _items, plants=()),
    Verb("study export", _case("study export"), files, slow=True),
    Verb("browse edits", _edit, files, _begin_edits),
]
ELSEWHERE = {
    "serve": "serve_kills.py kills it",
    "demo": "one call of generate",
    "reproduce": "calls of train and evaluate",
    "models fetch": "from the network; tests/evaluate/test_fetch_weights.py cuts it off",
    "data fetch": "from the network; tests/data/test_fetch.py cuts it off",
    "data sheets": "one file, through `storage.replacing`",
}
"""Commands that write and are not killed here, and why."""


def unkilled() -> list[str]:
    """Commands of the command line that write, and are neither in `VERBS` nor in `ELSEWHERE`."""
    return sorted(writers().keys() - {verb.name for verb in VERBS} - ELSEWHERE.keys())


# -- lives ---------------------------------------------------------------------------------------------------


def live(work: Callable[[], None], moment: int, log: Path) -> tuple[int, int]:
    """(exit status, file operations) of `work` in a fork that kills itself at its `moment`-th operation; 0: never."""
    told, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        counted = 0

        def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                nonlocal counted
                counted += 1
                if counted == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return wrapped

        plain = io.open

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if set(mode) & set("wax+"):
                deadly(lambda: None)()
                found = plain(file, mode, *args, **kwargs)
                deadly(lambda: None)()
                return found
            return plain(file, mode, *args, **kwargs)

        for name in OPERATIONS:
            setattr(os, name, deadly(getattr(os, name)))
        io.open = builtins.open = opened
        try:
            work()
        except BaseException as error:
            plain(log, "a").write(f"{error!r}\n")
            os._exit(1)
        os.write(theirs, str(counted).encode())
        os._exit(0)
    os.close(theirs)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(told) as file:
        return status, int(file.read() or 0)


def plant(out: Path, names: tuple[str, ...]) -> list[Path]:
    """Foreign files in a folder that is ours already."""
    planted = []
    for name in names if (out / MARKER).exists() else ():
        if (out / name).parent.is_dir():
            (out / name).write_text(PLANTED)
            planted.append(out / name)
    return planted


def kill(verb: Verb, box: Path, kills: int, rng: random.Random) -> Count:
    """Run one verb until it was killed so often, then to the end; what became of it."""
    home = box / "out" / verb.name.replace(" ", "-")
    home.mkdir(parents=True)
    (home / "neighbour.txt").write_text(PLANTED)
    log, count = home / "log", Count()

    def life(out: Path, moment: int) -> int:
        status, operations = live(lambda: verb.life(box, out), moment, log)
        count.moments = max(count.moments, operations)
        return status

    if verb.warm:
        verb.begin(box, home / "warm")
        verb.life(box, home / "warm")
    verb.begin(box, home / "whole")
    if life(home / "whole", 0):
        return Count(faults=[f"fails even when it is not killed: {log.read_text()}"])
    whole = verb.state(home / "whole")
    while count.kills < kills and count.folders < 3 * kills and not count.faults:
        out, planted = home / f"killed-{count.folders}", []
        count.folders += 1
        verb.begin(box, out)
        while True:
            moment = rng.randint(1, count.moments + count.moments // SURVIVES + 1)  # beyond the last: it may end
            status = life(out, moment if count.kills < kills else 0)
            if status == -signal.SIGKILL:
                count.kills += 1
                planted = planted or plant(out, verb.plants)
                continue
            if status:
                count.faults.append(f"after {count.kills} kills: {log.read_text().strip()[-500:]}")
            break
        if not count.faults:
            count.faults += compare(verb, whole, out, planted)
    left = [f for f in home.rglob("*") if is_temporary(f.name) or f.name.endswith(".storyreel-replaced")]
    count.faults += [f"temporary left: {f.relative_to(home)}" for f in left]
    if (home / "neighbour.txt").read_text() != PLANTED:
        count.faults.append("the neighbour was touched")
    shutil.rmtree(home)
    return count


def compare(verb: Verb, whole: Any, out: Path, planted: list[Path]) -> list[str]:
    faults = [f"foreign {f.name} was touched" for f in planted if not f.exists() or f.read_text() != PLANTED]
    try:
        found = verb.state(out)
    except (OSError, ValueError, KeyError) as error:
        return [*faults, f"{out.name}: {error!r}"]
    if found != whole:
        both = [dict(x) if isinstance(x, dict) else {str(i): v for i, v in enumerate(x)} for x in (whole, found)]
        unlike = [k for k in both[0].keys() | both[1].keys() if both[0].get(k) != both[1].get(k)]
        faults.append(f"{out.name}: differs in {sorted(unlike)[:5]}")
    return faults


def run(names: list[str], kills: int, seed: int, box: Path, slow: bool = False) -> dict[str, Count]:
    """name -> what became of it."""
    os.environ["STORYREEL_CACHE"] = str(box / "cache")
    prepare(box)
    (box / "six.txt").write_text("".join(f"an orc walks {way}\n" for way in ("left", "right", "up", "down")))
    _warm_up()
    found = {}
    known = {verb.name: verb for verb in VERBS}
    for verb in [known[name] for name in names] or [verb for verb in VERBS if slow or not verb.slow]:
        found[verb.name] = kill(verb, box, kills, random.Random(f"{seed} {verb.name}"))
        print(f"{verb.name}: {report(found[verb.name])}", flush=True)
    return found


def _warm_up() -> None:
    """What every life would import anew; no backward pass, whose threads do not outlive a fork."""
    import torch

    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], fused=True)
    parameter.grad = torch.zeros(1)
    optimizer.step()
    import storyreel.evaluate.evaluation
    import storyreel.evaluate.report
    import storyreel.generate.model
    import storyreel.systems.phenaki
    import storyreel.train.command  # noqa: F401


def report(count: Count) -> str:
    told = f"{count.kills} kills at up to {count.moments} places, {count.folders} folders, {len(count.faults)} faults"
    return "\n  ".join([told, *count.faults])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storyreel-kills-") as folder:
        kills = 40 if given.full else given.kills
        found = run(given.verbs, kills, given.seed, Path(folder).resolve(), given.full)
    return 1 if any(count.faults for count in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
