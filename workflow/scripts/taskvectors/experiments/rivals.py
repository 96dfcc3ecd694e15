"""What else could stand in for the demonstrations: representations of a task side by side, on the same queries.

Layer, strength and number of heads are chosen on dev episodes, in common for all tasks; test episodes are reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from taskvectors.analysis.names import REFERENCE
from taskvectors.data.episodes import DEV, TEST, Episode, by_task
from taskvectors.data.prompts import regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import Ids, prompt_ids
from taskvectors.engine.costs import Passes, counted_passes
from taskvectors.engine.definition import Change
from taskvectors.engine.distribution import divergences
from taskvectors.engine.patch import patched_answers, patched_states
from taskvectors.engine.unembed import next_tokens
from taskvectors.experiments.measure_heads import heads_of
from taskvectors.experiments.predictions import predictions
from taskvectors.models.language_model import LanguageModel
from taskvectors.progress import logger, track
from taskvectors.representations.reading import Reading, Representation, Setting, kind_of, prompt_ids_for, why_unusable
from taskvectors.store.thetas import Thetas

REGULAR, ZERO_SHOT = "regular", "zero_shot"
REFERENCES = {REGULAR: "demonstrations", ZERO_SHOT: "nothing (zero-shot)"}
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
    """Answers to the test episodes of a task.

    Attributes:
        tokens: `[episode, token]`.
        final: final hidden states of the last token of the prompt `[episode, hidden]`.
        passes: what it took, reading included.
    """

    tokens: Tensor
    final: Tensor
    passes: Passes


def rivals(
    lm: LanguageModel, episodes: list[Episode], thetas: Thetas, choice: pd.DataFrame, effects: pd.DataFrame, means: pd.DataFrame,
    representations: Mapping[str, Representation], sizes: Mapping[str, Any], prefix: Mapping[str, bool], answer_tokens: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Predictions of every representation: of dev episodes at all settings, of test episodes at those chosen; method is its name.

    Beside those of `predictions` columns label, kind (rival, control, reference), strength and heads. Of test episodes also
    `divergence`, Jensen–Shannon, in bits, of the next-token distribution from the regular prompt's; `forward` and `backward`, tokens
    passed through the model for an episode, where what is read once for a task is shared by its episodes; and `left_out`, why there is
    no prediction.

    Args:
        episodes: of all main tasks.
        thetas: theirs.
        choice: `layer_choice.csv`.
        effects, means: of heads (`taskvectors.experiments.measure_heads`).
        representations: by name.
        sizes: `rivals` of the configuration.
        prefix: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    common = int(choice["common_layer"].iloc[0])
    tasks = by_task(e for e in episodes if e.seed == seed and e.split in (DEV, TEST))
    layers = tried_layers(lm.layers, common, sizes["layer_step"])
    readings = [
        Reading(lm, task, pool, thetas, layers, common, heads_of(effects, means, task), sizes, seed)
        for task, pool in tasks.items()
    ]
    regular = {reading.task: regular_states(reading, answer_tokens) for reading in readings}
    tables = [references(r, regular[r.task], prefix[r.task], answer_tokens) for r in readings]
    for name, representation in track(representations.items(), len(representations), "rivals", "representation"):
        why = {reading.task: why_unusable(representation, reading) for reading in readings}
        usable = [reading for reading in readings if not why[reading.task]]
        settings = representation.settings(usable[0]) if usable else []
        if len(settings) > 1:
            tried = [on_dev(r, name, representation, settings, prefix[r.task], answer_tokens) for r in usable]
            tables += tried
            settings = [best(pd.concat(tried, ignore_index=True), settings)]
        for reading in usable:
            answered = on_test(reading, representation, settings[0], answer_tokens)
            tables.append(reported(reading, name, settings[0], answered, regular[reading.task], prefix[reading.task]))
        for task, reason in why.items():
            if reason:
                logger.warning("rivals: %s, %s: left out: %s", name, task, reason)
                row = {"task": task, "seed": seed, "split": TEST, "method": name, "left_out": reason}
                tables.append(pd.DataFrame([row]))
    table = pd.concat(tables, ignore_index=True).astype(COLUMNS)
    labels = REFERENCES | {name: representation.LABEL for name, representation in representations.items()}
    kinds = {name: kind_of(representation) for name, representation in representations.items()}
    return table.assign(label=table["method"].map(labels), kind=table["method"].map(kinds).fillna(REFERENCE))


def tried_layers(layers: int, common: int, step: int) -> list[int]:
    """Every `step`-th layer, so that the common layer is among them; not the top one, which cannot use the query."""
    return list(range(common % step, max(layers - 1, 1), step))


def asked(reading: Reading, split: str) -> list[Episode]:
    """The episodes of a task that are taken: the first of its main experiment's."""
    return [episode for episode in reading.pool if episode.split == split][: reading.sizes[split]]


