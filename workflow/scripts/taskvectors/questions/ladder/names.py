"""Rungs in `ladder.csv`: what takes the place of the query's own state, from a constant to that state behind
demonstrations."""

from taskvectors.names import THETA

BARE = "bare"
CONSTANT, OFFSET, MAP, FULL, STATE = "constant", "offset", "map", "full_map", "state"
SHUFFLED, OTHER_TASK, RANDOM, ALL_TASKS = "shuffled_map", "other_map", "random_map", "common_map"
REGULAR = "regular"
RUNGS = {
    BARE: "the bare query's state",
    CONSTANT: "constant: mean state",
    OFFSET: "bare state + offset",
    MAP: "linear map of rank",
    FULL: "linear map, full rank",
    STATE: "its state behind demonstrations",
    REGULAR: "demonstrations",
}
CONTROLS = {
    THETA: "θ of one episode",
    RANDOM: "map along random directions, rank",
    SHUFFLED: "map of shuffled pairs",
    OTHER_TASK: "map of another task",
    ALL_TASKS: "one map for all tasks",
}
NONE, ELSEWHERE = "none", "elsewhere"  # in `ranks.csv`: no map is enough; the state itself is not
NEAR = 0.10  # accuracy: a rung is enough that is lower than the state itself by no more
