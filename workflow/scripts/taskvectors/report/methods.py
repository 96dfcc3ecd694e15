"""The methods section of the report, generated from the configuration and from the constants of the code."""

from taskvectors.analysis.conclusions import CAN_DO, CAN_DO_BIJECTION
from taskvectors.analysis.geometry import FOLDS, NEIGHBOURS, STARTS
from taskvectors.analysis.statistics import RESAMPLES
from taskvectors.analysis.views import GAIN, PASSES
from taskvectors.names import FEW_ANSWERS
from taskvectors.report.cells import Config
from taskvectors.report.gradient_words import gradient_methods
from taskvectors.report.rivals_words import rivals_methods

PREFIXES = """ Of {tasks} a prediction and an answer may be beginnings of each other, as in the paper; not
where the query begins so, too, as that may be a copy of it. The share that is exactly right stands beside it."""
TEXT = """**Models.**

{models}

**Tasks.** {count} tasks: {labels}. Per tokenizer, only pairs are kept whose
answer, in its place behind the arrow, {short}; with or without a leading space on both sides, whichever keeps more.

**Episodes** are {sampling}. A prompt is `example:{{x}}->{{y}}` lines joined by newlines, then `example:{{query}}->`. Per task:
{counts}{demonstrations} demonstrations. Demonstrations, query and dummy queries have different inputs.{even}

**θ** is the residual stream at the last prompt token after each block, averaged over {dummies} dummy queries in place
of the query. *Hypothesis*: in a prompt without demonstrations the last token's state after block L is replaced by θ of that block,
and {read} read. The layer is chosen on dev episodes and reported on test episodes. A task has a layer of its own, that of best dev
accuracy (ties: the one with the better mean over tasks), only where θ there beats the unpatched prompt on the same dev episodes, the
95% interval of the paired difference above zero; for any other the common layer stands in, which maximizes the mean dev accuracy over
tasks. The paper's rule, the layer of best dev accuracy whatever it is and the lowest on a tie, is shown beside it. The oracle layer is
chosen on the test episodes and is an upper bound, not a result. θ at the last layer is a control: it cannot use the query.

**Scoring.** The predicted {answer}, up to a token that ends the text and outer spaces aside, must be an accepted answer; both in
composed accents (NFC).{prefixes} Accepted are the synonyms, spellings and other readings listed in the tables.

{repeats}**Views.** Beside all tasks, the report shows the tasks that the paper's figures show: in its figure 4 those whose regular
accuracy is at least {gain:.0f} points above the baseline, in its figures 3 and 7 those whose best layer passes {passes:.0%}
on dev episodes. Both rules stand in the released code only. Tasks of limits are never part of a mean over tasks, of the common
layer, of geometry or of transfer.

**Intervals** are 95%: Wilson's for one accuracy, and for means over tasks and paired differences the percentile bootstrap over
episodes within tasks ({resamples} resamples, seeded). Of a task's episodes one fewer than there are is drawn (Rao and Wu 1988), as
drawing all makes intervals of few episodes too narrow. Resampling knows nothing of episodes unlike those seen: an interval of
accuracies or of their differences reaches at least as far as so many of them as Clopper and Pearson allow may move the mean. Of one
episode a task there is none. A claim on a mean or difference without an interval has no basis.

**Controls**, on the test episodes: the zero-shot prompt of the same query; the commonest answer of the other episodes; the query
itself; a random vector of θ's norm and θ of every other task of the family, both at the chosen layer; θ at the last layer. A control
reaches the hypothesis if the 95% interval of hypothesis − control, on the same episodes, includes zero or less, or if there is
none; it is undecided if it may be more than zero, too. A task in which a control reaches the hypothesis is marked †: by itself it is
no evidence for the claim.

**How θ forms.** The prompt of the first dummy query is read once; the state at every arrow, after k demonstrations, takes the place
of θ at the layer chosen for the task, on the first {forming} test episodes. Its cosine is that to θ itself,
the mean over dummies. The mean θ is that of the other test episodes whose prompts do not show the query. Variances come from a
one-way random-effects analysis of the states of the test episodes, demonstrations as groups and dummies within.

**Conflicting tasks.** {pair_episodes} episodes a pair with {pair_demonstrations} demonstrations; the query is an
input of both tasks on which they disagree, and never among B's demonstrations or dummies.{transfer}

{rivals}{gradient}**Limits.** A bijection joins a function and its inverse: each pair of an episode goes in a direction of its own. Its
answer is in the wrong direction if it is the query itself: the right item in the form that was given. Lookups deal outputs anew
in every episode and ask for one of those shown; labels name classes anew in every episode. Where demonstrations do not lead to
{can_do:.0%}, or of a bijection, whose direction can be guessed, to {can_do_bijection:.0%}, a task says nothing about θ.

**Geometry** uses θ of the test episodes, all tasks at one layer, cosine distance, no self-pairs. Every measure is taken of θ as it is,
as in the paper, and of θ less the mean over tasks of their mean θ. Where all states share one large direction all raw cosines are
near one and say little, whatever the tasks; the claims use θ less the mean. Nearest neighbours: {neighbours},
{folds}-fold stratified cross-validation. k-means: as many clusters as tasks, θ at unit length, {starts} starts; scored by the
adjusted Rand index. t-SNE: perplexity {perplexity}. UMAP: {umap_neighbours} neighbours, minimum
distance {min_dist}. Both at seeds {seeds}; trustworthiness over {neighbours}
neighbours.

**Decoding.** The mean θ of the test episodes of a task goes through the model's own final norm and unembedding. Filtered tokens are
alphabetic, each once whatever its case and outer spaces, as in the paper. The rank of an answer is that of its first token; the
rank of a name that of the best single-token spelling of any word of it.
"""


