"""The verbs generate, models and demo, from the words of the command line to files, streams and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel import Clip, video_io
from storyreel.cli import main

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def call(capsys, tiny):  # noqa: F811
    """Run the command line in this process -> (exit code, stdout, stderr)."""

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    return run


@pytest.fixture
def generate(call):
    def run(*args: object) -> tuple[int, str, str]:
        return call("generate", *args, "-m", "tiny")

    return run


def frames(path: str | Path) -> np.ndarray:
    return Clip.open(path).frames


def test_a_prompt_becomes_a_file_whose_path_is_printed(generate):
    code, out, err = generate("an orc walks left", "-o", "a.mp4")
    assert (code, out, err) == (0, "a.mp4\n", "")
    clip = Clip.open("a.mp4")
    assert clip.caption == "an orc walks left"
    assert clip.meta["model"] == "tiny"
    assert clip.frames.shape == (5, 512, 512, 3), "enlarged by itself"


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng", ".png", ".mkv"])
def test_from_makes_the_same_file_again(generate, suffix):
    assert generate("an orc", "-o", f"a{suffix}", "--seed", 5, "--steps", 3, "--scale", 2)[0] == 0
    assert generate("--from", f"a{suffix}", "-o", f"b{suffix}")[0] == 0
    assert np.array_equal(frames(f"a{suffix}"), frames(f"b{suffix}"))
    assert Path(f"a{suffix}").read_bytes() == Path(f"b{suffix}").read_bytes()


def test_from_takes_changes(generate):
    generate("an orc", "-o", "a.mkv", "--seed", 5)
    generate("--from", "a.mkv", "-o", "b.mkv", "--seed", 6)
    generate("an orc", "-o", "c.mkv", "--seed", 6)
    assert np.array_equal(frames("b.mkv"), frames("c.mkv"))
    assert not np.array_equal(frames("a.mkv"), frames("b.mkv"))
    generate("a woman", "--from", "a.mkv", "-o", "d.mkv", "--frames", 3)
    assert Clip.open("d.mkv").caption == "a woman"
    assert len(frames("d.mkv")) == 3


def test_from_keeps_stories_and_given_pictures(generate):
    Path("s.txt").write_text("0.5s: an orc\na woman | 0.5\n")
    generate("--story", "s.txt", "-o", "a.mkv")
    generate("a woman", "--extend", "a.mkv", "-o", "b.mkv", "--frames", 3)
    image = Clip(frames("a.mkv")[:1]).save("first.png")
    generate("an orc", "--image", image, "-o", "c.mkv")
    for name in "abc":
        before = frames(f"{name}.mkv")
        assert generate("--from", f"{name}.mkv", "-o", "again.mkv")[0] == 0
        assert np.array_equal(frames("again.mkv"), before)
    Path("first.png").unlink()
    assert generate("--from", "c.mkv", "-o", "again.mkv")[0] == 0, "small pictures travel in the metadata"


def test_from_a_foreign_file_is_refused(generate):
    Clip(np.zeros((2, 8, 8, 3), np.uint8)).save("a.mkv")
    code, out, err = generate("--from", "a.mkv")
    assert (code, out) == (1, "")
    assert "a.mkv: does not say what made it; expected a file that storyreel generate wrote" in err
    assert generate("--from", "absent.mkv")[0] == 1


def test_another_model_is_noted(generate, tiny):  # noqa: F811
    generate("an orc", "-o", "a.mkv")
    clip = Clip.open("a.mkv")
    clip.replace(meta={**clip.meta, "digest": "other"}).save("a.mkv")
    code, _, err = generate("--from", "a.mkv", "-o", "b.mkv")
    assert code == 0
    assert "was made by another tiny; the pixels will differ" in err


def test_several_videos_get_numbers(generate):
    code, out, err = generate("an orc", "-o", "x.mkv", "--count", 3, "--seed", 2)
    assert code == 0
    assert out.split() == ["x-000.mkv", "x-001.mkv", "x-002.mkv"]
    assert "[3/3] x-002.mkv" in err
    generate("an orc", "-o", "y.mkv", "--seed", 2)
    assert np.array_equal(frames("x-000.mkv"), frames("y.mkv"))


def test_names_of_its_own_overwrite_nothing(generate):
    names = [generate("An orc!")[1].strip() for _ in range(2)] + [generate("An orc!", "-o", "sub/")[1].strip()]
    assert names == ["an-orc-seed0.mp4", "an-orc-seed0-2.mp4", "sub/an-orc-seed0.mp4"]


def test_json_is_one_document_on_stdout(generate):
    code, out, _ = generate("an orc", "-o", "a.mkv", "--count", 2, "--json", "--guidance", 3)
    told = json.loads(out)
    assert code == 0
    assert told["model"] == "tiny"
    assert [video["path"] for video in told["videos"]] == ["a-000.mkv", "a-001.mkv"]
    first = told["videos"][0]
    assert (first["prompt"], first["seed"], first["frames"], first["guidance"]) == ("an orc", 0, 5, 3.0)
    assert told["failed"] == []


def test_quiet_and_no_metadata(generate):
    code, out, err = generate("blue cheese", "-o", "a.mp4", "--quiet", "--count", 2, "--no-metadata")
    assert (code, out.split(), err) == (0, ["a-000.mp4", "a-001.mp4"], "")
    assert b"cheese" not in Path("a-000.mp4").read_bytes()
    assert video_io.read_meta("a-000.mp4") is None


def test_scale(generate):
    generate("an orc", "-o", "a.mp4", "--scale", 3)
    assert frames("a.mp4").shape[1:3] == (48, 48)


def test_a_prompt_file_is_made_once(generate, monkeypatch):
    Path("p.txt").write_text("an orc\na woman\n")
    code, out, _ = generate("--prompts", "p.txt", "-o", "batch", "--format", "mkv")
    assert code == 0
    first = {path: Path(path).stat().st_mtime_ns for path in out.split()}
    assert len(first) == 2
    Path("p.txt").write_text("a man\nan orc\n# more\na woman\n")
    code, out, err = generate("--prompts", "p.txt", "-o", "batch", "--format", "mkv", "--json")
    told = json.loads(out)["videos"]
    assert [(video["prompt"], video["reused"]) for video in told] == [
        ("a man", False),
        ("an orc", True),
        ("a woman", True),
    ]
    assert {path: Path(path).stat().st_mtime_ns for path in first} == first
    assert "(was there)" in err
    broken = Path(told[1]["path"])
    broken.write_bytes(broken.read_bytes()[:300])  # half of a file is made again
    code, out, _ = generate("--prompts", "p.txt", "-o", "batch", "--format", "mkv", "--json")
    assert [video["reused"] for video in json.loads(out)["videos"]] == [True, False, True]
    assert len(frames(broken)) == 5


def test_a_prompt_of_a_file_gives_what_it_gives_alone(generate):
    Path("p.jsonl").write_text('{"prompt": "an orc", "seed": 7, "name": "one"}\n{"prompt": "a woman", "name": "two"}\n')
    generate("--prompts", "p.jsonl", "-o", "here", "--format", "mkv", "--workers", 1)
    generate("--prompts", "p.jsonl", "-o", "there", "--format", "mkv", "--workers", 2)
    generate("an orc", "--seed", 7, "-o", "alone.mkv")
    assert np.array_equal(frames("here/one.mkv"), frames("alone.mkv"))
    for name in ("one", "two"):
        assert np.array_equal(frames(f"here/{name}.mkv"), frames(f"there/{name}.mkv"))


def test_one_bad_prompt_does_not_stop_the_others(generate):
    Path("p.jsonl").write_text('{"prompt": "an orc", "frames": 9000}\n{"prompt": "a woman"}\n')
    code, out, err = generate("--prompts", "p.jsonl", "-o", "batch", "--json")
    told = json.loads(out)
    assert code == 1
    assert [video["prompt"] for video in told["videos"]] == ["a woman"]
    assert told["failed"][0]["error"] == "frames: this model makes 1 to 4096 frames, got 9000"
    assert "p.jsonl, line 1: frames: this model makes" in err
    assert "1 of 2 videos were not made" in err


@pytest.mark.alone
@pytest.mark.skipif(not __import__("importlib.util").util.find_spec("ray"), reason="ray is not installed")
def test_ray_makes_the_same_batch(generate, monkeypatch):
    """Starts a local cluster: about 20 s on two cores."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("p.jsonl").write_text('{"prompt": "an orc", "name": "one"}\n{"prompt": "a woman", "name": "two"}\n')
    assert generate("--prompts", "p.jsonl", "-o", "ray", "--format", "mkv", "--engine", "ray", "--workers", 1)[0] == 0
    assert generate("--prompts", "p.jsonl", "-o", "here", "--format", "mkv")[0] == 0
    for name in ("one", "two"):
        assert np.array_equal(frames(f"ray/{name}.mkv"), frames(f"here/{name}.mkv"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "expected a prompt in quotes"),
        (["x", "--frames", "3", "--seconds", "1"], "--frames is given as well"),
        (["x", "--story", "s.txt"], "PROMPT is given as well"),
        (["x", "--prompts", "p.txt"], "PROMPT is given as well"),
        (["--from", "a.mp4", "--prompts", "p.txt"], "--prompts is given as well"),
        (["x", "--image", "a", "--extend", "b"], "--image is given as well"),
        (["x", "--engine", "slurm"], "expected local or ray"),
        (["x", "--scale", "big"], "expected auto or a whole number"),
        (["x", "--format", "avi"], "expected one of .mp4"),
        (["x", "--count", "0"], "--count"),
        (["x", "--frames", "many"], "--frames"),
        (["x", "--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_code_2(generate, args, message):
    code, out, err = generate(*args)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


@pytest.mark.parametrize("args", [(), ("--prompts", "p.txt")])
def test_a_model_in_the_place_of_the_sentence_goes_to_its_option(call, args: tuple[str, ...]):
    code, out, err = call("generate", "phenaki-sprites", *args)
    assert (code, out) == (2, "")
    assert 'phenaki-sprites is a model; expected "a sentence" -m phenaki-sprites' in " ".join(err.split())


def test_ctrl_c_is_exit_code_130_and_leaves_finished_files_alone(tiny_folder, tmp_path):  # noqa: F811
    where = tmp_path / "many"
    command = [
        sys.executable,
        "-m",
        "storyreel",
        "generate",
        "an orc",
        "-m",
        str(tiny_folder),
        "-o",
        str(where / "v.mp4"),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--count", "5000"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    deadline = time.monotonic() + 600
    while not list(where.glob("v-*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert err.decode().rstrip().endswith("storyreel: interrupted")
    assert "Traceback" not in err.decode()
    files = sorted(where.iterdir())
    assert files
    assert all(file.name.startswith("v-") for file in files), "no temporary file is left"
    assert len(frames(files[-1])) == 5


def test_models_lists_and_shows(call):
    code, out, _ = call("models")
    assert code == 0
    assert "tiny" in out
    assert "Knows nothing, at 16x16." in out
    (row,) = [row for row in json.loads(call("models", "--json")[1])["models"] if row["name"] == "tiny"]
    assert row["system"] == "phenaki"
    assert row["words"][0] == "orc"
    assert row["parameters"] > 0
    code, out, _ = call("models", "show", "tiny")
    assert out.startswith("# Tiny\n")
    assert "Words that tiny knows: orc, woman" in out
    code, _, err = call("models", "show", "tinny")
    assert code == 1
    assert "did you mean 'tiny'" in err


def test_a_broken_model_does_not_hide_the_others(call, tiny, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("STORYREEL_MODELS", f"{tiny.parent}{os.pathsep}{tmp_path}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    code, out, err = call("models")
    assert code == 0
    assert "tiny" in out
    assert "skipped" in err


def test_demo_ends_with_the_path(call):
    code, out, err = call("demo")
    assert code == 0
    assert out == "out/demo.mp4\n"
    assert 'Try next: storyreel generate "' in err
    assert len(frames("out/demo.mp4")) >= 1


def test_the_tiny_picture_of_a_preview():
    pytest.importorskip("rich")
    from storyreel.cli.screen import picture

    text = picture(Clip(np.full((2, 64, 64, 3), 200, np.uint8)), seconds=0.0)
    lines = text.plain.splitlines()
    assert {len(line) for line in lines} == {32}
    assert len(lines) == 16
    assert str(text.spans[0].style.color.triplet) == str(text.spans[0].style.bgcolor.triplet)


def test_a_terminal_gets_a_bar_and_a_preview(tiny_folder, tmp_path):  # noqa: F811
    """In a pseudo-terminal; stdout stays a pipe, with nothing on it but the path."""
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "storyreel", "generate", "an orc", "-m", str(tiny_folder), "-o", "a.mp4"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [*command, "--steps", "12"], env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=follower
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    assert out == b"a.mp4\n"
    assert b"loading the model" in seen
    assert b"Traceback" not in seen


def test_help_is_quick_and_imports_little():
    code = (
        "import sys, time, contextlib, io\n"
        "from storyreel.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['--help'])\n"
        "bad = {'torch', 'transformers', 'av', 'numpy', 'pyarrow', 'rich'} & set(sys.modules)\n"
        "assert not bad, bad\n"
        "print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3


def test_errors_come_before_torch(tiny_folder):  # noqa: F811
    code = (
        "import sys, contextlib\n"
        "from storyreel.cli import main\n"
        "for args in (['generate', 'x', '-m', 'tinny'], ['generate', ''], ['models']):\n"
        "    with contextlib.suppress(SystemExit): main(args)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_recipes_are_listed_with_their_size_and_models(call):
    code, out, _ = call("recipes", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["phenaki_digits_composed"]["models"] == ["phenaki-digits"]
    assert rows["phenaki_digits_composed"]["clips"] == "10 x 32x32"
    assert 6e6 < rows["phenaki_digits_composed"]["parameters"] < 8e6
    assert list(rows["phenaki_tiny"]["stages"]) == ["tokenizer", "prior"]
    assert rows["phenaki_24gb"]["data"] == "own footage"
    assert rows["phenaki_sprites"]["clips_to_see"] == 3_000 * 24 + 4_000 * 32 + 3_000 * 64
    assert rows["make_a_video_sprites"]["clips"] == "8 x 64x64, matte"  # its last stage learns from single frames
    assert rows["imagen_video_paper"]["clips"] == "128 x 768x1280"
    assert [name for name, row in rows.items() if not row["data"].strip("-") or not row["result"]] == []
    code, out, _ = call("recipes", "phenaki_tiny")
    assert json.loads(out)["stages"]["prior"]["steps"] == 100
    code, _, err = call("recipes", "phenaki_tini")
    assert (code, "did you mean 'phenaki_tiny'?" in err) == (1, True)
