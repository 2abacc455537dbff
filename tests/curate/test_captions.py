"""Captions: those that lie beside the films, those of models (tiny random ones), and their fusion by a stub server."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stub_films import film, stub_measure
from test_pipeline import VIRTUAL, rows_in, run

from storyreel.curate import pipeline
from storyreel.curate.captions import Captions, read_subtitles
from storyreel.curate.chat import NoAnswer
from storyreel.curate.command import settings_of
from storyreel.curate.fusion import check_answer, fuse, fused_caption
from storyreel.curate.lines import read_lines
from storyreel.curate.models import ModelSettings, Work, ask, picture_captioner
from storyreel.curate.pipeline import CurationSettings
from storyreel.curate.screen import CurationScreen
from storyreel.curate.sources import FilmSource
from storyreel.curate.store import Store
from storyreel.options.curation import CurateOptions

SRT = (
    "1\n00:00:00,500 --> 00:00:01,500\n<i>Chop</i> the onion\n\n2\n00:00:02,000 --> 00:00:03,000\nand fry\nit\n\n"
    "3\nbad --> x\nno\n"
)
VTT = (
    "WEBVTT\n\nNOTE a note\n\n00:00.000 --> 00:02.000 align:start\nhello <c>there</c>\n\n"
    "00:02.000 --> 00:04.000\nhello there friend\n"
)
ALL = ("subtitles", "column", "sidecar", "name")


def of(path: Path, *spans: tuple[float, float], kinds: tuple[str, ...] = ALL, **more: Any) -> list[Any]:
    film = Captions(FilmSource(path.name, str(path), **more), kinds)
    return [film.of(*span) for span in spans]


def test_subtitles_caption_the_spans_that_they_are_said_in(tmp_path: Path):
    (tmp_path / "a.en.srt").write_bytes(b"\xef\xbb\xbf" + SRT.replace("\n", "\r\n").encode())
    found = of(tmp_path / "a.mp4", (0, 2), (2, 4), (0, 9), (9, 10), kinds=("subtitles", "column"), caption="cooking")
    assert [f[0] for f in found] == [["Chop the onion"], ["and fry it"], ["Chop the onion and fry it"], ["cooking"]]
    assert [f[1] for f in found] == ["subtitles"] * 3 + ["column"]
    (tmp_path / "b.vtt").write_text(VTT)
    assert [t for _, _, t in read_subtitles(tmp_path / "b.vtt")] == ["hello there", "hello there friend"]
    assert of(tmp_path / "b.mp4", (0, 5))[0][0] == ["hello there friend"], "lines that roll are said once"


def test_sidecars_speak_of_the_film_or_of_spans(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a red bus\n\na bus, seen from above\n")
    assert of(tmp_path / "a.mp4", (0, 1)) == [(["a red bus", "a bus, seen from above"], "sidecar")]
    spans = [{"start": 0, "end": 4, "caption": "walks"}, {"start": 4, "end": 9, "text": "runs"}]
    (tmp_path / "b.json").write_text(json.dumps({"caption": "a person", "spans": spans}))
    assert [f[0] for f in of(tmp_path / "b.mp4", (1, 5), (3, 8), (20, 30))] == [["walks"], ["runs"], ["a person"]]
    (tmp_path / "c.json").write_text(json.dumps({"start": [0, 5], "end": [5, 9], "text": ["first", "second"]}))
    assert of(tmp_path / "c.mp4", (6, 8))[0][0] == ["second"], "the form of HowTo100M"


def test_a_file_name_is_a_caption_when_it_has_words(tmp_path: Path):
    names = ["a_dog-on the_beach.mp4", "IMG_1234.mp4", "VID 20240101.mp4", "d41d8cd98f00b204.mp4", "été à Paris.mp4"]
    assert [of(tmp_path / n, (0, 1), kinds=("name",))[0][0] for n in names] == [
        ["dog on the beach"], [], [], [], ["été Paris"]
    ]  # fmt: skip


def test_sidecars_that_are_nonsense_are_noted_and_passed_over(tmp_path: Path):
    for name, content in (
        ("a.json", "{"),
        ("b.srt", "nothing"),
        ("c.json", "[1]"),
        ("d.txt", "\x00\x01"),
        ("e.json", '"x"'),
    ):
        (tmp_path / name).write_text(content)
        captions = Captions(FilmSource("x", str(tmp_path / name.replace(name[1:], ".mp4"))), ALL)
        assert captions.of(0, 1) == ([], None)
        assert len(captions.notes) == (name != "d.txt"), name
    (tmp_path / "f.txt").write_bytes(b"\xff\xfe\xff")
    captions = Captions(FilmSource("f.mp4", str(tmp_path / "f.mp4")), ALL)
    assert captions.of(0, 1) == ([], None)
    assert "captions of f.txt are left out" in captions.notes[0]


def test_captions_reach_the_dataset(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", spans=2)
    (tmp_path / "in" / "a.srt").write_text(SRT)
    run(tmp_path / "in", tmp_path / "out")
    assert [(r["caption"], r["caption_from"]) for r in rows_in(tmp_path / "out")] == [
        ("Chop the onion", "subtitles"), ("and fry it", "subtitles")
    ]  # fmt: skip
    film(tmp_path / "more" / "b.mp4", seed=1, spans=1)
    (tmp_path / "list.csv").write_text("path,licence,caption,url,seconds\nmore/b.mp4,CC-BY-4.0,a cat,http://x,9\n")
    run(tmp_path / "list.csv", tmp_path / "out")
    row = rows_in(tmp_path / "out")[-1]
    assert (row["licence"], row["caption"], row["url"], row["footage_seconds"]) == (
        "CC-BY-4.0",
        "a cat",
        "http://x",
        "9",
    )
    assert "CC-BY-4.0: 1 clip" in (tmp_path / "out" / "README.md").read_text()


# -- captioners --------------------------------------------------------------------------------------------


def tiny_tokenizer(folder: Path) -> int:
    """A WordPiece tokenizer of a few words; its size."""
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "red",
        "blue",
        "dog",
        "cat",
        "bus",
        "runs",
        "on",
        "grass",
    ]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 32}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(words)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random BLIP and GIT of a few thousand weights."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration, GitConfig, GitForCausalLM

    torch.manual_seed(0)
    found = {}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    for name in ("blip", "git"):
        folder = tmp_path_factory.mktemp(name)
        size = tiny_tokenizer(folder)
        ids = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
        text = {**small, "vocab_size": size, "max_position_embeddings": 64, **ids}
        vision = {**small, "image_size": 32, "patch_size": 16}
        if name == "blip":
            net: Any = BlipForConditionalGeneration(
                BlipConfig(text_config={**text, "encoder_hidden_size": 16}, vision_config=vision, projection_dim=8)
            )
        else:
            net = GitForCausalLM(GitConfig(vision_config=vision, num_image_with_embedding=3, **text))
        net.save_pretrained(str(folder), safe_serialization=True)
        found[name] = folder
    return found


@pytest.mark.parametrize(("name", "kind"), [("blip", "image"), ("blip", "video"), ("git", "video")])
def test_captioners_load_published_forms_and_speak(checkpoints: dict[str, Path], name: str, kind: str):
    from storyreel.curate.captioners import load_captioner

    captioner = load_captioner(checkpoints[name], kind)
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 256, (len(captioner.places), 40, 30 + 20 * i, 3), np.uint8) for i in range(2)]
    said = captioner(videos)
    assert len(said) == 2
    assert all(isinstance(text, str) for text in said)
    assert captioner(videos[1:]) == said[1:], "a clip's caption does not depend on its batch"


def test_captioners_refuse_what_they_are_not(checkpoints: dict[str, Path], tmp_path: Path):
    from storyreel.curate.captioners import load_captioner

    with pytest.raises(ValueError, match=r"expected a folder with config\.json"):
        load_captioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ValueError, match="pickled weights are never loaded"):
        load_captioner(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ValueError, match="'gpt2' model; expected blip, git or a vision-language model"):
        load_captioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    with pytest.raises(ValueError, match="could not be loaded"):
        load_captioner(tmp_path)([np.zeros((1, 8, 8, 3), np.uint8)])


class Counting:
    """A captioner that dies at its third clip, once."""

    name, places = "counting", (0.5,)

    def __init__(self, stop: int | None) -> None:
        self.stop, self.asked = stop, 0

    def __call__(self, videos: Any) -> list[str]:
        self.asked += len(videos)
        if self.stop is not None and self.asked > self.stop:
            raise KeyboardInterrupt
        return [f"caption {len(video)}" for video in videos]


def test_captions_are_stored_one_by_one_and_not_asked_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from storyreel.span import Span

    monkeypatch.setattr(Span, "some", lambda self, places: np.zeros((len(places), 8, 8, 3), np.uint8))
    film(tmp_path / "in" / "a.mp4", spans=5)
    run(tmp_path / "in", tmp_path / "out")
    rows = rows_in(tmp_path / "out")
    with Store(tmp_path / "out") as store:
        work = Work(store, rows, ModelSettings(batch=1), CurationScreen(quiet=True), [])
        with pytest.raises(KeyboardInterrupt):
            ask(work, Counting(2), "captions")
        again = Counting(None)
        assert set(ask(work, again, "captions")) == {row["clip"] for row in rows}
        assert again.asked == 3
        answers = list(read_lines(next((tmp_path / "out/curation/answers").iterdir())))
        assert [a["clip"] for a in answers] == sorted(row["clip"] for row in rows)


# -- fusion ------------------------------------------------------------------------------------------------

GOOD = "A red dog runs over the grass."
TEXTS = ["a red dog", "a dog runs on grass"]


def completion(text: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@contextmanager
def server(*answers: Callable[[Any], None] | bytes | int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(URL, what was asked). Each answer once, in order, the last for ever: a body, an error code, or a function."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**body, "path": self.path, "key": self.headers.get("Authorization")})
            answer = answers[min(len(asked), len(answers)) - 1]
            if callable(answer):
                answer(self)
                return
            self.send_response(answer if isinstance(answer, int) else 200)
            if answer == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(answer if isinstance(answer, bytes) else b"{}")

        def log_message(self, format: str, *args: Any) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
    finally:
        http.shutdown()
        http.server_close()


def test_two_captions_become_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_CHAT_KEY", "secret")
    with server(completion(f' Sure, here is the sentence: "{GOOD}"\n')) as (url, asked):
        models = ModelSettings(chat=url, chat_model="m", chat_key="TEST_CHAT_KEY")
        assert fused_caption(TEXTS, models) == GOOD
    assert asked[0]["path"] == "/v1/chat/completions"
    assert asked[0]["key"] == "Bearer secret"
    assert asked[0]["temperature"] == 0
    assert TEXTS[1] in asked[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    "first", [500, 429, b"<html>", b"{}", completion(""), completion(None), completion("dog " * 90)]
)
def test_an_endpoint_that_stumbles_is_asked_again(first: Any):
    with server(first, completion(GOOD)) as (url, asked):
        assert fused_caption(TEXTS, ModelSettings(chat=url)) == GOOD
        assert len(asked) == 2


def drip(handler: Any) -> None:
    """A byte now and then: no socket timeout would ever pass."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.05)


