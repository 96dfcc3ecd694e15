"""The loss of demonstrations as a function of a vector: what vectors are learned on, and what gradient descent
lowers."""

from collections.abc import Sequence

from taskvectors.data.episodes import Episode
from taskvectors.data.prompts import prompt
from taskvectors.data.tokens import Ids, first_answer_ids, prompt_ids
from taskvectors.engine.descent import AnswerLoss, Prefilled
from taskvectors.models.language_model import LanguageModel

Pairs = Sequence[tuple[str, str]]  # of input and answer


class AnswerLosses:
    """Losses of the first tokens of answers behind the bare prompts of their inputs. The prompts are run once."""

    def __init__(self, lm: LanguageModel, pairs: Sequence[Pairs], layer: int, names: list[str]) -> None:
        """
        Args:
            pairs: of every episode; those of later losses have no other inputs.
            layer: of the block after which a vector replaces the state of the last token.
            names: of the episodes, for error messages.
        """
        self.tokenizer = lm.tokenizer
        texts = list(dict.fromkeys(text for of_episode in pairs for text in _bare(of_episode)))
        self.ids = dict(zip(texts, prompt_ids(lm.tokenizer, texts), strict=True))
        self.prefilled = Prefilled(lm, [self._ids(of_episode) for of_episode in pairs], layer, names)

    def loss_for(self, pairs: Sequence[Pairs], names: list[str]) -> AnswerLoss:
        """The loss of every row's pairs, as a function of a vector for each."""
        named = [
            (text, y, name)
            for row, name in zip(pairs, names, strict=True)
            for text, (_, y) in zip(_bare(row), row, strict=True)
        ]
        first = iter(first_answer_ids(self.tokenizer, *map(list, zip(*named, strict=True))) if named else [])
        wanted = [[next(first) for _ in row] for row in pairs]
        return AnswerLoss(self.prefilled, list(map(self._ids, pairs)), wanted, names)

    def _ids(self, pairs: Pairs) -> list[Ids]:
        return [self.ids[text] for text in _bare(pairs)]


def _bare(pairs: Pairs) -> list[str]:
    return [prompt((), x) for x, _ in pairs]


def queries(episodes: Sequence[Episode]) -> list[Pairs]:
    """Of every episode the query and its answer."""
    return [[(episode.query, episode.answers[0])] for episode in episodes]
