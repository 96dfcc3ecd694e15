"""Prompt templates: how a demonstration is written, as text with a place for the query and one for the answer.

`Q: {query}\\nA: {answer}`: demonstrations are such texts, one below the other; the prompt of a query ends where its
answer would begin. A blank before the answer belongs to the answer, as tokenizers have it: the prompt ends with `A:`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from taskvectors.data.prompts import ARROW, HEAD
from taskvectors.data.text import unseen
from taskvectors.errors import StudyError

QUERY, ANSWER = "{query}", "{answer}"
LONGEST_TEMPLATE = 200


@dataclass(frozen=True)
class Template:
    """A template, in parts.

    Attributes:
        before: the query.
        between: query and answer, without blanks at its end.
        blank: before the answer, and part of it.
        after: the answer.
        as_spelled: whether outer blanks of texts are kept: the study's own prompts spell some tasks with a blank.
    """

    before: str
    between: str
    blank: str
    after: str
    as_spelled: bool = False

    def prompt(self, demos: Sequence[tuple[str, str]], query: str, instruction: str = "") -> str:
        """Demonstrations and the query, maybe below an instruction; the model answers at its end."""
        lines = [f"{self._query(x)}{self.answer(y)}{self.after}" for x, y in demos]
        first = [instruction] if instruction else []
        return "\n".join([*first, *lines, self._query(query)])

    def answer(self, text: str) -> str:
        """An answer as it follows the prompt."""
        return f"{self.blank}{self._bare(text)}"

    def _query(self, text: str) -> str:
        return f"{self.before}{self._bare(text)}{self.between}"

    def _bare(self, text: str) -> str:
        return text if self.as_spelled else text.strip(" ")


OWN = "paper"  # the study's own template, that of the paper
STUDYS = Template(HEAD, ARROW, "", "", as_spelled=True)


def parsed(text: str, where: str) -> Template:
    """The template that a text is.

    Args:
        where: its key, for messages.

    Raises:
        StudyError: naming the fault and the remedy.
    """
    shown = f"{where}: {text!a}"
    if len(text) > LONGEST_TEMPLATE:
        raise StudyError(f"{where}: {len(text)} characters, {LONGEST_TEMPLATE} at most. Shorten it.")
    if bad := unseen(text.replace("\n", " ")):
        raise StudyError(f"{shown} holds {bad}, which cannot be seen. Remove it.")
    for place in (QUERY, ANSWER):
        if text.count(place) != 1:
            raise StudyError(
                f"{shown} has {text.count(place)} places for {place}. Write {QUERY} and {ANSWER}, once each."
            )
    before, rest = text.split(QUERY)
    if ANSWER not in rest:
        raise StudyError(f"{shown}: the answer comes before the query. Write {QUERY} first.")
    between, after = rest.split(ANSWER)
    parts = {"before": before, "between": between, "after": after}
    if strange := next((part for part in parts.values() if "{" in part or "}" in part), None):
        raise StudyError(f"{shown}: {strange!a}: a brace that is no part of {QUERY} or {ANSWER}. Remove it.")
    stripped = between.rstrip(" ")
    if not stripped.strip():
        raise StudyError(
            f"{shown}: nothing but blanks stands between query and answer. Put a sign there, such as `->`."
        )
    if len(between) - len(stripped) > 1 or stripped != stripped.rstrip():
        raise StudyError(
            f"{shown}: before {ANSWER} there is more than one blank, or the end of a line: the prompt would end in blanks. Put the "
            "answer right behind a sign, or behind one blank."
        )
    if after != after.rstrip() or before != before.lstrip():
        raise StudyError(f"{shown} begins or ends in a blank. Remove it.")
    return Template(before, stripped, between[len(stripped) :], after)


def parsed_all(
    templates: Mapping[str, str], where: Callable[[str], str] = "robustness: templates: {}".format
) -> dict[str, Template]:
    """Templates by name, the study's own first.

    Args:
        where: the key of a template, for messages.

    Raises:
        StudyError: see `parsed`; for two that are the same, or one with the name of the study's own.
    """
    if OWN in templates:
        raise StudyError(f"{where(OWN)}: this is the name of the study's own template. Choose another.")
    read = {OWN: STUDYS} | {name: parsed(text, where(name)) for name, text in templates.items()}
    names = list(read)
    for place, name in enumerate(names):
        same = replace(read[name], as_spelled=True)
        if twin := next((other for other in names[:place] if replace(read[other], as_spelled=True) == same), None):
            raise StudyError(f"{where(name)}: the same template as {twin}. Remove one.")
    return read
