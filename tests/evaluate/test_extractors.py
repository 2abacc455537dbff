"""Extractors: what they do to pixels, what they read, what they refuse. The weights are synthetic, the layouts not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from tiny_encoders import write_encoder

from storyreel.evaluate.extractors import Extractor, TextVideo, load_extractor, names
from storyreel.evaluate.extractors.pixels import bicubic_short_side, bilinear_tf1
from storyreel.evaluate.extractors.videos import C3DFeatures, I3DFeatures, c3d_tensors
from storyreel.evaluate.extractors.weights import digest_of, filled, read_weights
from storyreel.nn.c3d import C3D, FRAMES
from storyreel.nn.i3d import I3D
from storyreel.nn.inception import InceptionV3
from storyreel.weights_registry import ENTRIES, find_weights


def frames(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def own_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weights of this machine are seen."""
    monkeypatch.setenv("STORYREEL_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.mark.parametrize("name", ["tiny", "tiny-frames"])
def test_the_tiny_ones(name: str):
    extractor = load_extractor(name)
    assert isinstance(extractor, Extractor)
    assert not isinstance(extractor, TextVideo)
    assert not extractor.trusted
    assert extractor.digest == "random:0"
    clips = frames(3, 4, 20, 24)
    together = extractor.features(clips)
    assert together.shape == ((3, 16) if extractor.kind == "video" else (3, 4, 16))
    assert extractor.logits(clips).shape == (*together.shape[:-1], 10)
    assert torch.allclose(together[1:2], extractor.features(clips[1:2]), atol=1e-5)
    assert torch.equal(together, load_extractor(name).features(clips)), "the same weights each time"
    with pytest.raises(ValueError, match=r"expects uint8 \(b, t, h, w, 3\), got float32 \(3, 4, 20, 24, 3\)"):
        extractor.features(clips.float())
    with pytest.raises(ValueError, match="takes no file"):
        load_extractor(name, weights="x.safetensors")


def test_tiny_sees_motion():
    clip = frames(1, 6, 16, 16)
    tiny = load_extractor("tiny")
    still = clip[:, :1].expand_as(clip).contiguous()
    assert not torch.allclose(tiny.features(clip), tiny.features(still), atol=1e-2)
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        tiny.features(clip[:, :1])


def test_random_i3d_is_reproducible_and_marked():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    extractor = load_extractor("random-i3d")
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random numbers are left alone"
    assert (extractor.name, extractor.digest, extractor.trusted) == ("random-i3d", "random:0", False)
    features = extractor.features(frames(1, 9, 32, 48))
    assert features.shape == (1, 400)
    with pytest.raises(ValueError, match="at least 9 frames, got 8"):
        extractor.features(frames(1, 8, 32, 32))


def test_unknown_names():
    with pytest.raises(ValueError, match="no 'i3d-k40'; did you mean 'i3d-k400'"):
        load_extractor("i3d-k40")
    assert {"sprites-v1", "digits-v1", *ENTRIES} <= set(names())


# -- pixels ----------------------------------------------------------------------------------------------------


def test_tf1_resize_by_its_definition():
    """source = target * in / out, its floor and the next pixel, mixed linearly; the edge is repeated."""
    image = torch.rand(1, 1, 5, 7)
    made = bilinear_tf1(image, 8, 3)
    for y in range(8):
        for x in range(3):
            sy, sx = y * 5 / 8, x * 7 / 3
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, 4), min(x0 + 1, 6)
            fy, fx = sy - y0, sx - x0
            top = image[0, 0, y0, x0] * (1 - fx) + image[0, 0, y0, x1] * fx
            low = image[0, 0, y1, x0] * (1 - fx) + image[0, 0, y1, x1] * fx
            assert float(made[0, 0, y, x]) == pytest.approx(float(top * (1 - fy) + low * fy), abs=1e-5)


