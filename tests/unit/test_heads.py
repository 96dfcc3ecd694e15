"""Heads read, replaced one by one and together, against plain passes in float64; and models whose heads cannot be
distinguished."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from architectures import small_model
from reference import ARCHITECTURES, everything_in_float64, plain_final, ragged, tiny
from torch import nn

from conftest import ROOT
from taskvectors.engine.definition import Intervention, plain_answer
from taskvectors.engine.heads import head_count, head_mask, indirect_effects, put_in, read_heads
from taskvectors.engine.patch import AS_IT_IS, answers_and_states, patched_states
from taskvectors.errors import StudyError
from taskvectors.models.language_model import LanguageModel, find_blocks

EXACT = {"atol": 1e-9, "rtol": 1e-9}


@pytest.fixture
def in_float64():
    with everything_in_float64():
        yield


def prompts_of(seed: int = 1) -> list[list[int]]:
    return [ids for (ids,) in ragged(seed, episodes=5, prompts=1)]


def language_model(model_type: str) -> LanguageModel:
    """Of a type that is not in `ARCHITECTURES`."""
    model = small_model(model_type)
    return LanguageModel(model, None, find_blocks(model))


def plain_heads(lm, ids: list[int]) -> list[torch.Tensor]:
    mixed: list[torch.Tensor] = []
    hooks = [m.register_forward_pre_hook(lambda m, inputs: mixed.append(inputs[0][0, -1])) for m in lm.head_mixers]
    lm.model(torch.tensor([ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return mixed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_heads_and_their_effects_are_those_of_plain_passes(architecture, in_float64):
    lm = tiny(architecture)
    prompts = prompts_of()
    heads = read_heads(lm, prompts)
    for episode, ids in enumerate(prompts):
        for layer, mixed in enumerate(plain_heads(lm, ids)):
            torch.testing.assert_close(heads[layer][episode], mixed, **EXACT)
    torch.manual_seed(4)
    means = [3 * torch.randn_like(layer) for layer in heads]
    answers = torch.arange(5)
    effects = indirect_effects(lm, prompts, means, answers)
    assert effects.shape == (5, lm.layers, 4)
    for episode in (0, 3):
        bare = plain_answer(lm, prompts[episode])[1].softmax(dim=-1)[episode]
        for layer in range(lm.layers):
            for head in range(4):
                mask = head_mask(means[layer].shape[1], 4, [head])
                change = Intervention(layer, means[layer][episode][None], site="heads", mask=mask)
                patched = plain_answer(lm, prompts[episode], 1, change)[1].softmax(dim=-1)[episode]
                torch.testing.assert_close(effects[episode, layer, head], patched - bare, **EXACT)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_heads_put_in_together_are_those_of_one_plain_pass(architecture, in_float64):
    """And beside them a vector at a block and one on an earlier token."""
    lm = tiny(architecture)
    prompts = prompts_of()
    torch.manual_seed(5)
    means = [3 * torch.randn_like(layer) for layer in read_heads(lm, prompts)]
    others = [[(3, 1), (1, 0), (3, 3)], [(2, 2)], [], [(1, 1)], [(3, 0)]]  # in every episode
    together = put_in(others, means, 4)
    vectors = torch.randn(5, lm.hidden, dtype=torch.float64)
    each = torch.tensor([[-1], [-2], [-1], [-2], [-3]])
    changes = [
        together,
        (*together, Intervention(2, vectors, how="add", strength=2.0)),
        (Intervention(0, vectors[:, None], positions=(-2,)), Intervention(2, vectors)),
        Intervention(1, vectors[:, None], positions=each),
        Intervention(2, vectors),
    ]
    answers, finals = answers_and_states(lm, prompts, [AS_IT_IS, *changes], 2)
    (unpatched, *tokens), (bare, *states) = answers.unbind(dim=1), finals.unbind(dim=1)
    assert torch.equal(patched_states(lm, prompts, changes[:1])[:, 0], states[0])  # without the unpatched prompts
    for episode, ids in enumerate(prompts):
        torch.testing.assert_close(bare[episode], plain_final(lm, ids), **EXACT)
        assert unpatched[episode].tolist() == plain_answer(lm, ids, 2)[0]
        for place, change in enumerate(changes):
            one = tuple(part.of([episode]) for part in change) if isinstance(change, tuple) else change.of([episode])
            torch.testing.assert_close(states[place][episode], plain_final(lm, ids, one), **EXACT)
            assert tokens[place][episode].tolist() == plain_answer(lm, ids, 2, one)[0]


MEMORY = """
import re, torch
from pathlib import Path
from reference import tiny
from taskvectors.engine.heads import indirect_effects, read_heads
from taskvectors.models.memory import keep_freed_memory

