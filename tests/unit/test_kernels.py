"""Faster multiplications give the same: oneDNN's, and the screen for the token of highest logit."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from taskvectors.engine.definition import plain_states
from taskvectors.engine.read import read_states
from taskvectors.models import highest_logit, kernels
from taskvectors.models.highest_logit import FOLD, Screen, highest, screen_of
from taskvectors.models.kernels import STAND_IN, OneDnnLinear, Processor, multiply_by_onednn, multiply_faster

OLD = Processor("AuthenticAMD", frozenset({"avx2"}))
NEW = Processor("AuthenticAMD", frozenset({"avx2", "avx512f", "avx512_bf16"}))


@given(
    seed=st.integers(0, 10_000),
    vocabulary=st.integers(1, 300),
    width=st.integers(1, 70),
    scale=st.sampled_from([1e-18, 1e-3, 1.0, 1e4, 1e12]),
    spread=st.sampled_from([0.0, 1e-6, 1e-3, 1.0]),
    common=st.sampled_from([0.0, 1.0, 50.0]),
)
@settings(max_examples=150)
def test_the_screen_finds_the_highest_logit(seed, vocabulary, width, scale, spread, common):
    """However near to each other tokens are, and whatever all of them share: what is highest in float64, the first of
    equals."""
    rng = torch.Generator().manual_seed(seed)
    base = torch.randn(1, width, generator=rng)
    weight = scale * (common * base + spread * torch.randn(vocabulary, width, generator=rng))
    hidden = torch.randn(5, width, generator=rng) / scale
    found = Screen(weight).highest(hidden)
    logits = hidden.double() @ weight.double().T
    chosen = logits.gather(1, found[:, None])[:, 0]
    assert found.max() < vocabulary
    torch.testing.assert_close(chosen, logits.amax(-1), rtol=1e-5, atol=1e-6 * float(logits.abs().max()))
    if spread == 1.0:
        assert found.tolist() == logits.argmax(-1).tolist()


@given(seed=st.integers(0, 10_000), vocabulary=st.integers(1, 200), values=st.sampled_from([2, 5, 10_000]))
def test_the_highest_is_the_first_of_equals(seed, vocabulary, values):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randint(-values, values, (7, vocabulary), generator=rng).float()
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        first = [row.tolist().index(row.max()) for row in logits.to(dtype)]
        assert highest(logits.to(dtype)).tolist() == first
    logits[3] = -torch.inf
    logits[3, vocabulary // 2] = torch.inf
    assert highest(logits)[3] == vocabulary // 2 and highest(logits[:0]).shape == (0,)
    logits[4] = torch.nan
    assert highest(logits).tolist() == logits.argmax(-1).tolist() and vocabulary % FOLD >= 0


def test_of_equal_tokens_the_screen_takes_the_first():
    weight = torch.randn(5000, 64)
    weight[[17, 40, 4999]] = 3 * torch.ones(64)
    hidden = torch.ones(300, 64) + 0.01 * torch.randn(300, 64)
    assert Screen(weight).highest(hidden).tolist() == [17] * 300


def test_the_screen_decides_with_exact_numbers():
    """Two tokens that are one in bfloat16."""
    weight = 0.1 * torch.randn(4000, 64)
    weight[1000] = 1.0
    weight[3000] = 1.0 + 1e-5
    hidden = torch.ones(2, 64)
    assert torch.equal(weight[1000].bfloat16(), weight[3000].bfloat16())
    assert Screen(weight).highest(hidden).tolist() == [3000, 3000]


@pytest.mark.parametrize("hidden", [torch.zeros(3, 64), torch.full((3, 64), 3e38), torch.full((3, 64), 1e-38)])
def test_where_bfloat16_says_nothing_the_matrix_is_multiplied_as_it_is(hidden):
    weight = torch.randn(4000, 64)
    assert Screen(weight).highest(hidden).tolist() == (hidden @ weight.T).argmax(-1).tolist()


@pytest.mark.parametrize("unequal", [False, True])
def test_rough_logits_are_within_the_bound(unequal):
    """No rough logit is further off than is allowed for; and few tokens are candidates."""
    torch.manual_seed(0)
    weight, hidden = 0.05 * torch.randn(3000, 640), 9 * torch.randn(40, 640)
    if unequal:
        weight *= torch.rand(3000, 1)
    screen, rough = Screen(weight), hidden.bfloat16()
    found = screen.logits(rough).float()
    logits = (hidden.double() @ weight.double().T).float()
    lost = (hidden - rough.float()).norm(dim=1)
    off = (
        screen._off(rough.float().norm(dim=1)[:, None], lost[:, None], screen.lengths, screen.lost)
        + 2**-7 * found.abs()
    )
    assert ((found - logits).abs() <= off).all()
    rows, tokens = screen.candidates(hidden)
    assert len(rows) < 10 * len(hidden)
    chosen = set(zip(rows.tolist(), tokens.tolist(), strict=True))
    assert {(row, token) for row, token in enumerate(logits.argmax(-1).tolist())} <= chosen


def test_a_screen_is_made_only_where_it_helps(monkeypatch):
    monkeypatch.setattr(highest_logit, "SMALLEST", 1000)
    head = nn.Linear(64, 500, bias=False)
    monkeypatch.setattr(highest_logit, "processor", lambda: NEW)
    monkeypatch.setattr(highest_logit, "onednn_multiplies_bfloat16", lambda: True)
    assert screen_of(head) is not None
    assert screen_of(nn.Linear(64, 500)) is None and screen_of(nn.Linear(64, 500, bias=False).double()) is None
    monkeypatch.setattr(highest_logit, "processor", lambda: OLD)
    assert screen_of(head) is None
    monkeypatch.setattr(highest_logit, "processor", lambda: NEW)
    monkeypatch.setattr(highest_logit, "onednn_multiplies_bfloat16", lambda: False)
    assert screen_of(head) is None
    monkeypatch.setattr(highest_logit, "onednn_multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(highest_logit, "memory_at_hand", lambda: 1000)
    assert screen_of(head) is None


@pytest.mark.parametrize("room", [0.25, 0])
@pytest.mark.parametrize("bias", [True, False])
def test_onednn_multiplies_as_torch_does(bias, room, monkeypatch):
    monkeypatch.setattr(kernels, "ROOM_FOR_COPIES", room)
    torch.manual_seed(0)
    plain = nn.Linear(96, 31, bias=bias)
    inputs = torch.randn(3, 5, 96)
    expected = plain(inputs)
    multiply_by_onednn([plain])
    assert type(plain) is OneDnnLinear
    torch.testing.assert_close(plain(inputs), expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(params=[True, False], ids=["packed", "not packed"])
def layer(request) -> OneDnnLinear:
    torch.manual_seed(0)
    made = nn.Linear(6, 4).requires_grad_(False)
    multiply_by_onednn([made])
    made.packs = request.param
    made(torch.randn(1, 6))
    return made


def as_torch_does(layer: nn.Linear) -> None:
    inputs = torch.randn(3, 6, dtype=layer.weight.dtype)
    torch.testing.assert_close(layer(inputs), nn.functional.linear(inputs, layer.weight, layer.bias))


def test_a_layer_multiplied_by_onednn_can_be_copied_and_saved(layer, tmp_path):
    torch.save(nn.Sequential(layer), tmp_path / "whole.pt")
    (read,) = torch.load(tmp_path / "whole.pt", weights_only=False)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), read):
        assert type(copied) is OneDnnLinear and torch.equal(copied.weight, layer.weight)
        copied.weight.data *= 2  # another one than the first one's
        as_torch_does(copied)
        copied.weight *= 2
        as_torch_does(copied)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.weight.mul_(3),
        lambda layer: layer.load_state_dict({name: 2 * part for name, part in layer.state_dict().items()}),
        lambda layer: setattr(layer, "weight", nn.Parameter(torch.randn(4, 6), requires_grad=False)),
        lambda layer: layer.double(),
        lambda layer: layer.bfloat16(),
        lambda layer: layer.double().float(),
    ],
)
def test_a_layer_whose_weight_is_changed_multiplies_the_new_one(layer, change):
    change(layer)
    if layer.weight.dtype == torch.bfloat16:
        inputs = torch.randn(3, 6).bfloat16()
        assert torch.equal(layer(inputs), nn.functional.linear(inputs, layer.weight, layer.bias))
    else:
        as_torch_does(layer)


def test_another_weight_at_the_address_of_the_last_one_is_seen(layer):
    """Freed memory is given out again."""
    for number in range(30):
        del layer.weight
        layer.weight = nn.Parameter(torch.full((4, 6), float(number)), requires_grad=False)
        as_torch_does(layer)
        layer.weight = nn.Parameter(torch.randn(4, 6), requires_grad=False)
        layer.weight = nn.Parameter(torch.randn(4, 6), requires_grad=False)
        as_torch_does(layer)


def test_weights_whose_changes_torch_does_not_count_are_not_packed(layer):
    with torch.inference_mode():
        layer.weight = nn.Parameter(torch.randn(4, 6), requires_grad=False)
        as_torch_does(layer)
        layer.weight.mul_(3)
        as_torch_does(layer)


def test_a_screen_is_of_the_output_matrix_that_there_is(lm, monkeypatch):
    monkeypatch.setattr(highest_logit, "SMALLEST", 1)
    monkeypatch.setenv("STUDY_PROCESSOR", "AuthenticAMD avx2 avx512f avx512_bf16")
    monkeypatch.setattr(highest_logit, "onednn_multiplies_bfloat16", lambda: True)
    other, hidden = copy.deepcopy(lm), torch.randn(5, lm.hidden)
    head = other.model.get_output_embeddings()
    for _ in range(3):
        head.weight = nn.Parameter(torch.randn_like(head.weight), requires_grad=False)
        assert other.screen is other.screen
        assert other.screen.highest(hidden).tolist() == (hidden @ head.weight.T).argmax(-1).tolist()


def test_a_layer_that_is_trained_has_the_gradients_of_torch(layer):
    layer.requires_grad_(True)
    inputs = torch.randn(3, 6, requires_grad=True)
    layer(inputs).square().sum().backward()
    plain = nn.Linear(6, 4)
    plain.load_state_dict(layer.state_dict())
    again = inputs.detach().requires_grad_(True)
    plain(again).square().sum().backward()
    torch.testing.assert_close((layer.weight.grad, layer.bias.grad, inputs.grad),
                               (plain.weight.grad, plain.bias.grad, again.grad))  # fmt: skip


def test_a_screen_whose_matrix_is_changed_in_place_is_made_anew():
    weight = torch.randn(400, 64)
    screen, hidden = Screen(weight), torch.randn(5, 64)
    screen.highest(hidden)
    weight.neg_()
    assert screen.highest(hidden).tolist() == (hidden @ weight.T).argmax(-1).tolist()


def test_a_copy_of_a_model_finds_out_anew_what_depends_on_its_weights(lm):
    """Copied after it has run; then its weights are changed, in a way that torch does not notice."""
    ids = [[5, 6, 7]]
    states = read_states(lm, [ids], ["the original"])[0][0]
    other = copy.deepcopy(lm)
    for weight in other.model.parameters():
        weight.data *= 2 if weight.dim() == 2 else 1
    changed = read_states(other, [ids], ["the copy"])[0][0]
    expected, *_ = plain_states(other, ids[0])
    torch.testing.assert_close(changed[0], expected.float(), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(states, changed) and "_screen" not in other.__dict__
    torch.testing.assert_close(read_states(lm, [ids], ["the original"])[0][0], states)


@pytest.mark.parametrize(
    ("on", "kernel"),
    [(NEW, "oneDNN"), (OLD, "torch"), (NEW._replace(vendor="GenuineIntel"), "torch"), (Processor(), "torch")],
)
def test_the_faster_kernels_multiply(on, kernel, monkeypatch):
    """By what the processor is: a choice by the clock gave other roundings from one run to the next."""
    monkeypatch.setattr(kernels, "processor", lambda: on)
    model = nn.Sequential(nn.Linear(8, 9), nn.LayerNorm(9), nn.Linear(9, 8))
    assert multiply_faster(model) == kernel
    assert {type(model[0]), type(model[2])} == {OneDnnLinear if kernel == "oneDNN" else nn.Linear}
    assert type(model[1]) is nn.LayerNorm and multiply_faster(nn.LayerNorm(9)) == "torch"


def test_the_processor_is_what_linux_says(tmp_path, monkeypatch):
    told = tmp_path / "cpuinfo"
    told.write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx512f avx512_bf16\npower management:\n\n" * 2
    )
    monkeypatch.setattr(kernels, "CPUINFO", told)
    monkeypatch.setattr(kernels.platform, "system", lambda: "Linux")
    monkeypatch.delenv(STAND_IN)
    processor = kernels.processor_of_machine.__wrapped__
    assert processor() == Processor("AuthenticAMD", frozenset({"fpu", "avx512f", "avx512_bf16"}))
    told.write_text("Processor\t: AArch64\nFeatures\t: fp asimd\n")
    assert processor() == Processor()
    monkeypatch.setattr(kernels.platform, "system", lambda: "Darwin")
    assert processor() == Processor()
    monkeypatch.setenv(STAND_IN, "AuthenticAMD avx2 avx512f")
    assert kernels.processor() == Processor("AuthenticAMD", frozenset({"avx2", "avx512f"}))
    monkeypatch.setenv(STAND_IN, " ")
    assert kernels.processor() == kernels.processor_of_machine()


def test_without_instructions_for_bfloat16_rough_logits_are_rounded_ones(monkeypatch):
    """oneDNN refuses to lay such matrices out on processors without AVX-512."""
    monkeypatch.setattr(kernels, "processor", lambda: OLD)
    weight, states = torch.randn(70, 64).bfloat16(), torch.randn(5, 64).bfloat16()
    assert torch.equal(kernels.multiplier(weight)(states), (states.float() @ weight.float().T).bfloat16())
