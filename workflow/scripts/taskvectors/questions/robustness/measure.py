"""What shakes θ: other templates, wrong answers, more or fewer demonstrations, an instruction in their place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from taskvectors.data.episodes import TEST, Episode, answers_by_input, by_task, first_of_tasks
from taskvectors.data.sampling import episode_rng
from taskvectors.data.templates import OWN, Template
from taskvectors.data.tokens import FITS, Ids, fates, prompt_ids, prompt_ids_of_each
from taskvectors.engine.definition import Intervention
from taskvectors.engine.patch import patched_answers
from taskvectors.engine.read import read_theta
from taskvectors.engine.unembed import next_tokens
from taskvectors.measuring.answer_loss import Pairs
from taskvectors.measuring.predictions import observed, observed_accuracy
from taskvectors.measuring.vectors import of_next_task
from taskvectors.models.language_model import LanguageModel, context_length
from taskvectors.progress import logger, track
from taskvectors.questions.robustness.names import (
    ASPECTS,
    CENTRED,
    COSINE,
    INSTRUCTION,
    NO_TASK,
    NUMBER,
    OTHER_TASK,
    PUBLISHED,
    REGULAR,
    TEMPLATE,
    THETA,
    WRONG,
)
from taskvectors.store.thetas import shared_by_tasks

PLAIN = "x"  # a query that no tokenizer joins with what follows
LACKS = dict.fromkeys(ASPECTS, "its prompts are longer than the model reads") | {
    NUMBER: "it has too few pairs for its numbers, or none that last, or its prompts are longer than the model reads",
    PUBLISHED: "it has too few pairs for its numbers, or none that last, or its prompts are longer than the model reads",
    WRONG: "its rule is that of an episode, or an input has no wrong answer, or its prompts are longer than the model reads",
    INSTRUCTION: "it has no such instruction, or its prompts are longer than the model reads",
}


@dataclass(frozen=True)
class Condition:
    """Prompts that θ is read from.

    Attributes:
        aspect, level: what is changed, and how far.
        template: of the prompts.
        episodes: whose queries and dummy queries are asked.
        demos: of each episode.
        instruction: by task, a line above the demonstrations; none of a task that is not there.
        targets: templates of the bare queries that θ is put into.
    """

    aspect: str
    level: str
    template: str
    episodes: list[Episode]
    demos: list[Pairs]
    targets: Sequence[str]
    instruction: Mapping[str, str]


def robustness(
    lm: LanguageModel, episodes: list[Episode], choice: pd.DataFrame, settings: Mapping[str, Any],
    templates: Mapping[str, Template], instructions: Mapping[str, Sequence[str]], drawn_anew: Sequence[str],
    prefix_scored: Mapping[str, bool], seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row an episode, measure, `aspect` and `level` of the change, and template that θ is put into (`target`): the
    answer with the whole prompt (`regular`), with θ in the bare query (`theta`), and cosines of θ with θ of the
    study's own prompts. Answers are compared by their first token. Or one a task that is left out, with the reason.

    Args:
        episodes: of all main tasks.
        choice: `layer_choice.csv`.
        settings: `robustness` of the configuration.
        templates: by name, the study's own among them.
        instructions: wordings of every task that has any.
        drawn_anew: tasks whose rule is that of an episode: other episodes have no demonstrations for it.
        prefix_scored: by task, whether answers count by prefix.
        seed: the study seed whose episodes are taken.
    """
    layer = int(choice["common_layer"].iloc[0])
    pools = by_task(episode for episode in episodes if episode.seed == seed)
    every = first_of_tasks(episodes, TEST, seed, 10**9)
    usable, tables = usable_templates(lm, every, templates), [_nothing()]
    tables += [left_out("", TEMPLATE, name, why) for name, why in usable.items() if why]
    names = [name for name, why in usable.items() if not why]
    test = first_of_tasks(fitting(lm, every, [templates[name] for name in names]), TEST, seed, settings["episodes"])
    lost = [task for task in by_task(every) if task not in by_task(test)]
    why = "no query keeps its end and has an answer of one token in every template"
    tables += [left_out(task, "", "", why) for task in lost]
    if not test:
        return pd.concat(tables, ignore_index=True)
    conditions = list(conditions_of(test, pools, settings, names, instructions, drawn_anew, seed))
    vectors = dict[tuple[str, str], tuple[list[Episode], Tensor]]()
    for whole in track(conditions, len(conditions), "robustness", "condition"):
        condition = within_context(lm, whole, templates)
        for task in by_task(test):
            if task not in by_task(condition.episodes):
                tables.append(left_out(task, condition.aspect, condition.level, LACKS[condition.aspect]))
        if not condition.episodes:
            continue
        theta, regular = read(lm, condition, templates)
        vectors[condition.aspect, condition.level] = condition.episodes, theta[:, layer]
        labels = {"aspect": condition.aspect, "level": condition.level}
        for target in condition.targets:
            tokens = put_in(lm, condition.episodes, theta[:, layer], layer, templates[target])
            answers = rows(lm, condition.episodes, THETA, tokens, prefix_scored)
            tables.append(answers.assign(**labels, target=target))
        answers = rows(lm, condition.episodes, REGULAR, regular, prefix_scored)
        tables.append(answers.assign(**labels, target=condition.template))
    if (TEMPLATE, OWN) in vectors:
        tables += with_other_task(lm, test, vectors, layer, templates[OWN], prefix_scored)
        tables += cosines(vectors)
    return pd.concat(tables, ignore_index=True)


