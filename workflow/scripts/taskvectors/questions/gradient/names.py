"""Names in `gradient.csv`: what is measured, of which subject, and what it is compared with."""

from taskvectors.names import ACCURACY, CENTRED, DIVERGENCE, LOSS, OTHER_THETA, QUERY_LOSS, SCALED, THETA, V0

# Measures of a vector in the place of the demonstrations.
TO_THETA = "cosine_to_theta"  # cosine of v − v₀ and θ − v₀
MIDWAY = "below_midway"  # how far the loss at θ is below the midpoint of the loss at v₀ and the lowest of descent
OF_VECTORS = (LOSS, QUERY_LOSS, ACCURACY, DIVERGENCE)
DESCENT, ONLINE = "descent", "online"

# Cosines with the descent direction of the demonstrations, and with that of controls.
DIRECTION, INCREMENT, ORDER = "direction", "increment", "order"
COSINES = (DIRECTION, INCREMENT, ORDER)
GRADIENT = "gradient"
SHUFFLED, OTHER_INPUTS, OTHER_TASK = "shuffled", "other_inputs", "other_task"
RANDOM_DIRECTION, RANDOM_WEIGHTS = "random_direction", "random_weights"
GRADIENT_CONTROLS = (SHUFFLED, OTHER_INPUTS, OTHER_TASK, RANDOM_DIRECTION, RANDOM_WEIGHTS)
# A claim without all of its controls has no basis. Every claim must exceed zero, so ORDER has no random direction.
CONTROLS_OF = {
    DIRECTION: GRADIENT_CONTROLS,
    INCREMENT: GRADIENT_CONTROLS,
    ORDER: (SHUFFLED, OTHER_INPUTS, OTHER_TASK, RANDOM_WEIGHTS),
}
# The states by which cosines are judged: a direction that tasks share is no evidence. Deviations from a mean have no
# shared part.
# A cosine depends on the metric: a claim must hold in two.
JUDGED: dict[str, tuple[str | None, ...]] = {
    DIRECTION: (CENTRED, SCALED), INCREMENT: (CENTRED, SCALED), ORDER: (None,),
}  # fmt: skip

SPREAD = "spread"  # over orders of the demonstrations

FEW = 4  # steps, after which the length of a step is chosen on dev episodes
COLUMNS = ["task", "episode", "measure", "subject", "states", "step", "value", "layer", "share", "left_out"]

# Labels in figures and tables.
VECTORS = {V0: "v₀", DESCENT: "descent", ONLINE: "online descent", THETA: "θ", OTHER_THETA: "θ of another task"}
DIRECTIONS = {
    GRADIENT: "the gradient",
    SHUFFLED: "that of shuffled answers",
    OTHER_INPUTS: "that of the same answers, other inputs",
    OTHER_TASK: "that of another task",
    RANDOM_DIRECTION: "a random direction",
    RANDOM_WEIGHTS: "the gradient, random weights",
}
OVER_ORDERS = {
    GRADIENT: "online descent",
    SHUFFLED: "online descent, shuffled answers",
    OTHER_INPUTS: "online descent, other inputs",
    OTHER_TASK: "online descent, another task",
    RANDOM_WEIGHTS: "online descent, random weights",
}
COMPARED_WITH = {DIRECTION: DIRECTIONS, INCREMENT: DIRECTIONS, ORDER: OVER_ORDERS}
CHANGES = {DIRECTION: "θ − v₀", INCREMENT: "each demonstration's part", ORDER: "θ over orders"}
