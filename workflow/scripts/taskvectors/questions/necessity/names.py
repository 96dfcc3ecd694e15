"""Names in `necessity.csv`: what is done to the last token of a prompt with demonstrations."""

from taskvectors.names import OTHER_THETA, THETA, V0

REGULAR, ZERO_SHOT = "regular", "zero_shot"  # nothing, with and without demonstrations
MEAN = "mean_over_tasks"
TASK_PART, RANDOM_PART, OTHER_PART = "task_part", "random_part", "other_part"
REPLACED = {
    THETA: "replaced by θ",
    MEAN: "replaced by the mean over tasks",
    V0: "replaced by v₀",
    OTHER_THETA: "replaced by θ of another task",
}
REMOVED = {
    TASK_PART: "the task's part removed",
    OTHER_PART: "another task's part removed",
    RANDOM_PART: "a random vector of its length added",
}
CHANGES = REPLACED | REMOVED