def on_dev(
    reading: Reading, name: str, representation: Representation, settings: Sequence[Setting], prefix: bool, answer_tokens: int
) -> pd.DataFrame:  # fmt: skip
    """Predictions of a task's dev episodes at every setting."""
    episodes = asked(reading, DEV)
    ids = prompt_ids_for(representation, reading, episodes)
    changes = representation.changes(reading, episodes, settings)
    tokens, _ = patched_answers(reading.lm, ids, changes, answer_tokens, [e.name for e in episodes])
    tables = [
        predictions(reading.lm, episodes, name, tokens[:, place], prefix).assign(**setting._asdict())
        for place, setting in enumerate(settings)
    ]
    return pd.concat(tables, ignore_index=True)


def best(tried: pd.DataFrame, settings: Sequence[Setting]) -> Setting:
    """The setting of the best mean over tasks; of equals the one that comes first."""
    places = {setting: place for place, setting in enumerate(settings)}
    keys = [
        Setting(*(None if pd.isna(cell) else cell for cell in row))
        for row in tried[list(Setting._fields)].itertuples(index=False)
    ]
    accuracy = tried["correct"].astype(float).groupby([tried["task"], [places[key] for key in keys]]).mean()
    return settings[int(accuracy.groupby(level=1).mean().idxmax())]


def on_test(reading: Reading, representation: Representation, setting: Setting, answer_tokens: int) -> Answered:
    """A task's test episodes with a representation put in."""
    episodes = asked(reading, TEST)
    reading.spent.clear()
    with counted_passes(reading.lm) as passes:
        ids = prompt_ids_for(representation, reading, episodes)
        (change,) = representation.changes(reading, episodes, [setting])
        final, _ = patched_states(reading.lm, ids, [change], [e.name for e in episodes])
    passes.forward += sum(reading.spent.values())
    return answered(reading, ids, [change], final[:, 0], answer_tokens, passes)


def regular_states(reading: Reading, answer_tokens: int) -> Answered:
    """A task's test episodes with their demonstrations."""
    return as_they_are(reading, [regular_prompt(episode) for episode in asked(reading, TEST)], answer_tokens)


def as_they_are(reading: Reading, prompts: list[str], answer_tokens: int) -> Answered:
    """The test episodes of a task behind these prompts, with nothing put in."""
    ids = prompt_ids(reading.lm.tokenizer, prompts)
    with counted_passes(reading.lm) as passes:
        _, final = patched_states(reading.lm, ids, [], [e.name for e in asked(reading, TEST)])
    return answered(reading, ids, [], final, answer_tokens, passes)


def answered(
    reading: Reading, ids: list[Ids], changes: Sequence[Change], final: Tensor, answer_tokens: int, passes: Passes
) -> Answered:  # fmt: skip
    """The answers that follow from final states; those of several tokens take passes of their own."""
    if answer_tokens == 1:
        return Answered(next_tokens(reading.lm, final.to(reading.lm.device))[:, None], final, passes)
    tokens, bare = patched_answers(reading.lm, ids, changes, answer_tokens, [e.name for e in asked(reading, TEST)])
    return Answered(tokens[:, 0] if changes else bare, final, passes)


def references(reading: Reading, regular: Answered, prefix: bool, answer_tokens: int) -> pd.DataFrame:
    """What representations stand between: the prompts with their demonstrations, and the bare queries."""
    bare = as_they_are(reading, [zero_shot_prompt(episode) for episode in asked(reading, TEST)], answer_tokens)
    tables = [
        reported(reading, name, Setting(), its, regular, prefix)
        for name, its in ((REGULAR, regular), (ZERO_SHOT, bare))
    ]
    return pd.concat(tables, ignore_index=True)


def reported(
    reading: Reading, name: str, setting: Setting, its: Answered, regular: Answered, prefix: bool
) -> pd.DataFrame:
    """Predictions of a task's test episodes, with setting, divergence and cost."""
    episodes = asked(reading, TEST)
    table = predictions(reading.lm, episodes, name, its.tokens, prefix).assign(**setting._asdict())
    table["divergence"] = divergences(reading.lm, its.final, regular.final).tolist()
    cost = {"forward": its.passes.forward, "backward": its.passes.backward}
    return table.assign(**{way: passes / max(1, len(episodes)) for way, passes in cost.items()})
