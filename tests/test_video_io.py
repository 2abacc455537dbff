"""Every format, there and back: pixels, alpha, rate, caption and what made it."""

from __future__ import annotations

import json
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from storyreel import video_io
from storyreel.clip import Clip

ALL = [".mp4", ".webm", ".mkv", ".gif", ".webp", ".apng", ".png"]
EXACT = [".mkv", ".apng", ".png", ".webp"]
CAPTION = 'an "orc"\nwalks — 犬 🐕 ünïcode\t\\ \u0007'
META = {"model": "phenaki-sprites", "seed": 7, "guidance": 4.5, "story": ["a", {"b": None}], "prompt": "犬\n🐕"}
LOSSLESS = {".webp": {"lossless": True}}


def sprite(count: int = 8, height: int = 64, width: int = 64, channels: int = 3) -> Clip:
    """A few flat colours that move: what pixel art looks like to a codec. Alpha is 0 or 255."""
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (6, 4), dtype=np.uint8)
    colours[:, 3] = 255
    colours[0] = (0, 0, 0, 0) if channels == 4 else (90, 140, 60, 255)
    y, x = np.mgrid[:height, :width]
    cells = np.stack([((x + 2 * t) * 8 // width + (y * 8 // height) * 3) % 6 for t in range(count)])
    return Clip(colours[cells][..., :channels].copy(), Fraction(8), CAPTION, META)


def smooth(count: int = 8) -> Clip:
    y, x = np.mgrid[:64, :64]
    frames = [
        np.stack([128 + 100 * np.sin(x / 20 + t / 9), 128 + 90 * np.cos(y / 17), x + y], -1) for t in range(count)
    ]
    return Clip(np.stack(frames).clip(0, 255).astype(np.uint8), Fraction(12))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((one.astype(float) - other.astype(float)) ** 2))))


def gradients(count: int, height: int, width: int) -> np.ndarray:
    """uint8 (count, height, width, 3) of ramps that move: what x264 once coded otherwise nearly every time."""
    t, y, x = np.ogrid[:count, :height, :width]
    channels = np.broadcast_arrays(y * 7 + t * 9, x * 5 + t * 3, x + y + t * 20)
    return (np.stack(channels, -1) % 256).astype(np.uint8)


@pytest.mark.parametrize(("suffix", "times"), [(suffix, 20 if suffix == ".mp4" else 3) for suffix in ALL])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, suffix: str, times: int) -> None:
    clip, held, found = Clip(gradients(12, 64, 48), Fraction(8), CAPTION, META), [], set()
    for turn in range(times):
        held.append(np.full(1000 + 7919 * turn, 37 * turn % 256, np.uint8))  # other memory for the next encoder
        found.add(video_io.write(clip, tmp_path / f"a{suffix}", scale=1).read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("suffix", EXACT)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("size", [(64, 64), (33, 17), (1, 1)])
def test_lossless_formats_give_the_same_pixels(
    tmp_path: Path, suffix: str, channels: int, count: int, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(2).integers(1, 256, (count, *size, channels), dtype=np.uint8)
    clip = Clip(pixels, Fraction(24000, 1001), CAPTION, META)
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", scale=1, **LOSSLESS.get(suffix, {})))
    assert back.frames.shape == pixels.shape
    assert (back.frames == pixels).all()
    assert (back.fps, back.caption, back.meta) == (clip.fps, CAPTION, META)


@pytest.mark.parametrize("suffix", [".mkv", ".apng", ".png"])
def test_colours_under_full_transparency_survive(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 4), dtype=np.uint8)
    pixels[:, ::2, :, 3] = 0
    assert (video_io.read(video_io.write(Clip(pixels), tmp_path / f"a{suffix}", scale=1)).frames == pixels).all()


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("count", [1, 8])
def test_pixel_art_survives_every_format(tmp_path: Path, suffix: str, channels: int, count: int) -> None:
    clip = sprite(count, channels=channels)
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}"))
    factor = 1 if suffix in (".mkv", ".png") else 8
    assert back.size == (64 * factor, 64 * factor)
    assert (len(back), back.fps, back.caption, back.meta) == (count, clip.fps, CAPTION, META)
    assert back.has_alpha == (channels == 4 and suffix != ".mp4")
    middle = back.frames[:, factor // 2 :: factor, factor // 2 :: factor]
    grey = (128, 128, 128)
    if back.has_alpha:
        assert (abs(middle[..., 3].astype(int) - clip.frames[..., 3]) <= 3).all()
        assert psnr(Clip(middle.copy()).over(grey).frames, clip.over(grey).frames) > 38
    else:
        assert psnr(middle, clip.over(grey).frames) > 38
    if suffix == ".gif":
        assert (Clip(middle.copy()).over(grey).frames == clip.over(grey).frames).all()


@pytest.mark.parametrize(("suffix", "floor"), [(".mp4", 36), (".webm", 36), (".webp", 34), (".gif", 28)])
def test_smooth_pictures_stay_close(tmp_path: Path, suffix: str, floor: float) -> None:
    clip = smooth()
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", scale=1))
    assert psnr(back.frames, clip.frames) > floor


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".webp"])
def test_quality_changes_the_size(tmp_path: Path, suffix: str) -> None:
    rough, fine = (video_io.write(smooth(), tmp_path / f"{q}{suffix}", quality=q, scale=4) for q in (20, 95))
    assert rough.stat().st_size < 0.8 * fine.stat().st_size


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("size", [(33, 17), (299, 301), (1, 5)])
def test_odd_sizes_come_back_as_they_were(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    clip = sprite(2, *size)
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", scale=1))
    assert back.size == size


@pytest.mark.parametrize("suffix", ALL)
def test_a_thousand_frames(tmp_path: Path, suffix: str) -> None:
    frames = np.zeros((1000, 8, 8, 3), np.uint8)
    frames[:, :, :4] = (np.arange(1000) // 4 % 250)[:, None, None, None]  # neighbours are alike: writers merge them
    clip = Clip(frames, Fraction(25))
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", scale=1))
    assert (len(back), back.fps) == (1000, 25)
    assert abs(back.frames.astype(int) - frames).max() <= (8 if suffix in (".mp4", ".webm", ".webp") else 0)


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("fps", ["24000/1001", "30", "1/2", "12", "7/3", "60", "100"])
def test_rates_are_exact(tmp_path: Path, suffix: str, fps: str) -> None:
    path = video_io.write(sprite(7, 16, 16).replace(fps=Fraction(fps)), tmp_path / f"a{suffix}", scale=1)
    assert video_io.read(path).fps == Fraction(fps)
    assert video_io.probe(path)["fps"] == Fraction(fps)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".apng"])