def drip_head(handler: Any) -> None:
    """The same before the first line of the body."""
    for part in (b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 90, *[b"z"] * 400):
        try:
            handler.wfile.write(part)
        except OSError:
            return
        time.sleep(0.05)


def odd_head(handler: Any) -> None:
    """A number of seconds that is a digit to Python, and no number."""
    handler.send_response(503)
    handler.send_header("Retry-After", "²")
    handler.end_headers()


def hang_up(handler: Any) -> None:
    handler.connection.close()


@pytest.mark.parametrize(
    ("answer", "why", "times"),
    [
        (401, "answers 401", 1),
        (503, "answers 503", 2),
        (lambda handler: time.sleep(2), "timed out", 2),
        (drip, "takes too long", 2),
        (drip_head, "takes too long", 2),
        (odd_head, "answers 503", 2),
        (hang_up, "v1/chat", 2),
        (b" " * (1 << 21), "over 1 MiB", 1),
        (completion("I'm sorry, as an AI I cannot see a dog."), "refusal", 2),
        (completion("Purple elephants juggle chainsaws quietly."), "shares no word", 2),
    ],
    ids=["key", "down", "slow", "drip", "drip-head", "odd-head", "hangs-up", "endless", "refusal", "other-subject"],
)  # fmt: skip
def test_an_endpoint_that_never_serves_costs_the_caption_alone(answer: Any, why: str, times: int):
    with server(answer) as (url, asked):
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=why):
            fused_caption(TEXTS, ModelSettings(chat=url, chat_tries=2, chat_seconds=0.4))
        assert time.monotonic() - began < 10
        assert len(asked) == times


