"""How θ forms: the state after 0, 1, … all demonstrations of one prompt, in θ's place at the layer chosen for the
task."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch.nn.functional import cosine_similarity

from taskvectors.data.episodes import TEST, Episode, by_task, first_of_tasks
from taskvectors.data.prompts import growing_prompts, zero_shot_prompt
from taskvectors.data.scoring import scored
from taskvectors.data.tokens import prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Intervention
from taskvectors.engine.patch import patched_answers
from taskvectors.engine.read import read_prefixes
from taskvectors.measuring.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.observations.rows import main_tasks
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas, shared_by_tasks

METHOD = "theta_after"


def forming(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, prefix_scored: Mapping[str, bool],
    answer_tokens: Mapping[str, int], count: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Predictions with columns demonstrations (k), cosine (of the state and the episode's θ) and cosine_centred (of
    both less what main tasks share).

    Args:
        episodes: of all tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        prefix_scored: by task, whether answers count by prefix.
        answer_tokens: by task.
        count: test episodes of each task.
        seed: the study seed whose episodes these are.
    """
    tasks = by_task(first_of_tasks(episodes, TEST, seed, count))
    chosen = choice.set_index("task")["layer"]
    main = thetas.of_tasks(main_tasks(choice)["task"], TEST, seed)
    shared = torch.from_numpy(shared_by_tasks(main.theta, main.tasks))
    tables = [scored([], METHOD, prefix_scored).assign(demonstrations=0, cosine=0.0, cosine_centred=0.0)]
    for task, test in track(tasks.items(), len(tasks), "form_theta"):
        layer, names = int(chosen[task]), [episode.name for episode in test]
        own = torch.from_numpy(thetas.of_episodes(episode.key for episode in test)[:, layer])
        mean = shared[layer]
        prefixes = prompt_ids_of_each(lm.tokenizer, [growing_prompts(episode) for episode in test])
        states = read_prefixes(lm, prefixes, layer, names).float()
        ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in test])
        changes = [Intervention(layer, after) for after in states.unbind(dim=1)]
        tokens, _ = patched_answers(lm, ids, changes, answer_tokens[task], names)
        for k, after in enumerate(states.unbind(dim=1)):
            table = predictions(lm, test, METHOD, tokens[:, k, None], prefix_scored, [layer]).assign(demonstrations=k)
            table["cosine"] = cosine_similarity(after, own, dim=-1).tolist()
            table["cosine_centred"] = cosine_similarity(after - mean, own - mean, dim=-1).tolist()
            tables.append(table)
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
