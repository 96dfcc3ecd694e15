"""What the numbers say: every claim with a measure, a threshold fixed in advance, and a verdict, from the study's tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskvectors.analysis.findings import NO_BASIS, REFUTED, SHOWN, UNDECIDED, Finding, interval, negated, several
from taskvectors.analysis.gradient_claims import findings_of_gradient
from taskvectors.analysis.gradient_measures import ALONG, AS_MUCH, FEW
from taskvectors.analysis.roles import Tables, at_chosen_layer, main_tasks
from taskvectors.analysis.statistics import wilson
from taskvectors.names import ALL, CENTRED, WITHOUT

COLUMNS = ["model", "claim", "statement", "measure", "table", "n", "value", "ci_low", "ci_high", "threshold", "verdict"]
MIDDLE = (0.25, 0.75)  # relative depth
TOP = 0.01  # of the vocabulary
TELLING = 6  # episodes a task: of fewer that θ all gets right and a control all wrong a sign test says nothing
# Regular accuracy from which a task of the limits says something about θ: beyond chance, which is one half for a bijection, whose
# directions can be guessed.
CAN_DO, CAN_DO_BIJECTION = 0.20, 0.60


@dataclass(frozen=True)
class Claim:
    """A claim, how it is measured, in which table, and the threshold from which it counts as shown."""

    statement: str
    measure: str
    table: str
    threshold: float


CLAIMS = {
    "vector_does_task": Claim(
        "θ alone makes the model do the tasks.", "hypothesis − zero-shot, mean over tasks", "differences", 0.20
    ),
    "as_demonstrations": Claim(
        "θ does as much as the demonstrations.", "hypothesis − regular, mean over tasks", "differences", -0.10
    ),
    "no_control": Claim(
        "Nothing simpler does the same.", "share of tasks in which no control reaches the hypothesis", "controls", 0.75
    ),
    "one_layer": Claim(
        "One layer serves all tasks.", "common layer − layer per task, mean over tasks", "differences", -0.05
    ),
    "middle": Claim(
        f"θ is in the middle of the network: between {MIDDLE[0]:.0%} and {MIDDLE[1]:.0%} of its depth.",
        "share of the tasks with a layer of their own that have it there",
        "layer_choice",
        0.75,
    ),
    "averaging": Claim(
        "The mean θ of other episodes does no worse than the episode's own.",
        "mean θ − own θ, mean over tasks",
        "differences",
        -0.02,
    ),
    "function_vector": Claim(
        "A function vector does as much as θ.", "function vector − θ, mean over tasks", "rivals", -0.10
    ),
    "learned_vector": Claim(
        "One vector could do as much as the demonstrations: a learned one does.",
        "learned θ with many labels − regular, mean over tasks",
        "rivals",
        -0.10,
    ),
    "averaging_beats": Claim(
        "The mean θ of other episodes beats the episode's own.", "mean θ − θ, mean over tasks", "rivals", 0.02
    ),
    "top_heads": Claim(
        "Without the heads of largest effect demonstrations do less than without random ones.",
        "random heads ablated − top heads ablated, mean over tasks",
        "ablation",
        0.10,
    ),
    "lowers_loss": Claim(
        "θ lowers the loss that gradient descent on the demonstrations lowers: half as far, or further, and further than θ of another "
        "task does.",
        "what is less of: middle of the demonstrations' losses at v₀ and at the lowest of descent − loss at θ; loss at θ of another "
        "task − loss at θ, in nats, mean over tasks",
        "gradient",
        0.0,
    ),
    "along_gradient": Claim(
        "θ moves along the gradient, more than along any control.",
        "cosine of θ − v₀ and −∇ at v₀, both less what tasks share, minus that of the nearest control, or zero; mean over tasks",
        "gradient",
        ALONG,
    ),
    "increments_along_gradient": Claim(
        "A demonstration moves θ along its own gradient, on average, more than along any control.",
        "cosine of what it adds and −∇ there, both less what tasks share, minus that of the nearest control, or zero; mean over tasks",
        "gradient",
        ALONG,
    ),
    "few_steps": Claim(
        f"{FEW} steps of gradient descent do as much as θ.",
        f"descent, {FEW} steps − θ, mean over tasks",
        "gradient",
        -AS_MUCH,
    ),
    "order_as_online": Claim(
        "θ depends on the order of demonstrations as online descent would.",
        "cosine of θ's and online descent's distances from their means over orders, minus that of the nearest control, or "
        "zero; mean over tasks",
        "gradient",
        ALONG,
    ),
    "overrides": Claim(
        "θ overrides demonstrations of a conflicting task, at the layer of θ's task.",
        "prompts of the pairs asked for that are answered as the task of θ",
        "conflict",
        0.50,
    ),
    "overrides_common": Claim(
        "θ overrides demonstrations of a conflicting task, at the common layer.",
        "prompts of the pairs asked for that are answered as the task of θ",
        "conflict",
        0.50,
    ),
    "transfers": Claim(
        "θ carries its task to bare queries of other tasks, at the layer of θ's task.",
        "such prompts answered as the task of θ",
        "transfer",
        0.50,
    ),
    "transfers_common": Claim(
        "θ carries its task to bare queries of other tasks, at the common layer.",
        "such prompts answered as the task of θ",
        "transfer",
        0.50,
    ),
    "clusters": Claim(
        "θ of different tasks lie apart.",
        "silhouette at the common layer, mean over tasks; θ less the mean over tasks",
        "geometry",
        0.25,
    ),
    "separation_is_function": Claim(
        "Tasks lie apart most where patching works.",
        "mean dev accuracy at the layer of highest silhouette (θ less the mean over tasks), as a share of that at the common layer",
        "geometry",
        0.90,
    ),
    "says_answers": Claim(
        f"Unembedded, θ points to its task's answers: their median rank is in the top {TOP:.0%} of the vocabulary.",
        "share of tasks, at the chosen layer",
        "decoded_ranks",
        0.50,
    ),
}
HOLDS = Claim("One vector holds {task}.", "hypothesis − regular", "differences", -0.10)


def conclusions(tables: Tables, labels: Mapping[str, str]) -> pd.DataFrame:
    """Every claim for every model: the study's table `conclusions.csv`.

    Args:
        tables: of all models, by name; those that a study lacks are empty.
        labels: of tasks.
    """
    rows = []
    for model in dict.fromkeys(tables["layer_choice"]["model"]):
        own = {name: table[table["model"] == model] for name, table in tables.items()}
        for name, claim, finding in _findings(own, labels):
            values = (finding.n, finding.value, finding.low, finding.high, claim.threshold)
            verdict = finding.verdict(claim.threshold)
            rows.append((model, name, claim.statement, claim.measure, claim.table, *values, verdict))
    return pd.DataFrame(rows, columns=COLUMNS)


def _findings(own: Tables, labels: Mapping[str, str]) -> Iterator[tuple[str, Claim, Finding]]:
    choice = own["layer_choice"]
    for name, finding in {
        "vector_does_task": _difference(own["differences"], "zero_shot"),
        "as_demonstrations": _difference(own["differences"], "regular"),
        "no_control": _beyond_controls(own["controls"]),
        "one_layer": _difference(own["differences"], "hypothesis_common", turned=True),
        "middle": _in_the_middle(choice, own["layer_sweep"]),
        "averaging": _difference(own["differences"], "mean_theta", turned=True),
        **_of_rivals(own),
        **findings_of_gradient(own.get("gradient", pd.DataFrame())),
        "overrides": pooled(own["conflict"], "task_b", "patched_b", choice, "layer"),
        "overrides_common": pooled(own["conflict"], "task_b", "patched_b", choice, "common_layer"),
        "transfers": pooled(_bare(own["transfer"]), "theta_task", "as_theta", choice, "layer"),
        "transfers_common": pooled(_bare(own["transfer"]), "theta_task", "as_theta", choice, "common_layer"),
        "clusters": _silhouette(own["geometry"], choice),
        "separation_is_function": _where_apart(own["geometry"], own["layer_sweep"]),
        "says_answers": _answers_on_top(own["decoded_ranks"], choice),
    }.items():
        if finding is not None:
            yield name, CLAIMS[name], finding
    for task in dict.fromkeys(own["limits"]["task"]):
        holds = _difference(own["differences"], "regular", task, basis=can_do(own["limits"], task))
        statement = HOLDS.statement.format(task=labels[task])
        if holds is not None:
            yield f"holds_{task}", Claim(statement, HOLDS.measure, HOLDS.table, HOLDS.threshold), holds


def _of_rivals(own: Tables) -> dict[str, Finding | None]:
    """Of tables that an archive may lack; without them there are no such claims."""
    rivals, ablation = own.get("rivals", pd.DataFrame()), own.get("ablation", pd.DataFrame())
    top = ablation[(ablation["task"] == ALL) & (ablation["ablated"] == "top_heads")] if len(ablation) else ablation
    return {
        "function_vector": _rival(rivals, "function_vector", "to_theta"),
        "learned_vector": _rival(rivals, "learned_many", "to_regular"),
        "averaging_beats": _rival(rivals, "mean_theta", "to_theta"),
        "top_heads": None
        if top.empty
        else negated(interval(top.iloc[0], "to_random", several(ablation), "to_random_ci")),
    }


def _rival(rivals: pd.DataFrame, representation: str, difference: str) -> Finding | None:
    """How much a representation does beyond another, mean over tasks; nothing if the study has not tried it."""
    own = rivals[(rivals["task"] == ALL) & (rivals["representation"] == representation)] if len(rivals) else rivals
    tried = rivals[rivals["representation"] == representation] if len(rivals) else rivals
    return None if own.empty else interval(own.iloc[0], difference, several(tried), f"{difference}_ci")


def can_do(limits: pd.DataFrame, task: str) -> bool:
    """Whether demonstrations make the model do a task of the limits, beyond chance."""
    regular = limits[(limits["task"] == task) & (limits["method"] == "regular")].set_index("outcome")["share"]
    return regular["right"] >= (CAN_DO_BIJECTION if "wrong_direction" in regular else CAN_DO)


def _difference(
    differences: pd.DataFrame, reference: str, task: str = ALL, *, turned: bool = False, basis: bool = True
) -> Finding | None:
    """Hypothesis − reference, or, turned, reference − hypothesis."""
    of_reference = differences[differences["reference"] == reference]
    rows = of_reference[of_reference["task"] == task]
    if rows.empty:
        return None
    row, of_tasks = rows.iloc[0], of_reference[of_reference["task"] != ALL]
    # Of a single episode nothing is known but itself.
    enough = row["n"] > 1 if task != ALL else several(main_tasks(of_tasks))
    finding = interval(row, "difference", basis and enough, "ci")
    return negated(finding) if turned else finding


def _beyond_controls(controls: pd.DataFrame) -> Finding:
    main = main_tasks(controls)
    return _share(~main.groupby("task")["reached"].any(), len(main) > 0 and bool(main["n"].min() >= TELLING))


def _share(hits: pd.Series, basis: bool = True) -> Finding:
    """A share of tasks: these are the tasks of the study, not a sample of tasks, so it has no interval."""
    return Finding(hits.mean(), len(hits), basis=basis)


def _in_the_middle(choice: pd.DataFrame, sweep: pd.DataFrame) -> Finding:
    main = main_tasks(choice)
    depth = (main.loc[main["own"], "layer"] + 1) / (sweep["layer"].max() + 1)
    return _share(depth.between(*MIDDLE))


def _bare(transfer: pd.DataFrame) -> pd.DataFrame:
    return transfer[transfer["demonstrations"] == WITHOUT]


def pooled(table: pd.DataFrame, of: str, share: str, choice: pd.DataFrame, layer: str) -> Finding | None:
    """A share over all episodes of all pairs, each at a layer of the choice for the task of θ, with Wilson's interval."""
    chosen = at_chosen_layer(table, choice, of, layer)
    if chosen.empty:
        return None
    n, hits = int(chosen["n"].sum()), round(float((chosen[share] * chosen["n"]).sum()))
    return Finding(hits / n, n, *wilson(hits, n))


