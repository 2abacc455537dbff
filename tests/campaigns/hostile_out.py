"""Every verb of the command line with every hostile place for what it writes: no byte that was there may change.

    python tests/campaigns/hostile_out.py [VERB...]

Prints a line of counts, and each fault: bytes that changed or went, something that was left after a refusal, a
refusal that is no line of its own or is not about the place, a folder of somebody else's that was written into. Exits
1 if there is one. The verbs are those of the command line itself: one that is new and in neither list is a fault too.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "study"), str(TESTS / "curate")]

from storyreel.options.input_clip import INPUTS as INPUT_CLIPS  # noqa: E402

READERS = {
    *("browse", "check", "data check", "inspect", "models", "models show", "models weights", "models push", "plan"),
    *("recipes", "curate filter", "evaluate compare", "study report", "study serve"),
}
"""Commands without an option that names a place to write to."""
INPUTS = {
    "generate": " ".join(["--story --prompts --from --text", *(f"--{n.replace('_', '-')}" for n in INPUT_CLIPS)]),
    "serve": "--show",
    "models push": "--report",
    "models convert": "source",
    "models lora": "source --into",
    "models export": "--runtime",
    "inspect": "file",
    "curate": "footage --videos --sidecar --image-captioner --video-captioner --aesthetics",
    "curate filter": "dataset",
    "curate ablate": "dataset",
    "browse": "dataset",
    "data make": "--mnist --source",
    "data check": "folder",
    "data preview": "folder",
    "data sheets": "--source",
    "data export": "folder",
    "data prompts": "--source",
    "data import msr-vtt": "--annotations --videos",
    "data import howto100m": "--captions --videos --csv",
    "data import manifest": "file --videos",
    "data import frames": "folder",
    "data import ucf101": "--videos --splits",
    "data import array": "file",
    "train": "--init --text",
    "evaluate": "clips --real --expected",
    "evaluate benchmark": "clips",
    "evaluate compare": "a b",
    "leaderboard": "--prompts --real",
    "study create": "folders",
    "study serve": "folder",
    "study report": "folder",
    "study export": "folder",
    "reproduce": "--source",
}
"""Command -> its arguments and options that take a path and write nothing there (or into a folder that is theirs)."""
COLLIDING = (
    *("README.md", "model.json", "judge.json", "report.html", "report.json", "row.tex", "leaderboard.json"),
    *("metadata.parquet", "dataset.json", "recipe.json", "data.json", "results.json", "results.md", "study.json"),
    *("sweeps.csv", "000000.tar", "00000-of-00001.tar", "00000-of-00001.json", "clips/000000.mkv", "0000.mkv"),
    *("clips/0123456789abcdef0123.mp4", "curation/curate.json", "tokenizer/log.jsonl", "model/model.json"),
    *("moving-digits.json", "skipped.jsonl", ".hidden", ".lock", "clips/.hidden.mkv", "photo.jpg"),
)
"""What a stranger's folder may hold under the names that ours have."""


@dataclass(frozen=True)
class Case:
    """A command and the option that says where it writes. reads: what it reads; suffix: of a file, "" for a folder."""

    name: str
    argv: Callable[[Path, str], list[Any]]
    reads: str
    suffix: str = ""
    adds: bool = False  # a new file under a free name may go into anybody's folder


def imports(box: Path, out: str) -> list[Any]:
    return ["--annotations", box / "in/notes/a.json", "--videos", box / "in/footage", "-o", out, "--workers", 1]


def fresh(box: Path) -> Path:
    """A folder for what is not tried, which nobody looks at."""
    return Path(tempfile.mkdtemp(dir=box / "cache")) / "out"


