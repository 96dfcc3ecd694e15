"""Alternatives to θ: representations of a task side by side, on the same queries.

Layer, strength and number of heads are chosen on dev episodes, in common for all tasks; test episodes are reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import DEV, TEST, Episode, by_task
from taskvectors.data.prompts import regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import Ids, prompt_ids
from taskvectors.engine.costs import Passes, counted_passes
from taskvectors.engine.definition import Change
from taskvectors.engine.distribution import divergences
from taskvectors.engine.patch import AS_IT_IS, patched_answers, patched_states
from taskvectors.engine.unembed import next_tokens
from taskvectors.measuring.maps import Pairs
from taskvectors.measuring.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.names import CONTROL, REFERENCE, RIVAL
from taskvectors.progress import logger, track
from taskvectors.questions.rivals.context import Representation, Setting, TaskContext
from taskvectors.questions.rivals.heads import heads_of
from taskvectors.store.thetas import Thetas

NO_PAIRS: Mapping[str, Pairs] = {}
REGULAR, ZERO_SHOT = "regular", "zero_shot"
REFERENCES = {REGULAR: "demonstrations", ZERO_SHOT: "nothing (zero-shot)"}
FIRST = ["task", "seed", "split", "method", "predicted", "answer"]
NUMBERS = ("strength", "divergence", "forward", "backward")
COLUMNS = {
    "episode": "Int64",
    "layer": "Int64",
    "heads": "Int64",
    "correct": "boolean",
    "exact": "boolean",
    "left_out": object,
}
COLUMNS |= dict.fromkeys(NUMBERS, "Float64")


@dataclass(frozen=True)
class Answered:
    """Answers to test episodes.

    Attributes:
        episodes: of one task after the other.
        tokens: `[episode, token]`.
        final: final hidden states of the last token of the prompt `[episode, hidden]`.
        passes: what it took, reading included.
    """

    episodes: list[Episode]
    tokens: Tensor
    final: Tensor
    passes: Passes


def rivals(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, effects: pd.DataFrame, outputs: pd.DataFrame,
    representations: Mapping[str, Representation], settings: Mapping[str, Any], prefix_scored: Mapping[str, bool],
    answer_tokens: int, seed: int, pairs: Mapping[str, Pairs] = NO_PAIRS,
) -> pd.DataFrame:  # fmt: skip
    """Predictions of every representation: of dev episodes at all settings, of test episodes at those chosen; method
    is its name.

    Beside those of `predictions` columns label, kind (rival, control, reference), strength and heads. Of test episodes
    also `divergence`, Jensen–Shannon, in bits, of the next-token distribution from the regular prompt's; `forward` and
    `backward`, tokens passed through the model for an episode, where what is read once for a task is shared by its
    episodes; and `left_out`, why there is no prediction.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        effects, outputs: of heads (`taskvectors.questions.rivals.heads`).
        representations: by name.
        settings: `rivals` of the configuration.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
        pairs: states without and with demonstrations, by task.
    """
    context = context_of(lm, episodes, thetas, choice, effects, outputs, settings, seed, pairs)
    pools = context.pools
    everything = episodes_of(context, TEST, list(pools))
    regular = with_demonstrations(context, everything, answer_tokens)
    bare = as_they_are(lm, everything, answer_tokens)
    results = [(REGULAR, Setting(), regular), (ZERO_SHOT, Setting(), bare)]
    tables = list[pd.DataFrame]()
    chosen: dict[str, list[Setting]] = {}
    # Those that run at the setting of another come after it.
    order = sorted(representations, key=lambda name: representations[name].setting_of is not None)
    for name in track(order, len(order), "rivals", "representation"):
        representation = representations[name]
        why = {task: representation.unusable(context, task) for task in pools}
        usable = [task for task in pools if not why[task]]
        own = representation.settings(context) if usable else []
        tried = chosen.get(representation.setting_of or "", own) if usable else []
        if not tried:
            why |= {task: why[task] or "there is no layer below the top block" for task in usable}
        if len(tried) > 1:
            dev = episodes_of(context, DEV, usable)
            answers = on_dev(context, dev, name, representation, tried, prefix_scored, answer_tokens)
            tables.append(answers)
            tried = [best(answers, tried)]
        chosen[name] = tried
        for setting in tried:
            result = on_test(context, episodes_of(context, TEST, usable), representation, setting, answer_tokens)
            results.append((name, setting, result))
        tables += left_out(name, {task: reason for task, reason in why.items() if reason}, seed)
    far = from_regular(lm, [result for *_, result in results], everything, regular.final)
    for (name, setting, result), divergence in zip(results, far, strict=True):
        table = test_answers(lm, name, setting, result, prefix_scored)
        tables.append(table.assign(divergence=divergence.tolist()))
    place = {name: number for number, name in enumerate((REGULAR, ZERO_SHOT, *order))}
    together = pd.concat(tables).sort_values("method", key=lambda names: names.map(place), kind="stable")
    return with_labels(together.reset_index(drop=True), representations)


def context_of(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, effects: pd.DataFrame,
    outputs: pd.DataFrame, settings: Mapping[str, Any], seed: int, pairs: Mapping[str, Pairs] = NO_PAIRS,
) -> TaskContext:  # fmt: skip
    """What representations are made from. Arguments: see `rivals`."""
    common = int(choice["common_layer"].iloc[0])
    pools = by_task(e for e in episodes if e.seed == seed and e.split in (DEV, TEST))
    measured = {task: heads for task in pools if (heads := heads_of(effects, outputs, task)) is not None}
    layers = tried_layers(lm.layers, common, settings["layer_step"])
    layer = common if common < lm.layers - 1 else max(layers, default=None)
    return TaskContext(lm, pools, thetas, layers, layer, measured, settings, seed, pairs)


def left_out(name: str, why: Mapping[str, str], seed: int) -> list[pd.DataFrame]:
    """Rows of tasks that a representation is left out of, with the reason."""
    for task, reason in why.items():
        logger.warning("rivals: %s, %s: left out: %s", name, task, reason)
    row = {"seed": seed, "split": TEST, "method": name}
    return [pd.DataFrame([{"task": task, **row, "left_out": reason}]) for task, reason in why.items()]


def with_labels(table: pd.DataFrame, representations: Mapping[str, Representation]) -> pd.DataFrame:
    """All columns, with label and kind of every representation."""
    labels = REFERENCES | {name: representation.label for name, representation in representations.items()}
    kinds = {name: CONTROL if one.control else RIVAL for name, one in representations.items()}
    table = table.reindex(columns=[*FIRST, *COLUMNS]).astype(COLUMNS)
    return table.assign(label=table["method"].map(labels), kind=table["method"].map(kinds).fillna(REFERENCE))


def tried_layers(layers: int, common: int, step: int) -> list[int]:
    """Every `step`-th layer, the common one included; not the top one, which cannot use the query."""
    below = range(layers - 1)
    return list(below[common % step :: step]) or list(below)


def episodes_of(context: TaskContext, split: str, tasks: Sequence[str]) -> list[Episode]:
    """The episodes of several tasks on which rivals are chosen or tested."""
    return [episode for task in tasks for episode in context.episodes(split, task)]


def on_dev(
    context: TaskContext, episodes: list[Episode], name: str, representation: Representation, settings: Sequence[Setting],
    prefix_scored: Mapping[str, bool], answer_tokens: int,
) -> pd.DataFrame:  # fmt: skip
    """Predictions of dev episodes at every setting."""
    ids = representation.prompt_ids(context, episodes)
    changes = representation.changes(context, episodes, settings)
    tokens, _ = patched_answers(context.lm, ids, changes, answer_tokens, [e.name for e in episodes])
    tables = [
        predictions(context.lm, episodes, name, tokens[:, place], prefix_scored).assign(**setting._asdict())
        for place, setting in enumerate(settings)
    ]
    return pd.concat(tables, ignore_index=True)


def best(tried: pd.DataFrame, settings: Sequence[Setting]) -> Setting:
    """The setting of the best mean over tasks; the first on a tie."""
    places = {setting: place for place, setting in enumerate(settings)}
    keys = [
        Setting(*(None if pd.isna(cell) else cell for cell in row))
        for row in tried[list(Setting._fields)].itertuples(index=False)
    ]
    accuracy = tried["correct"].astype(float).groupby([tried["task"], [places[key] for key in keys]]).mean()
    return settings[int(accuracy.groupby(level=1).mean().idxmax())]


def on_test(
    context: TaskContext, episodes: list[Episode], representation: Representation, setting: Setting, answer_tokens: int
) -> Answered:
    """Test episodes with a representation put in."""
    context.spent.clear()
    with counted_passes(context.lm) as passes:
        ids = representation.prompt_ids(context, episodes)
        changes = representation.changes(context, episodes, [setting])
        final = patched_states(context.lm, ids, changes, [e.name for e in episodes])
    passes.forward += sum(context.spent.values())
    return answered(context.lm, episodes, ids, changes, final[:, 0], answer_tokens, passes)


def with_demonstrations(context: TaskContext, episodes: list[Episode], answer_tokens: int) -> Answered:
    """Test episodes with their demonstrations, from the final states that were stored when θ was read."""
    ids = prompt_ids(context.lm.tokenizer, [regular_prompt(episode) for episode in episodes])
    final = torch.from_numpy(context.thetas.regular_of_episodes(episode.key for episode in episodes)).to(
        context.lm.dtype
    )
    passes = Passes(forward=sum(map(len, ids)))
    return answered(context.lm, episodes, ids, [], final, answer_tokens, passes)


def as_they_are(lm: LanguageModel, episodes: list[Episode], answer_tokens: int) -> Answered:
    """Test episodes behind their bare queries, with nothing put in."""
    ids = prompt_ids(lm.tokenizer, [zero_shot_prompt(episode) for episode in episodes])
    with counted_passes(lm) as passes:
        final = patched_states(lm, ids, [AS_IT_IS], [e.name for e in episodes])
    return answered(lm, episodes, ids, [], final[:, 0], answer_tokens, passes)


def answered(
    lm: LanguageModel, episodes: list[Episode], ids: list[Ids], changes: Sequence[Change], final: Tensor, answer_tokens: int,
    passes: Passes,
) -> Answered:  # fmt: skip
    """The answers that follow from final states; those of several tokens take passes of their own."""
    if answer_tokens == 1:
        return Answered(episodes, next_tokens(lm, final.to(lm.device))[:, None], final, passes)
    tokens, bare = patched_answers(lm, ids, changes, answer_tokens, [e.name for e in episodes])
    return Answered(episodes, tokens[:, 0] if changes else bare, final, passes)


def from_regular(
    lm: LanguageModel, results: Sequence[Answered], episodes: Sequence[Episode], regular: Tensor
) -> list[Tensor]:
    """Of every result the divergences `[episode]` of next-token distributions from the regular prompts'.

    Args:
        episodes: of all tasks.
        regular: final states of their regular prompts `[episode, hidden]`.
    """
    place = {episode.name: number for number, episode in enumerate(episodes)}
    numbers = torch.tensor([place[episode.name] for result in results for episode in result.episodes])
    # Sorted by episode, so that every regular prompt's state is unembedded once.
    order = numbers.argsort(stable=True)
    far = torch.empty(len(numbers), dtype=torch.float64)
    final = torch.cat([result.final.cpu() for result in results])
    far[order] = divergences(lm, final[order], regular[numbers[order]]).double()
    return [*far.split([len(result.episodes) for result in results])]


def test_answers(
    lm: LanguageModel, name: str, setting: Setting, result: Answered, prefix_scored: Mapping[str, bool]
) -> pd.DataFrame:
    """Predictions of test episodes, with setting and cost."""
    table = predictions(lm, result.episodes, name, result.tokens, prefix_scored).assign(**setting._asdict())
    cost = {"forward": result.passes.forward, "backward": result.passes.backward}
    return table.assign(**{direction: passes / len(result.episodes) for direction, passes in cost.items()})
