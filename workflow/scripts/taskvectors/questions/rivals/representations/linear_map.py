"""A linear map of the query's own bare state, fitted by ridge regression on states of other queries (Kwon et al. 2026,
arXiv 2605.20730).

"""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.engine.read import read_states_at
from taskvectors.measuring.maps import best_penalty, fitted
from taskvectors.questions.rivals.context import Setting, TaskContext, layer_of
from taskvectors.questions.rivals.representations.state_offset import StateOffset


class MappedState(StateOffset):
    label = "linear map of the query's state"

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer, names = layer_of(settings), [episode.name for episode in episodes]
        ids = prompt_ids_of_each(context.lm.tokenizer, [[zero_shot_prompt(episode)] for episode in episodes])
        bare = torch.cat(read_states_at(context.lm, ids, layer, names)).double()
        penalties = {task: best_penalty(context.pairs[task]) for task in {episode.task for episode in episodes}}
        maps = [fitted(context.pairs_for(episode), penalties[episode.task]) for episode in episodes]
        states = torch.stack([linear.of(state) for linear, state in zip(maps, bare, strict=True)])
        return [Intervention(layer, states.float())]


representation = MappedState()
