"""What the folders of each kind hold, so that those of earlier versions, without a marker, are recognised.

A folder is recognised when every file in it has a name that its kind gives, and the files are there that no folder of
that kind lacks. Links to folders, and whatever has another name, make it somebody else's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VIDEO_SUFFIXES = (".mp4", ".webm", ".gif", ".webp", ".apng", ".png", ".mkv")  # of files that `generate` writes
CLIP_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".gif", ".webp", ".apng")  # of anybody's clips
LEFT = (
    r"(.*/)?(\.[^/]*\.[0-9a-f]{8}(\.\w+)?|\.?[^/]+\.tmp-\d+(\.png)?|\.[^/]+\.span\.tmp"
    r"|\.tmp-checkpoint-[^/]+(/[^/]+)?)"
)
"""What earlier versions left when they were killed while they wrote."""
OURS = r"(.*/)?(\.storyreel\.(json|lock)|\.DS_Store|Thumbs\.db|desktop\.ini|\..*\.storyreel-[0-9a-f-]+(\.[^./]*)?)"
MODEL = r"model\.json|README\.md|[a-z0-9_]+/(config\.json|model\.safetensors)"
STAGE = (
    r"\.lock|log\.jsonl|timing\.jsonl|final\.(json|safetensors)|checkpoint-\d+/([\w-]+\.safetensors|state\.json)"
    r"|samples/\d+\.png|tensorboard/events\.[^/]+|loggers\.json"
)
CURATION = (
    r"\.lock|curate\.json|(footage|manifest|quarantine|edits)\.jsonl|thresholds\.json|spans\.parquet"
    r"|films/[0-9a-f]{20}\.json|answers/[\w-]+\.jsonl|clips\.json"
)
SPLITS = ("train", "held_out", "val", "test")
TABLES = rf"metadata(-({'|'.join(SPLITS)}))?\.parquet|README\.md"
CLIP = r"[0-9a-f]{20}(-\d+)?\.(mp4|mkv|span)"
REPORT = r"report\.(html|json)|row\.tex|moving-digits\.json"
READ = 1 << 20  # bytes of a key file that are looked at


@dataclass(frozen=True)
class FolderLayout:
    """What a kind is called in messages; a file that each such folder has, with bytes in it; the names it may hold.

    folders: those in it that are written into, as a pattern of whole names.
    """

    says: str
    key: str = ""
    holds: bytes = b""
    names: str = ""
    copied: str = ""  # what a folder has instead that somebody put together from parts of others
    doing: str = "writing into"
    folders: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(f"{self.names}|{LEFT}|{OURS}" if self.names else f"{LEFT}|{OURS}", re.DOTALL)


KINDS: dict[str, FolderLayout] = {
    "run": FolderLayout(
        "a training run", "recipe.json", b'"stages"', rf"recipe\.json|data\.json|[a-z0-9_]+/({STAGE})|model/({MODEL})",
        "*/final.json", folders=r"[a-z0-9_]+(/(checkpoint-\d+|samples|tensorboard))?",
    ),
    "model": FolderLayout("a model", "model.json", b'"storyreel"', MODEL),
    "made-dataset": FolderLayout(
        "a dataset of `data make`", "dataset.json", b'"world"',
        rf"dataset\.json|{TABLES}|clips/\d{{6,}}\.mkv|\.parts/\d{{8}}-\d{{8}}\.parquet", folders=r"clips|\.parts",
    ),
    "imported-dataset": FolderLayout(
        "an imported dataset", "dataset.json", b'"import"',
        rf"dataset\.json|{TABLES}|skipped\.jsonl|clips/\d{{6,}}\.mkv|\.parts/\d{{8}}\.json", folders=r"clips|\.parts",
    ),
    "curated-dataset": FolderLayout(
        "a curated dataset", "curation/curate.json", b'"measure"',
        rf"{TABLES}|clips/{CLIP}|curation/({CURATION}|shelf/{CLIP})", doing="curating into",
        folders="clips|curation(/(shelf|films|answers))?",
    ),
    "dataset": FolderLayout("a dataset", folders="clips"),
    "shards": FolderLayout("WebDataset shards"),
    "clips": FolderLayout("generated clips"),
    "report": FolderLayout("a report", "report.json", b'"evaluation"', REPORT),
    "text": FolderLayout(
        "a packed text encoder", "text.json", b'"storyreel_text"', r"text\.json|model\.safetensors|tokenizer\.json",
    ),
    "judge": FolderLayout("a judge", "judge.json", b'"storyreel_judge"', r"judge\.json|model\.safetensors|README\.md"),
    "leaderboard": FolderLayout(
        "a leaderboard", "leaderboard.json", b'"leaderboard"',
        rf"leaderboard\.(html|json|tex)|reports/[^/]+/({REPORT})|clips/[^/]+-[0-9a-f]{{8}}/[^/]+\.mkv",
        folders="(reports|clips)(/[^/]+)?",
    ),
    "reproduction": FolderLayout(
        "a reproduction", "results.json", b'"reproduces"',
        r"results\.(json|md)|[\w.-]+\.(png|webp|gif|mp4|svg|txt)|[a-z0-9_-]+/.*",  # where each folder has a kind
        folders="[a-z0-9_-]+",
    ),
    "ablation": FolderLayout(
        "an ablation of thresholds", "sweeps.csv", b"limit,value",
        r"(sweeps|flips)\.csv|README\.md|[\w.]+\.svg|subsets/[\w-]+/(metadata\.parquet|clips/[\w-]+\.span)",
        folders=r"subsets(/[\w-]+(/clips)?)?",
    ),
    "diffusers": FolderLayout(
        "a model in diffusers' layout", "model_index.json", b'"_class_name"',
        r"model_index\.json|[a-z_]+/([a-z_]+\.json|(diffusion_pytorch_)?model\.safetensors)",
    ),
    "studio": FolderLayout("a studio of videos", doing="serving", folders="videos|inputs"),
    "lora": FolderLayout(
        "factors in PEFT's layout", "adapter_config.json", b'"peft_type"', r"adapter_(config\.json|model\.safetensors)",
    ),
    "study": FolderLayout("a study"),
    "sheets": FolderLayout("sprite sheets"),
    "page": FolderLayout("a page of a model"),
    "weights": FolderLayout("published weights"),
}  # fmt: skip


PASSED = re.compile(f"{LEFT}|{OURS}", re.DOTALL)


def is_passed(name: str) -> bool:
    """Whether a name is a marker, a lock, a temporary file of ours, or what systems leave: in a folder of any kind."""
    return PASSED.fullmatch(name) is not None


def files_below(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, relative, with /; a link to a folder counts as a file."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        for name in sorted([*files, *links]):
            yield os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")


def recognised(folder: Path, kind: str) -> str | None:
    """The first file of a folder that is not of this kind; None when all of them are, and its key file is there."""
    layout, pattern = KINDS[kind], KINDS[kind].pattern
    for name in files_below(folder):  # which may be many: it ends at the first that is another's
        if os.path.islink(folder / name) or not pattern.fullmatch(name):
            return name
    if layout.copied and next(folder.glob(layout.copied), None):
        return None
    key = folder / layout.key
    if layout.key and key.is_file():
        with key.open("rb") as file:
            if layout.holds in file.read(READ):
                return None
    return next(iter(sorted(os.listdir(folder))), None)


def clip_files(path: Path) -> list[Path]:
    """The clips of a folder and its subfolders, sorted. FileNotFoundError or ValueError when there is none."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder of clips")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in CLIP_SUFFIXES and not f.name.startswith("."))
    if not files:
        raise ValueError(f"{path}: no clips in it ({' '.join(CLIP_SUFFIXES)})")
    return files
