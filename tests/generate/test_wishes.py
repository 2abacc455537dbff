"""Stories and prompt files, read from disk; a wish as JSON and back."""

from __future__ import annotations

import json
import pickle
import shutil
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storyreel.clip import Clip
from storyreel.generate.batch import jobs_for, slug
from storyreel.generate.prompts import read_prompts
from storyreel.generate.vocabulary import knows_any
from storyreel.options.generation import GenerateOptions
from storyreel.options.input_clip import InputClip
from storyreel.options.story import read_story


def test_story_lines_have_two_forms(tmp_path):
    file = tmp_path / "story.txt"
    file.write_text(
        "# a walk\n3s: an orc walks | to the left | 2\n\n0.5 s : she: turns\na woman | stands | 2.5\n1sec: end\n"
    )
    assert read_story(file) == (
        ("an orc walks | to the left | 2", 3.0),
        ("she: turns", 0.5),
        ("a woman | stands", 2.5),
        ("end", 1.0),
    )


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_story_in_json(tmp_path, suffix):
    parts = [{"prompt": "an orc", "seconds": 2}, {"prompt": "a woman", "seconds": 0.5}]
    file = tmp_path / f"story{suffix}"
    file.write_text(json.dumps(parts) if suffix == ".json" else "\n".join(map(json.dumps, parts)))
    assert read_story(file) == (("an orc", 2.0), ("a woman", 0.5))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.txt", "1s: an orc\n0s: a woman\n", r"s\.txt, line 2: expected a duration over 0 seconds, got 0"),
        ("s.txt", "an orc | -2", r"line 1: expected a duration over 0 seconds, got -2"),
        ("s.txt", "-2s: an orc", r"line 1: expected a duration over 0 seconds, got -2"),
        ("s.txt", "an orc | nan", r"line 1: expected a duration over 0"),
        ("s.txt", "an orc | long", r"line 1: expected a duration in seconds, got 'long'"),
        ("s.txt", "an orc", r"line 1: no duration in 'an orc'; expected \"3s: a prompt\""),
        ("s.txt", "2s:   ", r"line 1: the prompt is empty"),
        ("s.txt", "# nothing", r"the story has no parts"),
        ("s.json", '{"prompt": "x"}', r"expected a JSON list of objects, got dict"),
        ("s.json", "[", r"expected JSON"),
        ("s.json", '[{"prompt": "x", "seconds": 0}]', r"entry 1: expected a duration over 0"),
        ("s.json", '[{"prompt": "x", "second": 1}]', r"entry 1: does not know \['second'\]"),
        (
            "s.jsonl",
            '{"prompt": "x", "seconds": 1}\n\n{"prompt": "x"}',
            r"line 3: expected a duration in seconds, got None",
        ),
        ("s.jsonl", '{"prompt": "x", "seconds": true}', r"line 1: expected a duration in seconds, got True"),
    ],
)
def test_bad_stories_name_the_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_story(tmp_path / name)


def test_a_binary_story_is_refused(tmp_path):
    (tmp_path / "s.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="expected text in UTF-8"):
        read_story(tmp_path / "s.txt")
    with pytest.raises(FileNotFoundError):
        read_story(tmp_path / "absent.txt")


def test_prompt_files_give_rows_with_settings_of_their_own(tmp_path):
    (tmp_path / "p.txt").write_text("an orc\n# no\n\n  a woman, walking \n")
    assert [row.options.prompt for row in read_prompts(tmp_path / "p.txt", {"steps": 3})] == [
        "an orc",
        "a woman, walking",
    ]
    (tmp_path / "p.csv").write_text('prompt,seed,steps,name\n"an orc, left",5,,first\na woman,,9,\n')
    rows = read_prompts(tmp_path / "p.csv", {"steps": 3})
    assert [(r.options.prompt, r.seed, r.options.steps, r.name) for r in rows] == [
        ("an orc, left", 5, 3, "first"),
        ("a woman", None, 9, None),
    ]
    (tmp_path / "p.jsonl").write_text(
        '{"prompt": "an orc", "seconds": 2, "count": 4}\n{"story": [["a", 1], ["b", 2]], "guidance": 1.5}\n'
    )
    rows = read_prompts(tmp_path / "p.jsonl", {})
    assert (rows[0].options.seconds, rows[0].count) == (2.0, 4)
    assert rows[1].options.story == (("a", 1.0), ("b", 2.0))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "text,seed\nan orc,1", "line 1: no column 'prompt'"),
        ("p.csv", "prompt,seed\nan orc,one", r"line 2: seed: expected a whole number, got 'one'"),
        ("p.csv", "prompt,seed\nan orc, left,1", "line 2: expected 2 columns"),
        ("p.csv", "prompt,colour\nan orc,1", "line 2: does not know 'colour'"),
        ("p.csv", "prompt,seed\n,1", "line 2: prompt: it is empty"),
        ("p.jsonl", '{"prompt": "a"}\n["b"]', "line 2: expected a JSON object"),
        ("p.jsonl", '{"prompt": "a", "seed": "1"}', "line 1: seed: expected a whole number"),
        ("p.jsonl", '{"prompt": "a", "frames": -3}', "line 1: frames: expected a whole number"),
        ("p.jsonl", '{"prompt": "a", "name": "../../etc"}', "line 1: name: expected a name without a folder"),
        ("p.jsonl", '{"prompt": "a", "count": 0}', "line 1: count: expected"),
        ("p.txt", "\n# nothing\n", "no prompt in it"),
    ],
)
def test_bad_prompt_files_name_the_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_prompts(tmp_path / name, {})


