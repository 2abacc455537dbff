"""How good the picture is: sharpness, light, blocks of a codec, combed fields."""

from storyreel.curate.score import CurationScore, Limit, mean

SCORES = [
    CurationScore(name="blur", column="blur", order=150, step="quality",
                  help="sharpness, variance of the Laplacian over that of the picture",
                  measure=lambda seen: mean(sample.quality.blur for sample in seen.samples)),
    CurationScore(name="exposure", column="exposure", order=160, step="quality", help="mean brightness", unit="0 to 1",
                  measure=lambda seen: mean(sample.quality.exposure for sample in seen.samples)),
    CurationScore(name="clipped", column="clipped_share", order=170, limit=Limit(max=0.9), step="quality",
                  help="share of pixels at black or white",
                  measure=lambda seen: mean(sample.quality.clipped for sample in seen.samples)),
    CurationScore(name="blockiness", column="blockiness", order=180, step="quality",
                  help="how much larger steps are at block borders",
                  measure=lambda seen: mean(sample.quality.blocks for sample in seen.samples)),
    CurationScore(name="interlaced", column="interlaced", order=190, limit=Limit(max=0.5), step="quality",
                  help="share of moments that are combed",
                  measure=lambda seen: mean(float(sample.combed) for sample in seen.samples)),
]  # fmt: skip