@pytest.mark.parametrize("nonsense", [7, "no", "dog dog dog dog dog dog dog dog", "<think>a dog</think>", "12 34 56"])
def test_nonsense_is_no_caption(nonsense: Any):
    with pytest.raises(NoAnswer):
        check_answer(nonsense, TEXTS)


def test_fused_captions_are_stored_and_failures_noted(tmp_path: Path):
    texts = {"1": TEXTS, "2": ["a cat", "a cat sits"], "3": ["one caption"]}
    with server(completion(GOOD), 400) as (url, asked), Store(tmp_path) as store:
        work = Work(store, [], ModelSettings(chat=url, chat_at_once=1), CurationScreen(quiet=True), [])
        assert fuse(work, texts) == {"1": GOOD}
        assert len(asked) == 2
        assert work.notes == ["fusion: 1 clip got no fused caption"]
        assert fuse(work, {"1": TEXTS}) == {"1": GOOD}
        assert len(asked) == 2, "what was answered is not asked again"


def test_models_that_are_not_here_leave_their_columns_empty(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "a.txt").write_text("a dog")
    models = ModelSettings(encoder=str(tmp_path / "none"), aesthetics=str(tmp_path))
    done = run(tmp_path / "in", tmp_path / "out", settings=CurationSettings(export=VIRTUAL, models=models))
    assert done.selected == 3
    assert {(r["similarity"], r["aesthetics"]) for r in rows_in(tmp_path / "out")} == {(None, None)}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "- similarity: not scored: encoder" in card
    assert "- aesthetics: not scored: " in card


