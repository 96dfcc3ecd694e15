"""Names in `gradient.csv`: what is measured, of what, and what it is compared with."""

from taskvectors.names import CENTRED

# Of a vector in the place of the demonstrations.
LOSS, QUERY_LOSS, ACCURACY, DIVERGENCE = "loss", "query_loss", "accuracy", "divergence"
TO_THETA = "cosine_to_theta"  # of v − v₀ and θ − v₀
MIDWAY = "below_midway"  # how far the loss at θ is below the middle of that at v₀ and the lowest of descent
OF_VECTORS = (LOSS, QUERY_LOSS, ACCURACY, DIVERGENCE)
V0, THETA, DESCENT, ONLINE = "v0", "theta", "descent", "online"
OTHER_THETA = "other_theta"  # of an episode of the next task

# Cosines with the way down the gradient, and with that of controls.
DIRECTION, INCREMENT, ORDER = "direction", "increment", "order"
COSINES = (DIRECTION, INCREMENT, ORDER)
GRADIENT = "gradient"
SHUFFLED, OTHER_TASK, RANDOM_DIRECTION, RANDOM_WEIGHTS = "shuffled", "other_task", "random_direction", "random_weights"
CONTROLS = (SHUFFLED, OTHER_TASK, RANDOM_DIRECTION, RANDOM_WEIGHTS)
# Without all of its controls a claim has no basis. Over orders a random direction is zero, which is held against everything.
CONTROLS_OF = {DIRECTION: CONTROLS, INCREMENT: CONTROLS, ORDER: (SHUFFLED, OTHER_TASK, RANDOM_WEIGHTS)}
# By which states cosines are judged: a direction that tasks share is no evidence. Distances from a mean have nothing to share.
JUDGED = {DIRECTION: CENTRED, INCREMENT: CENTRED, ORDER: None}

SPREAD = "spread"  # over orders of the demonstrations

FEW = 4  # steps, at which the length of a step is chosen on dev episodes
AS_MUCH = 0.10  # of accuracy: what does less by no more than this does as much
ALONG = 0.05  # of a cosine, beyond every control: from here on a vector moves along the gradient
ENOUGH = 6  # episodes beyond the first of each task: of fewer an interval covers too little
COLUMNS = ["task", "episode", "measure", "of", "states", "step", "value", "layer", "share", "left_out"]

# What figures and tables call them.
VECTORS = {V0: "v₀", DESCENT: "descent", ONLINE: "online descent", THETA: "θ", OTHER_THETA: "θ of another task"}
WAYS = {
    GRADIENT: "the gradient",
    SHUFFLED: "that of shuffled answers",
    OTHER_TASK: "that of another task",
    RANDOM_DIRECTION: "a random direction",
    RANDOM_WEIGHTS: "the gradient, random weights",
}
WAYS_OVER_ORDERS = {
    GRADIENT: "online descent",
    SHUFFLED: "online descent, shuffled answers",
    OTHER_TASK: "online descent, another task",
    RANDOM_WEIGHTS: "online descent, random weights",
}
WAYS_OF = {DIRECTION: WAYS, INCREMENT: WAYS, ORDER: WAYS_OVER_ORDERS}
CHANGES = {DIRECTION: "θ − v₀", INCREMENT: "each demonstration's part", ORDER: "θ over orders"}