def fitting(lm: LanguageModel, episodes: Sequence[Episode], templates: Sequence[Template]) -> list[Episode]:
    """The episodes that compare in every template: the answer is one token behind the query, and no prompt ends in a
    token that is joined with its query or dummy queries."""
    kept = [True] * len(episodes)
    for template in templates:
        pairs = [(template.prompt((), e.query), template.answer(e.answers[0])) for e in episodes]
        one_token = [fate == FITS for fate in fates(lm.tokenizer, pairs, 1)]
        whole = iter(keeps_its_end(lm, template, [x for e in episodes for x in (e.query, *e.dummies)]))
        ends = [all(list(islice(whole, 1 + len(e.dummies)))) for e in episodes]
        kept = [all(of_episode) for of_episode in zip(kept, one_token, ends, strict=True)]
    return [episode for episode, keeps in zip(episodes, kept, strict=True) if keeps]


def keeps_its_end(lm: LanguageModel, template: Template, queries: Sequence[str]) -> list[bool]:
    """Whether each query's prompt ends with the template's own token, where θ is read."""
    plain, *ids = prompt_ids(lm.tokenizer, [template.prompt((), query) for query in (PLAIN, *queries)])
    return [one[-1] == plain[-1] for one in ids]


def usable_templates(
    lm: LanguageModel, episodes: Sequence[Episode], templates: Mapping[str, Template]
) -> dict[str, str]:
    """By template why it is left out; empty if it is not.

    A template is left out whose end the tokenizer joins with most queries; the study's own stays, without these
    queries.
    """
    why = dict.fromkeys(templates, "")
    for name, template in templates.items():
        ends = keeps_its_end(lm, template, [episode.query for episode in episodes])
        if name != OWN and 2 * sum(ends) < len(ends):
            why[name] = "the tokenizer joins the end of the prompt with the query"
    return why


def conditions_of(
    episodes: list[Episode], pools: Mapping[str, list[Episode]], settings: Mapping[str, Any], templates: Sequence[str],
    instructions: Mapping[str, Sequence[str]], drawn_anew: Sequence[str], seed: int,
) -> Iterator[Condition]:  # fmt: skip
    """All conditions, the study's own prompts first.

    Args:
        templates: names of those that are usable.
    """
    shown: list[Pairs] = [episode.demos for episode in episodes]
    basis = Condition(TEMPLATE, OWN, OWN, episodes, shown, templates, {})
    yield basis
    for name in templates:
        if name != OWN:
            yield replace(basis, level=name, template=name)
    lasting = [e for e in episodes if e.task not in drawn_anew]
    some = [e for e in lasting if can_be_wrong(e, pools[e.task])]
    for percent in shares_of_wrong(some, settings["wrong"]):
        demos = [with_wrong_answers(e, pools[e.task], percent, seed) for e in some]
        yield Condition(WRONG, f"{percent}", OWN, some, demos, [OWN], {})
    own = {len(episode.demos) for episode in lasting}
    if len(own) == 1:  # of several there would be no order
        yield from of_numbers(basis, lasting, sorted({*settings["demonstrations"], *own}), pools, seed)
    if settings["published"]["template"] in templates:
        count, template = settings["published"]["demonstrations"], settings["published"]["template"]
        (named,) = of_numbers(basis, lasting, [count], pools, seed)
        yield replace(named, aspect=PUBLISHED, template=template, targets=[template])
    most = max((len(instructions.get(task, ())) for task in by_task(episodes)), default=0)
    for place in range(most):
        instructed = [e for e in episodes if len(instructions.get(e.task, ())) > place]
        wording = {task: instructions[task][place] for task in by_task(instructed)}
        nothing: list[Pairs] = [()] * len(instructed)
        yield Condition(INSTRUCTION, f"{place + 1}", OWN, instructed, nothing, [OWN], wording)
    if len(by_task(episodes)) > 1:
        yield replace(basis, aspect=NO_TASK, level="", demos=of_many_tasks(episodes), targets=[OWN])


