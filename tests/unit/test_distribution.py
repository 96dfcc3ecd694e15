"""Next-token distributions against the model's own logits and scipy."""

import numpy as np
import pytest
import torch
from reference import ARCHITECTURES, everything_in_float64, plain_final, ragged, tiny
from scipy.spatial.distance import jensenshannon

from taskvectors.engine.definition import plain_states
from taskvectors.engine.distribution import divergences, log_probabilities, probabilities
from taskvectors.engine.read import read_states

EXACT = {"atol": 1e-9, "rtol": 1e-9}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_log_probabilities_are_those_of_the_models_own_logits(architecture):
    """Soft-capping (Gemma 2) and scaling (Granite) included."""
    with everything_in_float64():
        lm = tiny(architecture)
        prompts = ragged(1, episodes=4, prompts=2)
        final = read_states(lm, prompts)[1].flatten(0, 1)
        found = log_probabilities(lm, final)
        for row, ids in enumerate(ids for episode in prompts for ids in episode):
            torch.testing.assert_close(found[row], plain_states(lm, ids)[2].log_softmax(dim=-1), **EXACT)
        ids = prompts[0][0]
        assert plain_final(lm, ids).shape == (lm.hidden,)  # the model runs as before


def test_divergence_is_scipys_in_bits_from_zero_to_one(monkeypatch):
    monkeypatch.setattr("taskvectors.engine.distribution.UNEMBED_ROWS", 3)
    monkeypatch.setattr("taskvectors.engine.distribution.IN_CACHE", 2 * 97)  # two rows
    lm = tiny("gemma2")
    torch.manual_seed(1)
    final, reference = (5 * torch.randn(7, lm.hidden, dtype=torch.float64) for _ in range(2))
    reference[1:4] = reference[0]
    p, q = (log_probabilities(lm, states).exp().double().numpy() for states in (final, reference))
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    found = divergences(lm, final, reference)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert divergences(lm, final, final).max() < 1e-12 and (found <= 1).all() and (found > 0.01).all()
    assert divergences(lm, final[:0], reference[:0]).tolist() == []


def test_probabilities_are_of_the_tokens_asked_for(monkeypatch):
    monkeypatch.setattr("taskvectors.engine.distribution.UNEMBED_ROWS", 3)
    monkeypatch.setattr("taskvectors.engine.distribution.IN_CACHE", 2 * 97)  # two rows
    lm = tiny("llama")
    final = torch.randn(5, lm.hidden, dtype=torch.float64)
    tokens = torch.tensor([4, 0, 96, 7, 7])
    expected = log_probabilities(lm, final).exp()[torch.arange(5), tokens]
    torch.testing.assert_close(probabilities(lm, final, tokens), expected)
