"""Words that data, tables, figures and report share: names of columns, rows and kinds.

Plain Python: Snakemake reads them whenever it starts, with nothing but its own dependencies at hand.
"""

ALL = "all"  # task and family of rows over all tasks
RAW, CENTRED = "raw", "centred"  # θ as it is, and less the mean over tasks
MAIN, LIMIT = "main", "limit"  # roles of tasks: those that one vector may not hold are never part of a mean over tasks
KEY = ["model", "family", "role", "task"]
# What a prompt that is patched with θ of another task holds besides its query:
KEPT = "kept"  # the demonstrations of the query's own task
WITHOUT = "none"
# A table with so few different answers is sampled evenly over them: a constant answer would else be right as often as its share.
FEW_ANSWERS = 10
MARKED_FROM = 0.35  # a task in which a constant answer is right more often is marked
# Kinds of what stands in for the demonstrations, and what they are seen beside:
RIVAL, CONTROL, REFERENCE = "rival", "control", "reference"
POINTS = "points: "  # begins the id of a group of points in an SVG; the name of their task follows
