"""Numbers and tables on rivals of θ and on attention heads."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from taskvectors.names import CONTROL, REFERENCE, RIVAL
from taskvectors.observations.intervals import Estimate, holm
from taskvectors.observations.rows import Tables
from taskvectors.questions.rivals.tables import TOP_HEADS
from taskvectors.report.cells import Config, in_points, means_of, model_labels, models_together, with_interval

ABLATED = {"intact": "all heads", "top_heads": "without the top heads", "random_heads": "without random heads"}


def numbers(tables: Tables, config: Config) -> Mapping[str, Any]:
    means, ablation = means_of(tables["rivals"]), means_of(tables["ablation"])
    return {
        "models": [
            {
                "label": config["models"][model]["label"],
                **_of_rivals(rows),
                **_of_heads(ablation[ablation["model"] == model]),
            }
            for model, rows in means[means["n"] > 0].groupby("model", sort=False)
        ]
    }


def _of_rivals(means: pd.DataFrame) -> dict[str, Any]:
    """One model, mean over tasks. What has no number for some task is compared with nothing."""
    rows = means.set_index("representation")
    whole = means[means["left_out"].isna()]
    rivals, controls = (
        whole[whole["kind"] == kind].sort_values("accuracy", ascending=False) for kind in (RIVAL, CONTROL)
    )
    compared = whole[(whole["kind"] == RIVAL) & whole["to_theta"].notna()]
    columns = ["to_theta", "to_theta_low", "to_theta_high"]
    differ = holm([Estimate(*row) for row in compared[columns].itertuples(index=False)])
    apart = compared[differ]
    return {
        "regular": rows.loc["regular"],
        "best": rivals.iloc[0] if len(rivals) else None,
        "nearest": rivals.loc[rivals["divergence"].idxmin()] if len(rivals) else None,
        "theta": rows.loc["theta"] if "theta" in rows.index else None,
        "known": bool(means["to_theta_low"].notna().any()),
        "more": _in_points(apart[apart["to_theta"] > 0]),
        "less": _in_points(apart[apart["to_theta"] < 0]),
        "control": controls.iloc[0] if len(controls) else None,
    }


def _in_points(rivals: pd.DataFrame) -> list[str]:
    return [f"{row['label']} ({in_points(row, 'to_theta')} points)" for _, row in rivals.iterrows()]


def _of_heads(ablation: pd.DataFrame) -> dict[str, Any]:
    """What is lost without the top heads, beside random ones."""
    rows = ablation.set_index("ablated")
    if "top_heads" not in rows.index:
        return {"top": None}
    top = rows.loc["top_heads"]
    named = {"top": top, "random": rows.loc["random_heads"], "intact": rows.loc["intact"]}
    return named | {"heads": f"{top['heads']:.0f}", "sign": _sign(top)}


def _sign(top: pd.Series) -> str:
    """Whether the difference to random heads has the published sign: the top heads matter more."""
    if pd.isna(top["to_random_high"]):
        return "but episodes are too few to tell"
    if top["to_random_high"] < 0:
        return "the published sign"
    return "not the published sign" if top["to_random"] >= 0 else "the published sign, but within chance"


def rivals_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every representation, mean over tasks: setting, accuracy, divergence, difference to θ, cost; references first,
    controls last."""
    rivals = tables["rivals"]
    order = [REFERENCE, RIVAL, CONTROL]
    mean = means_of(rivals).sort_values("kind", key=lambda kinds: kinds.map(order.index), kind="stable")
    mean = models_together(mean, rivals)
    there = mean["n"] > 0
    lacks = ["" if pd.isna(lack) else f" ({lack})" for lack in mean["left_out"]]
    accuracy = [cell + lack for cell, lack in zip(with_interval(mean), lacks, strict=True)]
    to_theta = [in_points(row, "to_theta") for _, row in mean.iterrows()]
    passes = [f"{row['forward']:.0f}, {row['backward']:.0f}" for _, row in mean.iterrows()]
    return pd.DataFrame(
        {
            "model": model_labels(mean, config),
            "in their place": mean["label"].where(mean["kind"] != CONTROL, "control: " + mean["label"]),
            "chosen": [_setting(row) for _, row in mean.iterrows()],
            "accuracy": _where(there, accuracy, mean["left_out"]),
            "divergence, bits": _where(there, with_interval(mean, "divergence")),
            "to θ, points": _where(mean["representation"] != "theta", to_theta),
            "passes up, down": _where(there, passes),
        }
    )


def _setting(row: pd.Series) -> str:
    """What was chosen for a representation, in words."""
    parts = (("layer", "layer {:.0f}"), ("strength", "α = {:g}"), ("heads", "{:.0f} heads"))
    return ", ".join(words.format(row[name]) for name, words in parts if pd.notna(row[name]))


def _where(there: pd.Series, cells: Iterable[str], otherwise: Iterable[str] | None = None) -> list[str]:
    """Cells of the rows that have numbers; of others something else, or a dash."""
    others = ["–"] * len(there) if otherwise is None else otherwise
    return [cell if has else other for has, cell, other in zip(there, cells, others, strict=True)]


def heads_table(tables: Tables, config: Config) -> pd.DataFrame:
    """The ten heads with the largest effects."""
    heads = tables["heads"]
    top = models_together(heads[heads["rank"] <= TOP_HEADS].sort_values("rank", kind="stable"), heads)
    return pd.DataFrame(
        {
            "model": model_labels(top, config),
            "layer": top["layer"],
            "head": top["head"],
            "trials": top["n"],
            "effect": with_interval(top, "effect", digits=3),
        }
    )


def ablation_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Accuracy with demonstrations with and without heads, ours and the published."""
    published, mean = tables["paper/heads_ablated"], means_of(tables["ablation"])
    cells = mean.assign(cell=with_interval(mean), model=model_labels(mean, config))
    theirs = published.assign(
        cell=[f"{share:.2f}" for share in published["accuracy"]],
        model=[f"{name} (published)" for name in published["model"]],
    )
    both = pd.concat([cells, theirs], ignore_index=True)
    wide = both.pivot(index="model", columns="ablated", values="cell").loc[list(dict.fromkeys(both["model"]))]
    return wide.reindex(columns=list(ABLATED)).rename(columns=ABLATED).reset_index()


TABLES = {"rivals": rivals_table, "heads": heads_table, "ablation": ablation_table}
