"""How many heads a function vector needs: accuracy by their number, beside random heads of the same layers."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from taskvectors.data.episodes import TEST
from taskvectors.data.prompts import zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.definition import Change
from taskvectors.engine.heads import Head, put_in
from taskvectors.engine.patch import patched_answers
from taskvectors.measuring.predictions import observed, predictions
from taskvectors.names import ACCURACY
from taskvectors.progress import logger
from taskvectors.questions.rivals.context import TaskContext
from taskvectors.questions.rivals.representations.function_vector import FunctionVector
from taskvectors.questions.rivals.representations.random_heads import like

TOP, RANDOM = "top_heads", "random_heads"
NO_DOSES = pd.DataFrame(columns=["task", "episode", "measure", "subject", "states", "step", "value", "draw"])
Dose = tuple[str, int, int | None, Mapping[str, Sequence[Head]]]  # kind, number of heads, draw, and the heads by task


def doses(context: TaskContext, prefix_scored: Mapping[str, bool], answer_tokens: int) -> pd.DataFrame:
    """One row a test episode and dose: whether the bare query is answered right with the outputs of so many heads put
    in where they arise. `subject` is top_heads or random_heads, `step` the number of heads.

    Args:
        prefix_scored: by task, whether answers count by prefix.
    """
    vector = FunctionVector()
    usable = [task for task in context.pools if not vector.unusable(context, task)]
    episodes = [episode for task in usable for episode in context.episodes(TEST, task)]
    if not episodes:
        logger.warning("rivals: without doses: heads cannot be distinguished, or no task can be used")
        return NO_DOSES
    means, count = vector.outputs(context, episodes)
    wanted = doses_of(context, usable)
    changes: list[Change] = [put_in([heads[e.task] for e in episodes], means, count) for *_, heads in wanted]
    ids = prompt_ids(context.lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    tokens, _ = patched_answers(context.lm, ids, changes, answer_tokens, [episode.name for episode in episodes])
    tables = []
    for place, (kind, heads, draw, _) in enumerate(wanted):
        correct = predictions(context.lm, episodes, kind, tokens[:, place], prefix_scored)["correct"].astype(float)
        table = observed(episodes, ACCURACY, kind, torch.tensor(correct.to_numpy()), heads)
        tables.append(table.assign(draw=draw).astype({"draw": "Int64"}))
    return pd.concat(tables, ignore_index=True)


def doses_of(context: TaskContext, tasks: Sequence[str]) -> list[Dose]:
    """The heads of largest effect on other tasks, and random ones of the same layers, for every number of heads.

    All heads of a model leave none to draw.
    """
    count = next(iter(context.measured.values())).count
    available = context.lm.layers * count
    wanted: list[Dose] = []
    for heads in sorted({*(n for n in context.rivals["heads"] if n < available), available}):
        top = {task: context.measured[task].ranked[:heads] for task in tasks}
        wanted.append((TOP, heads, None, top))
        for draw in range(context.rivals["draws"]):
            drawn = {
                task: like(of_task, context.lm.layers, count, context.seed, "dose", task, str(draw))
                for task, of_task in top.items()
            }
            if all(len(of_task) == heads for of_task in drawn.values()):
                wanted.append((RANDOM, heads, draw, drawn))
    return wanted
