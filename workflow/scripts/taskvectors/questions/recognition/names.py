"""Names in `recognition.csv`: vectors in θ's place, from the least to the most that they share with the
demonstrations."""

from taskvectors.names import ACCURACY, DIVERGENCE, LOSS, OTHER_THETA, THETA, V0

SHUFFLED, SAME_TASK, OTHER_INPUTS = "shuffled", "same_task", "other_inputs"
# Each step of the ladder adds something to the step before.
LADDER = (V0, OTHER_THETA, SHUFFLED, SAME_TASK, THETA)
SUBJECTS = {
    V0: "v₀",
    OTHER_THETA: "θ of another task",
    SHUFFLED: "θ behind shuffled answers",
    OTHER_INPUTS: "θ behind the same answers, other inputs",
    SAME_TASK: "θ of another episode of the task",
    THETA: "θ",
}
PARTS = {
    OTHER_THETA: "an answer follows",
    SHUFFLED: "inputs and answers",
    SAME_TASK: "the task",
    THETA: "these demonstrations",
}
MEASURES = {LOSS: "loss of the demonstrations, nats", ACCURACY: "accuracy on queries", DIVERGENCE: "divergence, bits"}
