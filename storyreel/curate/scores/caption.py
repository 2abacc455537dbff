"""What models and captions say of a clip."""

from storyreel.curate.score import CurationScore

SCORES = [
    CurationScore(name="similarity", column="similarity", order=200, step="similarity",
                  help="cosine of caption and frames"),
    CurationScore(name="aesthetics", column="aesthetics", order=210, step="aesthetics", help="LAION aesthetic score"),
    CurationScore(name="caption_words", column="caption_words", order=220, step="captions",
                  help="words in the caption"),
]  # fmt: skip