# -- captions of pictures by any vision-language model -------------------------------------------------------

SENTENCE = "a red dog runs over green grass"


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of a few thousand random weights, but for its words: each leads to the next one of SENTENCE."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llava")
    words = ["<pad>", "<unk>", "<s>", "</s>", "<image>", *SENTENCE.split()]
    plain = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    vision = CLIPVisionConfig(num_hidden_layers=2, image_size=32, patch_size=16, **small)
    text = LlamaConfig(
        vocab_size=len(words), num_hidden_layers=1, max_position_embeddings=512, pad_token_id=0, bos_token_id=2,
        eos_token_id=3, **small,
    )  # fmt: skip
    net: Any = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_id=4))
    with torch.no_grad():
        net.get_input_embeddings().weight.copy_(10 * torch.eye(len(words), 16))
        net.get_output_embeddings().weight.zero_()
        for now, then in pairwise([1, *range(5, len(words)), 3]):  # an unknown word ends the question
            net.get_output_embeddings().weight[then, now] = 1
    template = (
        "{% for m in messages %}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }} "
        "{% endfor %}{% endfor %}"
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        pictures, tokenizer, patch_size=16, vision_feature_select_strategy="default", chat_template=template,
        num_additional_image_tokens=1,
    ).save_pretrained(str(folder))  # fmt: skip
    net.save_pretrained(str(folder), safe_serialization=True)
    return folder


def pictures_of(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 40, 60, 3), np.uint8)


@pytest.mark.parametrize("pictures", [1, 3])
def test_any_vision_language_model_captions_by_its_own_template(llava: Path, pictures: int):
    captioner = picture_captioner(ModelSettings(captioner=str(llava), pictures=pictures))
    assert len(captioner.places) == pictures
    assert captioner([pictures_of(seed, pictures) for seed in range(2)]) == [SENTENCE, SENTENCE]
    assert captioner.name.startswith("llava")


