"""What moves: optical flow of the frame, of the camera and of things, shake, and what stands still."""

from storyreel.curate.score import CurationScore, Limit, MotionLimit, mean

RATE = "pixels a second"
SCORES = [
    CurationScore(name="motion", column="motion_flow", order=40, limit=MotionLimit(min=0.25), step="motion",
                  help="mean optical flow", unit=RATE, measure=lambda seen: mean(pair.flow for pair in seen.motions),
                  excused_by="motion_difference"),
    CurationScore(name="motion_difference", column="motion_difference", order=50, limit=None, step="motion",
                  help="difference of frames", unit="levels; static needs both",
                  measure=lambda seen: mean(seen.differences)),
    CurationScore(name="camera", column="camera_motion", order=60, step="motion", help="flow of the camera", unit=RATE,
                  measure=lambda seen: mean(pair.camera for pair in seen.motions)),
    CurationScore(name="object", column="object_motion", order=70, step="motion", unit=RATE,
                  help="flow that the camera does not explain",
                  measure=lambda seen: mean(pair.things for pair in seen.motions)),
    CurationScore(name="frozen", column="frozen_share", order=80, limit=Limit(max=0.9), step="motion",
                  help="share of frames that stand still", measure=lambda seen: seen.still[0]),
    CurationScore(name="repeated", column="duplicate_share", order=90, limit=Limit(max=0.75), step="motion",
                  help="share of frames that repeat the one before", measure=lambda seen: seen.still[1]),
    CurationScore(name="jitter", column="jitter", order=100, step="motion", help="shake from frame to frame",
                  unit="pixels at 256 wide", measure=lambda seen: mean(seen.shakes)),
]  # fmt: skip
