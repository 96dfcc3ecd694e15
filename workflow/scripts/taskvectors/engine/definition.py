"""θ read and patched in plain lines: one full forward pass for every prompt, with a hook; nothing batched or cached.

The paper's section 3.1: with demonstrations S, `plain_theta` reads θ = A(S); with θ in place of S, `plain_answer` is
f(x; θ). Section 3.2 does so at every layer and takes the best on dev episodes (`taskvectors.questions.layers`). The
rest of the engine computes the same faster: `taskvectors.engine.model_check` compares every loaded model with this,
and the tests compare everything else.

`layer` is the 0-based index of a block; a state is the residual stream after that block, before any final norm.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from taskvectors.data.tokens import Ids
from taskvectors.models.language_model import LanguageModel, block_hidden, temporary_hooks, with_hidden

LAST = (-1,)


@dataclass(frozen=True)
class Intervention:
    """What is put into the pass of every prompt, at one layer.

    Attributes:
        layer: of the block.
        vectors: `[episode, width]`, or `[episode, position, width]` for several positions. The width is that of the
            residual stream, or, at heads, of all heads' outputs together.
        how: put in the place of what is there (`replace`), or added to it (`add`); or the component of what is there
            along them is replaced by that of `base` (`project`), whatever their length.
        strength: the vectors are multiplied by it.
        site: the output of the block (`block`), or what its attention mixes, the outputs of its heads (`heads`).
        positions: of tokens, counted from the end of the prompt: −1 is the last. The same of all episodes, or those of
            each, whole numbers `[episode, position]`.
        mask: where along the width the vectors are put in, `[width]` or `[episode, width]`; everywhere by default.
        base: `[episode, width]`, for `project`; zero by default.
    """

    layer: int
    vectors: Tensor
    how: Literal["replace", "add", "project"] = "replace"
    strength: float = 1.0
    site: Literal["block", "heads"] = "block"
    positions: tuple[int, ...] | Tensor = LAST
    mask: Tensor | None = None
    base: Tensor | None = None

    @property
    def by_position(self) -> Tensor:
        """The vectors `[episode, position, width]`."""
        return self.vectors if self.vectors.dim() == 3 else self.vectors[:, None]

    @property
    def on_last(self) -> bool:
        """Whether it acts on the last token alone."""
        return self.positions == LAST if isinstance(self.positions, tuple) else False

    def of(self, episodes: list[int]) -> "Intervention":
        """The same for some of the episodes."""
        positions = self.positions if isinstance(self.positions, tuple) else self.positions[episodes]
        mask = self.mask if self.mask is None or self.mask.dim() == 1 else self.mask[episodes]
        base = None if self.base is None else self.base[episodes]
        return replace(self, vectors=self.vectors[episodes], positions=positions, mask=mask, base=base)

    def applied(self, states: Tensor) -> Tensor:
        """States `[episode, token, width]` of prompts with the vectors put in, as a new tensor."""
        states, rows = states.clone(), torch.arange(len(states))
        positions = torch.as_tensor(self.positions).expand(len(states), -1)
        for place in range(positions.shape[1]):
            tokens = states[rows, positions[:, place]]
            new = self._new(tokens, self.strength * self.by_position[:, place].to(states.device)).to(states.dtype)
            states[rows, positions[:, place]] = (
                new if self.mask is None else torch.where(self.mask.to(states.device), new, tokens)
            )
        return states

    def _new(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        """What takes the place of the states `[episode, width]` of a token."""
        if self.how == "replace":
            return vectors
        if self.how == "add":
            return tokens + vectors
        base = torch.zeros_like(vectors) if self.base is None else self.base.to(vectors.device)
        unit = torch.nn.functional.normalize(vectors, dim=-1)  # a vector of zeros has no component to replace
        return tokens + ((base - tokens) * unit).sum(dim=-1, keepdim=True) * unit


Change = Intervention | tuple[Intervention, ...]  # of one pass: an intervention, or several together


def plain_theta(lm: LanguageModel, dummies: list[Ids]) -> Tensor:
    """θ after every block `[layer, hidden]`: the mean state at the last token, the arrow, over dummy queries.

    Args:
        dummies: token ids of the demonstrations followed by each dummy query, as θ must not depend on one query.
    """
    return torch.stack([plain_states(lm, ids)[0] for ids in dummies]).mean(dim=0)


@torch.no_grad()
def plain_states(lm: LanguageModel, ids: Ids) -> tuple[Tensor, list[Tensor] | None, Tensor]:
    """The last token of a prompt: states after every block `[layer, hidden]`, the model's own hidden states, and the
    logits `[vocabulary]`.

    The model's own hidden states are those after its embedding and every block; None if it returns none. The last may
    come after the final norm.
    """
    states: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: states.append(block_hidden(output)[0, -1]))
        for block in lm.blocks
    ]
    with temporary_hooks(hooks):
        output = lm.model(torch.tensor([ids], device=lm.device), use_cache=False, output_hidden_states=True)
    own = getattr(output, "hidden_states", None)
    own = [state[0, -1] for state in own] if own and all(state.dim() == 3 for state in own) else None
    return torch.stack([state.to(lm.device) for state in states]), own, output.logits[0, -1]


@torch.no_grad()
def plain_answer(lm: LanguageModel, ids: Ids, answer_tokens: int = 1, change: Change = ()) -> tuple[Ids, Tensor]:
    """The greedy answer to a prompt, and the logits `[vocabulary]` of its first token.

    Later tokens of the answer see the interventions, as every one is a pass over the whole prompt.

    Args:
        change: interventions of one episode; none leave the prompt unchanged. θ patched in at a layer is
            `Intervention(layer, theta[layer][None])`.
    """
    logits: list[Tensor] = []
    whole = list(ids)
    with temporary_hooks([_hook(lm, intervention, len(ids)) for intervention in together(change)]):
        for _ in range(answer_tokens):
            logits.append(lm.model(torch.tensor([whole], device=lm.device), use_cache=False).logits[0, -1])
            whole.append(int(logits[-1].argmax()))
    return whole[len(ids) :], logits[0]


def together(change: Change) -> tuple[Intervention, ...]:
    """The interventions of one pass."""
    return (change,) if isinstance(change, Intervention) else change


def _hook(lm: LanguageModel, intervention: Intervention, length: int) -> Any:
    """The hook that puts vectors into the first `length` tokens of a pass."""

    def patched(states: Tensor) -> Tensor:
        return torch.cat([intervention.applied(states[:, :length]), states[:, length:]], dim=1)

    if intervention.site == "heads":
        mixer = lm.head_mixers[intervention.layer]
        return mixer.register_forward_pre_hook(lambda mixer, inputs: (patched(inputs[0]), *inputs[1:]))
    block = lm.blocks[intervention.layer]
    return block.register_forward_hook(lambda block, inputs, output: with_hidden(output, patched(block_hidden(output))))
