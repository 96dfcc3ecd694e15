"""What a task is: pairs of input and output strings, and how episodes use them.

A mapping task is a table of inputs and outputs (`taskvectors.data.pairs`). A generated task is computed: letters and
lists of letters (paper, section 3.1 and appendix A.1). Other tasks are made of these: the inverse of one, the union of
one and its inverse, the copy of its inputs, one after another, a choice among words of several classes; or tasks whose
rule is drawn anew in every episode.
"""

import functools
import itertools
import random
import string
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from taskvectors.data.pairs import Pair, read_table
from taskvectors.data.text import normal_form
from taskvectors.errors import StudyError
from taskvectors.names import MAIN

LETTERS = string.ascii_lowercase
LISTS_PER_LENGTH = {2: 400, 3: 400, 4: 400}
EXACT, PREFIX = "exact", "prefix"
# How episodes use the pairs of a task (see `taskvectors.data.sampling`):
FUNCTION = "function"  # from input to output
BIJECTION = "bijection"  # each in one of its two directions: the union of a function and its inverse
LOOKUP = "lookup"  # outputs dealt anew to the inputs in every episode; the query is among the demonstrations
LABELS = "labels"  # outputs are classes, and every class gets a new label in every episode


@dataclass(frozen=True)
class Task:
    """A named set of pairs, in a fixed order, and how episodes use them.

    Attributes:
        family: a label.
        labels: that classes can get.
        role: `main`, or `limit` of a task that one vector may not hold.
        scoring: `exact`, or `prefix` if an answer counts that begins another, or is begun by it (the paper's rule for
            knowledge), and the query does not begin so, too.
        demonstrations: in an episode, if the task wants another number than the study.
        answer_tokens: that are compared with the answer, likewise.
    """

    name: str
    family: str
    pairs: tuple[Pair, ...]
    kind: str = FUNCTION
    labels: tuple[str, ...] = ()
    role: str = MAIN
    scoring: str = EXACT
    demonstrations: int | None = None
    answer_tokens: int | None = None

    @property
    def by_prefix(self) -> bool:
        return self.scoring == PREFIX

    @functools.cached_property
    def by_answer(self) -> dict[str, list[Pair]]:
        """The pairs of every reference answer."""
        groups: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            groups.setdefault(pair.answers[0], []).append(pair)
        return groups


def _letters(rule: Callable[[str], str], inputs: str = LETTERS) -> tuple[Pair, ...]:
    return tuple(Pair(letter, (rule(letter),)) for letter in inputs)


def _lists(position: int) -> tuple[Pair, ...]:
    """Lists of two to four different letters. One fixed draw, so that list tasks share their inputs."""
    draw = random.Random("lists of letters")
    lists = []
    for length, count in LISTS_PER_LENGTH.items():
        lists += draw.sample(list(itertools.permutations(LETTERS, length)), count)
    return tuple(Pair(",".join(letters), (letters[position],)) for letters in lists)


