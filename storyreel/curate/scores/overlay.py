"""What lies over the picture: text, and marks that never move."""

from storyreel.curate.score import CurationScore, Limit

SCORES = [
    CurationScore(name="text", column="text_share", order=110, limit=Limit(max=0.04), step="text",
                  help="share of the frame in text", measure=lambda seen: seen.text),
    CurationScore(name="marks", column="mark_share", order=120, step="text",
                  help="share of the frame in marks that never move", measure=lambda seen: seen.marks),
]  # fmt: skip
