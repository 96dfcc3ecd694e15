"""What a study's rules read, and what its claims can tell: from expressions in the questions' entries.

For the time that jobs request, and for `make plan`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jinja2.sandbox import SandboxedEnvironment

from taskvectors.sizing import DEMONSTRATION, QUERY

HEADS = 512  # of a model, halved as one pass up runs them all: their effects


def tokens_read(reads: Mapping[str, str], config: Mapping[str, Any], tasks: int, pairs: int) -> dict[str, float]:
    """Tokens that every model rule reads per model, a token counting as one pass through all blocks.

    Args:
        reads: by rule, an expression (Jinja) of settings (`episodes.test`) and of these quantities: `tasks` and
            `pairs`; `demonstration` and `query`, their tokens; `prompt`, of a query and dummies behind demonstrations;
            `patched`, of a query patched at every layer; `read` and `bare`, episodes a task with demonstrations and
            without; `heads`.
        config: of the study.
        tasks: their number.
        pairs: of conflicting tasks.
    """
    episodes, repeats = config["episodes"], config["episodes"]["repeats"]
    further = len(config["study"]["seeds"]) - 1
    quantities = {
        "tasks": tasks,
        "pairs": pairs,
        "demonstration": DEMONSTRATION,
        "query": QUERY,
        "prompt": episodes["demonstrations"] * DEMONSTRATION + (1 + episodes["dummies"]) * QUERY,
        # Patched at every layer, a query costs half a pass per layer for its last token; half of 32 layers is typical.
        "patched": QUERY + 16,
        "read": episodes["dev"] + episodes["test"] + further * (repeats["dev"] + repeats["test"]),
        "bare": episodes["baseline"] + further * repeats["baseline"],
        "heads": HEADS,
    }
    return {rule: float(_value(expression, {**config, **quantities})) for rule, expression in reads.items()}


class Planned(NamedTuple):
    """A job that would run.

    Attributes:
        rule: its name.
        model: the model that it computes with; None for a job on all models.
        share: the part of the rule's work for this model: a rule may have a job for every family of tasks.
    """

    rule: str
    model: str | None
    share: float = 1.0


def tokens_of(jobs: Iterable[Planned], tokens: Mapping[str, float]) -> float:
    """Tokens that jobs read, of those that their rules read in the whole study (see `tokens_read`)."""
    return sum(job.share * tokens.get(job.rule, 0.0) for job in jobs)


def scaled_hours(
    resources: Iterable[Mapping[str, str]], known: Mapping[str, float], tokens: Mapping[str, float],
    jobs: Iterable[Planned],
) -> dict[str, float]:  # fmt: skip
    """Hours that jobs would take on the machine of a known study, added up, by model.

    A model is left out if the known study did not have it, or if a job loads it whose rule did not run there.

    Args:
        resources: rows of `resources.csv` of the known study.
        known: tokens that its rules read (see `tokens_read`).
        tokens: the same of the other study.
        jobs: of the other.
    """
    took = {(row["model"], row["rule"]): row for row in resources}
    hours: dict[str, float] = {}
    for rule, model, share in jobs:
        row, loads = took.get((str(model), rule)), rule in tokens
        if row is None:  # what is not listed takes little, unless it loads the model
            seconds = math.nan if loads else 0.0
        elif loads:
            seconds = float(row["seconds"]) * share * tokens[rule] / (known.get(rule) or math.nan)
        else:
            seconds = float(row["seconds"]) / int(row["jobs"])
        hours[str(model)] = hours.get(str(model), 0.0) + seconds / 3600
    models = {model for model, _ in took}
    return {model: each for model, each in hours.items() if model in models and not math.isnan(each)}


def half_widths(
    conclusions: Iterable[Mapping[str, str]], judged_on: Mapping[tuple[str, str], str], known: Mapping[str, Any],
    config: Mapping[str, Any],
) -> dict[str, tuple[str, float, float, float]]:  # fmt: skip
    """What claims can tell: by claim its statement, threshold, and the half-width of its interval in a study that is
    known and, estimated, in another: half-widths fall with the square root of episodes.

    Args:
        conclusions: rows of `conclusions.csv` of the known study; of several models the widest counts.
        judged_on: by question and the beginning of a claim's name the episodes a task that it is judged on.
        known: configuration of the known study.
        config: of the other.
    """
    widths: dict[str, tuple[str, float, float, float]] = {}
    for row in conclusions:
        beginnings = [
            name for question, name in judged_on if question == row["question"] and row["claim"].startswith(name)
        ]
        if not beginnings or not row["value_low"]:
            continue
        half = (float(row["value_high"]) - float(row["value_low"])) / 2
        size = judged_on[row["question"], max(beginnings, key=len)]
        episodes, known_episodes = (float(_value(size, settings)) for settings in (config, known))
        if half > widths.get(row["claim"], ("", 0.0, 0.0, 0.0))[2]:
            estimate = half * (known_episodes / episodes) ** 0.5
            widths[row["claim"]] = row["statement"], float(row["threshold"]), half, estimate
    return widths


def _value(expression: str, quantities: Mapping[str, Any]) -> Any:
    return SandboxedEnvironment().compile_expression(expression, undefined_to_none=False)({**quantities})