def test_a_clip_gets_a_caption_or_the_reason_why_not(llava: Path, tmp_path: Path):
    """A model that says only one word has nothing that could be used; the clip keeps its place, without a caption."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(llava, tmp_path / "mute")
    weights = load_file(str(tmp_path / "mute/model.safetensors"))
    head = next(name for name in weights if "lm_head" in name)
    weights[head] = weights[head] * 0
    weights[head][3, 1] = 1  # the end of the text, at once
    save_file(weights, str(tmp_path / "mute/model.safetensors"), {"format": "pt"})
    (none,) = picture_captioner(ModelSettings(captioner=str(tmp_path / "mute")))([pictures_of(0, 3)])
    assert isinstance(none, NoAnswer)


def test_any_endpoint_that_takes_pictures_captions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_CHAT_KEY", "secret")
    with server(503, completion(f"<think>hm</think>{GOOD}")) as (url, asked):
        models = ModelSettings(captioner=url, chat_model="qwen", chat_key="TEST_CHAT_KEY", chat_at_once=1)
        large = np.repeat(np.repeat(pictures_of(0, 3), 30, 1), 30, 2)  # 1200 x 1800
        assert picture_captioner(models)([large]) == [GOOD]
    assert (asked[1]["path"], asked[1]["model"], asked[1]["key"]) == ("/v1/chat/completions", "qwen", "Bearer secret")
    question, *pictures = asked[1]["messages"][0]["content"]
    assert "3 frames" in question["text"]
    shown = [base64.b64decode(one["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) for one in pictures]
    assert [Image.open(BytesIO(jpeg)).size for jpeg in shown] == [(768, 512)] * 3


def test_the_model_captions_what_the_kinds_before_it_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from storyreel.span import Span

    monkeypatch.setattr(Span, "some", lambda self, places: pictures_of(0, len(places)))
    film(tmp_path / "in" / "a_cat_sleeps.mp4", spans=1)
    film(tmp_path / "in" / "b_bird_flies.mp4", seed=1, spans=1)
    (tmp_path / "in" / "a_cat_sleeps.txt").write_text("a cat")
    with server(completion(GOOD)) as (url, asked):
        options = CurateOptions.of({"footage": [tmp_path / "in"], "out": tmp_path / "out"})

        def captions(*listed: str, out: str) -> list[list[str]]:
            settings, thresholds = settings_of(replace(options, captions=listed, sets=("export.format=virtual",)))
            pipeline.curate([tmp_path / "in"], tmp_path / out, settings, thresholds, job=stub_measure)
            return [row["captions"] for row in rows_in(tmp_path / out)]

        assert captions("sidecar", url, "name", out="after") == [["a cat"], [GOOD, "bird flies"]]
        assert len(asked) == 1
        assert captions(url, "sidecar", out="first") == [[GOOD, "a cat"], [GOOD]]
        assert captions(url, "sidecar", out="first") == [[GOOD, "a cat"], [GOOD]]
        assert len(asked) == 3, "what was answered is not asked again"


def test_an_endpoint_that_is_not_there_is_not_asked_about_every_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from storyreel.span import Span

    monkeypatch.setattr(Span, "some", lambda self, places: pictures_of(0, len(places)))
    film(tmp_path / "in" / "a.mp4", spans=30)
    with server(404) as (url, asked):
        models = ModelSettings(captioner=url, batch=4)
        done = run(tmp_path / "in", tmp_path / "out", settings=CurationSettings(export=VIRTUAL, models=models))
        assert len(asked) == 8
    assert (done.selected, done.uncaptioned) == (30, 30)
    assert "- captions: 30 clips got no caption" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("captioner", "why"),
    [
        ("no/such-model", "no/such-model: (is not on this machine|could not be downloaded)"),
        ("./absent/folder", "absent/folder: no such folder"),
        ("a/b/c", "no such folder; expected one, a name OWNER/NAME"),
    ],
)
def test_a_captioner_that_is_not_here_is_said_before_anything_is_measured(tmp_path: Path, captioner: str, why: str):
    film(tmp_path / "in" / "a.mp4", fail=9)
    with pytest.raises(ValueError, match=why):
        run(tmp_path / "in", tmp_path / "out", settings=CurationSettings(models=ModelSettings(captioner=captioner)))
    assert not (tmp_path / "out").exists()