SETS = ["--set=stages.tokenizer.steps=1", "--set=stages.prior.steps=1", "--quiet"]
SMALL = ["--set=stages.tokenizer.data.batch=1", "--set=stages.prior.data.batch=1"]
CASES = [
    Case("train", lambda b, o: ["train", "phenaki_tiny", "--data", b / "in/data", "-o", o, *SETS], "data"),
    Case(
        "train --cache",
        lambda b, o: [*("train", "phenaki_tiny", "--data", b / "in/data", "-o", fresh(b), "--cache", o), *SETS, *SMALL],
        "data",
        adds=True,
    ),
    Case("models pack", lambda b, o: ["models", "pack", b / "in/model", "-o", o], "model"),
    Case("models convert", lambda b, o: ["models", "convert", b / "in/svd.safetensors", "-o", o], "svd.safetensors"),
    Case(
        "models lora",
        lambda b, o: ["models", "lora", b / "in/lora.safetensors", "--into", b / "in/svd", "-o", o],
        "svd",
    ),
    Case("models convert F", lambda b, o: ["models", "convert", b / "in/svd", "-o", o], "svd", ".safetensors", True),
    Case("models fetch", lambda b, o: ["models", "fetch", "inception-2015", "-o", o], ""),
    Case("models export", lambda b, o: ["models", "export", b / "in/run", "-o", o], "run"),
    Case(
        "models export --web",
        lambda b, o: ["models", "export", b / "in/paged", "--web", o, "--runtime", b / "in/notes"],
        "paged",
    ),
    Case("models text", lambda b, o: ["models", "text", "--words", "digits", "-o", o], ""),
    Case("data sheets", lambda b, o: ["data", "sheets", "--source", b / "cache/lpc", "-o", o], "", ".tar.xz", True),
    Case("curate", lambda b, o: ["curate", b / "in/footage", "-o", o], "footage"),
    Case("curate --redo", lambda b, o: ["curate", b / "in/footage", "-o", o, "--redo"], "footage"),
    Case(
        "curate --webdataset",
        lambda b, o: ["curate", b / "in/footage", "-o", b / "in/curated", "--webdataset", o],
        "footage",
    ),
    Case("curate ablate", lambda b, o: ["curate", "ablate", b / "in/curated", "-o", o], "curated"),
    Case("data make", lambda b, o: ["data", "make", "digits", "-o", o, "--clips", 2, "--workers", 1], ""),
    Case("data export", lambda b, o: ["data", "export", b / "in/data", "-o", o], "data"),
    Case("data preview", lambda b, o: ["data", "preview", b / "in/data", "-o", o], "data", ".png", adds=True),
    Case("data fetch", lambda b, o: ["data", "fetch", "sprites", "-o", o, "--url", "file:///absent"], ""),
    Case("data prompts", lambda b, o: ["data", "prompts", "moving-digits", "-o", o], "", ".txt", adds=True),
    Case(
        "data prompts --real",
        lambda b, o: ["data", "prompts", "moving-digits", "-o", b / "new.txt", "--real", o],
        "",
    ),
    Case("data import msr-vtt", lambda b, o: ["data", "import", "msr-vtt", *imports(b, o)], "footage"),
    Case(
        "data import howto100m",
        lambda b, o: [
            *("data", "import", "howto100m", "--captions", b / "in/notes/c.json"),
            *("--videos", b / "in/footage", "-o", o, "--workers", 1),
        ],
        "footage",
    ),
    Case(
        "data import manifest",
        lambda b, o: [
            "data",
            "import",
            "manifest",
            b / "in/notes/m.csv",
            *("--columns", "path=file,caption=text"),
            "--videos",
            b / "in/footage",
            "-o",
            o,
            "--workers",
            1,
        ],
        "footage",
    ),
    Case(
        "data import frames",
        lambda b, o: ["data", "import", "frames", b / "in/frames", "-o", o, "--workers", 1],
        "frames",
    ),
    Case(
        "data import ucf101",
        lambda b, o: [
            "data",
            "import",
            "ucf101",
            "--videos",
            b / "in/ucf",
            "--splits",
            b / "in/notes",
            "-o",
            o,
            "--workers",
            1,
        ],
        "ucf",
    ),
    Case(
        "data import array",
        lambda b, o: ["data", "import", "array", b / "in/notes/a.npy", "-o", o, "--workers", 1],
        "notes/a.npy",
    ),
    Case("generate", lambda b, o: ["generate", "an orc", "-m", b / "in/model", "-o", o, "-q"], "", ".gif", True),
    Case(
        "generate --image",
        lambda b, o: ["generate", "an orc", "-m", b / "in/model", "--image", b / "in/clips/a/a.webp", "-o", o],
        "clips/a/a.webp",
        ".webp",
        True,
    ),
    Case(
        "generate --from",
        lambda b, o: ["generate", "--from", b / "in/made/made.mkv", "-m", b / "in/model", "-o", o],
        "made/made.mkv",
        ".mkv",
        True,
    ),
    Case(
        "generate --prompts",
        lambda b, o: ["generate", "--prompts", b / "in/notes/p.txt", "-m", b / "in/model", "-o", o, "--format", "png"],
        "notes/p.txt",
    ),
    Case(
        "sheet",
        lambda b, o: [
            *("sheet", "an orc", "-m", b / "in/tiny-sprites", "-o", o, "-q"),
            *("--actions", "hurt", "--candidates", 1, "--steps", 1, "--icon"),
        ],
        "",
        ".png",
        True,
    ),
    Case("demo", lambda b, o: ["demo", "-o", o, "-q"], "", ".webm", True),
    Case("evaluate", lambda b, o: ["evaluate", b / "in/clips/a", "--metrics", "flicker", "-o", o, "-q"], "clips/a"),
    Case(
        "evaluate benchmark",
        lambda b, o: ["evaluate", "benchmark", "moving-digits", b / "in/answers", "-o", o, "-q"],
        "answers",
    ),
    Case(
        "evaluate train-judge",
        lambda b, o: ["evaluate", "train-judge", "--data", b / "in/judged", "-o", o, "--train-steps", 2, "-q"],
        "judged",
    ),
    Case(
        "leaderboard",
        lambda b, o: ["leaderboard", b / "in/clips/a", b / "in/clips/b", "--metrics", "flicker", "-o", o, "-q"],
        "clips/a",
    ),
    Case(
        "serve",  # at an address that is no machine's: it would serve without end where it is not refused
        lambda b, o: ["serve", b / "in/model", "-o", o, "--host", "192.0.2.1", "--token", "of-a-campaign"],
        "model",
    ),
    Case("study create", lambda b, o: ["study", "create", b / "in/clips/a", b / "in/clips/b", "-o", o], "clips/a"),
    Case("study export", lambda b, o: ["study", "export", b / "in/study", "-o", o], "study/study.json", ".csv", True),
    Case("reproduce", lambda b, o: ["reproduce", "phenaki", "-o", o, "--only", "story", "--quick"], ""),
]


