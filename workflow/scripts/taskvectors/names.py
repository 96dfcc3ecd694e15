"""Words that data, tables, figures and report share: names of columns, rows and kinds.

Plain Python: Snakemake reads them whenever it starts, with nothing but its own dependencies at hand.
"""

ALL = "all"  # task and family of rows over all tasks
ABLE = "able"  # task of rows over the tasks above the floor (`layer_choice.csv`)
MEANS = (ALL, ABLE)
RAW, CENTRED = "raw", "centred"  # θ itself, and θ less the mean over tasks
SCALED = "scaled"  # centred, in coordinates that are divided by the deviation of θ
MAIN, LIMIT = "main", "limit"  # roles of tasks: those that one vector may not hold are never part of a mean over tasks
KEY = ["model", "family", "role", "task"]
# What a prompt that is patched with θ of another task holds besides its query:
KEPT = "kept"  # the demonstrations of the query's own task
WITHOUT = "none"
# A table with so few different answers is sampled evenly over them: a constant answer would else be right as often as
# its share.
FEW_ANSWERS = 10
FLOOR = 0.20  # with demonstrations a model does a task from this accuracy on
FEW_HEADS = 0.05  # share of a model's heads up to which their outputs are called a function vector
MARKED_FROM = 0.35  # a task in which a constant answer is right more often is marked
# Measures of a vector in the place of the demonstrations: losses in nats, divergence in bits.
LOSS, QUERY_LOSS, ACCURACY, DIVERGENCE = "loss", "query_loss", "accuracy", "divergence"
V0, THETA = "v0", "theta"  # such vectors: θ of no demonstrations, and θ
OTHER_THETA = "other_theta"  # θ of an episode of the next task
# Kinds of what replaces the demonstrations, and what they are compared with:
RIVAL, CONTROL, REFERENCE = "rival", "control", "reference"
POINTS = "points: "  # begins the id of a group of points in an SVG; the name of their task follows
# Methods of the main experiment that θ must beat, and their labels. A new one: here, in
# `questions/controls/measure.py`, and in words in the `page.md` beside that.
CONTROLS = {
    "zero_shot": "zero-shot",
    "majority": "majority answer",
    "copy_query": "copy the query",
    "shown_answer": "commonest answer shown",
    "random_theta": "random vector",
    "other_theta": "θ of another task",
    "last_layer": "θ at last layer",
}
METHODS = CONTROLS | {
    "baseline": "baseline",
    "hypothesis": "θ (hypothesis)",
    "regular": "demonstrations (regular)",
    "hypothesis_common": "θ at the common layer",
    "hypothesis_paper": "θ at the layer of the paper's rule",
    "hypothesis_oracle": "θ at the oracle's layer",
    "mean_theta": "mean θ of other episodes",
}
