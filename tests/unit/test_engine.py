"""The engine against its definition in float64, on every architecture; and what it refuses."""

import warnings
from inspect import signature

import pytest
import torch
from reference import (
    ARCHITECTURES,
    HIDDEN,
    everything_in_float64,
    plain_final,
    ragged,
    tiny,
)
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, T5Config, T5ForConditionalGeneration

from taskvectors.engine.definition import Intervention, plain_answer, plain_states, together
from taskvectors.engine.model_check import check_model
from taskvectors.engine.passes import continue_prompts
from taskvectors.engine.patch import AS_IT_IS, answers_and_states, patched_answers, sweep_layers
from taskvectors.engine.read import (
    common_prefix,
    mean_theta,
    read_prefixes,
    read_states,
    read_theta,
    read_theta_at,
    variance_over_dummies,
)
from taskvectors.engine.unembed import next_tokens, unembed
from taskvectors.errors import StudyError
from taskvectors.models import batches
from taskvectors.models.language_model import (
    LanguageModel,
    Rows,
    check_blocks,
    context_length,
    find_blocks,
)
from taskvectors.models.loading import available_device, placement

EXACT = {"atol": 1e-9, "rtol": 1e-9}


@pytest.fixture
def in_float64():
    with everything_in_float64():
        yield


# All prompts of a length together, for every architecture; one at a time, which is about batches, for three.
BATCHED = [(architecture, False) for architecture in ARCHITECTURES]
BATCHED += [(architecture, True) for architecture in ("llama", "gemma3_text", "falcon alibi")]
EVERY = pytest.mark.parametrize(
    ("architecture", "chunked"),
    BATCHED,
    ids=[f"{name}{' chunked' * one}" for name, one in BATCHED],
    indirect=["chunked"],
)


@pytest.fixture
def chunked(request, monkeypatch):
    if request.param:
        for room in ("read", "passes", "patch"):
            monkeypatch.setattr(f"taskvectors.engine.{room}.tokens_at_once", lambda *arguments, **options: 1)


def random_theta(episodes: int, layers: int) -> torch.Tensor:
    torch.manual_seed(3)
    return 3 * torch.randn(episodes, layers, HIDDEN, dtype=torch.float64)


@EVERY
def test_states_and_logits_equal_one_plain_forward_per_prompt(architecture, in_float64, chunked):
    lm = tiny(architecture)
    check_model(lm)
    prompts = ragged(1, episodes=7, prompts=3)
    states, final = read_states(lm, prompts)
    tokens = next_tokens(lm, final.flatten(0, 1)).unflatten(0, final.shape[:2])
    logits = unembed(lm, states[:, :, -1].flatten(0, 1)).unflatten(0, final.shape[:2])
    for e, episode in enumerate(prompts):
        for p, ids in enumerate(episode):
            expected, _, expected_logits = plain_states(lm, ids)
            torch.testing.assert_close(states[e, p], expected, **EXACT)
            torch.testing.assert_close(logits[e, p], expected_logits, **EXACT)
            assert tokens[e, p] == expected_logits.argmax()


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "falcon alibi"])
@pytest.mark.parametrize("least", [1, 128])
def test_theta_is_the_mean_of_plain_states_and_further_prompts_are_answered(
    architecture, least, in_float64, monkeypatch
):
    """Suffixes of one length by themselves, or all padded together; of some episodes no further prompt, of others
    several."""
    monkeypatch.setattr("taskvectors.engine.read.PASS_TOKENS", least)
    lm = tiny(architecture)
    prompts = ragged(1, episodes=7, prompts=4)
    dummies, others = (
        [of_episode[:2] for of_episode in prompts],
        [of_episode[2 : 2 + number % 3] for number, of_episode in enumerate(prompts)],
    )
    told: list[int] = []
    theta, variance, final = read_theta(lm, dummies, others, done=told.append)
    answers = iter(next_tokens(lm, final).tolist())
    for e, (queries, more) in enumerate(zip(dummies, others, strict=True)):
        states = torch.stack([plain_states(lm, ids)[0] for ids in queries])
        torch.testing.assert_close(theta[e], states.mean(dim=0), **EXACT)
        torch.testing.assert_close(variance[e], states.var(dim=0).sum(dim=-1), **EXACT)
        for ids in more:
            assert next(answers) == plain_states(lm, ids)[2].argmax()
    assert next(answers, None) is None and sum(told) == 7