def commands() -> dict[str, Any]:
    """ "data make" -> its Click command, for every command of the command line that can be called."""
    import typer

    from storyreel.cli import VERBS

    found: dict[str, Any] = {}

    def walk(name: str, command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            found[name] = command
        for word, sub in (inner or {}).items():
            walk(f"{name} {word}", sub)

    for verb in VERBS:
        module = importlib.import_module(f"storyreel.cli.{verb}")
        walk(verb, typer.main.get_command(module.app))
        if hasattr(module, "commands"):  # beside the verb itself
            for word, sub in typer.main.get_command(module.commands).commands.items():  # pyright: ignore
                walk(f"{verb} {word}", sub)
    return found


def writers() -> dict[str, list[str]]:
    """Command -> its options that name a place to write to: those that take a path and are not in `INPUTS`."""
    found = {}
    for name, command in commands().items():
        flags = {option.opts[0]: str(option.bare_type()) for option in command.params if option.opts}
        paths = [flag for flag, kind in flags.items() if flag == "--out" or "Path" in kind]
        places = [flag for flag in paths if flag not in INPUTS.get(name, "").split()]
        if places:
            found[name] = places
    return found


def uncovered() -> list[str]:
    """Commands and options of the command line that write and have no case here, or no place in `READERS`."""
    known, writing = {case.name for case in CASES}, writers()
    missing = [name for name in commands() if name not in writing and name not in READERS]
    for name, flags in writing.items():
        owns = (name if flag == "--out" else f"{name} {flag}" for flag in flags)
        missing += [own for own in owns if own not in known]
    return missing


def prepare(box: Path) -> None:
    """box/in: one of everything that verbs read; box/theirs: a stranger's folder; a file, and links."""
    import numpy as np
    from killer_films import Here
    from stub_films import measure_real
    from tiny_clips import ball
    from tiny_model import make_tiny, make_tiny_sprites
    from tiny_svd import make_svd, write_lora

    from storyreel.clip import Clip
    from storyreel.curate.export import Export
    from storyreel.curate.pipeline import CurationSettings, curate
    from storyreel.curate.thresholds import Thresholds
    from storyreel.data.folder import write_folder
    from storyreel.ownership import claim
    from storyreel.published_svd.layouts import convert
    from storyreel.study.create import create
    from storyreel.worlds.sprites_sheets import drawn_sheets

    data = box / "in"
    rng = np.random.default_rng(0)
    noise = [Clip(rng.integers(0, 256, (6, 16, 16, 3), np.uint8), 8, f"noise {i}") for i in range(3)]
    write_folder(data / "data", [(clip, {"split": "train"}) for clip in noise], workers=1)
    colours = [{"split": "train", "attributes": {"color": ("red", "blue")[i % 2]}} for i in range(10)]
    write_folder(data / "judged", [(noise[i % 3], facts) for i, facts in enumerate(colours)], workers=1)
    for sheet in drawn_sheets():
        (box / "cache/lpc" / sheet).parent.mkdir(parents=True, exist_ok=True)
        (box / "cache/lpc" / sheet).write_bytes(b"a sheet")
    shipped = TESTS.parent / "storyreel/pretrained"
    shutil.copytree(shipped / "phenaki-sprites", data / "paged")
    shutil.copytree(shipped / "shared/refiner", data / "paged/refiner", dirs_exist_ok=True)
    make_tiny(data / "model")
    make_tiny_sprites(data / "tiny-sprites")
    convert(make_svd(data / "svd"), data / "svd.safetensors")
    write_lora(data / "lora.safetensors")
    for name, shift in (("a", 0), ("b", 3)):
        for number, stem in enumerate(("a", "b")):
            ball(number, shift).save(data / "clips" / name / f"{stem}.webp", scale=1)
    Clip(ball(0).frames, 8).save(data / "answers/0000.webp", scale=1)
    for number in range(2):
        ball(number, frames=12).save(data / "footage" / f"video{number}.mp4", scale=2)
    curate(
        [data / "footage"], data / "curated", CurationSettings(export=Export(format="mp4")), Thresholds(),
        where=Here(), job=measure_real,
    )  # fmt: skip
    create([data / "clips/a", data / "clips/b"], data / "study")
    call(["generate", "a woman", "-m", data / "model", "-o", data / "made/made.mkv", "-q"], box)
    call(["train", "phenaki_tiny", "--data", data / "data", "-o", data / "run", *SETS, *SMALL], box)
    (data / "notes").mkdir()
    (data / "notes/p.txt").write_text("an orc walks left\n")
    videos = [{"video_id": "video0", "start time": 0, "end time": 1, "split": "train", "category": 1, "url": ""}]
    told = {"videos": videos, "sentences": [{"video_id": "video0", "caption": "a ball", "sen_id": 0}]}
    (data / "notes/a.json").write_text(json.dumps(told))
    ball(0, frames=12).save(data / "ucf/Archery/v_Archery_g01_c01.mp4", scale=2)
    (data / "ucf/Archery/v_Archery_g01_c01.mp4").rename(data / "ucf/Archery/v_Archery_g01_c01.avi")
    (data / "notes/trainlist01.txt").write_text("Archery/v_Archery_g01_c01.avi 1\n")
    (data / "notes/testlist01.txt").write_text("")
    for number in range(4):
        ball(number).replace(frames=ball(number).frames[:1]).save(data / f"frames/one/{number}.png", scale=1)
    (data / "notes/m.csv").write_text("file,text\nvideo0.mp4,a ball\n")
    np.save(data / "notes/a.npy", noise[0].frames[:, None, :, :, 0].repeat(2, 1))
    (data / "notes/c.json").write_text(json.dumps({"video0": {"start": [0], "end": [1], "text": ["a ball"]}}))
    for name in COLLIDING:
        (box / "theirs" / name).parent.mkdir(parents=True, exist_ok=True)
        (box / "theirs" / name).write_text(f"mine: {name}")
    for suffix in (".tar.xz", ".png", ".txt", ".gif", ".webp", ".mkv", ".webm", ".csv", ".safetensors"):
        (box / "theirs" / f"out{suffix}").write_text("mine")
        (box / f"link{suffix}").symlink_to(box / "theirs" / f"out{suffix}")
        (box / f"nowhere{suffix}").symlink_to(box / "absent" / f"out{suffix}")
    (box / "file").write_text("mine")
    (box / "link").symlink_to(box / "theirs")
    (box / "nowhere").symlink_to(box / "absent")
    with claim(box / "other", "sheets"):
        (box / "other" / "body.png").write_text("ours, of another kind")


def places(case: Case, box: Path) -> Iterator[tuple[str, str, Path]]:
    """(what it is, what to give as the option, the working folder)."""
    reads, s = box / "in" / case.reads, case.suffix
    yield "read-only", f"/proc/storyreel-out{s}", box
    yield "below a file", str(box / "file" / f"out{s}"), box
    if s:
        yield "a stranger's file", str(box / "theirs" / f"out{s}"), box
        yield "a stranger's file, from where it lies", f"out{s}", box / "theirs"
        yield "a link to a file", str(box / f"link{s}"), box
        yield "a link that leads nowhere", str(box / f"nowhere{s}"), box
        if reads.is_file():
            yield "the input", str(reads), box
            (box / f"way{s}").unlink(missing_ok=True)
            (box / f"way{s}").symlink_to(reads)
            yield "a link to the input", str(box / f"way{s}"), box
        return
    yield "a stranger's folder", str(box / "theirs"), box
    yield "a folder in a stranger's", str(box / "theirs" / "clips"), box
    yield "the working folder", ".", box / "theirs"
    yield "a link to a folder", str(box / "link"), box
    yield "a link that leads nowhere", str(box / "nowhere"), box
    yield "a file", str(box / "file"), box
    yield "a folder of another kind", str(box / "other"), box
    yield "everything that is here", str(box / "in"), box
    yield "everything that is here, from there", ".", box / "in"
    if not case.reads:
        return
    yield "the input", str(reads), box
    if reads.is_dir():
        yield "in the input", str(reads / "new" / "out"), box
        (box / "way").unlink(missing_ok=True)
        (box / "way").symlink_to(reads)
        yield "in the input, by a link", str(box / "way" / "new"), box


def call(argv: list[Any], cwd: Path) -> tuple[int, str]:
    """(exit code, stderr) of the command line in this process."""
    from storyreel.cli import main

    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(word) for word in argv])
    except SystemExit as done:
        return int(done.code or 0), err.getvalue()
    finally:
        os.chdir(before)
    return 0, err.getvalue()


