"""The claim that θ, unembedded, points to answers."""

from collections.abc import Mapping

from taskvectors.observations.claims import Claim, Judged, judged, share_of_tasks
from taskvectors.observations.rows import Tables, at_chosen_layer

TOP = 0.01  # of the vocabulary
CLAIMS = {
    "says_answers": Claim(
        f"Unembedded, θ points to its task's answers: their median rank is in the top {TOP:.0%} of the vocabulary.",
        "share of tasks, at the chosen layer",
        "decoded_ranks",
        0.50,
    ),
    "says_own_answers": Claim(
        "Unembedded, θ points to its own task's answers more than to those of other tasks: their median rank is better.",
        "share of tasks, at the chosen layer",
        "decoded_ranks",
        0.75,
        no_effect=0.5,
    ),
}


def claims(tables: Tables, labels: Mapping[str, str]) -> Judged:
    ranks = at_chosen_layer(tables["decoded_ranks"], tables["layer_choice"])
    others = ranks.dropna(subset="other_answer_rank_median")
    findings = {
        "says_answers": share_of_tasks(ranks["answer_rank_median"] <= TOP * ranks["vocabulary"]),
        "says_own_answers": share_of_tasks(others["answer_rank_median"] < others["other_answer_rank_median"]),
    }
    return judged(CLAIMS, findings)
