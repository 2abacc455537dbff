"""What may be asked of a curation: the only list of its settings beside the thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from storyreel.field_ranges import Range
from storyreel.names import expanded
from storyreel.options.declare import ConflictError, Options, Setting, names

MODELS, RUNNING = "Models", "How it runs"
CAPTIONERS = ("image_captioner", "video_captioner")


def _folder(value: str | Path, name: str) -> Path:
    if not (path := expanded(value)).is_dir():
        raise ValueError(f"{name}: {path}: no such folder")
    return path


@dataclass(frozen=True, kw_only=True)
class CurateOptions(Options):
    """Settings of a curation, checked. `sets` are thresholds and settings by name, such as motion.min=0.5."""

    footage: Annotated[
        tuple[Path, ...],
        Setting(
            "Films, folders or manifests (.txt, .csv, .jsonl, .parquet).", argument=True, metavar="FOOTAGE...",
        ),
    ]  # fmt: skip
    out: Annotated[Path, Setting("Dataset folder to write.", flags=("--out", "-o"))]
    sets: Annotated[
        tuple[str, ...],
        Setting("A threshold (motion.min=0.5) or setting (export.format=virtual); may be repeated.", flags=("--set",)),
    ] = ()
    steps: Annotated[
        tuple[str, ...],
        Setting(
            "Only these steps: cuts, motion, text, quality, captions, ...",
            flags=("--only",),
            read=names,
            write=list,
            text=str,
        ),
    ] = ()
    captions: Annotated[
        tuple[str, ...] | None,
        Setting(
            "Kinds in order: subtitles,column,sidecar,name, or a vision-language model: folder, hub name or URL.",
            read=names, write=list, text=str,
        ),
    ] = None  # fmt: skip
    sidecar: Annotated[
        Path | None, Setting("Folder of sidecar files, if not beside the films.", read=_folder, text=Path)
    ] = None
    columns: Annotated[
        str, Setting("Of a manifest, such as path=videoid,caption=name; also licence, split.", metavar="TEXT")
    ] = ""
    videos: Annotated[
        Path | None,
        Setting("Folder of a manifest's films, found by path or by name; the manifest's own by default.",
                read=_folder, text=Path),
    ] = None  # fmt: skip
    webdataset: Annotated[Path | None, Setting("Also write the kept clips as shards into here.")] = None
    image_captioner: Annotated[Path | None, Setting("Model folder: captions the middle frame.", panel=MODELS)] = None
    video_captioner: Annotated[Path | None, Setting("Model folder: captions three frames.", panel=MODELS)] = None
    chat: Annotated[
        str | None,
        Setting(
            "URL of an OpenAI-style chat: fuses the captions.", panel=MODELS, needs=CAPTIONERS,
            lacks="there are no captions to fuse; expected an image or video captioner as well",
        ),
    ] = None  # fmt: skip
    chat_model: Annotated[
        str,
        Setting(
            "The model's name at that URL, or at that of --captions.",
            panel=MODELS,
            needs=("chat", "captions"),
            lacks="there is no chat, and no URL among the captions",
        ),
    ] = "default"
    encoder: Annotated[str | None, Setting("Scores similarity: a world or a model folder.", panel=MODELS)] = None
    aesthetics: Annotated[Path | None, Setting("Folder of CLIP and the LAION head's weights.", panel=MODELS)] = None
    engine: Annotated[Literal["local", "ray"], Setting("local or ray.", panel=RUNNING)] = "local"
    workers: Annotated[
        int | None, Range(1, 10_000), Setting("Films at a time; as many as cores by default.", panel=RUNNING)
    ] = None
    redo: Annotated[bool, Setting("Discard what another configuration measured.", flags=("--redo",), panel=RUNNING)] = (
        False
    )
    retry: Annotated[bool, Setting("Try films again that could not be read.", flags=("--retry",), panel=RUNNING)] = (
        False
    )

    def check(self) -> None:
        urls = [one for one in self.captions or () if one.startswith(("http://", "https://"))]
        if self.is_set("chat_model") and not self.chat and not urls:
            raise ConflictError("chat_model", "there is no chat, and no URL among the captions")
