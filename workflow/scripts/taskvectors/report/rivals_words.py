"""What the rivals of θ say, in sentences; every number from the study's tables."""

from collections.abc import Iterator

import pandas as pd

from taskvectors.analysis.roles import Tables
from taskvectors.names import ALL, CONTROL, RIVAL
from taskvectors.report.cells import Config, decimal, in_brackets, in_points, percent

DOES_AS_MUCH = 0.0  # a difference whose whole interval lies above it is more, below it less


def rivals_words(tables: Tables, config: Config) -> str:
    """A paragraph a model (Markdown); nothing of a study without rivals."""
    if "rivals" not in tables or tables["rivals"].empty:
        return ""
    rivals = tables["rivals"]
    mean = rivals[(rivals["task"] == ALL) & (rivals["n"] > 0)]
    return "\n\n".join(
        f"**{config['models'][model]['label']}**: {' '.join(_of_model(rows))} {_of_heads(tables['ablation'], model)}"
        for model, rows in mean.groupby("model", sort=False)
    )


METHODS = """**Rivals** are put into the bare queries of the first {test} test episodes of every task, limits aside.
Layer (one in {layer_step} is tried), strength (of what is added: {strengths}) and number of heads ({heads}) are those
of the best mean accuracy over tasks on the first {dev} dev episodes of each, the same for all tasks. State vectors,
learned vectors and one θ per arrow run at the layer so chosen for θ, controls at the setting of what they control. v₀
is the mean state of the dummy queries' own prompts. The mean θ, the outputs of heads and the pairs to learn from are of
prompts that do not show the query. Learned vectors minimise the mean loss of the first token of answers behind bare
inputs: {steps} steps of Adam from v₀, the rate {rate} of the distance of θ from v₀ (root mean square); on the episode's
own {shown} demonstrations, or, one for the task, on up to {pairs} pairs. A state vector is the mean of the states at
the last arrows of the demonstrations' prompt; with momentum it goes on, by a mean of the ways from each of them to the
next in which later ones weigh more. One θ per arrow: a prompt of other inputs without answers before the query, θ of
other episodes at their arrows and the episode's own at the last. Heads are read and replaced at the input of the layer
that mixes them, at the last token. The effect of a head: {trials} dev episodes a task, their answers shuffled, in
prompts of {shown} demonstrations; the probability of the right answer when the head's output is its mean over correct
prompts, less that without. Heads for a task are ranked by their mean effect on the other tasks. Ablated heads
({ablated}, on the first {episodes} test episodes) have their mean output over tasks. Divergence is that of Jensen and
Shannon, in bits.

"""


def rivals_methods(config: Config) -> str:
    """How rivals are compared (Markdown), from the configuration; nothing of an archive without them."""
    if "rivals" not in config:
        return ""
    rivals = config["rivals"]
    fields = {key: rivals[key] for key in ("test", "dev", "layer_step", "trials")} | rivals["learning"]
    fields |= {key: ", ".join(map(str, rivals[key])) for key in ("strengths", "heads")}
    fields |= {"ablated": rivals["ablated"]["heads"], "episodes": rivals["ablated"]["episodes"]}
    return METHODS.format(**fields, shown=config["episodes"]["demonstrations"])


def _of_model(mean: pd.DataFrame) -> Iterator[str]:
    rows = mean.set_index("representation")
    regular = rows.loc["regular"]
    yield (
        f"with demonstrations the model answers {percent(regular)} right (mean over tasks, {regular['n']} test queries: the first of "
        "every task, so that numbers differ from those of all test queries above)."
    )
    whole = mean[mean["left_out"].isna()]  # others are means over fewer tasks
    of_kind = whole[whole["kind"] == RIVAL].sort_values("accuracy", ascending=False)
    if len(of_kind):
        best = of_kind.iloc[0]
        yield (
            f"Of what stands in for them, {best['label']} does most, {percent(best)}; nearest to the regular prompt's distribution is "
            f"{_nearest(of_kind)}."
        )
    if "theta" in rows.index:
        yield f"θ gives {percent(rows.loc['theta'])} and {rows.loc['theta', 'divergence']:.2f} bits."
        more, less = (_labels(mean[mean["kind"] == RIVAL], way) for way in ("above", "below"))
        known = mean["to_theta_ci_low"].notna().any()
        yield f"More than θ: {more}; less: {less}." if known else "Episodes are too few to tell who does more."
    controls = whole[whole["kind"] == CONTROL].sort_values("accuracy", ascending=False)
    if len(controls):
        yield f"The best control, {controls['label'].iloc[0]}, gives {percent(controls.iloc[0])}."


def _nearest(rivals: pd.DataFrame) -> str:
    row = rivals.loc[rivals["divergence"].idxmin()]
    bounds = in_brackets(row["divergence_ci_low"], row["divergence_ci_high"], decimal)
    return f"{row['label']}, {decimal(row['divergence'])} bits{bounds}"


def _labels(rivals: pd.DataFrame, way: str) -> str:
    """Those whose paired difference to θ lies above zero, or below, with its whole interval; with the points."""
    whole = rivals["to_theta_ci_low"] > DOES_AS_MUCH if way == "above" else rivals["to_theta_ci_high"] < DOES_AS_MUCH
    told = [f"{row['label']} ({in_points(row, 'to_theta_', 'to_theta')} points)" for _, row in rivals[whole].iterrows()]
    return ", ".join(told) or "none"


def _of_heads(ablation: pd.DataFrame, model: str) -> str:
    """What is lost without the top heads, beside random ones; the published sign is that the top heads matter more."""
    mean = ablation[(ablation["model"] == model) & (ablation["task"] == ALL)].set_index("ablated")
    if "top_heads" not in mean.index:
        return ""
    top = mean.loc["top_heads"]
    return (
        f"Without the {top['heads']:.0f} heads of largest effect demonstrations give {percent(top)}, without random ones "
        f"{percent(mean.loc['random_heads'])}, with all {percent(mean.loc['intact'])}: "
        f"{in_points(top, 'to_random_', 'to_random')} points, {_sign(top)}."
    )


def _sign(top: pd.Series) -> str:
    """Whether the difference to random heads has the published sign."""
    if pd.isna(top["to_random_ci_high"]):
        return "of which episodes are too few to tell"
    if top["to_random_ci_high"] < 0:
        return "the published sign"
    return "not the published sign" if top["to_random"] >= 0 else "the published sign, but within chance"