def of_numbers(
    basis: Condition, episodes: Sequence[Episode], counts: Sequence[int], pools: Mapping[str, list[Episode]], seed: int
) -> Iterator[Condition]:
    """The first demonstrations of an episode, and further pairs of the task where it has too few.

    Of the tasks alone that have enough pairs for all numbers, so that these compare.
    """
    longest = {e.key: extended(e, pools[e.task], max(counts), seed) for e in episodes}
    short = {e.task for e in episodes if len(longest[e.key]) < max(counts)}
    some = [e for e in episodes if e.task not in short]
    for count in counts:
        demos = [longest[e.key][:count] for e in some]
        yield Condition(NUMBER, f"{count}", basis.template, some, demos, [basis.template], {})


def within_context(lm: LanguageModel, condition: Condition, templates: Mapping[str, Template]) -> Condition:
    """The condition without episodes whose prompts are longer than the model reads."""
    context = context_length(lm.model.config)
    if not context:
        return condition
    longest = [max(map(len, ids)) for ids in prompts_of(lm, condition, templates)]
    places = [place for place, length in enumerate(longest) if length <= context]
    episodes, demos = [condition.episodes[place] for place in places], [condition.demos[place] for place in places]
    return replace(condition, episodes=episodes, demos=demos)


def prompts_of(lm: LanguageModel, condition: Condition, templates: Mapping[str, Template]) -> list[list[Ids]]:
    """Of every episode the prompts of its query and of its dummy queries."""
    template, texts = templates[condition.template], list[list[str]]()
    for episode, demos in zip(condition.episodes, condition.demos, strict=True):
        instruction = condition.instruction.get(episode.task, "")
        texts.append([template.prompt(tuple(demos), x, instruction) for x in (episode.query, *episode.dummies)])
    return prompt_ids_of_each(lm.tokenizer, texts)


def shares_of_wrong(episodes: Sequence[Episode], wanted: Sequence[int]) -> list[int]:
    """The shares that there can be, in percent: of three demonstrations 33, 67 and 100; as wanted where episodes have
    different numbers of demonstrations."""
    numbers = {len(episode.demos) for episode in episodes}
    if len(numbers) != 1:
        return sorted(wanted)
    number = max(numbers)
    counts = {round(percent * number / 100) for percent in wanted} - {0}
    return sorted(round(100 * count / number) for count in counts)


def extended(episode: Episode, pool: Sequence[Episode], count: int, seed: int) -> Pairs:
    """So many demonstrations, its own first; fewer if the task's episodes have no more pairs."""
    used = {text for pair in episode.demos for text in pair}  # a bijection's answer is an input of its other direction
    used |= {episode.query, *episode.answers, *episode.dummies}
    further = sorted((x, answers[0]) for x, answers in answers_by_input(pool).items() if x not in used)
    episode_rng(seed, "more demonstrations", episode.task, episode.episode).shuffle(further)
    return [*episode.demos, *further][:count]


def can_be_wrong(episode: Episode, pool: Sequence[Episode]) -> bool:
    """Whether every demonstration can have a wrong answer."""
    answers = answers_by_input(pool)
    every = {one[0] for one in answers.values()}
    return all(every - {y, *answers.get(x, ())} for x, y in episode.demos)


def with_wrong_answers(episode: Episode, pool: Sequence[Episode], percent: int, seed: int) -> Pairs:
    """A share of the demonstrations, rounded, with answers of other inputs; those of a smaller share are among those
    of a larger one."""
    answers = answers_by_input(pool)
    every = sorted({one[0] for one in answers.values()})
    rng = episode_rng(seed, "wrong answers", episode.task, episode.episode)
    wrong = [rng.choice([y for y in every if y != own and y not in answers.get(x, ())]) for x, own in episode.demos]
    changed = rng.sample(range(len(wrong)), len(wrong))[: round(len(wrong) * percent / 100)]
    return [(x, wrong[place] if place in changed else y) for place, (x, y) in enumerate(episode.demos)]