def tree(folder: Path) -> dict[str, str]:
    """Every name below a folder but those of the cache; the digest of files, the target of links."""
    found = {}
    for root, folders, files in os.walk(folder):
        if root == str(folder):
            folders[:] = [name for name in folders if name != "cache"]
        for name in [*folders, *files]:
            path = Path(root, name)
            if path.is_symlink():
                what = f"-> {os.readlink(path)}"
            else:
                what = "folder" if path.is_dir() else _digest(path)
            found[str(path.relative_to(folder))] = what
    return found


DIGESTS: dict[Path, tuple[tuple[int, ...], str]] = {}


def _digest(path: Path) -> str:
    """Of a file's bytes; it is read again when its inode, size or ctime, which nobody can set, is another."""
    about = path.stat()
    state = about.st_dev, about.st_ino, about.st_size, about.st_ctime_ns
    if path not in DIGESTS or DIGESTS[path][0] != state:
        DIGESTS[path] = state, hashlib.sha256(path.read_bytes()).hexdigest()
    return DIGESTS[path][1]


def names_place(said: str, place: str, cwd: Path) -> bool:
    """Whether a refusal is about the place that was given: it begins with it, its folder, or what lies in it."""
    where = cwd / place
    known = {place, str(where), str(where.resolve()), str(where.parent)}
    known |= {f"--cache {name}" for name in known}
    if where.is_dir():
        known |= set(os.listdir(where))
    about = said.removeprefix("storyreel: error: ").split(": ")[0]
    return about in known or any(about.startswith(f"{name}/") for name in (str(where), str(where.resolve())))


