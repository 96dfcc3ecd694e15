"""Colours that figures and page share: the colour-blind tell them apart, and their lightness differs, for print in
grey."""

import itertools
from collections.abc import Iterable

# Of the study's own families; those of users get the further ones, in the order in which they come.
FAMILIES = {"algorithmic": "#0072b2", "knowledge": "#d55e00", "linguistic": "#009e73", "translation": "#aa4499"}
FAMILIES |= {"limits": "#8c6d00", "own": "#444444"}
FURTHER = ("#56b4e9", "#cc79a7", "#e69f00", "#7a3b00", "#5b2a86", "#2f4b26")
SHARES = (  # from 0 to 1 in tenths: seaborn's "rocket_r"
    "#faebdd", "#f7c6a6", "#f69c73", "#f3714d", "#e83f3f", "#ca1a50", "#a11a5b", "#751f58", "#4c1d4b", "#251433",
    "#03051a",
)  # fmt: skip


def family_colours(present: Iterable[str]) -> dict[str, str]:
    """The colour of every family, in the order of legends: the study's own, then those of users."""
    names = list(dict.fromkeys(present))
    known, new = [name for name in FAMILIES if name in names], [name for name in names if name not in FAMILIES]
    colours = FAMILIES | dict(zip(new, itertools.cycle(FURTHER), strict=False))
    return {name: colours[name] for name in [*known, *new]}
