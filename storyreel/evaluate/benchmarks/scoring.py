"""What all benchmarks share: reading the videos that answer prompts, and the document and the lines of a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from storyreel.clip import Clip
from storyreel.evaluate.benchmarks.prompt_list import Prompt, PromptFiles, PromptList


def readable(
    path: str | Path, prompt_list: PromptList, found: PromptFiles, broken: list[str], quiet: bool
) -> Iterator[tuple[Prompt, Clip]]:
    """Each video that can be read, with its prompt, in the order of the prompts.

    broken: gets a line for each of the others. ValueError at the end where no video can be read.
    """
    from storyreel.data.folder import read_clip
    from storyreel.data.parallel import progress

    with nullcontext(lambda n: None) if quiet else progress("judging", len(found.files)) as advance:
        for index, file in sorted(found.files.items()):
            advance(1)
            try:
                clip = read_clip(file)
            except (ValueError, OSError) as error:
                broken.append(" ".join(str(error).split()))
                continue
            yield prompt_list.prompts[index], clip
    if len(broken) == len(found.files):
        raise ValueError(f"{path}: none of its videos can be read: {broken[0]}")


def document_of(
    path: str | Path, prompt_list: PromptList, found: PromptFiles, broken: list[str], judge: str
) -> dict[str, Any]:
    """What every result says. `judge.own`: the judge is the benchmark's own, without which nothing is comparable."""
    from storyreel.evaluate.judge_registry import find_judge
    from storyreel.storage import digest_of

    digest = digest_of(find_judge(judge) / "model.safetensors")
    return {
        "benchmark": prompt_list.protocol["benchmark"],
        "version": prompt_list.protocol["version"],
        "sha256": prompt_list.digest,
        "judge": {"name": judge, "sha256": digest, "own": digest == prompt_list.protocol["judge_sha256"]},
        "path": str(path),
        "prompts": len(prompt_list.prompts),
        "videos": len(found.files) - len(broken),
        "broken": broken,
        "strangers": [str(f) for f in found.strangers],
        "again": [str(f) for f in found.again],
    }


def lines_of(document: Mapping[str, Any], table: Iterator[str], missing: Iterator[str]) -> list[str]:
    """A benchmark's table for people, between what was scored and what is to be known before it is quoted."""
    judge = document["judge"]
    name, videos = (
        f"{document['benchmark']}, version {document['version']}",
        f"{document['videos']} of {document['prompts']}",
    )
    lines = [
        f"{name}, {videos} prompts",
        "",
        *table,
        "",
        f"protocol {document['sha256'][:12]}, judge {judge['sha256'][:12]}",
    ]
    if not judge["own"]:
        lines.append("note: another judge than the benchmark's own; not to be compared with other results")
    lines += missing
    for name, what in (("broken", "cannot be read"), ("strangers", "answer no prompt"), ("again", "came second")):
        if document[name]:
            lines.append(f"note: {len(document[name])} videos {what}, such as {document[name][0]}")
    return lines
