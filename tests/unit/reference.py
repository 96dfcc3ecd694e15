"""Tiny random models of every architecture, on which the engine is proved against its definition."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from taskvectors.engine.definition import Change, plain_answer
from taskvectors.models.language_model import LanguageModel, find_blocks, temporary_hooks

VOCABULARY = 97
HIDDEN = 32
SIZE = {"hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4}
GROUPED = SIZE | {"num_key_value_heads": 2}
OPT = {"hidden_size": HIDDEN, "ffn_dim": 64, "num_hidden_layers": 5, "num_attention_heads": 4}
EXPERTS = {"num_experts_per_tok": 2}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": HIDDEN, "n_layer": 5, "n_head": 4},
    "gptj": {"n_embd": HIDDEN, "n_layer": 5, "n_head": 4, "rotary_dim": 4},
    "gpt_neox": SIZE,
    "llama": GROUPED,
    "mistral": GROUPED | {"sliding_window": 4},
    "gemma2": GROUPED | {"head_dim": 8, "sliding_window": 4},
    "gemma3_text": GROUPED | {"head_dim": 8, "sliding_window": 4, "num_hidden_layers": 7},
    "qwen2": GROUPED,
    "qwen3": GROUPED | {"head_dim": 8},
    "phi3": GROUPED | {"pad_token_id": 0},
    "olmo2": GROUPED,
    "opt": OPT | {"word_embed_proj_dim": HIDDEN},
    "bloom": {"hidden_size": HIDDEN, "n_layer": 5, "n_head": 4},
    "falcon": {"hidden_size": HIDDEN, "num_hidden_layers": 5, "num_attention_heads": 4},
    "falcon alibi": {"hidden_size": HIDDEN, "num_hidden_layers": 5, "num_attention_heads": 4, "alibi": True},
    "mixtral": GROUPED | EXPERTS | {"num_local_experts": 4},
    "gpt_bigcode": {"n_embd": HIDDEN, "n_layer": 5, "n_head": 4},
    "mpt": {"d_model": HIDDEN, "n_layers": 5, "n_heads": 4, "max_seq_len": 64},
    "olmo3": GROUPED | {"sliding_window": 4},
    "smollm3": GROUPED | {"pad_token_id": 0},
    "glm4": GROUPED | {"head_dim": 8, "pad_token_id": 0},
    "granite": GROUPED | {"logits_scaling": 8.0, "residual_multiplier": 0.5},
    "seed_oss": GROUPED | {"head_dim": 8},
    "gemma4_text": GROUPED
    | {
        "head_dim": 8,
        "sliding_window": 4,
        "num_hidden_layers": 7,
        "global_head_dim": 8,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": VOCABULARY,
        "num_kv_shared_layers": 0,
    },
    "qwen3_moe": GROUPED | EXPERTS | {"head_dim": 8, "num_experts": 4, "moe_intermediate_size": 16},
}


@contextmanager
def everything_in_float64() -> Iterator[None]:
    """Models cast norms, rotary tables and softmaxes to float32 whatever their dtype; here they stay in float64.

    Without it every model is exact to float32's rounding only, and no test could ask for 1e-9.
    """
    with (
        patch.multiple(torch, float32=torch.float64, float=torch.float64),
        patch.object(torch.Tensor, "float", torch.Tensor.double),
    ):
        yield


def tiny(architecture: str, dtype: torch.dtype = torch.float64, **changes: Any) -> LanguageModel:
    """A random model of an architecture of `ARCHITECTURES`."""
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, **ARCHITECTURES[architecture], **changes}
    # The fused multiplication of experts knows no float64.
    options = {"experts_implementation": "eager"} if dtype == torch.float64 and "num_experts_per_tok" in sizes else {}
    config = AutoConfig.for_model(architecture.split(maxsplit=1)[0], **sizes)
    weights = AutoModelForCausalLM.from_config(config, dtype=torch.float32).state_dict()  # the same in every dtype
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, **options).eval().requires_grad_(False)
    model.load_state_dict(weights)
    for parameter in model.parameters():  # larger weights, so that every layer matters to the answer
        if parameter.dim() > 1:
            parameter.mul_(4)
    return LanguageModel(model, None, find_blocks(model))


def ragged(seed: int, episodes: int, prompts: int) -> list[list[list[int]]]:
    """Episodes of prompts that share a beginning; beginnings and ends of several lengths."""
    rng = random.Random(seed)

    def draw(low: int, high: int) -> list[int]:
        return [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high))]

    shared = [draw(2, 9) for _ in range(episodes)]
    return [[begin + draw(1, 3) for _ in range(prompts)] for begin in shared]


def plain_final(lm: LanguageModel, ids: list[int], change: Change = ()) -> Tensor:
    """What a plain pass unembeds at the last token of a prompt `[hidden]`."""
    final: list[Tensor] = []
    hook = lm.model.get_output_embeddings().register_forward_pre_hook(
        lambda module, inputs: final.append(inputs[0][0, -1])
    )
    with temporary_hooks([hook]):
        plain_answer(lm, ids, 1, change)
    return final[0]
