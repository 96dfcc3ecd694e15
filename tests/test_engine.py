"""The engine against the naive reference: one full, unbatched, uncached forward per layer with a plain hook, in float64."""

import random

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, T5Config, T5ForConditionalGeneration

from taskvectors import engine
from taskvectors.errors import StudyError
from taskvectors.models import LanguageModel, OneDnnLinear, find_blocks, multiply_by_onednn

VOCABULARY = 97
HIDDEN = 32
SIZE = {"hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4}
GROUPED = SIZE | {"num_key_value_heads": 2}
ARCHITECTURES = {
    "llama": GROUPED,
    "mistral": GROUPED | {"sliding_window": 4},
    "gpt2": {"n_embd": HIDDEN, "n_layer": 5, "n_head": 4},
    "gptj": {"n_embd": HIDDEN, "n_layer": 5, "n_head": 4, "rotary_dim": 4},
    "gpt_neox": SIZE,
    "gemma2": GROUPED | {"head_dim": 8, "sliding_window": 4},
    "gemma3_text": GROUPED | {"head_dim": 8, "sliding_window": 4, "num_hidden_layers": 7},
    "qwen2": GROUPED,
    "qwen3": GROUPED | {"head_dim": 8},
    "phi3": GROUPED | {"pad_token_id": 0},
    "olmo2": GROUPED,
    "opt": {
        "hidden_size": HIDDEN,
        "ffn_dim": 64,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "word_embed_proj_dim": HIDDEN,
    },
    "bloom": {"hidden_size": HIDDEN, "n_layer": 5, "n_head": 4},
    "falcon": {"hidden_size": HIDDEN, "num_hidden_layers": 5, "num_attention_heads": 4},
}


def tiny(architecture: str) -> LanguageModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        architecture, vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2, **ARCHITECTURES[architecture]
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    with torch.no_grad():  # larger weights, so that every layer matters to the answer
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return LanguageModel(model, None, find_blocks(model))


def ragged(seed: int, episodes: int, prompts: int) -> list[list[list[int]]]:
    """Episodes of prompts that share a beginning; beginnings and ends of several lengths."""
    rng = random.Random(seed)
    draw = lambda low, high: [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high))]  # noqa: E731
    shared = [draw(2, 9) for _ in range(episodes)]
    return [[begin + draw(1, 3) for _ in range(prompts)] for begin in shared]


def output_hidden(output):
    return output[0] if isinstance(output, tuple) else output