@pytest.mark.parametrize("size", [(40, 64), (64, 40), (64, 64), (10, 14)])
def test_clip_pixels_are_those_of_pillow(size: tuple[int, int]):
    from PIL import Image

    h, w = size
    y, x = np.mgrid[0:h, 0:w]
    picture = np.stack([128 + 100 * np.sin(x / 7), 128 + 90 * np.cos(y / 5), (x * 3 + y * 2) % 256], -1).astype(
        np.uint8
    )
    side = 24
    short = min(h, w)
    new = (int(w * side / short), int(h * side / short)) if h != w else (side, side)
    theirs = Image.fromarray(picture).resize(new, Image.Resampling.BICUBIC)
    left, top = (new[0] - side) // 2, (new[1] - side) // 2
    theirs = np.asarray(theirs.crop((left, top, left + side, top + side)), np.float32)
    ours = bicubic_short_side(torch.from_numpy(picture).permute(2, 0, 1)[None].float(), side)
    assert ours.shape == (1, 3, side, side)
    off = np.abs(ours[0].permute(1, 2, 0).numpy() - theirs)  # Pillow rounds between rows and columns
    assert off.max() <= 2
    assert off.mean() < 0.2


# -- published layouts -----------------------------------------------------------------------------------------


def inception_checkpoint() -> dict[str, torch.Tensor]:
    """The published names and shapes, spelled out apart from the network."""
    made: dict[str, torch.Tensor] = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}

    def unit(name: str, into: int, out: int, *kernel: int) -> None:
        made[f"{name}.conv.weight"] = torch.zeros(out, into, kernel[0], kernel[-1])
        for part in ("weight", "bias", "running_mean", "running_var"):
            made[f"{name}.bn.{part}"] = torch.ones(out)
        made[f"{name}.bn.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)

    stem = "1a_3x3 3 32 3, 2a_3x3 32 32 3, 2b_3x3 32 64 3, 3b_1x1 64 80 1, 4a_3x3 80 192 3"
    blocks = {
        "b": (192, 32), "c": (256, 64), "d": (288, 64),
    }  # fmt: skip
    for item in stem.split(", "):
        name, *numbers = item.split()
        unit(f"Conv2d_{name}", *map(int, numbers))
    for block, (into, pooled) in blocks.items():
        table = f"1x1 {into} 64 1, 5x5_1 {into} 48 1, 5x5_2 48 64 5, 3x3dbl_1 {into} 64 1, 3x3dbl_2 64 96 3"
        for item in f"{table}, 3x3dbl_3 96 96 3, _pool {into} {pooled} 1".split(", "):
            name, *numbers = item.split()
            unit(f"Mixed_5{block}.branch{name}", *map(int, numbers))
    for item in ("3x3 288 384 3", "3x3dbl_1 288 64 1", "3x3dbl_2 64 96 3", "3x3dbl_3 96 96 3"):
        name, *numbers = item.split()
        unit(f"Mixed_6a.branch{name}", *map(int, numbers))
    for block, c in {"b": 128, "c": 160, "d": 160, "e": 192}.items():
        table = f"1x1 768 192 1, 7x7_1 768 {c} 1, 7x7_2 {c} {c} 1 7, 7x7_3 {c} 192 7 1, 7x7dbl_1 768 {c} 1, "
        table += (
            f"7x7dbl_2 {c} {c} 7 1, 7x7dbl_3 {c} {c} 1 7, 7x7dbl_4 {c} {c} 7 1, 7x7dbl_5 {c} 192 1 7, _pool 768 192 1"
        )
        for item in table.split(", "):
            name, *numbers = item.split()
            unit(f"Mixed_6{block}.branch{name}", *map(int, numbers))
    table = "3x3_1 768 192 1, 3x3_2 192 320 3, 7x7x3_1 768 192 1, 7x7x3_2 192 192 1 7, 7x7x3_3 192 192 7 1"
    for item in f"{table}, 7x7x3_4 192 192 3".split(", "):
        name, *numbers = item.split()
        unit(f"Mixed_7a.branch{name}", *map(int, numbers))
    for block, into in {"b": 1280, "c": 2048}.items():
        table = f"1x1 {into} 320 1, 3x3_1 {into} 384 1, 3x3_2a 384 384 1 3, 3x3_2b 384 384 3 1, 3x3dbl_1 {into} 448 1, "
        table += f"3x3dbl_2 448 384 3, 3x3dbl_3a 384 384 1 3, 3x3dbl_3b 384 384 3 1, _pool {into} 192 1"
        for item in table.split(", "):
            name, *numbers = item.split()
            unit(f"Mixed_7{block}.branch{name}", *map(int, numbers))
    return made


def test_inception_reads_the_published_layout(own_weights: Path):
    folder = own_weights / "inception-2015"
    folder.mkdir(parents=True)
    checkpoint = inception_checkpoint()
    checkpoint["fc.weight"][0, 0] = 2.5
    save_file(checkpoint, folder / "weights-inception-2015-12-05-6726825d.safetensors")
    extractor = load_extractor("inception-2015")
    assert extractor.trusted
    assert extractor.net.fc.weight[0, 0] == 2.5  # pyright: ignore[reportAttributeAccessIssue]
    assert len(extractor.digest) == 64
    assert extractor.features(frames(1, 1, 8, 8)).shape == (1, 1, 2048)
    checkpoint["fc.weight"] = torch.zeros(1000, 2048)
    with pytest.raises(ValueError, match=r"x: fc.weight is \[1000, 2048\], expected \[1008, 2048\]"):
        filled(InceptionV3, checkpoint, "x")
    del checkpoint["Mixed_6e.branch_pool.bn.bias"]
    with pytest.raises(ValueError, match=r"x: lacks 'Mixed_6e\.branch_pool\.bn\.bias'"):
        filled(InceptionV3, checkpoint, "x")


def published_i3d(folder: Path) -> dict[str, torch.Tensor]:
    """Random weights in the published layout, in the folder, too."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    weights = {n: t for n, t in I3D().state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(weights, folder / "i3d_pretrained_400.safetensors")
    return weights


def test_i3d_reads_the_published_layout(own_weights: Path):
    """Its names and shapes are checked in tests/nn/test_i3d.py; here the same content has the same digest."""
    weights = published_i3d(own_weights / "i3d-k400")
    extractor = load_extractor("i3d-k400")
    np.savez(own_weights / "other.npz", **{n: t.numpy() for n, t in reversed(weights.items())})
    again = load_extractor("i3d-k400", weights=own_weights / "other.npz")
    assert extractor.digest == again.digest
    assert (extractor.name, extractor.dim, extractor.trusted) == ("i3d-k400", 400, True)
    weights["logits.conv3d.bias"] += 1e-3
    assert digest_of(filled(I3D, weights, "x")) != extractor.digest


def test_i3d_has_the_epsilon_of_its_weights_and_a_score_says_which(own_weights: Path):
    """VideoGPT runs the file that it converted with 1e-5; the digest of the weights is the same with any epsilon."""
    weights = published_i3d(own_weights / "i3d-k400")
    extractor = load_extractor("i3d-k400")
    assert isinstance(extractor, I3DFeatures)
    norms = [module.eps for module in extractor.net.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    assert len(norms) == 57
    assert set(norms) == {1e-5}
    assert extractor.preprocessing.endswith("batch norms with eps 1e-05")
    other = filled(I3D, weights, "x")
    assert digest_of(other) == extractor.digest
    assert I3DFeatures("i3d", other, extractor.digest, True).preprocessing != extractor.preprocessing


def c3d_files(folder: Path, widths: tuple[int, ...], features: int) -> dict[str, Path]:
    """TGANv2's two files, as chainer writes them, of a narrow network."""
    rng = np.random.default_rng(0)
    order = dict(conv1a=0, conv2a=1, conv3a=2, conv3b=2, conv4a=3, conv4b=3, conv5a=3, conv5b=3)
    arrays, into = {}, 3
    for name, which in order.items():
        arrays[f"{name}/W"] = rng.normal(size=(widths[which], into, 3, 3, 3)).astype("f") * 0.1
        arrays[f"{name}/b"] = rng.normal(size=widths[which]).astype("f")
        into = widths[which]
    for name, (a, b) in dict(fc6=(into * 16, features), fc7=(features, features), fc8=(features, 101)).items():
        arrays[f"{name}/W"] = rng.normal(size=(b, a)).astype("f") * 0.1
        arrays[f"{name}/b"] = rng.normal(size=b).astype("f")
    files = {name: folder / name for name in ("conv3d_deepnetA_ucf.npz", "mean2.npz")}
    np.savez(files["conv3d_deepnetA_ucf.npz"], **arrays)
    np.savez(files["mean2.npz"], mean=rng.uniform(80, 110, size=(1, 3, FRAMES, 128, 171)))
    return files


def test_c3d_reads_the_published_layout(tmp_path: Path):
    files = c3d_files(tmp_path, (2, 3, 4, 5), 6)
    net = filled(lambda: C3D(widths=(2, 3, 4, 5), features=6), c3d_tensors(files), "c3d")
    with np.load(files["mean2.npz"]) as there:
        assert np.allclose(net.mean.numpy(), there["mean"][0, :, :, 8:120, 8:120])
    with np.load(files["conv3d_deepnetA_ucf.npz"]) as there:
        assert np.array_equal(net.get_parameter("conv4b.weight").numpy(), there["conv4b/W"])
    extractor = C3DFeatures("c3d-ucf101", net, digest_of(net), True)
    clips = frames(2, 16, 30, 40)
    assert extractor.features(clips).shape == (2, 6)
    assert extractor.logits(clips).shape == (2, 101)
    with pytest.raises(ValueError, match="expects clips of 16 frames, got 17"):
        extractor.logits(frames(1, 17, 30, 40))
    with pytest.raises(ValueError, match=r"conv1a.weight is \[2, 3, 3, 3, 3\], expected \[64, 3, 3, 3, 3\]"):
        load_extractor("c3d-ucf101", weights=tmp_path)


def test_c3d_refuses_other_files(tmp_path: Path):
    files = c3d_files(tmp_path, (2, 3, 4, 5), 6)
    np.savez(files["mean2.npz"], mean=np.zeros((3, 16, 112, 112)))
    with pytest.raises(ValueError, match=r"mean is \[3, 16, 112, 112\], expected \[3, 16, 128, 171\]"):
        c3d_tensors(files)
    odd: Any = {"conv9/W": np.zeros(3)}
    np.savez(files["conv3d_deepnetA_ucf.npz"], **odd)
    with pytest.raises(ValueError, match="has unknown 'conv9/W'"):
        c3d_tensors(files)
    np.savez(files["conv3d_deepnetA_ucf.npz"], a=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"is not a whole \.npz of plain arrays"):
        c3d_tensors(files)
    with pytest.raises(ValueError, match=r"expected a folder with conv3d_deepnetA_ucf\.npz, mean2\.npz"):
        load_extractor("c3d-ucf101", weights=files["mean2.npz"])


def clip_folder(folder: Path) -> Path:
    """A CLIP of toy size in Hugging Face's layout, with a byte-pair vocabulary of its own."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789!,.'"
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>")]
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    text = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    text |= dict(vocab_size=len(tokens), max_position_embeddings=10)
    vision = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    vision |= dict(image_size=16, patch_size=8)
    told = {"model_type": "clip", "text_config": text, "vision_config": vision, "projection_dim": 8}
    (folder / "config.json").write_text(json.dumps(told))
    torch.manual_seed(0)
    net = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    ramps = {f"{part}_model.embeddings.position_ids": torch.arange(5)[None] for part in ("text", "vision")}
    save_file({**net.state_dict(), **ramps}, folder / "model.safetensors")
    return folder


def test_clip_reads_a_folder(tmp_path: Path):
    extractor = load_extractor("clip-vit-b-32", weights=clip_folder(tmp_path / "clip"))
    assert isinstance(extractor, TextVideo)
    assert (extractor.dim, extractor.kind) == (8, "frame")
    clips = frames(2, 3, 20, 30)
    pictures = extractor.frame_embeddings(clips)
    assert pictures.shape == (2, 3, 8)
    assert torch.allclose(pictures.norm(dim=-1), torch.ones(2, 3), atol=1e-5)
    assert torch.allclose(extractor.frame_embeddings(clips[1:, 2:])[0, 0], pictures[1, 2], atol=1e-5)
    assert extractor.video_embeddings(clips).shape == (2, 8)
    with pytest.raises(ValueError, match="no classes"):
        extractor.logits(clips)


def test_clip_reads_a_vocabulary_of_either_form(tmp_path: Path):
    folder = clip_folder(tmp_path / "clip")
    texts = ["A Cat,  and a DOG!", "it's 42 cats", "dog"]
    before = load_extractor("clip-vit-b-32", weights=folder)
    assert isinstance(before, TextVideo)
    transformers.CLIPTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    after = load_extractor("clip-vit-b-32", weights=folder)
    assert isinstance(after, TextVideo)
    assert torch.equal(before.text_embeddings(texts), after.text_embeddings(texts))


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_any_clip_and_any_siglip_by_name_equal_transformers(kind: str, tmp_path: Path):
    """Difference 0.0, whatever else is in the batch."""
    folder = write_encoder(kind, tmp_path / "mine")
    extractor = load_extractor(f"{kind}:{folder}")
    assert isinstance(extractor, TextVideo)
    network = {"clip": transformers.CLIPModel, "siglip": transformers.SiglipModel}[kind].from_pretrained(folder).eval()
    assert (extractor.name, extractor.digest) == (f"{kind}:mine", digest_of(network)), "no path of this machine"
    texts, clips = ["a dog walks", "cat"], frames(2, 3, 16, 16)
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        texts, padding="max_length" if kind == "siglip" else True, max_length=64, truncation=True, return_tensors="pt"
    )
    if kind == "siglip":  # it sees the pads
        tokens.pop("attention_mask")
    reader = {"clip": transformers.CLIPImageProcessor, "siglip": transformers.SiglipImageProcessor}[kind](
        size={"shortest_edge": 16} if kind == "clip" else {"height": 16, "width": 16}, crop_size=16
    )
    pixels = reader(list(clips.flatten(0, 1).numpy()), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        said, out = network.get_text_features(**tokens).pooler_output, network(**tokens, pixel_values=pixels)
    assert torch.equal(extractor.text_embeddings(texts), torch.nn.functional.normalize(said, dim=-1))
    seen = extractor.frame_embeddings(clips).flatten(0, 1)
    assert torch.allclose(seen, out.image_embeds, atol=1e-6)  # pixels divided by 255 or multiplied by its inverse
    large = frames(1, 1, 40, 56)
    pixels = reader([large[0, 0].numpy()], return_tensors="pt")["pixel_values"]
    inner: Any = extractor
    assert (inner.pixels(large[0]) - pixels).abs().max() < 4 / 255 / 0.26  # of noise; nearly all are the same
    with torch.no_grad():
        same = network.get_image_features(pixel_values=inner.pixels(large[0])).pooler_output
    assert torch.equal(extractor.features(large)[0], same)


def test_names_of_extractors_that_cannot_be(tmp_path: Path):
    folder = write_encoder("clip", tmp_path / "mine")
    for name, said in (
        (f"siglip:{folder}", r"expected a SigLIP with model.safetensors \(it is a clip\)"),
        (f"t5:{folder}", "reads sentences alone; clip:... and siglip:... see pictures as well"),
        (f"clip:{tmp_path}/none", "extractor clip:.*: there is no folder"),
        ("clip:", "no 'clip:'; there are .*siglip:ORG/NAME"),
        ("clap:mine", "extractor: no 'clap:mine'"),
        ("siglip:google/siglip-base-patch16-224", "is not on this machine, and HF_HUB_OFFLINE keeps it"),
    ):
        with pytest.raises(ValueError, match=said) as told:
            load_extractor(name)
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="names its own"):
        load_extractor(f"clip:{folder}", weights=folder)


def test_clip_cuts_long_texts_and_says_so_once(tmp_path: Path):
    extractor: Any = load_extractor("clip-vit-b-32", weights=clip_folder(tmp_path / "clip"))
    with pytest.warns(UserWarning, match="is longer than 10 tokens"):
        long = extractor.text_embeddings(["cat " * 20, "dog"])
    assert torch.allclose(long[1], extractor.text_embeddings(["dog"])[0], atol=1e-5), "padding is not seen"
    assert torch.allclose(long[0], extractor.text_embeddings(["cat " * 8])[0], atol=1e-5)
    with pytest.raises(ValueError, match="expected a list of sentences, got one string"):
        extractor.text_embeddings("dog")


def test_clip_says_what_a_folder_lacks(tmp_path: Path):
    folder = clip_folder(tmp_path / "clip")
    (folder / "merges.txt").unlink()
    with pytest.raises(ValueError, match=r"expected tokenizer\.json, or vocab\.json with merges\.txt"):
        load_extractor("clip-vit-b-32", weights=folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="is a pickle, which can run code when it is opened; convert it once: python"):
        load_extractor("clip-vit-b-32", weights=folder)


# -- where weights are looked for -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_missing_weights_say_where_they_come_from(name: str, own_weights: Path):
    with pytest.raises(ValueError, match="weights are not here") as error:
        load_extractor(name)
    line = str(error.value)
    assert "\n" not in line
    file = ENTRIES[name].files[0]
    for part in (
        f"storyreel models fetch {name}",
        file.url,
        file.sha256 or f"models fetch {name} --unverified",
        str(own_weights / name),
    ):
        assert part in line


def test_a_pickle_is_never_opened(own_weights: Path, tmp_path: Path):
    folder = own_weights / "i3d-k400"
    folder.mkdir(parents=True)
    (folder / "i3d_pretrained_400.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"is a pickle.*weights_only=True.*i3d_pretrained_400\.safetensors"):
        load_extractor("i3d-k400")
    with pytest.raises(ValueError, match="is a pickle"):
        load_extractor("i3d-k400", weights=folder / "i3d_pretrained_400.pt")
    with pytest.raises(ValueError, match="is a pickle"):
        read_weights(folder / "i3d_pretrained_400.pt")
    disguised = tmp_path / "weights.safetensors"
    disguised.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="pickle with the name of a safetensors file"):
        load_extractor("i3d-k400", weights=disguised)
    with pytest.raises(ValueError, match=r"nowhere\.safetensors: is missing"):
        find_weights("i3d-k400", tmp_path / "nowhere.safetensors")


def test_the_registry_is_complete():
    for name, each in ENTRIES.items():
        assert name in names()
        assert each.licence
        assert each.about
        for file in each.files:
            assert file.url.startswith("https://")
            assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16) >= 0)
            assert file.size is None or 0 < file.size < 2**32
            assert not file.read.endswith((".pt", ".pth", ".bin"))


def test_videomae_reads_the_published_layout(own_weights: Path, monkeypatch: pytest.MonkeyPatch):
    """The published names at a small size; the space of the content-debiased FVD."""
    from storyreel.evaluate.extractors import videos
    from storyreel.nn.videomae import VideoMAEConfig

    small = VideoMAEConfig(size=28, frames=16, dim=32, depth=1, heads=4, mlp=64, classes=5)
    folder = own_weights / "videomae-ssv2"
    with pytest.raises(ValueError, match=r"models fetch videomae-ssv2.*InternVideoMAE_models"):
        load_extractor("videomae-ssv2")
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    save_file(small.build().state_dict(), folder / "vit_g_hybrid_pt_1200e_ssv2_ft.safetensors")
    with pytest.raises(ValueError, match=r"vit_g_hybrid_pt_1200e_ssv2_ft.*(shape|is missing|lacks|blocks)"):
        load_extractor("videomae-ssv2")
    monkeypatch.setattr(videos, "VideoMAEConfig", lambda: small)
    extractor = load_extractor("videomae-ssv2")
    assert (extractor.dim, extractor.min_frames, extractor.trusted) == (32, 16, True)
    clips = frames(2, 16, 20, 24)
    assert extractor.features(clips).shape == (2, 32)
    assert torch.allclose(extractor.features(clips[1:]), extractor.features(clips)[1:], atol=1e-5)
    assert extractor.logits(clips).shape == (2, 5)
    shuffled = clips[:, torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    assert not torch.allclose(extractor.features(shuffled), extractor.features(clips), atol=1e-4)
    with pytest.raises(ValueError, match="expects clips of 16 frames, got 17"):
        extractor.features(frames(1, 17, 20, 24))