def test_ntsc_rate_without_our_document(tmp_path: Path, suffix: str) -> None:
    clip = sprite(24, 16, 16).replace(fps=Fraction(24000, 1001))
    assert video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", metadata=False)).fps == clip.fps


def test_gif_and_webp_durations_do_not_drift(tmp_path: Path) -> None:
    clip = sprite(48, 16, 16).replace(fps=Fraction(24))
    for suffix, tick in ((".gif", 10), (".webp", 1)):
        with Image.open(video_io.write(clip, tmp_path / f"a{suffix}")) as image:
            shown = []
            for index in range(image.n_frames):
                image.seek(index)
                image.load()
                shown.append(image.info["duration"])
        assert len(shown) == 48
        assert all(abs(sum(shown[:k]) - k * 1000 / 24) <= tick / 2 for k in range(49))


def test_merged_frames_of_a_still_clip_come_back(tmp_path: Path) -> None:
    clip = Clip(np.full((10, 8, 8, 3), 77, np.uint8), Fraction(10))
    for suffix in (".gif", ".webp", ".apng"):
        assert len(video_io.read(video_io.write(clip, tmp_path / f"a{suffix}"))) == 10


def test_mp4_is_what_browsers_and_players_want(tmp_path: Path) -> None:
    path = video_io.write(sprite(5, 33, 35), tmp_path / "a.mp4", scale=1)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height) == (36, 34)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_webm_alpha_is_in_the_file_for_players(tmp_path: Path) -> None:
    path = video_io.write(sprite(channels=4), tmp_path / "a.webm")
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"
    alpha = video_io.read(path).frames[..., 3]
    assert set(np.unique(alpha)) >= {0, 255}


@pytest.mark.parametrize(
    ("size", "factor"), [((64, 64), 8), ((1, 1), 512), ((100, 60), 5), ((256, 256), 1), ((33, 17), 14), ((255, 3), 2)]
)
def test_automatic_enlargement(size: tuple[int, int], factor: int) -> None:
    assert video_io.scale_for(*size) == factor


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp", ".png", ".mkv"])
def test_enlarging_repeats_pixels(tmp_path: Path, suffix: str) -> None:
    clip = sprite(3, 9, 11)
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", scale=3, **LOSSLESS.get(suffix, {})))
    assert (back.frames == clip.resize(27, 33).frames).all()


