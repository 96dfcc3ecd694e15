"""The loss of answers and its gradient against plain passes and finite differences in float64."""

import pytest
import torch
from reference import ARCHITECTURES, everything_in_float64, ragged, tiny

from taskvectors.engine.definition import Intervention, plain_answer
from taskvectors.engine.descent import AnswerLoss, Prefilled
from taskvectors.errors import StudyError
from taskvectors.models.kernels import multiply_by_onednn, onednn_is_there

STEP = 1e-5


def plain_loss(lm, prompts, answers, layer: int, vector: torch.Tensor) -> torch.Tensor:
    """The mean over prompts of −log p of the answer, a plain pass each."""
    losses = []
    for ids, answer in zip(prompts, answers, strict=True):
        logits = plain_answer(lm, ids, 1, Intervention(layer, vector[None]))[1]
        losses.append(-logits.log_softmax(dim=-1)[answer])
    return torch.stack(losses).mean()


def loss_of(lm, prompts, answers, layer: int, names=None) -> AnswerLoss:
    return AnswerLoss(Prefilled(lm, prompts, layer, names), prompts, answers, names)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradient_are_those_of_plain_passes_and_finite_differences(architecture, monkeypatch):
    monkeypatch.setattr("taskvectors.engine.descent.ROWS", 3)
    with everything_in_float64():
        lm = tiny(architecture)
        layer = lm.layers // 2
        prompts = [episode[:count] for episode, count in zip(ragged(2, 3, 4), (4, 1, 3), strict=True)]
        answers = [[5 + row for row in range(len(of_episode))] for of_episode in prompts]
        loss = loss_of(lm, prompts, answers, layer)
        torch.manual_seed(7)
        v = torch.randn(3, lm.hidden, dtype=torch.float64)
        for _ in range(2):  # a second call sees nothing of the first
            losses, gradients = loss(v)
        torch.testing.assert_close(loss.value(v), losses, atol=1e-12, rtol=1e-12)
        for episode in range(3):
            of = (lm, prompts[episode], answers[episode], layer)
            torch.testing.assert_close(losses[episode], plain_loss(*of, v[episode]), atol=1e-9, rtol=1e-9)
            for _ in range(3):
                way = torch.randn(lm.hidden, dtype=torch.float64)
                way /= way.norm()
                rise = plain_loss(*of, v[episode] + STEP * way) - plain_loss(*of, v[episode] - STEP * way)
                torch.testing.assert_close(gradients[episode] @ way, rise / (2 * STEP), atol=1e-6, rtol=1e-5)


def test_prompts_of_several_lengths_are_unembedded_together(monkeypatch):
    lm = tiny("llama")
    prompts, seen = ragged(2, 4, 4), []
    loss = loss_of(lm, prompts, [[5, 6, 7, 8]] * 4, 2)
    v = torch.randn(4, lm.hidden, dtype=torch.float64)
    assert len({len(ids) for of_episode in prompts for ids in of_episode}) > 1
    expected = loss(v)
    lm.model.get_output_embeddings().register_forward_hook(lambda m, inputs, output: seen.append(output.shape[0]))
    loss(v)
    assert seen == [16]
    monkeypatch.setattr("taskvectors.engine.descent.ROWS", 5)
    seen.clear()
    for ours, theirs in zip(loss_of(lm, prompts, [[5, 6, 7, 8]] * 4, 2)(v), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert sum(seen) == 16 and max(seen) <= 5


def test_blocks_below_run_once_and_are_never_differentiated():
    lm = tiny("llama")
    ran: list[int] = []
    for number, block in enumerate(lm.blocks):
        block.self_attn.register_forward_hook(lambda *_, number=number: ran.append(number))
    loss = loss_of(lm, [of_episode[:2] for of_episode in ragged(2, 1, 2)], [[5, 6]], 2)
    v = torch.randn(1, lm.hidden, dtype=torch.float64)
    loss(v)  # finds the part of the model that the head reads, by a pass of its own
    ran.clear()
    loss(v)
    assert set(ran) == {3, 4}
    assert all(parameter.grad is None for parameter in lm.model.parameters())


def test_rows_may_ask_for_any_prompts_that_have_been_run(monkeypatch):
    """Some of them, one several times, with other answers, and those of another episode."""
    monkeypatch.setattr("taskvectors.engine.descent.ROWS", 3)
    with everything_in_float64():
        lm = tiny("gemma3_text")
        prompts = ragged(2, 4, 4)
        prefilled = Prefilled(lm, prompts, 1)
        asked = [[prompts[3][0]], [prompts[0][2], prompts[0][2], prompts[2][1]], [prompts[3][0], prompts[1][1]]]
        answers = [[7], [5, 9, 6], [8, 8]]
        v = torch.randn(3, lm.hidden, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        losses, gradients = AnswerLoss(prefilled, asked, answers)(v)
        apart = loss_of(lm, asked, answers, 1)(v)
        torch.testing.assert_close((losses, gradients), apart, atol=1e-12, rtol=1e-12)
        for row in range(3):
            expected = plain_loss(lm, asked[row], answers[row], 1, v[row])
            torch.testing.assert_close(losses[row], expected, atol=1e-9, rtol=1e-9)


def test_of_equal_prompts_one_is_run():
    lm = tiny("llama")
    (prompts,) = ragged(2, 1, 3)
    ran: list[int] = []
    lm.blocks[0].register_forward_hook(lambda block, inputs, output: ran.append(len(inputs[0])))
    Prefilled(lm, [prompts, prompts[:2], prompts[::-1]], 2)
    assert sum(ran) == len({tuple(ids) for ids in prompts}) + 1  # and one for the form of an output


@pytest.mark.skipif(not onednn_is_there(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("room", [True, False])
def test_gradients_pass_through_onednns_kernels(room, monkeypatch):
    monkeypatch.setattr("taskvectors.models.kernels.memory_at_hand", lambda: 1e12 * room)
    prompts, answers = ragged(2, 2, 3), [[5, 6, 7]] * 2
    v = torch.randn(2, 32)
    plain, faster = (tiny("llama", torch.float32) for _ in range(2))
    multiply_by_onednn([module for module in faster.model.modules() if type(module) is torch.nn.Linear])
    for of_plain, of_faster in zip(*(loss_of(lm, prompts, answers, 2)(v) for lm in (plain, faster)), strict=True):
        torch.testing.assert_close(of_plain, of_faster, atol=1e-4, rtol=1e-3)


def test_what_cannot_be_differentiated_is_refused_by_name():
    lm = tiny("llama")
    with pytest.raises(StudyError, match="layer 4 is the top block"):
        loss_of(lm, [[[3, 4]]], [[5]], 4)
    with pytest.raises(StudyError, match="e1: there are no answers to learn from"):
        loss_of(lm, [[[3, 4]], []], [[5], []], 2, ["e0", "e1"])
    with pytest.raises(StudyError, match="gradients in bfloat16 are too coarse"):
        loss_of(tiny("llama", torch.bfloat16), [[[3, 4]]], [[5]], 2)
    loss = loss_of(lm, [[[3, 4]], [[5, 6]]], [[5], [6]], 2, ["e0", "e1"])
    v = torch.zeros(2, lm.hidden, dtype=torch.float64)
    v[1, 3] = torch.nan
    with pytest.raises(StudyError, match="e1: NaN or infinite values in the loss"):
        loss(v)