def most():  # of this process; `ru_maxrss` would begin with that of the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

torch.set_num_threads(1)
keep_freed_memory()
lm = tiny("llama", torch.{dtype}, vocab_size=60000)
prompts = [[5, 6, 7, 8 + i % 3] for i in range(400)]
means, answers = read_heads(lm, prompts), torch.zeros(400, dtype=torch.long)
indirect_effects(lm, prompts[:4], [layer[:4] for layer in means], answers[:4])
before = most()
indirect_effects(lm, prompts, means, answers)
print(most() - before)
"""


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_effects_of_many_episodes_take_the_memory_of_few(dtype):
    """Results that were held between logits split the memory that these left: 1.8 GB here, 20 GB with a vocabulary of
    152,000."""
    paths = os.pathsep.join(map(str, (ROOT / "workflow/scripts", ROOT / "tests/unit")))
    took = subprocess.run(
        [sys.executable, "-c", MEMORY.format(dtype=dtype)], env=os.environ | {"PYTHONPATH": paths}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert took.returncode == 0, took.stderr
    assert int(took.stdout) < 400  # MB


def test_the_mask_of_heads_is_of_their_slices():
    assert head_mask(6, 3, [0, 2]).tolist() == [True, True, False, False, True, True]
    assert not head_mask(6, 3, []).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_heads_that_attend_to_no_other_token_are_distinguished(dtype):
    """As in the lowest block of Qwen2.5, where a head gives the token before 5e-7 of its attention."""
    lm = tiny("llama")
    attention = lm.blocks[0].self_attn
    with torch.no_grad():
        keys = attention.k_proj.weight.unflatten(0, (-1, 8))
        attention.q_proj.weight.copy_(1000 * keys.repeat_interleave(4 // len(keys), dim=0).flatten(0, 1))
    lm.model.to(dtype)
    assert head_count(lm) == 4


def test_heads_that_give_a_sink_nearly_all_attention_are_distinguished():
    lm = language_model("gpt_oss")
    with torch.no_grad():
        lm.blocks[0].self_attn.sinks.fill_(4.0)  # a token gets about 2%
    assert head_count(lm) == 4


def test_a_model_whose_cache_holds_no_values_of_heads_is_refused():
    """Latent attention: values of all heads are made from one small vector."""
    with pytest.raises(StudyError, match="does not hold the values of attention heads"):
        head_count(language_model("deepseek_v3"))


def test_a_model_whose_heads_lie_across_each_other_is_refused():
    """The same width, dealt among heads in another order: replacing a slice would replace a bit of every head."""
    lm = tiny("llama")

    for block in lm.blocks:
        attention = block.self_attn
        inner = attention.o_proj

        class Shuffling(nn.Module):
            def __init__(self, mixer):
                super().__init__()
                self.order = torch.arange(32).reshape(4, 8).T.flatten()
                self.mixer = mixer

            def forward(self, mixed):
                return self.mixer(mixed[..., self.order])

        attention.o_proj = Shuffling(inner)
    with pytest.raises(StudyError, match="heads cannot be distinguished"):
        head_count(lm)


def test_a_number_of_heads_that_does_not_divide_the_width_is_refused(monkeypatch):
    lm = tiny("llama")
    lm.model.config.num_attention_heads_per_layer = [4, 8, 4, 8, 4]
    with pytest.raises(StudyError, match="does not say one number of attention heads"):
        head_count(lm)
    lm.model.config.num_attention_heads_per_layer = [5] * 5
    lm.model.config.num_attention_heads = 5
    with pytest.raises(StudyError, match="5 attention heads do not divide"):
        head_count(lm)
    monkeypatch.setattr(type(lm.model.config), "get_text_config", lambda self: SimpleNamespace())
    with pytest.raises(StudyError, match="does not say one number of attention heads"):
        head_count(lm)