def methods(config: Config, tasks: list[str]) -> str:
    """The methods section (Markdown), generated from the configuration."""
    episodes, conflict, pictures = config["episodes"], config["conflict"], config["embedding"]
    sampling = (
        f"taken from `{episodes['source']}`, as many as it holds"
        if episodes["source"]
        else f"sampled with study seed {config['study']['seeds'][0]}"
    )
    counts = (
        "baseline episodes without demonstrations; dev and test episodes with "
        if episodes["source"]
        else f"{episodes['baseline']} baseline episodes without demonstrations; {episodes['dev']} dev and {episodes['test']} test\n"
        "episodes with "
    )
    even = (
        ""
        if episodes["source"]
        else f" Of tasks with at most {FEW_ANSWERS} answers, each of these\nhas every answer with the same probability."
    )
    by_prefix = [config["tasks"][task]["label"] for task in tasks if config["tasks"][task].get("scoring") == "prefix"]
    prefixes = PREFIXES.format(tasks=", ".join(by_prefix)) if by_prefix else ""
    tokens = config["scoring"]["answer_tokens"]
    short, answer = ("is a single token", "token") if tokens == 1 else (f"has at most {tokens} tokens", "line")
    read = "one greedy token is" if tokens == 1 else f"{tokens} greedy tokens are"
    transfer, repeats = _repeats_and_transfer(config)
    models = "\n".join(f"* {_model_line(name, config['models'][name])}" for name in config["study"]["models"])
    fields = {
        "models": models,
        "count": len(tasks),
        "labels": ", ".join(config["tasks"][task]["label"] for task in tasks),
    }
    fields |= {"short": short, "sampling": sampling, "counts": counts, "even": even, "read": read, "answer": answer}
    fields |= {"prefixes": prefixes}
    fields |= {"demonstrations": episodes["demonstrations"], "dummies": episodes["dummies"], "repeats": repeats}
    fields |= {"gain": 100 * GAIN, "passes": PASSES, "resamples": RESAMPLES, "forming": config["formation"]["episodes"]}
    fields |= {"pair_episodes": conflict["episodes"], "pair_demonstrations": conflict["demonstrations"]}
    fields |= {"rivals": rivals_methods(config), "gradient": gradient_methods(config)}
    fields |= {"transfer": transfer, "can_do": CAN_DO, "can_do_bijection": CAN_DO_BIJECTION}
    fields |= {"neighbours": NEIGHBOURS, "folds": FOLDS, "starts": STARTS, "perplexity": pictures["tsne"]["perplexity"]}
    fields |= {"umap_neighbours": pictures["umap"]["neighbours"], "min_dist": pictures["umap"]["min_dist"]}
    return TEXT.format(**fields, seeds=", ".join(map(str, pictures["seeds"])))


def _repeats_and_transfer(config: Config) -> tuple[str, str]:
    """Sentences that not every configuration has: on pairs beyond those asked for, and on further seeds."""
    conflict, sizes = config["conflict"], config["episodes"]["repeats"]
    transfer = (
        f" For the transfer matrix, every ordered pair of tasks that share {conflict['transfer']['shared_inputs']} such inputs or "
        f"more has {conflict['transfer']['episodes']} episodes, with and without the demonstrations of the query's task."
        if conflict["transfer"]["episodes"]
        else ""
    )
    others = config["study"]["seeds"][1:]
    repeats = (
        f"**Seeds.** The main experiment is repeated with study seeds {', '.join(map(str, others))}, everything sampled anew and "
        f"layers chosen anew, on {sizes['baseline']} baseline, {sizes['dev']} dev and {sizes['test']} test "
        "episodes a task, limits aside.\n\n"
        if others and not config["episodes"]["source"]
        else ""
    )
    return transfer, repeats


def _model_line(name: str, entry: Config) -> str:
    if entry.get("source") == "random":
        where = "random weights"
    elif "folder" in entry:
        where = "from a local folder"
    elif "wheels" in entry:
        where = f"de-quantized from GGUF, sha256 `{entry['gguf_sha256'][:16]}…`"
    else:
        where = f"`{entry['hub']}` at revision `{entry['revision']}`"
    return f"{entry['label']} (`{name}`), {where}; computed in {entry['dtype']}"
