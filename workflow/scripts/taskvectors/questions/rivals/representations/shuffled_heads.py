"""Control: the function vector's heads with their mean outputs over prompts whose answers are shuffled."""

from taskvectors.questions.rivals.context import SHUFFLED
from taskvectors.questions.rivals.representations.function_vector import FunctionVector


class ShuffledHeads(FunctionVector):
    label = "function vector of shuffled answers"
    control = True
    setting_of = "function_vector"
    trials = SHUFFLED


representation = ShuffledHeads()