def faults_of(case: Case, box: Path) -> Iterator[tuple[str, list[str]]]:
    """(the place, what went wrong there) for each hostile place of one case."""
    for what, place, cwd in places(case, box):
        before = tree(box)
        code, err = call(case.argv(box, place), cwd)
        after = tree(box)
        wrong = [f"changed or removed {name}" for name, digest in before.items() if after.get(name) != digest]
        new = sorted(set(after) - set(before))
        if code == 0 and not (case.adds and what != "the input"):
            wrong.append("was not refused")
        if code != 0 and new:
            wrong.append(f"left {new[0]}")
        said = err.splitlines()
        if code == 1 and not (said and said[-1].startswith("storyreel: error: ") and "Traceback" not in err):
            wrong.append(f"no line of its own: {err.strip()[-300:]}")
        elif code == 1 and not names_place(said[-1], place, cwd):
            wrong.append(f"refused for something else: {said[-1]}")
        if code not in (0, 1, 2):
            wrong.append(f"exit code {code}")
        for name in new:
            with contextlib.suppress(OSError):
                (box / name).unlink()
        yield what, wrong


def run(names: list[str], folder: Path) -> tuple[int, list[str]]:
    """(calls, faults) of the cases whose names begin with one of `names`; all of them for none."""
    os.environ["STORYREEL_CACHE"] = str(folder / "cache")
    os.environ["STORYREEL_MODELS"] = str(folder / "in")
    prepare(folder)
    calls, faults = 0, [] if names else [f"{name}: no case here" for name in uncovered()]
    for case in CASES:
        if names and not any(case.name.startswith(name) for name in names):
            continue
        for what, wrong in faults_of(case, folder):
            calls += 1
            faults += [f"{case.name} -o {what}: {each}" for each in wrong]
    return calls, faults


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="storyreel-hostile-") as folder:
        calls, faults = run(sys.argv[1:], Path(folder).resolve())
    print(json.dumps({"cases": len(CASES), "calls": calls, "faults": len(faults)}))
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
