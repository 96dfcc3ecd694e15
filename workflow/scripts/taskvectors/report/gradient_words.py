"""What comes of θ beside gradient descent, in sentences; every number from the study's tables."""

from collections.abc import Iterator

import pandas as pd

from taskvectors.analysis.findings import NO_BASIS, REFUTED, SHOWN, UNDECIDED
from taskvectors.analysis.gradient_measures import (
    ACCURACY,
    ALONG,
    CONTROLS_OF,
    DESCENT,
    DIRECTION,
    DIVERGENCE,
    FEW,
    GRADIENT,
    INCREMENT,
    JUDGED,
    LOSS,
    ONLINE,
    ORDER,
    OTHER_THETA,
    SPREAD,
    THETA,
    V0,
    WAYS_OF,
)
from taskvectors.analysis.gradient_tables import rows_of
from taskvectors.analysis.roles import Tables
from taskvectors.names import ALL
from taskvectors.report.cells import Config, decimal, how_many, percent, with_interval

# The claims, as what is to be expected if reading demonstrations were gradient descent on θ.
EXPECTED = {
    "lowers_loss": "θ lowers the loss that descent lowers",
    "along_gradient": "θ moves along the gradient",
    "increments_along_gradient": "a demonstration moves θ along its own gradient, on average",
    "few_steps": f"{FEW} steps do as much as θ",
    "order_as_online": "θ depends on order as online descent does",
}
# Cosines, as the paragraph calls them.
SUBJECTS = {
    DIRECTION: "θ − v₀ with the way down the gradient, both less what tasks share,",
    INCREMENT: "what a demonstration adds with the way down its own gradient, both less what tasks share,",
    ORDER: "θ's distances from its mean over orders with those of the ends of online descent",
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


METHODS = """**Gradient descent** is that of a vector v in the place of the last token's state after the common layer,
in the bare prompts of the demonstrations' inputs, the model frozen; the loss is the mean cross-entropy of the first
tokens of their answers. It begins at v₀, the mean state of the dummy queries' own prompts, and its steps have one
length, a share of ‖θ − v₀‖ ({shares} are tried): that after {few} of which the queries of {dev} a task have the lowest
loss, mean over tasks. Reported are {test} a task. Online descent takes one such step for each demonstration, in their
order. What the k-th demonstration adds is θ behind k less θ behind k − 1 of them; it is compared with the gradient of
that demonstration's loss at the latter. {orders} orders of an episode's demonstrations are read and descended: compared
are the distances of θ, and of the ends of online descent, from their means over orders. Controls: the same with the
answers shuffled among the demonstrations (where a task has few different answers some stay true; at v₀ it is the same
answers that grow likelier, so this tells only which belongs to which input), with the demonstrations of an episode of
the next task in the same place, and of a model of the same architecture with random weights, its steps the same share
of its own ‖θ − v₀‖; random directions, which over orders would be zero; and for the loss, θ of that other episode. A
claim on cosines counts as shown if the cosine is beyond zero, and beyond that with every one of these, by {along} or
more; one that is beyond them by less is “not shown”. That on the loss: if θ lowers it at least half as far as the
lowest of descent, and θ of that other episode less far. A claim has no basis if a control is missing in any task, if
few episodes can tell, or, of a few steps' accuracy beside θ's, if v₀ may do as much as θ. Over orders an episode
counts where its demonstrations differ. What tasks share is taken from unit vectors, as their mean over tasks; as an episode's
own task is part of that mean, the cosine with another task's gradient then lies a little below zero by itself.

"""


def gradient_methods(config: Config) -> str:
    """How θ is compared with descent (Markdown), from the configuration; nothing of an archive without it."""
    if "gradient" not in config:
        return ""
    sizes = config["gradient"]
    episodes = {split: how_many(sizes[split], f"{split} episode") for split in ("dev", "test")}
    return METHODS.format(
        **episodes, orders=sizes["orders"], few=FEW, along=ALONG, shares=", ".join(map(str, sizes["shares"]))
    )


def _of_model(mean: pd.DataFrame) -> Iterator[str]:
    def row(measure: str, of: str, step: int | None = None) -> pd.Series | None:
        rows = rows_of(mean, measure, of, step, JUDGED.get(measure))
        return None if rows.empty else rows.iloc[0]

    last, other = int(mean.loc[mean["of"] == DESCENT, "step"].max()), row(LOSS, OTHER_THETA)
    yield (
        f"The loss of the demonstrations is {_value(row(LOSS, V0, 0))} nats at v₀, {_value(row(LOSS, THETA))} at θ"
        f"{'' if other is None else f', {_value(other)} at θ of another task'} and {_value(row(LOSS, DESCENT, last))} after "
        f"{how_many(last, 'step')} of descent, each {mean['share'].iloc[0]:g} of ‖θ − v₀‖ long."
    )
    yield (
        f"Of these {mean.loc[mean['measure'] == ACCURACY, 'n'].max():.0f} test queries, the first of every task, θ answers "
        f"{_percent(row(ACCURACY, THETA))} right, {FEW} steps of descent "
        f"{_percent(row(ACCURACY, DESCENT, FEW))}, one pass of online descent {_percent(row(ACCURACY, ONLINE))}; their divergences "
        f"from the regular prompt's distribution are {_value(row(DIVERGENCE, THETA))}, {_value(row(DIVERGENCE, DESCENT, FEW))} and "
        f"{_value(row(DIVERGENCE, ONLINE))} bits."
    )
    for measure, subject in SUBJECTS.items():
        if (own := row(measure, GRADIENT)) is None:
            continue
        if measure == ORDER:
            yield (
                f"Over orders of the same demonstrations θ varies by {_percent(row(SPREAD, THETA))} of its distance from v₀, "
                f"online descent by {_percent(row(SPREAD, ONLINE))}, descent on all at once not at all."
            )
        controls = {of: row(measure, of) for of in CONTROLS_OF[measure]}
        told = {of: control for of, control in controls.items() if control is not None}
        called = WAYS_OF[measure]
        absent = [called[of] for of in controls if of not in told]
        without = f" (not tried: {', '.join(absent)})" if absent else ""
        beside = ""
        if told:
            nearest = max(told, key=lambda of: float(told[of]["value"]))
            beside = f"; of controls {called[nearest]} comes nearest, {_cosine(told[nearest])}"
        yield f"The cosine of {subject} is {_cosine(own)}{beside}{without}."


def _answer(conclusions: pd.DataFrame) -> str:
    """Yes if all is shown that is to be expected, no if something is not there, else open; and what is what."""
    verdicts = conclusions[conclusions["claim"].isin(EXPECTED)].set_index("claim")["verdict"]
    if verdicts.empty:
        return "no claim is made of it."
    of_verdicts = {
        verdict: [EXPECTED[claim] for claim in EXPECTED if verdicts.get(claim) == verdict]
        for verdict in (REFUTED, SHOWN, UNDECIDED, NO_BASIS)
    }
    told = [f"{verdict}: {'; '.join(claims)}." for verdict, claims in of_verdicts.items() if claims]
    first, *others = told
    answer = (
        "no"
        if of_verdicts[REFUTED]
        else "yes, as far as this tests it"
        if len(told) == 1 and of_verdicts[SHOWN]
        else "open"
    )
    expected = f"of {len(verdicts)} things to expect if reading demonstrations were gradient descent on θ"
    return " ".join([f"{answer}; {expected}, {first}", *(other[0].upper() + other[1:] for other in others)])


def _value(row: pd.Series | None) -> str:
    assert row is not None
    return decimal(row["value"])


def _cosine(row: pd.Series) -> str:
    return with_interval(row.to_frame().T, "value", digits=3)[0]


def _percent(row: pd.Series | None) -> str:
    assert row is not None
    return percent(row, "value")
