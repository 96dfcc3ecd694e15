"""One θ per arrow: a prompt of queries without answers, with a θ at every arrow (TaskV-M, Dong 2026).

The lines before the query show other inputs of the task. Their arrows get θ of as many other episodes, the last the
episode's own.
"""

from collections.abc import Sequence

import torch

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import unanswered_prompts
from taskvectors.data.sampling import episode_rng
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Change, Intervention
from taskvectors.errors import StudyError
from taskvectors.questions.rivals.context import AtThetasLayer, Setting, TaskContext, layer_of


class ThetaPerArrow(AtThetasLayer):
    label = "one θ per arrow"

    def prompts(self, context: TaskContext, episodes: list[Episode]) -> list[str]:
        return [lines(context, episode)[-1] for episode in episodes]

    def changes(self, context: TaskContext, episodes: list[Episode], settings: Sequence[Setting]) -> list[Change]:
        layer, arrows = layer_of(settings), arrow_positions(context, episodes)
        dtype = context.theta(episodes[:1]).dtype
        vectors = torch.zeros(len(episodes), arrows.shape[1], context.lm.hidden, dtype=dtype)
        for place, episode in enumerate(episodes):
            vectors[place] = context.theta([episode])[:, layer]
            others = context.others(episode)[: arrows.shape[1] - 1]
            if others:
                theta = context.theta(others)[:, layer]
                vectors[place, :-1] = theta[torch.arange(arrows.shape[1] - 1) % len(others)]
        return [Intervention(layer, vectors, positions=arrows)]


def lines(context: TaskContext, episode: Episode) -> list[str]:
    """The text up to every arrow; the last is the whole prompt."""
    rng = episode_rng(context.seed, "arrows", episode.task, episode.split, episode.episode)
    others = [x for x in context.inputs(episode.task) if x != episode.query]
    shown = rng.sample(others, min(len(episode.demos), len(others)))
    return unanswered_prompts([*shown, episode.query])


def arrow_positions(context: TaskContext, episodes: list[Episode]) -> torch.Tensor:
    """Positions of the arrows of each prompt `[episode, arrow]`, from its end; with fewer arrows the first is
    repeated."""
    texts = [lines(context, episode) for episode in episodes]
    upto = prompt_ids_of_each(context.lm.tokenizer, texts)
    whole = prompt_ids(context.lm.tokenizer, [of_episode[-1] for of_episode in texts])
    most = max(map(len, upto))
    positions = torch.empty(len(episodes), most, dtype=torch.long)
    for place, (parts, ids) in enumerate(zip(upto, whole, strict=True)):
        # An arrow may share its token with the line's end (Qwen): what comes before it must be the same.
        if any(part[:-1] != ids[: len(part) - 1] for part in parts):
            raise StudyError(
                f"{episodes[place].name}: the tokenizer joins lines, so that arrows cannot be found. Leave theta_per_arrow out of "
                "`rivals: representations`."
            )
        at = [len(part) - 1 - len(ids) for part in parts]
        positions[place] = torch.tensor([at[0]] * (most - len(at)) + at)
    return positions


representation = ThetaPerArrow()
