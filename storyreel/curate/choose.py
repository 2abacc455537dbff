"""Which rows are kept: thresholds, duplicates and people's decisions together. Nothing is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from storyreel.curate.duplicates import duplicates
from storyreel.curate.thresholds import Reason, Thresholds, decide


def choose(
    rows: Sequence[dict[str, Any]], thresholds: Thresholds, edits: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Fill `kept`, `reasons`, `decided_by`, `duplicate_of` and edited captions of every row, in place.

    A person's word comes last and overrides; what the thresholds would have said stays in `reasons`. Duplicates are
    looked for among what is kept otherwise, so that a clip never yields to one that is itself rejected.
    """
    edits = edits or {}
    for row in rows:
        said = edits.get(row["clip"], {}).get("caption")
        said = next(iter(row.get("captions_made") or []), "") if said is None else said
        row["caption_words"] = len(said.split())
    words = [edits.get(row["clip"], {}).get("keep") for row in rows]
    found = [decide(row, thresholds) for row in rows]
    for row, reasons in zip(rows, found, strict=True):
        if row.get("error"):
            reasons.append(Reason("error", None, None, -1.0))
    taking = [word is not False and (word is True or not reasons) for word, reasons in zip(words, found, strict=True)]
    copies = duplicates(rows, thresholds.duplicates.share, taking)
    for place, (row, word, reasons) in enumerate(zip(rows, words, found, strict=True)):
        row["duplicate_of"] = row["duplicate_share_of_bits"] = None
        if place in copies:
            of, differ = copies[place]
            limit = thresholds.duplicates.share or 0.0
            row["duplicate_of"], row["duplicate_share_of_bits"] = rows[of]["clip"], differ
            reasons.append(Reason("duplicate", differ, limit, (differ - limit) / limit if limit else -1.0))
        kept = not reasons if word is None else bool(word)
        if word is False:
            reasons.append(Reason("manual", None, None, -1.0))
        row["kept"] = kept and not row.get("error")
        row["decided_by"] = "thresholds" if word is None else "manual"
        row["reasons"] = [reason.as_json() for reason in reasons]
        caption = edits.get(row["clip"], {}).get("caption")
        row["captions"] = list(row.get("captions_made") or []) if caption is None else [caption]
        row["caption"] = row["captions"][0] if row["captions"] else ""
        row["caption_from"] = row.get("caption_made_from") if caption is None else "manual"


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows each reason rejects, the most first; a row with two reasons counts for both."""
    found = Counter(reason["name"] for row in rows if not row["kept"] for reason in row["reasons"])
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