def jobs(tmp_path, text, **changes):
    (tmp_path / "p.txt").write_text(text)
    rows = read_prompts(tmp_path / "p.txt", {})
    return jobs_for(rows, "m", "digest", tmp_path, ".mp4", **{"seed": 0, "count": 1, **changes})


def test_names_follow_the_wish_and_not_the_line(tmp_path):
    before = {job.options.prompt: job.path for job in jobs(tmp_path, "an orc\na woman\n")}
    after = {job.options.prompt: job.path for job in jobs(tmp_path, "a man\na woman\nan orc\n")}
    assert before.items() <= after.items()
    assert jobs(tmp_path, "an orc", seed=1)[0].path != before["an orc"]


def test_a_prompt_that_comes_again_is_another_video(tmp_path):
    made = jobs(tmp_path, "an orc\na woman\nan orc\n", count=2)
    assert [(job.options.prompt, job.index) for job in made] == [
        ("an orc", 0), ("an orc", 1), ("a woman", 0), ("a woman", 1), ("an orc", 2), ("an orc", 3),
    ]  # fmt: skip
    assert len({job.path for job in made}) == 6


def test_chosen_names_must_differ(tmp_path):
    (tmp_path / "p.csv").write_text("prompt,name\nan orc,one\na woman,one\n")
    with pytest.raises(ValueError, match=r"line 3: name 'one\.mp4' is taken by .*line 2"):
        jobs_for(read_prompts(tmp_path / "p.csv", {}), "m", "d", tmp_path, ".mp4", seed=0, count=1)


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "frames": st.integers(1, 100),
        "fps": st.fractions(min_value=1, max_value=120, max_denominator=1001),
        "steps": st.integers(1, 50),
        "guidance": st.floats(0, 20),
        "transparent": st.booleans(),
    },
)


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1).filter(str.strip), WISHES)
def test_a_wish_survives_json(prompt, wish):
    asked = GenerateOptions.of({"prompt": prompt, **wish})
    assert GenerateOptions.from_json(json.loads(json.dumps(asked.as_json()))) == asked


def test_given_pixels_come_back_from_the_note_alone(tmp_path):
    small = InputClip.of_clip(
        Clip(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 4), np.uint8), 12), "/nowhere.mkv"
    )
    back = InputClip.from_note(json.loads(json.dumps(small.note())), "extend")
    assert np.array_equal(back.frames, small.frames)
    assert back.fps == 12
    noise = Clip(np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8))
    file = noise.save(tmp_path / "noise.png")
    large = InputClip.read(file, "image")
    note = large.note()
    assert "png" not in note
    assert file.is_file()
    with pytest.raises(ValueError, match=r"\(noise\.png\) are not in its metadata; give them with --image"):
        InputClip.from_note({**note, "path": str(file)}, "image")


@pytest.mark.parametrize("note", [None, {}, {"sha256": "x", "png": "%%", "frames": 1, "fps": "1"}, {"sha256": 3}])
def test_a_spoilt_note_is_refused(note):
    with pytest.raises(ValueError, match=r"give (it|them) with --image"):
        InputClip.from_note(note, "image")


def test_words_are_known_by_their_forms():
    known = ["orc", "walk", "dark elf", "slash", "3"]
    for prompt in ("two ORCS!", "it is walking", "an elf", "slashes", "the 3"):
        assert knows_any(prompt, known), prompt
    for prompt in ("blue cheese", "the a of", "", "王様"):
        assert not knows_any(prompt, known), prompt


def test_slugs_are_file_names():
    assert slug("An orc, in plate-armor!") == "an-orc-in-plate-armor"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("!!!") == "video"
    assert len(slug("word " * 100)) <= 48
    assert len(slug("x" * 500)) <= 48


def test_rows_with_pictures_hold_none_of_them(tmp_path):
    """Forty pictures of 0.75 MB in a prompt file: opened one at a time, and named by their pixels all the same."""
    rng = np.random.default_rng(0)
    for n in range(40):
        Clip(rng.integers(0, 256, (1, 512, 512, 3), np.uint8)).save(tmp_path / f"{n}.png", metadata=False)
    lines = "".join(json.dumps({"prompt": "an orc", "image": f"{n}.png"}) + "\n" for n in range(40))
    (tmp_path / "p.jsonl").write_text(lines)
    tracemalloc.start()
    try:
        jobs = jobs_for(read_prompts(tmp_path / "p.jsonl", {}), "m", "d", tmp_path, ".mp4", seed=0, count=1)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 4_000_000
    assert len({job.path for job in jobs}) == 40
    pixels = jobs[7].options.image.frames
    assert np.array_equal(pixels, Clip.open(tmp_path / "7.png").frames)
    travelled = pickle.loads(pickle.dumps(jobs[7]))
    shutil.copy(tmp_path / "8.png", tmp_path / "7.png")
    with pytest.raises(ValueError, match=r"7\.png: has changed since it was first read"):
        _ = jobs[7].options.image.frames
    assert np.array_equal(travelled.options.image.frames, pixels), "a worker elsewhere has no files"
