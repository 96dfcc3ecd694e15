"""Which prompts run together: equal lengths, as many as the memory holds, fewer if it does not."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch

from taskvectors.data.tokens import Ids
from taskvectors.errors import StudyError
from taskvectors.models.language_model import LanguageModel, context_length
from taskvectors.models.memory import memory_at_hand
from taskvectors.sizing import bytes_per_token

SHARE = 0.5  # of the memory at hand; the rest is for logits, fragmentation and other processes
GPU_TOKENS = 65536  # enough to keep any GPU busy


def no_progress(count: int) -> None:
    """A progress callback that does nothing."""


def run_in_batches(
    lengths: Sequence[int],
    size: Callable[[int], int],
    run: Callable[[list[int]], None],
    done: Callable[[int], None] = no_progress,
) -> None:
    """Call `run` on the indices of all items, equal lengths together, `size(length)` at a time.

    Where memory runs out, the batch is halved and run again, and so are all batches after it.

    Args:
        done: called after every batch with its number of items.

    Raises:
        StudyError: if the memory does not hold a single item.
    """
    halved = 1
    for length, members in by_length(lengths):
        start = 0
        while start < len(members):
            batch = members[start : start + max(1, size(length) // halved)]
            if _fits(run, batch):
                start += len(batch)
                done(len(batch))
            elif len(batch) == 1:
                raise StudyError(
                    f"the memory does not hold one prompt of {length} tokens. Use a smaller model, `dtype: bfloat16`, fewer "
                    "demonstrations, or a machine with more memory."
                )
            else:
                halved *= 2


def by_length(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Every length, from short to long, with the indices of the items that have it."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    for length, group in groupby(order, key=lambda i: lengths[i]):
        yield length, list(group)


def _fits(run: Callable[[list[int]], None], batch: list[int]) -> bool:
    try:
        run(batch)
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # how torch's CPU allocator says it
            raise
    else:
        return True
    # Only here are the tensors that the traceback held gone.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


def tokens_at_once(lm: LanguageModel, on_cpu: int, kept_copies: float = 1) -> int:
    """How many tokens one pass may hold, by the memory at hand.

    Args:
        on_cpu: what suits a CPU's caches best; more is never taken there.
        kept_copies: how often the keys and values of a token are held, in all blocks.
    """
    if lm.device.type == "cuda":
        free, most = torch.cuda.mem_get_info(lm.device)[0], GPU_TOKENS
    else:
        free, most = memory_at_hand(), on_cpu
    config = lm.model.config.get_text_config()
    widest = getattr(config, "intermediate_size", None) or 4 * lm.hidden
    token = bytes_per_token(lm.hidden, widest, lm.layers, lm.dtype.itemsize, kept_copies)
    return max(1, min(most, int(SHARE * free / token)))


def check_lengths(
    lm: LanguageModel, prompts: Sequence[Ids], names: Sequence[str], *, shortest: int = 1, answer_tokens: int = 1
) -> None:
    """Raise StudyError, naming it, for a prompt that is too short or that exceeds, with its answer, the model's
    context."""
    longest = context_length(lm.model.config)
    for ids, name in zip(prompts, names, strict=True):
        if len(ids) < shortest:
            raise StudyError(f"{name}: the prompt has {len(ids)} tokens, {shortest} are needed. Lengthen the query.")
        if longest and len(ids) + answer_tokens - 1 > longest:
            raise StudyError(
                f"{name}: the prompt has {len(ids)} tokens, but {type(lm.model).__name__} reads {longest - answer_tokens + 1} at "
                "most. Use shorter inputs or fewer demonstrations (`episodes: demonstrations`)."
            )
