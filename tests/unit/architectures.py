"""Every class that transformers loads as a causal language model, small and random, and what the study makes of it.

`PYTHONPATH=workflow/scripts python tests/unit/architectures.py` writes docs/architectures.md; `test_architectures.py`
holds that file against a fresh trial.
"""

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES
from transformers.utils import logging as transformers_logging

from taskvectors.engine.model_check import check_model
from taskvectors.errors import StudyError
from taskvectors.models.language_model import LanguageModel, find_blocks

TABLE = Path(__file__).parents[2] / "docs/architectures.md"
EXACT, REFUSED = "exact", "refused"
SECONDS = 60  # for one model; a default vision tower may take minutes to make
LAYERS = 4
# Whatever of these a configuration has is set.
SMALL: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "d_model": 32, "intermediate_size": 48, "num_hidden_layers": LAYERS,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128, "sliding_window": 4,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "is_decoder": True, "embedding_size": 32, "rotary_dim": 4,
    "ffn_dim": 64, "word_embed_proj_dim": 32, "decoder_ffn_dim": 64, "decoder_layers": LAYERS, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "encoder_layers": 2, "encoder_attention_heads": 4,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8,
    "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 97, "num_kv_shared_layers": 0,
}  # fmt: skip
LATENT = {"num_key_value_heads": 4, "head_dim": 4}  # keys and values of every head from one small vector
# Of each of the models that make up one.
PART = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8}
PART |= {"intermediate_size": 48, "num_hidden_layers": LAYERS, "max_position_embeddings": 128}
# Where the sizes above do not go together.
CHANGES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa"), LATENT
    ),
    **dict.fromkeys(("kimi_linear", "longcat_flash", "minicpm3", "youtu"), LATENT),
    "xlnet": {"max_position_embeddings": None},
    "xmod": {"default_language": "en_XX"},
    **{hybrid: {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_expand": 2} for hybrid in ("bamba", "granitemoehybrid")},
    "falcon": {"head_dim": None},
    "gpt_neo": {"num_layers": LAYERS, "num_hidden_layers": None, "attention_types": [[["global", "local"], 2]]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2},
    "rembert": {"input_embedding_size": 32, "output_embedding_size": 32},
    "prophetnet": {"num_hidden_layers": None, "num_decoder_layers": LAYERS, "num_encoder_layers": 2},
    "reformer": {"axial_pos_embds": False},
    "blt": {
        "vocab_size": 97,
        "encoder_hash_byte_group_vocab": 97,
        "patcher_config": PART,
        "encoder_config": PART | {"hidden_size_global": 32},
        "decoder_config": PART | {"hidden_size_global": 32},
        "global_config": PART,
    },
}


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def small_config(model_type: str) -> Any:
    default = CONFIG_MAPPING[model_type]()
    text = default.get_text_config() if default.sub_configs else default
    wanted = {key: value for key, value in (SMALL | CHANGES.get(model_type, {})).items() if value is not None}
    sizes = {key: value for key, value in wanted.items() if _has(text, key) or key in CHANGES.get(model_type, {})}
    if text is default:
        return AutoConfig.for_model(model_type, **sizes)
    parts = {name: sizes if getattr(default, name) is text else {} for name in default.sub_configs}
    return AutoConfig.for_model(model_type, **parts)


def _has(config: Any, key: str) -> bool:
    try:
        return hasattr(config, key)
    except Exception:  # an attribute that differs from layer to layer
        return True


def small_model(model_type: str) -> Any:
    torch.manual_seed(0)
    config = small_config(model_type)
    try:
        model = AutoModelForCausalLM.from_config(config, experts_implementation="eager")
    except (TypeError, ValueError):
        model = AutoModelForCausalLM.from_config(config)
    model = model.float().eval().requires_grad_(False)
    for parameter in model.parameters():  # larger weights, so that every layer matters
        if parameter.dim() > 1:
            parameter.mul_(4)
    return model


def tried(model_type: str) -> tuple[str, str]:
    """EXACT or REFUSED and why; of a class whose small model cannot be made, what stands in the way."""
    with limited(SECONDS):
        try:
            model = small_model(model_type)
            model(torch.tensor([[5, 7, 9]]), use_cache=False)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            return REFUSED, f"no small model of it can be made and run by itself ({type(error).__name__}: {reason})"
        try:
            check_model(LanguageModel(model, None, find_blocks(model)))
        except StudyError as error:
            return REFUSED, str(error).split(" The study needs ")[0].split(": ", 1)[1]
    return EXACT, ""


def quiet() -> None:
    transformers_logging.set_verbosity_error()
    warnings.filterwarnings("ignore")


def table() -> str:
    """docs/architectures.md: what a fresh trial of every class gives."""
    found = {model_type: tried(model_type) for model_type in sorted(CLASSES)}
    exact = ", ".join(f"`{model_type}`" for model_type, (verdict, _) in found.items() if verdict == EXACT)
    refused = "\n".join(
        f"| `{model_type}` | {CLASSES[model_type]} | {reason.replace('|', chr(92) + '|')} |"
        for model_type, (verdict, reason) in found.items()
        if verdict == REFUSED
    )
    return f"""# Architectures

Every class that transformers {transformers.__version__} loads as a causal language model, made small and random, and held against its
own plain forward pass: the states after every block, the logits, a prompt patched at three layers and a continuation. Written by
`PYTHONPATH=workflow/scripts python tests/unit/architectures.py`. The same check is made whenever a model is loaded, so that one
that is not in this table is not wrong either: it is exact, or refused by name.

What is asked of attention heads (function vectors, `heads.csv`) is left out, with the reason, where heads cannot be distinguished
in what a block mixes: with latent attention (`deepseek_v3` and similar models), a norm before the mixing layer (`bitnet`), or
numbers of heads that differ by layer.

**Exact** ({sum(verdict == EXACT for verdict, _ in found.values())}): {exact}.

Refused ({sum(verdict == REFUSED for verdict, _ in found.values())}), with the reason:

| type | class | reason |
|---|---|---|
{refused}
"""


if __name__ == "__main__":
    quiet()
    torch.set_num_threads(1)
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(), encoding="utf-8")
