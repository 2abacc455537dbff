"""The encoders without shipped weights: hashed words, T5 and CLIP."""

from pathlib import Path

import pytest
import torch

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
        ("hash:none", "wanted hash:<dim>"),
        ("hash:0", "wanted hash:<dim>"),
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


def save_tokenizer(folder: Path) -> None:
    """Of a few words; a pad is 0, and 1 ends a sentence."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "</s>", "<unk>", "a", "dog", "cat", "walks", "sleeps"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def tiny_t5(tmp_path_factory):
    """A random T5 in the published folder layout."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("t5")
    save_tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=8, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)  # as published: encoder and decoder
    return folder


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """A random CLIP in the published folder layout: both towers."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    save_tokenizer(folder)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = small | {"vocab_size": 8, "eos_token_id": 1, "bos_token_id": None, "pad_token_id": 0}
    vision = small | {"image_size": 8, "patch_size": 4}
    transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    return folder


def test_t5_gives_the_states_of_its_encoder(tiny_t5):
    import transformers

    encoder = load_text_encoder(f"t5:{tiny_t5}")
    assert encoder.dim == 16
    states, mask = encoder(["a dog walks", "cat"])
    assert mask.tolist() == [[True, True, True, True], [True, True, False, False]]
    whole = transformers.T5ForConditionalGeneration.from_pretrained(tiny_t5).eval()
    with torch.no_grad():
        wanted = whole.encoder(torch.tensor([[3, 4, 6, 1]])).last_hidden_state
    assert torch.allclose(states[0], wanted[0], atol=1e-6)


def test_t5_batches_equal_single_sentences(tiny_t5):
    encoder = load_text_encoder(f"t5:{tiny_t5}")
    captions = ["a dog walks", "cat", "a cat sleeps a dog"] * 8
    states, mask = encoder(captions)
    one, _ = encoder(["cat"])
    assert torch.allclose(states[1, mask[1]], one[0], atol=1e-6)
    assert not states[~mask].any()


def test_clip_gives_the_states_of_its_text_tower(tiny_clip):
    import transformers

    encoder = load_text_encoder(f"clip:{tiny_clip}")
    assert (encoder.dim, encoder.max_tokens) == (16, 77)
    states, mask = encoder(["a dog walks", "cat"])
    assert mask.sum(1).tolist() == [4, 2]
    whole = transformers.CLIPModel.from_pretrained(tiny_clip).eval()
    with torch.no_grad():
        wanted = whole.text_model(torch.tensor([[3, 4, 6, 1]])).last_hidden_state
    assert torch.allclose(states[0], wanted[0], atol=1e-6)


@pytest.mark.parametrize(("kind", "label"), [("t5", "T5"), ("clip", "CLIP")])
def test_pickles_and_absent_folders_are_refused(kind, label, request, tmp_path):
    import shutil

    folder = tmp_path / "pickled"
    shutil.copytree(request.getfixturevalue(f"tiny_{kind}"), folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=rf"text encoder {kind}:.*: wanted a {label} with model\.safetensors"):
        load_text_encoder(f"{kind}:{folder}")
    with pytest.raises(ValueError, match=f"text encoder {kind}:.*: there is no folder"):
        load_text_encoder(f"{kind}:{tmp_path}/nowhere")


@pytest.mark.parametrize(("kind", "limit"), [("t5", 256), ("clip", 77)])
def test_what_is_too_long_for_a_network_is_refused_or_cut(kind, limit, request):
    where = f"{kind}:{request.getfixturevalue(f'tiny_{kind}')}"
    with pytest.raises(ValueError, match=f"at most {limit} tokens"):
        load_text_encoder(where)(["dog " * 300])
    states, _ = load_text_encoder(where, truncate=True)(["dog " * 300])
    assert states.shape == (1, limit, 16)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match="text encoder clip:some/where needs transformers; run: pip install"):
        load_text_encoder("clip:some/where")
