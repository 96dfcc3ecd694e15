"""Claims on what θ takes from the demonstrations: that they are of the task, or what they say."""

from collections.abc import Mapping

import pandas as pd

from taskvectors.names import ACCURACY, ALL, LOSS, THETA, V0
from taskvectors.observations.claims import (
    ABLE_TASKS,
    ALL_TASKS,
    MARGIN,
    Claim,
    Finding,
    Judged,
    judged,
    negated,
    only_if,
    over_tasks,
)
from taskvectors.observations.intervals import Estimate, ratio
from taskvectors.observations.rows import Tables
from taskvectors.questions.recognition.names import SAME_TASK, SHUFFLED

CLAIMS = {
    "recognises_task": Claim(
        "θ of another episode of the task does as much as the episode's own.",
        "accuracy with θ of another episode − with θ, mean over tasks",
        "recognition",
        -0.10,
        over=ABLE_TASKS,
    ),
    "pairing_matters": Claim(
        "Which answer belongs to which input matters: θ behind shuffled answers does less.",
        "accuracy with θ − with θ behind shuffled answers, mean over tasks",
        "recognition",
        0.10,
        over=ALL_TASKS,
    ),
    "holds_demonstrations": Claim(
        "θ holds these demonstrations, beyond the task.",
        "share of the drop in their loss, from v₀ to θ, that θ of another episode of the task lacks",
        "recognition",
        0.20,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    """None in an archive without the table."""
    if "recognition" not in tables:
        return judged(CLAIMS, {})
    table, choice = tables["recognition"], tables["layer_choice"]
    accuracy = table[table["measure"] == ACCURACY]
    same, shuffled = (accuracy[accuracy["subject"] == subject] for subject in (SAME_TASK, SHUFFLED))
    as_much = over_tasks(same, "to_theta", choice, ABLE_TASKS)
    bare = over_tasks(accuracy[accuracy["subject"] == V0], "to_theta", choice, ABLE_TASKS)
    gain = None if bare is None else negated(bare)
    shuffled_mean = over_tasks(shuffled, "to_theta", choice, ALL_TASKS)
    findings = {
        "recognises_task": None if as_much is None else only_if(gain is not None and gain.low > MARGIN, as_much),
        "pairing_matters": None if shuffled_mean is None else negated(shuffled_mean),
        "holds_demonstrations": share_of_drop(table[table["measure"] == LOSS]),
    }
    return judged(CLAIMS, findings)


def share_of_drop(losses: pd.DataFrame) -> Finding | None:
    """Of the drop in loss from v₀ to θ the share that θ of another episode lacks. The two differences are treated as
    independent, which makes the interval no narrower, as they rise together."""
    means = losses[losses["task"] == ALL].set_index("subject")
    if not {SAME_TASK, V0, THETA} <= set(means.index):
        return None
    columns = ["to_theta", "to_theta_low", "to_theta_high"]
    lacking, whole = (Estimate(*means.loc[subject, columns].astype(float)) for subject in (SAME_TASK, V0))
    share = ratio(lacking, whole)
    return Finding(share.value, int(means.loc[SAME_TASK, "n"]), share.low, share.high, basis=share.low < share.high)
