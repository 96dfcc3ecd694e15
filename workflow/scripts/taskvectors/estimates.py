"""What a study's rules read, for the time that jobs request and for `make plan`: from expressions in the questions'
entries."""

from collections.abc import Mapping
from typing import Any

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
    environment = SandboxedEnvironment()
    tokens: dict[str, Any] = {
        rule: environment.compile_expression(expression, undefined_to_none=False)({**config, **quantities})
        for rule, expression in reads.items()
    }
    return {rule: float(count) for rule, count in tokens.items()}
