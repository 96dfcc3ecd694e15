"""Names in `several.csv`: vectors that stand in for the demonstrations together."""

from taskvectors.names import THETA

PER_ARROW, COPIES = "per_arrow", "copies_per_arrow"
ADDED, TWO_LAYERS, TWO_COPIES = "added", "added_at_two_layers", "copies_at_two_layers"
REGULAR = "regular"
WORDS = {
    REGULAR: "demonstrations",
    THETA: "one θ",
    PER_ARROW: "one θ per arrow, each of another query",
    COPIES: "copies of their mean, one per arrow",
    ADDED: "θ − v₀, added at one layer",
    TWO_LAYERS: "θ − v₀, added at two layers",
    TWO_COPIES: "copies of one θ − v₀, added at two layers",
}
CONTROL_OF = {PER_ARROW: COPIES, TWO_LAYERS: TWO_COPIES}  # the same number of vectors, all the same