def naive_states(lm: LanguageModel, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    states = []
    hooks = [b.register_forward_hook(lambda m, i, out: states.append(output_hidden(out)[0, -1])) for b in lm.blocks]
    with torch.no_grad():
        logits = lm.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    for hook in hooks:
        hook.remove()
    return torch.stack(states), logits


def naive_patched(lm: LanguageModel, ids: list[int], layer: int, theta: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The last token's state before the unembedding, and the greedy token."""

    def patch(module, inputs, output):
        hidden = output_hidden(output).clone()
        hidden[0, -1] = theta
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    final = []
    hooks = [
        lm.blocks[layer].register_forward_hook(patch),
        lm.model.get_output_embeddings().register_forward_pre_hook(lambda m, inputs: final.append(inputs[0][0, -1])),
    ]
    with torch.no_grad():
        logits = lm.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    for hook in hooks:
        hook.remove()
    return final[0], logits.argmax().item()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_equal_one_plain_forward_per_prompt(architecture):
    lm = tiny(architecture)
    prompts = ragged(1, episodes=7, prompts=3)
    states, final = engine.read_states(lm, prompts)
    tokens = engine.next_tokens(lm, final.flatten(0, 1)).unflatten(0, final.shape[:2])
    for e, episode in enumerate(prompts):
        for p, ids in enumerate(episode):
            expected, logits = naive_states(lm, ids)
            # Rotary tables are float32 inside some models, whatever the dtype of the weights.
            torch.testing.assert_close(states[e, p], expected, atol=1e-7, rtol=1e-7)
            assert tokens[e, p] == logits.argmax()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sweep_equals_one_plain_forward_per_layer(architecture, monkeypatch):
    lm = tiny(architecture)
    prompts = [episode[0] for episode in ragged(2, episodes=6, prompts=1)]
    torch.manual_seed(3)
    theta = 3 * torch.randn(len(prompts), lm.layers, HIDDEN, dtype=torch.float64)
    together, unpatched = engine.sweep_layers(lm, prompts, theta)
    finals = []
    plain = engine.next_tokens
    monkeypatch.setattr(engine, "next_tokens", lambda lm, hidden: finals.append(hidden) or plain(lm, hidden))
    for episode, ids in enumerate(prompts):
        alone, _ = engine.sweep_layers(lm, [ids], theta[episode : episode + 1])
        assert unpatched[episode] == naive_states(lm, ids)[1].argmax()
        for layer in range(lm.layers):
            final, token = naive_patched(lm, ids, layer, theta[episode, layer])
            torch.testing.assert_close(finals[episode][1 + layer], final, atol=1e-7, rtol=1e-7)
            assert alone[0, layer] == together[episode, layer] == token


def test_sweep_does_not_depend_on_chunks(monkeypatch):
    lm = tiny("llama")
    prompts = [episode[0] for episode in ragged(4, 9, prompts=1)]
    theta = torch.randn(9, lm.layers, HIDDEN, dtype=torch.float64)
    whole, _ = engine.sweep_layers(lm, prompts, theta)
    monkeypatch.setattr(engine, "SWEEP_ROWS", 1)
    assert torch.equal(engine.sweep_layers(lm, prompts, theta)[0], whole)


def test_patching_a_prompts_own_states_changes_nothing():
    lm = tiny("gpt2")
    prompts = [episode[0] for episode in ragged(5, 4, prompts=1)]
    states, final = engine.read_states(lm, [[ids] for ids in prompts])
    patched, unpatched = engine.sweep_layers(lm, prompts, states[:, 0])
    assert torch.equal(unpatched, engine.next_tokens(lm, final[:, 0]))
    assert torch.equal(patched, unpatched[:, None].expand(-1, lm.layers))


def test_unembed_is_the_models_own_head():
    lm = tiny("gemma2")
    ids = ragged(6, 1, prompts=1)[0][0]
    states, logits = naive_states(lm, ids)
    torch.testing.assert_close(engine.unembed(lm, states[-1:])[0], logits, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("bias", [True, False])
def test_onednn_multiplies_as_torch_does(bias):
    torch.manual_seed(0)
    plain = nn.Linear(96, 31, bias=bias)
    inputs = torch.randn(3, 5, 96)
    expected = plain(inputs)
    multiply_by_onednn(plain)
    assert type(plain) is OneDnnLinear
    torch.testing.assert_close(plain(inputs), expected, atol=1e-5, rtol=1e-5)


def test_mean_theta_is_the_mean_over_dummies_in_float32():
    states = torch.randn(2, 2, 3, 4).bfloat16()
    theta = engine.mean_theta(states)
    assert theta.dtype == torch.float32
    torch.testing.assert_close(theta, (states[:, 0].float() + states[:, 1].float()) / 2)


def test_a_patch_that_does_not_fire_raises():
    lm = tiny("llama")
    idle = LanguageModel(lm.model, None, nn.ModuleList([*lm.blocks, nn.Identity()]))
    with pytest.raises(StudyError, match="5 states were read from 6 blocks"):
        engine.read_states(idle, [[[5, 6, 7]]])


def test_common_prefix_leaves_each_prompt_a_token():
    assert engine.common_prefix([[1, 2, 3], [1, 2, 4]]) == 2
    assert engine.common_prefix([[1, 2], [1, 2, 3]]) == 1
    assert engine.common_prefix([[1], [1, 2]]) == 0
    assert engine.common_prefix([[1, 2, 3]]) == 2


def test_blocks_that_cannot_be_found_are_refused():
    model = T5ForConditionalGeneration(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    with pytest.raises(StudyError, match="decoder-only"):
        find_blocks(model)