def _silhouettes(geometry: pd.DataFrame) -> pd.Series:
    """By layer, of θ less the mean over tasks: of θ as they are a direction that all share decides. Empty for a single task."""
    return geometry[(geometry["task"] == ALL) & (geometry["states"] == CENTRED)].set_index("layer")["silhouette"]


def _silhouette(geometry: pd.DataFrame, choice: pd.DataFrame) -> Finding:
    score = _silhouettes(geometry).get(choice["common_layer"].iloc[0], np.nan)
    return Finding(score, geometry["task"].nunique() - 1)


def _where_apart(geometry: pd.DataFrame, sweep: pd.DataFrame) -> Finding:
    scores = _silhouettes(geometry)
    dev = main_tasks(sweep[sweep["split"] == "dev"]).groupby("layer")["accuracy"].mean()
    if scores.isna().all() or dev.max() == 0:
        return Finding(np.nan, 0)
    return Finding(dev[scores.idxmax()] / dev.max(), geometry["task"].nunique() - 1)


def _answers_on_top(ranks: pd.DataFrame, choice: pd.DataFrame) -> Finding:
    at = at_chosen_layer(ranks, choice)
    return _share(at["answer_rank_median"] <= TOP * at["vocabulary"])


def in_words(table: pd.DataFrame) -> str:
    """How many claims are shown, not shown and undecided, over all models, in one sentence."""
    counts = table[~table["claim"].str.startswith("holds_")]["verdict"].value_counts()
    holds = table[table["claim"].str.startswith("holds_")]["verdict"].value_counts()
    main = ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in (SHOWN, REFUTED, UNDECIDED, NO_BASIS) if verdict in counts
    )
    text = f"Of {counts.sum()} verdicts on the claims (claims × models), {main}."
    if len(holds):
        failed = holds.get(REFUTED, 0)
        text += (
            f" Of {holds.sum()} verdicts on the limits (can one vector hold the task?), {holds.get(SHOWN, 0)} shown, "
            f"{failed} not shown, {holds.get(UNDECIDED, 0)} undecided; {holds.get(NO_BASIS, 0)} have no basis: the model fails "
            f"even with demonstrations (below {CAN_DO:.0%}; of bijections {CAN_DO_BIJECTION:.0%}), or there is one episode."
        )
    return text
