"""Tables of the page on rivals of θ; see `taskvectors.report.page_tables`."""

from collections.abc import Iterable

import pandas as pd

from taskvectors.analysis.roles import Tables
from taskvectors.analysis.top_heads import TOP_HEADS
from taskvectors.names import ALL, CONTROL, REFERENCE, RIVAL
from taskvectors.report.cells import Config, in_points, model_labels, models_together, with_interval

ABLATED = {"intact": "all heads", "top_heads": "without the top heads", "random_heads": "without random heads"}


def rivals_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Every representation, mean over tasks: setting, accuracy, divergence, difference to θ, cost; references first, controls last."""
    rivals = tables["rivals"]
    mean = rivals[rivals["task"] == ALL].copy()
    mean["order"] = mean["kind"].map({kind: place for place, kind in enumerate((REFERENCE, RIVAL, CONTROL))})
    mean = models_together(mean.sort_values("order", kind="stable"), rivals)
    there = mean["n"] > 0
    labels = mean["label"].where(mean["kind"] != CONTROL, "control: " + mean["label"])
    to_theta = [in_points(row, "to_theta_", "to_theta") for _, row in mean.iterrows()]
    passes = [f"{row['forward']:.0f}, {row['backward']:.0f}" for _, row in mean.iterrows()]
    return pd.DataFrame(
        {
            "model": model_labels(mean, config),
            "in their place": labels,
            "chosen": [_setting(row) for _, row in mean.iterrows()],
            "accuracy": _where(there, _with_lack(mean), mean["left_out"]),
            "divergence, bits": _where(there, with_interval(mean, "divergence", "divergence_ci")),
            "to θ, points": _where(mean["representation"] != "theta", to_theta),
            "passes up, down": _where(there, passes),
        }
    )


def _with_lack(mean: pd.DataFrame) -> list[str]:
    """Accuracies, with the tasks that a mean is without."""
    lacks = ["" if pd.isna(lack) else f" ({lack})" for lack in mean["left_out"]]
    return [cell + lack for cell, lack in zip(with_interval(mean), lacks, strict=True)]


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
    cells = with_interval(top, "effect", "ci", digits=3)
    return pd.DataFrame(
        {
            "model": model_labels(top, config),
            "layer": top["layer"],
            "head": top["head"],
            "trials": top["n"],
            "effect": cells,
        }
    )


def ablation_table(tables: Tables, config: Config) -> pd.DataFrame:
    """Accuracy with demonstrations with and without heads, ours and the published."""
    ablation, published = tables["ablation"], tables["paper/heads_ablated"]
    mean = ablation[ablation["task"] == ALL]
    cells = mean.assign(cell=with_interval(mean), model=model_labels(mean, config))
    theirs = published.assign(
        cell=[f"{share:.2f}" for share in published["accuracy"]],
        model=[f"{name} (published)" for name in published["model"]],
    )
    both = pd.concat([cells, theirs], ignore_index=True)
    wide = both.pivot(index="model", columns="ablated", values="cell").loc[list(dict.fromkeys(both["model"]))]
    return wide.reindex(columns=list(ABLATED)).rename(columns=ABLATED).reset_index()
