"""How long and how large a clip is; a span's row says it."""

from storyreel.curate.score import CurationScore, Limit

SCORES = [
    CurationScore(name="seconds", column="seconds", order=10, limit=Limit(min=1.0), help="length of the clip",
                  unit="seconds"),
    CurationScore(name="frames", column="num_frames", order=20, limit=Limit(min=8.0), help="length of the clip",
                  unit="frames"),
    CurationScore(name="side", column="side", order=30, limit=Limit(min=48.0), help="shorter side without bars",
                  unit="pixels"),
    CurationScore(name="bars", column="bars_share", order=140, limit=Limit(max=0.6), step="quality",
                  help="share of the frame in black bars"),
]  # fmt: skip