def of_many_tasks(episodes: Sequence[Episode]) -> list[Pairs]:
    """As many demonstrations as each episode has, each of another task that is not its own."""
    tasks = by_task(episodes)
    names = sorted(tasks)
    demos = list[Pairs]()
    for episode in episodes:
        start = names.index(episode.task) + 1
        others = [*names[start:], *names[: start - 1]]
        own = len(episode.demos)
        shown = {name: [pair for e in tasks[name] for pair in e.demos if pair[0] != episode.query] for name in others}
        sources = [shown[others[place % len(others)]] for place in range(own)]
        demos.append([pairs[place % len(pairs)] for place, pairs in enumerate(sources) if pairs])
    return demos


def read(lm: LanguageModel, condition: Condition, templates: Mapping[str, Template]) -> tuple[Tensor, Tensor]:
    """θ of every episode `[episode, layer, hidden]`, and the answers `[episode, token]` to the whole prompts."""
    ids, names = prompts_of(lm, condition, templates), [episode.name for episode in condition.episodes]
    theta, _, final = read_theta(lm, [own[1:] for own in ids], [own[:1] for own in ids], names)
    return theta, next_tokens(lm, final)[:, None]


def put_in(lm: LanguageModel, episodes: list[Episode], theta: Tensor, layer: int, template: Template) -> Tensor:
    """Answers `[episode, token]` to bare queries in a template, with vectors `[episode, hidden]` put in."""
    ids = prompt_ids(lm.tokenizer, [template.prompt((), episode.query) for episode in episodes])
    change = Intervention(layer, theta)
    return patched_answers(lm, ids, [change], 1, [episode.name for episode in episodes])[0][:, 0]


def with_other_task(
    lm: LanguageModel, episodes: list[Episode], vectors: Mapping[tuple[str, str], tuple[list[Episode], Tensor]], layer: int,
    template: Template, prefix_scored: Mapping[str, bool],
) -> list[pd.DataFrame]:  # fmt: skip
    """Answers with θ of an episode of another task, as a control; none for a single task."""
    others = of_next_task(episodes)
    if others is None:
        return []
    place = {episode.key: number for number, episode in enumerate(episodes)}
    theta = vectors[TEMPLATE, OWN][1][[place[other.key] for other in others]]
    answers = rows(lm, episodes, THETA, put_in(lm, episodes, theta, layer, template), prefix_scored)
    return [answers.assign(aspect=OTHER_TASK, level="", target=OWN)]


def cosines(vectors: Mapping[tuple[str, str], tuple[list[Episode], Tensor]]) -> list[pd.DataFrame]:
    """Cosines of the θ of every condition with θ of the study's own prompts: as read, and of both less their means
    over tasks; of a single task as read alone."""
    basis = dict(zip((e.key for e in vectors[TEMPLATE, OWN][0]), vectors[TEMPLATE, OWN][1], strict=True))
    tables = []
    for (aspect, level), (episodes, theta) in vectors.items():
        own = torch.stack([basis[episode.key] for episode in episodes]) if episodes else theta
        tasks = [episode.task for episode in episodes]
        pairs = {COSINE: (theta, own)}
        if len(set(tasks)) > 1:
            pairs[CENTRED] = (centred(theta, tasks), centred(own, tasks))
        for measure, (one, other) in pairs.items():
            values = torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=-1)
            table = observed(episodes, measure, "", values)[["task", "episode", "measure", "value"]]
            tables.append(table.assign(aspect=aspect, level=level, target=OWN))
    return tables


def centred(theta: Tensor, tasks: Sequence[str]) -> Tensor:
    """θ `[episode, hidden]` less what the θ of all tasks share."""
    values = theta.double()
    return values - torch.from_numpy(shared_by_tasks(values.numpy(), np.array(tasks)))


def _nothing() -> pd.DataFrame:
    """No row, with all columns."""
    columns = ["task", "episode", "measure", "aspect", "level", "target", "value", "left_out"]
    return pd.DataFrame(columns=columns).astype({"value": float})


def left_out(task: str, aspect: str, level: str, why: str) -> pd.DataFrame:
    """A row of a task, of a template, or of both, without numbers, with the reason."""
    logger.warning("robustness: %s: left out: %s", ", ".join(filter(None, (task, aspect, level))), why)
    return pd.DataFrame([{"task": task, "aspect": aspect, "level": level, "measure": THETA, "left_out": why}])


def rows(
    lm: LanguageModel, episodes: list[Episode], measure: str, tokens: Tensor, prefix_scored: Mapping[str, bool]
) -> pd.DataFrame:
    """Whether answers are right, as observations."""
    right = observed_accuracy(lm, episodes, "", tokens, prefix_scored)
    return right.assign(measure=measure)[["task", "episode", "measure", "value"]]
