"""The prompt template (the authors' released code; the paper's appendix A.2 gives its shape)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskvectors.data.episodes import Episode  # which asks for the head of a line when it reads texts

HEAD, ARROW = "example:", "->"  # of every line: before the input, and before the answer


def prompt(demos: tuple[tuple[str, str], ...], query: str) -> str:
    """`example:{x}->{y}` lines, then `example:{query}->`; the model answers after the last arrow."""
    return "\n".join([*(f"{HEAD}{x}{ARROW}{y}" for x, y in demos), f"{HEAD}{query}{ARROW}"])


def begins_a_demonstration(text: str) -> bool:
    """Whether a text has a line, beyond its first, that begins as a demonstration does: a prompt with it could be read
    in two ways."""
    return any(line.lstrip().startswith(HEAD) for line in text.split("\n")[1:])


def regular_prompt(episode: "Episode") -> str:
    """Demonstrations and query."""
    return prompt(episode.demos, episode.query)


def dummy_prompts(episode: "Episode") -> list[str]:
    """Demonstrations and each dummy query x': the prompts that θ is read from."""
    return [prompt(episode.demos, dummy) for dummy in episode.dummies]


def growing_prompts(episode: "Episode") -> list[str]:
    """The prompt of the first dummy query, up to every arrow: after 0, 1, … all demonstrations."""
    queries = [*(x for x, _ in episode.demos), episode.dummies[0]]
    return [prompt(episode.demos[:k], query) for k, query in enumerate(queries)]


def unanswered_prompts(queries: Sequence[str]) -> list[str]:
    """A prompt of queries without answers, up to every arrow; the last is the whole prompt."""
    lines = [prompt((), query) for query in queries]
    return ["\n".join(lines[: 1 + place]) for place in range(len(lines))]


def zero_shot_prompt(episode: "Episode") -> str:
    """The query alone: what θ is patched into."""
    return prompt((), episode.query)
