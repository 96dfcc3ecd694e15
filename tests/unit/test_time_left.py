"""The line about the whole study."""

import re

import hypothesis
import pytest
from hypothesis import strategies as st

from taskvectors.study import read_study
from taskvectors.time_left import START, TimeLeft, seconds_of_jobs, worded


def test_the_time_left_follows_from_the_work_that_is_done():
    now = [100.0]
    time_left = TimeLeft({("long", "m"): 90 - START}, clock=lambda: now[0])
    time_left.begin({("long", "m"): 1, ("short", ""): 2})
    now[0] += 60
    assert time_left.finished("short") == (
        f"Study: 1 of 3 jobs done in 60 s, about {worded(60 * (90 + START) / START)} left"
    )
    now[0] += 60
    assert (
        time_left.finished("long", "m")
        == f"Study: 2 of 3 jobs done in 2 min, about {worded(120 * START / (90 + START))} left"
    )
    assert time_left.finished("short") == "Study: 3 of 3 jobs done in 2 min"


def test_a_run_of_some_jobs_takes_their_time_alone():
    now = [0.0]
    time_left = TimeLeft({("of families", "m"): 12 * (44 - START)}, {"of families": 12}, lambda: now[0])
    time_left.begin({("of families", "m"): 1, ("short", ""): 1})
    now[0] += 10
    assert time_left.finished("short") == f"Study: 1 of 2 jobs done in 10 s, about {worded(10 * 44 / START)} left"


@pytest.mark.parametrize("models", [["small"], ["large"], ["small", "large"]])
def test_jobs_take_the_time_of_their_model_in_a_run_of_all_and_of_some(models):
    """Of some: as where a study goes on, or a second model came to it."""
    now, each = [0.0], {"small": 10.3, "large": 101.7}
    time_left = TimeLeft({("rule", model): 20 * (each[model] - START) for model in each}, {"rule": 20}, lambda: now[0])
    jobs = [model for model in models for _ in range(20)]
    time_left.begin({("rule", model): 20 for model in models})
    for place, model in enumerate(jobs[:-1], start=1):
        now[0] += each[model]
        line = time_left.finished("rule", model)
        if "left" in line:  # from where it can be told
            assert line.endswith(f"about {worded(sum(each[one] for one in jobs[place:]))} left")
    assert "left" in line


@hypothesis.given(
    st.dictionaries(st.tuples(st.text(), st.text()), st.tuples(st.integers(1, 9), st.floats(0, 1e6)), min_size=1),
    st.randoms(),
)
def test_any_run_counts_to_its_end(rules, random):
    now = [0.0]
    time_left = TimeLeft({job: seconds for job, (_, seconds) in rules.items()}, clock=lambda: now[0])
    time_left.begin({job: count for job, (count, _) in rules.items()})
    jobs = [job for job, (count, _) in rules.items() for _ in range(count)]
    random.shuffle(jobs)
    for number, job in enumerate(jobs, start=1):
        now[0] += random.random() * 100
        line = time_left.finished(*job)
        assert line.startswith(f"Study: {number} of {len(jobs)} jobs done in ")
        assert ("left" in line) <= (number < len(jobs))


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3569, "59 min"), (3571, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_are_readable(seconds, words):
    assert worded(seconds) == words


def test_rules_that_load_a_model_have_an_estimate():
    study = read_study([])
    seconds = seconds_of_jobs({model: study.hours(model) for model in study.models})
    for model in study.models:
        assert seconds["extract_theta", model] == pytest.approx(3600 * study.hours(model)["extract_theta"])
    assert all(re.fullmatch(r"\w+", rule) and model in study.models for rule, model in seconds)
