"""Drawings inside the page: shorter, and the same."""

import re

import hypothesis
from hypothesis import strategies as st

from taskvectors.report.html import alone, in_steps

COORDINATE = st.integers(-99999, 99999).map(lambda hundredths: hundredths / 100)
POINT = st.tuples(COORDINATE, st.one_of(COORDINATE, st.just(1.5)))
STEP = st.one_of(
    st.tuples(st.just("L"), st.tuples(POINT)),
    st.tuples(st.just("M"), st.tuples(POINT)),
    st.tuples(st.just("Q"), st.tuples(POINT, POINT)),
    st.tuples(st.just("C"), st.tuples(POINT, POINT, POINT)),
    st.tuples(st.just("z"), st.just(())),
)


def written(steps):
    return " \n".join(
        f"{command} {' '.join(f'{x:.2f} {y:.2f}' for x, y in points)}".strip() for command, points in steps
    )


def places(path):
    """Absolute coordinates of every step, in hundredths, as the standard of SVG reads a path."""
    found, here, start = [], (0, 0), (0, 0)
    for command, text in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", path):
        numbers = [round(100 * float(one)) for one in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", text)]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command.islower() and command != "z":
            points = [(x + here[0], y + here[1]) for x, y in points]
        here = start if command == "z" else points[-1]
        start = here if command in "mM" else start
        found.append((command.upper(), points))
    return found


def without_stops(steps):
    """Without lines of no length, and without stops on the way along one height."""
    kept, here, start = [], (0, 0), (0, 0)
    for command, points in steps:
        if command == "L" and points == [here] and kept[-1][0] != "M":
            continue
        if command == "L" and kept and kept[-1][0] == "L" and points[0][1] == here[1] == kept[-1][2][1]:
            before = kept[-1][2]
            if (here[0] - before[0]) * (points[0][0] - here[0]) > 0:
                kept[-1] = ("L", points, before)
                here = points[-1]
                continue
        kept.append((command, points, here))
        here = start if command == "Z" else points[-1]
        start = here if command == "M" else start
    return [(command, points) for command, points, _ in kept]


@hypothesis.given(POINT, st.lists(STEP, max_size=12))
def test_a_path_in_steps_is_the_same_path(first, steps):
    path = written([("M", (first,)), *steps])
    assert places(in_steps(path)) == without_stops(places(path))


def test_it_is_short():
    assert (
        in_steps("M 1.00 2.50 \nL 1.50 2.50 \nL 3.00 2.50 \nL 3.00 2.50 \nQ 3.25 2 0 0 \nz")
        == "m1 2.5l2 0q.25-.5-3-2.5z"
    )


def test_parts_of_a_drawing_are_renamed_where_they_are_referred_to():
    svg = (
        '<svg><g id="figure_1"><defs><path id="m1a" d="m0 0"/><clipPath id="p#2"><rect/></clipPath></defs>'
        '<use xlink:href="#m1a"/><g clip-path="url(#p#2)" style="fill: #0072b2; stroke: #ffffff"/><use xlink:href="#m1a"/></g></svg>'
    )
    assert alone(svg) == svg.replace("m1a", "z0").replace("p#2", "z1")
