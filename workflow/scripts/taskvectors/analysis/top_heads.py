"""Which attention heads are told of."""

TOP_HEADS = 10  # of the largest effects: ringed in the figure, told in the table; the captions say ten
