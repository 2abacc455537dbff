"""The encoders without shipped weights: hashed words, T5, CLIP and SigLIP."""

import pytest
import torch
from tiny_encoders import write_encoder

from storyreel.text import load_text_encoder


def test_hashed_words_are_the_same_everywhere():
    states, mask = load_text_encoder("hash:8")(["a red dog", "A RED DOG", "dog", ""])
    assert states.shape == (4, 4, 8)
    assert mask.sum(1).tolist() == [4, 4, 2, 1]
    assert torch.equal(states[0], states[1])
    expected = [0.3525, -1.0817, -0.8884, 1.8399]
    assert torch.allclose(states[2, 1, :4], torch.tensor(expected), atol=1e-3), states[2, 1, :4].tolist()


def test_hashed_words_tell_words_and_places_apart():
    states, _ = load_text_encoder("hash:256")(["red dog", "dog red"])
    same_word = torch.cosine_similarity(states[0, 1], states[1, 2], dim=0)
    other_word = torch.cosine_similarity(states[0, 1], states[1, 1], dim=0)
    assert 0.9 < same_word < 0.9999
    assert other_word < 0.4


def test_many_hashed_words_equal_few():
    encoder = load_text_encoder("hash:16")
    captions = [f"number {i}" for i in range(40)]
    states, _ = encoder(captions)
    assert torch.equal(states[33:34], encoder(captions[33:34])[0])


def test_hashed_words_refuse_or_cut_what_is_too_long():
    with pytest.raises(ValueError, match="at most 256 tokens"):
        load_text_encoder("hash:16")(["go " * 400])
    states, _ = load_text_encoder("hash:16", truncate=True)(["go " * 400])
    assert states.shape[1] == 256


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minilmm", "did you mean 'minilm'"),
        ("hash:none", "expected hash:<dim>"),
        ("hash:0", "expected hash:<dim>"),
        ("t5:", "is not known"),
        ("clip", "There are: minilm, minilm-words:<folder>, t5:"),
    ],
)
def test_unknown_encoders_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        load_text_encoder(name)


def test_a_single_string_is_not_a_list_of_letters():
    with pytest.raises(ValueError, match="put it into a list"):
        load_text_encoder("hash:4")("a dog")
    with pytest.raises(ValueError, match="at least one"):
        load_text_encoder("hash:4")([])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Kind -> the folder of a tiny network with random weights."""
    root = tmp_path_factory.mktemp("encoders")
    return lambda kind: root / kind if (root / kind).exists() else write_encoder(kind, root / kind)


def test_t5_gives_the_states_of_its_encoder(tiny):
    import transformers

    encoder = load_text_encoder(f"t5:{tiny('t5')}")
    assert encoder.dim == 16
    states, mask = encoder(["a dog walks", "cat"])
    assert mask.tolist() == [[True, True, True, True], [True, True, False, False]]
    whole = transformers.T5ForConditionalGeneration.from_pretrained(tiny("t5")).eval()
    with torch.no_grad():
        wanted = whole.encoder(torch.tensor([[3, 4, 6, 1]])).last_hidden_state
    assert torch.allclose(states[0], wanted[0], atol=1e-6)


def test_t5_batches_equal_single_sentences(tiny):
    encoder = load_text_encoder(f"t5:{tiny('t5')}")
    captions = ["a dog walks", "cat", "a cat sleeps a dog"] * 8
    states, mask = encoder(captions)
    one, _ = encoder(["cat"])
    assert torch.allclose(states[1, mask[1]], one[0], atol=1e-6)
    assert not states[~mask].any()


def test_clip_gives_the_states_of_its_text_tower(tiny):
    import transformers

    encoder = load_text_encoder(f"clip:{tiny('clip')}")
    assert (encoder.dim, encoder.max_tokens) == (16, 77)
    states, mask = encoder(["a dog walks", "cat"])
    assert mask.sum(1).tolist() == [4, 2]
    whole = transformers.CLIPModel.from_pretrained(tiny("clip")).eval()
    with torch.no_grad():
        wanted = whole.text_model(torch.tensor([[3, 4, 6, 1]])).last_hidden_state
    assert torch.allclose(states[0], wanted[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_gives_the_states_that_it_was_trained_with(kind, tiny):
    """A sentence is padded to the full length, and the network sees the pads."""
    import transformers

    encoder = load_text_encoder(f"siglip:{tiny(kind)}")
    assert (encoder.dim, encoder.max_tokens) == (16, 64)
    states, mask = encoder(["a dog walks", "cat"])
    ids = transformers.AutoTokenizer.from_pretrained(tiny(kind))("a dog walks")["input_ids"]
    assert len(ids) == mask[0].sum() > mask[1].sum() > 0
    network = {"siglip": "SiglipModel", "siglip2": "Siglip2Model"}[kind]
    whole = getattr(transformers, network).from_pretrained(tiny(kind)).eval()
    with torch.no_grad():
        expected = whole.text_model(torch.tensor([ids + [0] * (64 - len(ids))])).last_hidden_state
    assert torch.equal(states[0], expected[0, : len(ids)])
    many, mask = encoder(["a dog walks", "cat"] * 10)
    assert torch.allclose(many[1, mask[1]], encoder(["cat"])[0][0], atol=1e-6)


@pytest.mark.parametrize(("kind", "label"), [("t5", "T5"), ("clip", "CLIP"), ("siglip", "SigLIP")])
def test_a_network_of_another_kind_or_with_less_in_it_is_refused(kind, label, tiny, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    other = {"t5": "clip", "clip": "siglip", "siglip": "t5"}[kind]
    with pytest.raises(ValueError, match=rf"expected a {label} with model.safetensors \(it is a {other}\)"):
        load_text_encoder(f"{kind}:{tiny(other)}")
    folder = shutil.copytree(tiny(kind), tmp_path / "less")
    tensors = load_file(folder / "model.safetensors")
    gone = next(name for name in tensors if "layer_norm1" in name or "encoder.block.0.layer.0.layer_norm" in name)
    del tensors[gone]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=rf"expected a {label} with model.safetensors \(it lacks .*layer_norm"):
        load_text_encoder(f"{kind}:{folder}")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"expected tokenizer.json, or vocab.json with merges.txt"):
        load_text_encoder(f"{kind}:{folder}")


@pytest.mark.parametrize(("kind", "label"), [("t5", "T5"), ("clip", "CLIP"), ("siglip", "SigLIP")])
def test_pickles_and_absent_folders_are_refused(kind, label, tiny, tmp_path):
    import shutil

    folder = tmp_path / "pickled"
    shutil.copytree(tiny(kind), folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=rf"text encoder {kind}:.*: expected a {label} with model\.safetensors"):
        load_text_encoder(f"{kind}:{folder}")
    with pytest.raises(ValueError, match=f"text encoder {kind}:.*: there is no folder"):
        load_text_encoder(f"{kind}:{tmp_path}/nowhere")


@pytest.mark.parametrize(("kind", "limit"), [("t5", 256), ("clip", 77), ("siglip", 64)])
def test_what_is_too_long_for_a_network_is_refused_or_cut(kind, limit, tiny):
    where = f"{kind}:{tiny(kind)}"
    with pytest.raises(ValueError, match=f"at most {limit} tokens"):
        load_text_encoder(where)(["dog " * 300])
    states, _ = load_text_encoder(where, truncate=True)(["dog " * 300])
    assert states.shape == (1, limit, 16)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match="text encoder clip:some/where needs transformers; run: pip install"):
        load_text_encoder("clip:some/where")