@EVERY
def test_theta_of_one_layer_is_read_without_the_blocks_above_it(architecture, in_float64, chunked, monkeypatch):
    monkeypatch.setattr("taskvectors.engine.read.PASS_TOKENS", 1)
    lm = tiny(architecture)
    prompts = ragged(1, episodes=4, prompts=3)
    every, _, _ = read_theta(lm, prompts)
    ran: list[int] = []
    for n, block in enumerate(lm.blocks):
        block.register_forward_hook(lambda *_, n=n: ran.append(n))
    for layer in (0, lm.layers // 2, lm.layers - 1):
        ran.clear()
        theta = read_theta_at(lm, prompts, layer)
        torch.testing.assert_close(theta, every[:, layer], **EXACT)
        assert max(ran) <= layer


def test_of_equal_prompts_one_is_run(in_float64):
    lm = tiny("llama")
    seen: list[int] = []
    hook = lm.model.get_input_embeddings().register_forward_hook(lambda m, inputs, o: seen.append(inputs[0].numel()))
    prompts = [[5, 6, 7], [5, 6, 8], [5, 6, 7], [5, 6, 7]]
    tokens = continue_prompts(lm, prompts, 2)
    hook.remove()
    assert sum(seen) == 2 * (2 + 2)
    assert [answer.tolist() for answer in tokens] == [plain_answer(lm, ids, 2)[0] for ids in prompts]


@EVERY
def test_prefixes_read_in_one_pass_equal_one_plain_forward_each(architecture, in_float64, chunked):
    lm = tiny(architecture)
    whole = [episode[0] for episode in ragged(4, episodes=5, prompts=1)]
    prefixes = [[ids[:1], ids[: len(ids) // 2 + 1], ids] for ids in whole]
    prefixes[2][0] = [whole[2][0] + 1]  # as where a tokenizer merges across a border
    expected = [[plain_states(lm, ids)[0] for ids in parts] for parts in prefixes]
    for layer in (0, 2, lm.layers - 1):
        states = read_prefixes(lm, prefixes, layer)
        for episode, parts in enumerate(expected):
            for prefix, plain in enumerate(parts):
                torch.testing.assert_close(states[episode, prefix], plain[layer], **EXACT)
    assert read_prefixes(lm, [], 1).shape[0] == 0


@pytest.mark.parametrize("chunked", [False, True], indirect=True)
def test_several_vectors_at_one_layer_are_patched_each_by_itself(in_float64, chunked):
    lm = tiny("llama")
    prompts = [episode[0] for episode in ragged(5, episodes=4, prompts=1)]
    layers = [1, 1, 3, 3, 3]
    theta = random_theta(len(prompts), len(layers))
    for answer_tokens in (1, 3):
        tokens, _ = sweep_layers(lm, prompts, theta, answer_tokens, layers=layers)
        for episode, ids in enumerate(prompts):
            for place, layer in enumerate(layers):
                answer, _ = plain_answer(lm, ids, answer_tokens, Intervention(layer, theta[episode, place][None]))
                assert tokens[episode, place].tolist() == answer


def test_variance_over_dummies_is_that_of_plain_loops():
    states = torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = variance_over_dummies(states)
    for episode in range(3):
        for layer in range(2):
            of_layer = states[episode, :, layer]
            expected = sum(((of_layer[:, h] - of_layer[:, h].mean()) ** 2).sum() / 3 for h in range(5))
            torch.testing.assert_close(found[episode, layer], expected, **EXACT)
    assert variance_over_dummies(states[:, :1]).isnan().all()


@EVERY
def test_sweep_equals_one_plain_forward_per_layer(architecture, in_float64, chunked, monkeypatch):
    lm = tiny(architecture)
    prompts = [episode[0] for episode in ragged(2, episodes=3, prompts=1)]
    theta = random_theta(len(prompts), lm.layers)
    tokens, unpatched = sweep_layers(lm, prompts, theta)
    finals = []
    monkeypatch.setattr(
        "taskvectors.engine.patch.next_tokens", lambda lm, hidden: finals.append(hidden) or next_tokens(lm, hidden)
    )
    for episode, ids in enumerate(prompts):
        alone, _ = sweep_layers(lm, [ids], theta[episode : episode + 1])
        assert unpatched[episode].tolist() == plain_answer(lm, ids)[0]
        for layer in range(lm.layers):
            patch = Intervention(layer, theta[episode, layer][None])
            final, (answer, _) = plain_final(lm, ids, patch), plain_answer(lm, ids, 1, patch)
            torch.testing.assert_close(finals[episode][1 + layer], final, **EXACT)
            assert alone[0, layer].tolist() == tokens[episode, layer].tolist() == answer


def interventions(lm, episodes: int) -> list[Intervention]:
    """Of every kind, in no order: replaced, added and scaled; block output and heads; the last token, another one, and
    two at once."""
    torch.manual_seed(5)

    def vectors(width, *positions):
        return 2 * torch.randn(episodes, *positions, width, dtype=torch.float64)

    heads = lm.head_mixers[0].weight.shape[0 if type(lm.head_mixers[0]).__name__ == "Conv1D" else 1]
    top, middle = lm.layers - 1, lm.layers // 2
    return [
        Intervention(top, vectors(HIDDEN)),
        Intervention(middle, vectors(HIDDEN), "add", strength=-1.5),
        Intervention(middle, vectors(heads), site="heads"),
        Intervention(0, vectors(HIDDEN), strength=0.5),
        Intervention(0, vectors(heads), "add", site="heads"),
        Intervention(middle, vectors(HIDDEN), positions=(-2,)),
        Intervention(0, vectors(HIDDEN, 2), "add", positions=(-2, -1)),
        Intervention(top, vectors(heads, 2), site="heads", positions=(-1, -3)),
        Intervention(middle, vectors(HIDDEN)),
    ]


@EVERY
def test_every_kind_of_intervention_equals_plain_forwards(architecture, in_float64, chunked):
    lm = tiny(architecture)
    prompts = [episode[0] for episode in ragged(4, episodes=2, prompts=1)]
    asked = interventions(lm, len(prompts))
    tokens, unpatched = patched_answers(lm, prompts, asked, answer_tokens=2)
    for episode, ids in enumerate(prompts):
        assert unpatched[episode].tolist() == plain_answer(lm, ids, 2)[0]
        for place, intervention in enumerate(asked):
            expected, _ = plain_answer(lm, ids, 2, intervention.of([episode]))
            assert tokens[episode, place].tolist() == expected, (episode, intervention)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "falcon alibi", "gemma3_text"])
def test_answers_and_states_come_of_the_same_passes(architecture, in_float64):
    """What is unembedded, to 1e-9, and the tokens that `patched_answers` gives."""
    lm = tiny(architecture)
    prompts = [episode[0] for episode in ragged(4, episodes=5, prompts=1)]
    assert len({len(ids) for ids in prompts}) < len(prompts)  # some run together
    asked = interventions(lm, len(prompts))
    asked.append((asked[1], asked[3]))  # together
    tokens, states = answers_and_states(lm, prompts, [AS_IT_IS, *asked], answer_tokens=3)
    alone, _ = answers_and_states(lm, prompts, asked, answer_tokens=3)  # without the unpatched prompts
    assert torch.equal(alone, tokens[:, 1:])
    patched, unpatched = patched_answers(lm, prompts, asked, answer_tokens=3)
    assert torch.equal(patched, tokens[:, 1:]) and torch.equal(unpatched, tokens[:, 0])
    for episode, ids in enumerate(prompts):
        for place, change in enumerate([AS_IT_IS, *asked]):
            one = tuple(part.of([episode]) for part in together(change))
            torch.testing.assert_close(states[episode, place], plain_final(lm, ids, one), **EXACT)
            assert tokens[episode, place].tolist() == plain_answer(lm, ids, 3, one)[0]


def test_an_argument_of_unknown_size_is_learned_or_refused():
    """Nothing is guessed from a size that happens to divide: what does not grow as the two passes said is refused."""
    lm = tiny("llama")
    prompts = [[5, 6, 7], [8, 9, 10]]
    theta = random_theta(2, lm.layers)
    expected = sweep_layers(lm, prompts, theta)
    known = lm.argument_rows(3)
    place = next(iter(known))
    del known[place]
    assert all(map(torch.equal, sweep_layers(lm, prompts, theta), expected)) and place in known
    lm._learned[place] = Rows(per_prompt=3, fixed=0)
    lm.__dict__["learn_arguments"] = lambda tokens: None
    with pytest.raises(StudyError, match="does not grow with the prompts"):
        sweep_layers(lm, prompts, theta)


def test_a_position_before_the_prompt_is_refused():
    lm = tiny("llama")
    patch = Intervention(1, random_theta(1, 1)[:, 0], positions=(-4,))
    with pytest.raises(StudyError, match="the prompt has 3 tokens, too few for position -4"):
        patched_answers(lm, [[5, 6, 7]], [patch])


@EVERY
def test_longer_answers_equal_plain_forwards_without_a_cache(architecture, in_float64, chunked):
    lm = tiny(architecture)
    prompts = [episode[0] for episode in ragged(7, episodes=2, prompts=1)]
    theta = random_theta(len(prompts), lm.layers)
    tokens, unpatched = sweep_layers(lm, prompts, theta, answer_tokens=3)
    assert torch.equal(unpatched, continue_prompts(lm, prompts, 3))
    for episode, ids in enumerate(prompts):
        assert unpatched[episode].tolist() == plain_answer(lm, ids, 3)[0]
        for layer in range(lm.layers):
            patch = Intervention(layer, theta[episode, layer][None])
            assert tokens[episode, layer].tolist() == plain_answer(lm, ids, 3, patch)[0]


def test_a_sweep_of_some_layers_gives_the_same_as_of_all(in_float64):
    lm = tiny("gemma2")
    prompts = [episode[0] for episode in ragged(4, episodes=5, prompts=1)]
    theta = random_theta(len(prompts), lm.layers)
    for answer_tokens in (1, 3):
        tokens, unpatched = sweep_layers(lm, prompts, theta, answer_tokens)
        for layers in ([2], [0, 3], [1, 4], []):
            some, same = sweep_layers(lm, prompts, theta[:, layers], answer_tokens, layers=layers)
            assert torch.equal(some, tokens[:, layers]) and torch.equal(same, unpatched)


def test_prompts_that_share_nothing_are_read_whole(in_float64):
    """Where a tokenizer merges across the border between demonstrations and query, little or nothing is shared."""
    lm = tiny("llama")
    prompts = [[[5, 6, 7, 8], [9, 6, 7]], [[5, 6, 7, 8], [5, 6, 10, 11, 12]]]
    states, _ = read_states(lm, prompts)
    for e, episode in enumerate(prompts):
        for p, ids in enumerate(episode):
            torch.testing.assert_close(states[e, p], plain_states(lm, ids)[0], **EXACT)


def test_patching_a_prompts_own_states_changes_nothing():
    lm = tiny("gpt2")
    prompts = [episode[0] for episode in ragged(5, 4, prompts=1)]
    states, final = read_states(lm, [[ids] for ids in prompts])
    patched, unpatched = sweep_layers(lm, prompts, states[:, 0])
    assert torch.equal(unpatched[:, 0], next_tokens(lm, final[:, 0]))
    assert torch.equal(patched, unpatched[:, None].expand(-1, lm.layers, -1))


@pytest.mark.parametrize(
    ("architecture", "dtype", "error"),
    [
        ("llama", torch.float32, 1e-5),
        ("llama", torch.bfloat16, 0.1),
        ("llama", torch.float16, 0.01),
        ("mixtral", torch.float32, 1e-5),
        ("qwen3_moe", torch.float32, 1e-5),
    ],
)
def test_other_dtypes_stay_near_float64(architecture, dtype, error):
    prompts = ragged(8, episodes=5, prompts=2)
    exact, _ = read_states(tiny(architecture), prompts)
    states, _ = read_states(tiny(architecture, dtype), prompts)
    assert states.dtype == dtype
    assert ((states.double() - exact).norm(dim=-1) / exact.norm(dim=-1)).max() < error


def test_mean_theta_is_the_mean_over_dummies_in_float32():
    states = torch.randn(2, 2, 3, 4).bfloat16()
    theta = mean_theta(states)
    assert theta.dtype == torch.float32
    torch.testing.assert_close(theta, (states[:, 0].float() + states[:, 1].float()) / 2)


def test_no_prompts_give_empty_results():
    lm = tiny("llama")
    states, final = read_states(lm, [])
    assert states.shape[0] == 0 and next_tokens(lm, final[:, :0].flatten(0, 1)).shape == (0,)
    tokens, unpatched = sweep_layers(lm, [], torch.empty(0, lm.layers, HIDDEN))
    assert tokens.shape == (0, lm.layers, 1) and unpatched.shape == (0, 1)
    assert continue_prompts(lm, [], 2).shape == (0, 2)


def test_batches_halve_where_memory_runs_out():
    """What a GPU and a CPU raise; the result is the same, and a batch that fits nothing is an error."""
    tried, done = [], []

    def run(batch):
        tried.append(len(batch))
        if len(batch) > 2:
            raise (torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory"))[
                len(tried) % 2
            ]
        done.extend(batch)

    batches.run_in_batches([4] * 9 + [3] * 3, lambda length: 8, run)
    assert sorted(done) == list(range(12))
    assert tried == [3, 3, 2, 1, 2, 2, 2, 2, 1]  # what did not fit once is not tried again

    def never(batch):
        raise torch.OutOfMemoryError("CUDA")

    with pytest.raises(StudyError, match="does not hold one prompt of 4 tokens"):
        batches.run_in_batches([4, 4], lambda length: 8, never)

    def broken(batch):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        batches.run_in_batches([4], lambda length: 8, broken)


def test_batch_size_comes_from_the_memory_at_hand(monkeypatch):
    lm = tiny("llama")
    assert batches.tokens_at_once(lm, 2048) == 2048

    class Little:
        available = 200_000

    monkeypatch.setattr("taskvectors.models.memory.psutil.virtual_memory", lambda: Little)
    little = batches.tokens_at_once(lm, 2048)
    assert 1 <= little < 40
    assert batches.tokens_at_once(lm, 2048, kept_copies=4) < little


def test_a_patch_that_does_not_fire_raises():
    lm = tiny("llama")
    idle = LanguageModel(lm.model, None, nn.ModuleList([*lm.blocks, nn.Identity()]))
    with pytest.raises(StudyError, match="5 states were read from 6 blocks"):
        read_states(idle, [[[5, 6, 7]]])
    with pytest.raises(StudyError, match="blocks were called 5 times"):
        check_blocks(idle)


def test_a_patch_that_the_model_ignores_raises():
    """A wrapper that hands on what it kept from before the hook: the classic silent failure."""
    lm = tiny("llama")
    kept = []
    lm.blocks[2].forward = lambda hidden, *a, plain=lm.blocks[2].forward, **k: (
        kept.append(plain(hidden, *a, **k)) or kept[-1]
    )
    forward = lm.blocks[3].forward
    lm.blocks[3].forward = lambda hidden, *a, **k: forward(kept[-1], *a, **k)
    with pytest.raises((StudyError, RuntimeError)):
        sweep_layers(lm, [[5, 6, 7], [8, 9, 10]], random_theta(2, lm.layers))


def test_values_that_are_not_finite_name_task_layer_and_episode():
    lm = tiny("llama")
    lm.blocks[3].mlp.down_proj.weight[0, 0] = float("inf")
    names = ["antonyms, dev episode 7", "antonyms, dev episode 8"]
    with pytest.raises(
        StudyError, match=r"antonyms, dev episode 7: NaN or infinite values at layer 3\. float16 overflows"
    ):
        read_states(lm, [[[5, 6, 7]], [[5, 6, 8]]], names)
    with pytest.raises(StudyError, match=r"antonyms, dev episode 7: NaN or infinite values without a patch"):
        sweep_layers(lm, [[5, 6, 7], [5, 6, 8]], random_theta(2, lm.layers), names=names)
    theta = random_theta(2, lm.layers)
    theta[1, 4] = float("nan")
    with pytest.raises(StudyError, match=r"θ of antonyms, dev episode 8: NaN or infinite values at layer 4"):
        sweep_layers(tiny("llama"), [[5, 6, 7], [5, 6, 8]], theta, names=names)


def test_prompts_beyond_the_context_or_too_short_are_refused_by_name():
    lm = tiny("gpt2", n_positions=8)
    with pytest.raises(StudyError, match=r"antonyms 3: the prompt has 9 tokens, but GPT2LMHeadModel reads 8 at most"):
        read_states(lm, [[[5] * 9]], ["antonyms 3"])
    with pytest.raises(StudyError, match=r"reads 7 at most"):
        sweep_layers(lm, [[5] * 8], random_theta(1, lm.layers), answer_tokens=2)
    with pytest.raises(StudyError, match=r"episode 0: the prompt has 1 tokens, 2 are needed"):
        sweep_layers(lm, [[5]], random_theta(1, lm.layers))


def test_the_context_is_what_beginnings_can_be_reused_in():
    sizes = {"max_position_embeddings": 131072, "original_max_position_embeddings": 4096}
    factors = {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    assert context_length(AutoConfig.for_model("phi3", **sizes, rope_scaling=factors)) == 4096
    assert context_length(AutoConfig.for_model("llama", max_position_embeddings=100)) == 100
    assert context_length(AutoConfig.for_model("mpt", max_seq_len=64)) == 64
    assert context_length(AutoConfig.for_model("bloom")) is None


def test_keys_and_values_are_passed_under_the_name_that_this_transformers_has():
    """`cache` from 5.24 on, which warns of the older name and drops it in 5.40."""
    lm = tiny("llama")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm.run_blocks(torch.tensor([[5, 6]]), lm.empty_cache())
    names = signature(lm.headless.forward).parameters
    assert ("cache" in names) == (lm._cache_keyword == "cache") and lm._cache_keyword in names


def test_common_prefix_leaves_each_prompt_a_token():
    assert common_prefix([[1, 2, 3], [1, 2, 4]]) == 2
    assert common_prefix([[1, 2], [1, 2, 3]]) == 1
    assert common_prefix([[1], [1, 2]]) == 0
    assert common_prefix([[1, 2, 3]]) == 2


def test_models_the_engine_cannot_read_are_refused_by_name_with_the_reason():
    model = T5ForConditionalGeneration(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    with pytest.raises(StudyError, match=r"T5ForConditionalGeneration.*decoder-only"):
        find_blocks(model)
    config = AutoConfig.for_model("mamba", vocab_size=97, hidden_size=32, num_hidden_layers=3, state_size=4)
    state_space = AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(
        StudyError, match=r"MambaForCausalLM is not supported: 3 of its blocks keep other things than keys"
    ):
        check_blocks(LanguageModel(state_space, None, find_blocks(state_space)))


def test_a_model_too_large_for_one_gpu_is_spread_over_all(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"0" * 1000)
    assert placement(tmp_path, "cpu") == {"": "cpu"}
    for gpus, free, expected in ((1, 900, {"": "cuda"}), (2, 2000, {"": "cuda"}), (2, 900, "auto")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 3000))
        assert placement(tmp_path, "cuda") == expected


def test_a_device_or_dtype_the_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert available_device("auto", "bfloat16") == available_device("cpu", "float16") == "cpu"
    with pytest.raises(StudyError, match=r"`device: cuda` is set.*auto or cpu in config/models.yaml"):
        available_device("cuda", "float32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    with pytest.raises(StudyError, match=r"Old GPU cannot compute in bfloat16"):
        available_device("auto", "bfloat16")