@pytest.mark.parametrize("suffix", ALL)
def test_background_is_put_under_alpha(tmp_path: Path, suffix: str) -> None:
    clip = Clip(np.zeros((2, 16, 16, 4), np.uint8))
    back = video_io.read(video_io.write(clip, tmp_path / f"a{suffix}", background=(10, 200, 30)))
    assert not back.has_alpha
    assert abs(back.frames.reshape(-1, 3).astype(int) - (10, 200, 30)).max() <= 4
    if suffix == ".mp4":
        grey = video_io.read(video_io.write(clip, tmp_path / "b.mp4"))
        assert abs(grey.frames.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("suffix", ALL)
def test_what_made_it_is_in_the_file(tmp_path: Path, suffix: str) -> None:
    path = video_io.write(sprite(2), tmp_path / f"a{suffix}")
    doc = video_io.read_meta(path)
    assert doc is not None
    assert doc["storyreel"] == 1
    assert doc["caption"] == CAPTION
    assert {key: doc[key] for key in META} == META
    bare = video_io.write(sprite(2), tmp_path / f"b{suffix}", metadata=False)
    assert video_io.read_meta(bare) is None
    assert video_io.read(bare).meta == {}


def test_the_comment_survives_a_remux(tmp_path: Path) -> None:
    path = video_io.write(sprite(4), tmp_path / "a.mp4")
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.webm"), "w", format="matroska") as target:
        target.metadata.update(source.metadata)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert video_io.read(tmp_path / "b.webm").meta == META


@pytest.mark.parametrize("comment", ["hello", "{", '{"a": 1}', "[" * 90_000, '{"storyreel": ' + "[" * 90_000, "{}" * 9])
def test_foreign_comments_are_no_error(tmp_path: Path, comment: str) -> None:
    info = video_io.animation.png_text(comment)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    Image.new("P", (4, 4)).save(tmp_path / "a.gif", comment=comment.encode())
    for name in ("a.png", "a.gif"):
        assert video_io.read_meta(tmp_path / name) is None
        assert video_io.read(tmp_path / name).meta == {}


def test_lying_documents_are_not_believed(tmp_path: Path) -> None:
    for file in ({"fps": "1e99999999", "frames": 10**9, "size": [0, -1]}, {"fps": "1/0", "frames": "x"}, [], 3):
        info = video_io.animation.png_text(json.dumps({"storyreel": 1, "caption": 4, "file": file}))
        Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
        clip = video_io.read(tmp_path / "a.png")
        assert (len(clip), clip.fps, clip.caption) == (1, 8, "")


def rewrite(path: Path, times: list[int], base: Fraction) -> None:
    """An mkv whose frames, numbered by brightness, are shown at `times` ticks of `base` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width = stream.height = 16
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = base
        for index, at in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_variable_rate_becomes_steady(tmp_path: Path) -> None:
    rewrite(tmp_path / "a.mkv", [0, 100, 200, 600, 700], Fraction(1, 1000))
    clip = video_io.read(tmp_path / "a.mkv")
    assert clip.fps in (10, 30)
    shown = clip.frames[:, 0, 0, 0].tolist()
    step = int(clip.fps / 10)
    assert shown[::step][:8] == [0, 1, 2, 2, 2, 2, 3, 4]


def test_jitter_below_half_a_frame_changes_nothing(tmp_path: Path) -> None:
    rewrite(tmp_path / "a.mkv", [0, 33, 67, 100, 130, 167], Fraction(1, 1000))
    clip = video_io.read(tmp_path / "a.mkv")
    assert clip.frames[:, 0, 0, 0].tolist() == list(range(6))


def test_variable_gif(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), level) for level in (0, 80, 160)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100], loop=0)
    clip = video_io.read(tmp_path / "a.gif")
    assert clip.fps == 10
    assert [round(v / 80) for v in clip.frames[:, 0, 0, 0]] == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_video_is_turned_upright(tmp_path: Path, degrees: int) -> None:
    clip = sprite(2, 32, 64)
    path = video_io.write(clip, tmp_path / "a.mp4", scale=1, metadata=False)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of fixed fields
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data[at : at + 20] = struct.pack(">5i", cos << 16, sin << 16, 0, -sin << 16, cos << 16)
    path.write_bytes(data)
    back = video_io.read(path)
    upright = np.rot90(clip.frames, -degrees // 90, axes=(1, 2))  # the matrix turns clockwise
    assert back.size == upright.shape[1:3]
    assert psnr(back.frames, upright) > 22
    assert psnr(back.frames, np.rot90(upright, 2, axes=(1, 2))) < 15


def test_stills_of_other_programs(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(pixels).save(tmp_path / "a.tif", exif=exif)
    assert (video_io.open_image(tmp_path / "a.tif").frames[0] == np.rot90(pixels, -1)).all()
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(tmp_path / "grey.png")
    assert (video_io.read(tmp_path / "grey.png").frames[0, ..., 1] == pixels[..., 0]).all()
    Image.fromarray(pixels).quantize(4).save(tmp_path / "p.png", transparency=0)
    assert video_io.open_image(tmp_path / "p.png").has_alpha
    shutil.copy(tmp_path / "p.png", tmp_path / "named.mp4")  # what a file is, its first bytes say
    assert len(video_io.read(tmp_path / "named.mp4")) == 1


def test_many_colours_get_a_good_palette(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pixels[:, :32] = (12, 200, 90)  # half of the picture is one colour, which must stay
    back = video_io.read(video_io.write(Clip(pixels), tmp_path / "a.gif", scale=1))
    assert abs(back.frames[:, :32].astype(int) - (12, 200, 90)).max() <= 6
    assert psnr(back.frames, pixels) > 22