def _reversed(lists: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple(Pair(pair.input, (",".join(reversed(pair.input.split(","))),)) for pair in lists)


def _kth() -> tuple[Pair, ...]:
    """A place and a list of four different letters: the letter at that place. One fixed draw."""
    draw, places = random.Random("place and list of letters"), range(1, 5)
    lists = draw.sample(list(itertools.permutations(LETTERS, len(places))), LISTS_PER_LENGTH[4])
    asked = [(draw.choice(places), letters) for letters in lists]
    return tuple(Pair(f"{place}:{','.join(letters)}", (letters[place - 1],)) for place, letters in asked)


def _counts() -> tuple[Pair, ...]:
    """Lists of one to six different letters: how many there are. One fixed draw."""
    draw = random.Random("lists of letters to count")
    lists = [draw.sample(LETTERS, length) for length in range(1, 7) for _ in range(LISTS_PER_LENGTH[2])]
    return tuple({",".join(letters): Pair(",".join(letters), (str(len(letters)),)) for letters in lists}.values())


GENERATORS: dict[str, Callable[[], tuple[Pair, ...]]] = {
    "next_letter": lambda: _letters(lambda letter: chr(ord(letter) + 1), LETTERS[:-1]),
    "prev_letter": lambda: _letters(lambda letter: chr(ord(letter) - 1), LETTERS[1:]),
    "to_upper": lambda: _letters(str.upper),
    "to_lower": lambda: _letters(str.lower, LETTERS.upper()),
    "list_first": lambda: _lists(0),
    "list_last": lambda: _lists(-1),
    "list_reversed": lambda: _reversed(_lists(0)),
    "list_kth": _kth,
    "list_count": _counts,
}
CHOICES = 400  # pairs of a task that chooses a word


def load_task(name: str, entry: Mapping[str, Any]) -> Task:
    """Make a task from its entry in `config/tasks.yaml`.

    Besides `family`, and maybe `role`, `scoring`, `demonstrations` and `answer_tokens`, an entry has one of: `table`
    (a path), and maybe `renamed` (new outputs, by output); `generate` (a name); `inverse_of`, `copy_of`,
    `bijection_of` (the entry of another task); `composed_of` (the entries of two: what the second makes of the
    first's answers); `lookup` (a table whose outputs are dealt anew); `classes` (a table of words and their classes)
    with `labels`; `choose` (such a table) with `wanted`, the class of the word to choose. Beside `inverse_of` and
    `bijection_of`, `other_direction` may name the entry of a task that leads back: what its table accepts is accepted,
    too.

    Raises:
        StudyError: if a table is bad (see `read_table`) or the generator is not known.
    """
    kind = FUNCTION
    labels: tuple[str, ...] = ()
    leads_back = base_pairs(entry["other_direction"]) if "other_direction" in entry else ()
    if "lookup" in entry:
        kind, pairs = LOOKUP, read_table(entry["lookup"])
    elif "classes" in entry:
        kind, pairs, labels = LABELS, read_table(entry["classes"]), tuple(map(normal_form, entry["labels"]))
    elif "bijection_of" in entry:
        kind, pairs = BIJECTION, one_to_one(base_pairs(entry["bijection_of"]), _ambiguous(name, entry), leads_back)
    elif "inverse_of" in entry:
        pairs = inverse(base_pairs(entry["inverse_of"]), leads_back)
    elif "composed_of" in entry:
        pairs = composed(*map(base_pairs, entry["composed_of"]))
    elif "choose" in entry:
        pairs = choices(name, read_table(entry["choose"]), normal_form(entry["wanted"]))
    elif "copy_of" in entry:
        pairs = tuple(Pair(pair.input, (pair.input,)) for pair in base_pairs(entry["copy_of"]))
    else:
        pairs = base_pairs(entry)
    said = {key: entry[key] for key in ("role", "scoring", "demonstrations", "answer_tokens") if key in entry}
    return Task(name, entry["family"], pairs, kind, labels, **said)


def table_of(entry: Mapping[str, Any]) -> str | None:
    """The table that a task is made of: its own, or that of the task it names; None of generated ones."""
    entries = [entry, *(entry[how] for how in ("inverse_of", "copy_of", "bijection_of") if how in entry)]
    entries += entry.get("composed_of", [])
    return next((one[key] for one in entries for key in ("table", "lookup", "classes", "choose") if key in one), None)


def base_pairs(entry: Mapping[str, Any]) -> tuple[Pair, ...]:
    """Pairs of an entry with a table or a generator."""
    if "table" in entry:
        return renamed(entry["table"], read_table(entry["table"]), entry.get("renamed", {}))
    if entry["generate"] not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise StudyError(f"config/tasks.yaml: generate: {entry['generate']} is not one of {known}.")
    return GENERATORS[entry["generate"]]()


def renamed(table: str, pairs: tuple[Pair, ...], names: Mapping[str, str]) -> tuple[Pair, ...]:
    """The pairs with other outputs.

    Raises:
        StudyError: for an output without a new name, or a name of none.
    """
    if not names:
        return pairs
    names = {normal_form(output): normal_form(name) for output, name in names.items()}
    outputs = dict.fromkeys(answer for pair in pairs for answer in pair.answers)
    if strange := next((output for output in [*outputs, *names] if (output in outputs) != (output in names)), None):
        raise StudyError(
            f"config/tasks.yaml: renamed: {strange!a} is {'not renamed' if strange in outputs else f'no output of {table}'}. "
            "Name every output of the table, and no other."
        )
    return tuple(Pair(pair.input, tuple(names[answer] for answer in pair.answers)) for pair in pairs)


def composed(first: tuple[Pair, ...], second: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """What the second makes of the first's reference answers. Left out are inputs that lead nowhere, and those whose
    answer is the input again."""
    onward = {pair.input: pair.answers for pair in second}
    both = ((pair.input, onward.get(pair.answers[0], ())) for pair in first)
    return tuple(Pair(given, answers) for given, answers in both if answers and given not in answers)


def choices(name: str, words: tuple[Pair, ...], wanted: str) -> tuple[Pair, ...]:
    """Three words, one of the wanted class and two of others, in any order: that one. One fixed draw.

    Raises:
        StudyError: if there is no word of the class, or fewer than two of others.
    """
    groups = {own: [pair.input for pair in words if (pair.answers[0] == wanted) == own] for own in (True, False)}
    if not groups[True] or len(groups[False]) < 2:
        raise StudyError(
            f"config/tasks.yaml, tasks: {name}: wanted: {wanted!a} must be the class of a word, and two words of others."
        )
    draw, pairs = random.Random("choices of words"), dict[str, Pair]()
    for _ in range(CHOICES):
        answer = draw.choice(groups[True])
        listed = [answer, *draw.sample(groups[False], 2)]
        draw.shuffle(listed)
        pairs[", ".join(listed)] = Pair(", ".join(listed), (answer,))
    return tuple(pairs.values())


def _ambiguous(name: str, entry: Mapping[str, Any]) -> Collection[str]:
    """The words that a bijection leaves out, checked for words that leave out nothing."""
    words = entry.get("ambiguous", ())
    pairs = base_pairs(entry["bijection_of"])
    sides = {text for pair in pairs for text in (pair.input, *pair.answers)}
    if strange := [word for word in words if word not in sides]:
        raise StudyError(
            f"config/tasks.yaml, tasks: {name}: ambiguous: {strange[0]} is in no pair. Correct or delete it."
        )
    return words


def inverse(pairs: tuple[Pair, ...], leads_back: tuple[Pair, ...] = ()) -> tuple[Pair, ...]:
    """From reference answers back to inputs: every input that leads there is accepted, the first is the reference.

    Inputs that have the answer as their reference come before those that merely accept it.

    Args:
        leads_back: pairs of a table of the other direction: what it accepts for an answer comes last.
    """
    inputs: dict[str, list[str]] = {}
    for pair in pairs:
        inputs.setdefault(pair.answers[0], []).append(pair.input)
    for pair in pairs:
        for answer in pair.answers[1:]:
            if answer in inputs:
                inputs[answer].append(pair.input)
    also = {pair.input: pair.answers for pair in leads_back}
    return tuple(Pair(output, tuple(dict.fromkeys((*back, *also.get(output, ()))))) for output, back in inputs.items())


def one_to_one(
    pairs: tuple[Pair, ...], ambiguous: Collection[str] = (), leads_back: tuple[Pair, ...] = ()
) -> tuple[Pair, ...]:
    """The pairs whose two directions cannot be confused, with what is accepted on the way back.

    Left out are pairs whose output another pair has too, whose input or output is on the other side of any pair, or is
    one of the `ambiguous` words: `pain` is an English input and, as bread, a French one.
    """
    outputs = Counter(pair.answers[0] for pair in pairs)
    inputs, accepted = {pair.input for pair in pairs}, {answer for pair in pairs for answer in pair.answers}
    back = {pair.input: pair.answers for pair in inverse(pairs, leads_back)}
    return tuple(
        Pair(pair.input, pair.answers, back[pair.answers[0]])
        for pair in pairs
        if outputs[pair.answers[0]] == 1
        and not {pair.input, pair.answers[0]} & set(ambiguous)
        and pair.input not in accepted
        and pair.answers[0] not in inputs
    )
