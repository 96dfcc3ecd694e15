"""What comes of θ beside gradient descent, in sentences; every number from the study's tables."""

from collections.abc import Iterator

import pandas as pd

from taskvectors.analysis.conclusions import NO_BASIS, REFUTED, SHOWN, UNDECIDED
from taskvectors.analysis.gradient_measures import (
    ACCURACY,
    CONTROLS,
    DESCENT,
    DIRECTION,
    DIVERGENCE,
    FEW,
    GRADIENT,
    INCREMENT,
    LOSS,
    ONLINE,
    ORDER,
    RANDOM_WEIGHTS,
    SHUFFLED,
    SPREAD,
    THETA,
    V0,
    WAYS,
)
from taskvectors.analysis.names import ALL, CENTRED, Tables
from taskvectors.report.cells import Config, decimal, percent

# The claims, as what is to be expected if reading demonstrations were gradient descent on θ.
EXPECTED = {
    "lowers_loss": "θ lowers the loss that descent lowers",
    "along_gradient": "θ moves along the gradient",
    "increments_along_gradient": "a demonstration moves θ along its own gradient, on average",
    "few_steps": f"{FEW} steps do as much as θ",
    "order_as_online": "θ depends on order as online descent does",
}


def gradient_words(tables: Tables, config: Config) -> str:
    """The answer, a paragraph a model (Markdown); nothing of a study without it."""
    if "gradient" not in tables or tables["gradient"].empty:
        return ""
    table = tables["gradient"]
    paragraphs = []
    for model, rows in table[table["task"] == ALL].groupby("model", sort=False):
        label = config["models"][model]["label"]
        if rows["left_out"].notna().any():
            paragraphs.append(f"**{label}** is left out: {rows['left_out'].dropna().iloc[0]}.")
            continue
        verdicts = tables["conclusions"]
        answer = _answer(verdicts[verdicts["model"] == model])
        paragraphs.append(f"**{label}**: {' '.join([answer, *_of_model(rows)])}")
    return "\n\n".join(paragraphs)


METHODS = """**Gradient descent** is that of a vector v in the place of the last token's state after the common layer, in the bare
prompts of the demonstrations' inputs, the model frozen; the loss is the mean cross-entropy of the first tokens of their
answers. It begins at v₀, the mean state of the dummy queries' own prompts, and its steps have one length, a share of
‖θ − v₀‖ ({shares} are tried): that after {few} of which the queries of {dev} dev episodes a task have the lowest loss, mean
over tasks. Reported are {test} test episodes a task. Online descent takes one such step for each demonstration, in their order.
What the k-th demonstration adds is θ behind k less θ behind k − 1 of them; it is compared with the gradient of that
demonstration's loss at the latter. {orders} orders of an episode's demonstrations are read and descended: compared are the
distances of θ, and of the ends of online descent, from their means over orders. Controls: gradients of shuffled answers, of
the next task's demonstrations in the same place, random directions, and the same of a model of the same architecture with random
weights. Random weights are tried for θ − v₀ alone, and orders are held against shuffled answers alone. What tasks share is
taken from unit vectors, as their mean over tasks. As a task has few episodes here, intervals
draw one fewer than there are (Rao and Wu 1988): drawing all would make them too narrow.

"""


def gradient_methods(config: Config) -> str:
    """How θ is compared with descent (Markdown), from the configuration; nothing of an archive without it."""
    if "gradient" not in config:
        return ""
    sizes = config["gradient"]
    fields = {key: sizes[key] for key in ("dev", "test", "orders")} | {"few": FEW}
    return METHODS.format(**fields, shares=", ".join(map(str, sizes["shares"])))


def _of_model(mean: pd.DataFrame) -> Iterator[str]:
    def row(measure: str, of: str, step: int | None = None, states: str | None = None) -> pd.Series | None:
        rows = mean[(mean["measure"] == measure) & (mean["of"] == of)]
        rows = rows[rows["step"].isna() if step is None else rows["step"] == step]
        rows = rows[rows["states"].isna() if states is None else rows["states"] == states]
        return None if rows.empty else rows.iloc[0]

    last = int(mean.loc[mean["of"] == DESCENT, "step"].max())
    yield (
        f"The loss of the demonstrations is {_number(row(LOSS, V0, 0))} nats at v₀, {_number(row(LOSS, THETA))} at θ and "
        f"{_number(row(LOSS, DESCENT, last))} after {last} step{'s' * (last > 1)} of descent, "
        f"each {mean['share'].iloc[0]:g} of ‖θ − v₀‖ long."
    )
    yield (
        f"θ answers {_percent(row(ACCURACY, THETA))} of the queries right, {FEW} steps of descent "
        f"{_percent(row(ACCURACY, DESCENT, FEW))}, one pass of online descent {_percent(row(ACCURACY, ONLINE))}; their divergences "
        f"from the regular prompt's distribution are {_number(row(DIVERGENCE, THETA))}, {_number(row(DIVERGENCE, DESCENT, FEW))} and "
        f"{_number(row(DIVERGENCE, ONLINE))} bits."
    )
    for measure, subject in ((DIRECTION, "θ − v₀"), (INCREMENT, "what a demonstration adds")):
        own = row(measure, GRADIENT, states=CENTRED)
        if own is not None:
            controls = {of: row(measure, of, states=CENTRED) for of in CONTROLS}
            there = {of: found["value"] for of, found in controls.items() if found is not None}
            nearest = max(there, key=lambda of: there[of])
            tried = [of for of in CONTROLS if measure == DIRECTION or of != RANDOM_WEIGHTS]
            absent = [WAYS[of] for of in tried if of not in there]
            without = f" (not tried: {', '.join(absent)})" if absent else ""
            yield (
                f"The cosine of {subject} with the way down the gradient, less what tasks share, is {_number(own)}; of controls "
                f"{WAYS[nearest]} comes nearest, {_number(controls[nearest])}{without}."
            )
    if (own := row(ORDER, GRADIENT)) is not None:
        theta, online = row(SPREAD, THETA), row(SPREAD, ONLINE)
        shuffled = row(ORDER, SHUFFLED)
        beside = "" if shuffled is None else f" (shuffled answers: {_number(shuffled)})"
        yield (
            f"Over orders of the same demonstrations θ spreads by {_percent(theta)} of its distance from v₀, online descent by "
            f"{_percent(online)}, descent on all at once not at all; θ and the end of online "
            f"descent are moved alike with a cosine of {_number(own)}{beside}."
        )


def _answer(conclusions: pd.DataFrame) -> str:
    """What of it is there, and what is not."""
    verdicts = conclusions[conclusions["claim"].isin(EXPECTED)].set_index("claim")["verdict"]
    if verdicts.empty:
        return "no claim is made of it."
    told = [
        f"{verdict}: {'; '.join(EXPECTED[claim] for claim in EXPECTED if verdicts.get(claim) == verdict)}"
        for verdict in (SHOWN, REFUTED, UNDECIDED, NO_BASIS)
        if verdict in set(verdicts)
    ]
    first, *others = told
    answer = f"of {len(verdicts)} things to expect if reading demonstrations were gradient descent on θ, {first}."
    return " ".join([answer, *(f"{other[0].upper()}{other[1:]}." for other in others)])


def _number(row: pd.Series | None) -> str:
    assert row is not None
    value, low, high = (decimal(row[name]) for name in ("value", "ci_low", "ci_high"))
    return f"{value} [{low}, {high}]"


def _percent(row: pd.Series | None) -> str:
    assert row is not None
    return percent(row, "value")
