"""Control: the mean outputs of as many other heads, drawn at random from the function vector's layers or the
nearest."""

from collections.abc import Sequence

from taskvectors.data.sampling import episode_rng
from taskvectors.engine.heads import Head
from taskvectors.questions.rivals.context import TaskContext
from taskvectors.questions.rivals.representations.function_vector import FunctionVector, HeadsByTask


class RandomHeads(FunctionVector):
    label = "random heads"
    control = True
    setting_of = "function_vector"

    def chosen(self, context: TaskContext, count: int | None) -> HeadsByTask:
        layers, heads = context.lm.layers, next(iter(context.measured.values())).count
        return {
            task: like(top, layers, heads, context.seed, "function vector", task)
            for task, top in super().chosen(context, count).items()
        }


def like(heads: Sequence[Head], layers: int, count: int, seed: int, *names: str) -> list[Head]:
    """As many random heads of every layer as these, and none of these; where a layer has too few, those of the nearest
    layers.

    Args:
        heads: which.
        layers, count: of the model, and heads of every block.
        seed, names: of the draw.

    Returns:
        Fewer where the model has too few others.
    """
    rng = episode_rng(seed, "random heads", *names, len(heads))
    free = {(layer, head) for layer in range(layers) for head in range(count)} - set(heads)
    drawn: list[Head] = []
    for layer, _ in sorted(heads):
        if free:
            nearest = min(abs(other - layer) for other, _ in free)
            drawn.append(rng.choice(sorted(head for head in free if abs(head[0] - layer) == nearest)))
            free.remove(drawn[-1])
    return drawn


representation = RandomHeads()
