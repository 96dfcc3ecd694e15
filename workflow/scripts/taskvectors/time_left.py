"""How far a study is, and how long it may still take."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

START = 6.0  # seconds that any job takes, about: an interpreter, its imports
# Jobs that take longer without reading much: seconds in the default study on two cores.
LONGER = {"weights": 40.0, "embed_theta": 50.0, "episodes": 10.0, "study_notebook": 10.0}
ENOUGH = 0.03  # the share of the work from which on the time left can be estimated


@dataclass
class TimeLeft:
    """Counts the jobs of a run; the time left follows from the work that is done, by the estimates of `make plan`.

    Attributes:
        seconds: estimated, of all jobs of a rule in the whole study; rules that are not here take little.
        clock: seconds since any point.
    """

    seconds: Mapping[str, float]
    clock: Callable[[], float] = time.monotonic
    _counts: dict[str, int] = field(default_factory=dict)
    _whole: dict[str, int] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    _start: float = 0.0

    def begin(self, counts: Mapping[str, int], whole: Mapping[str, int] | None = None) -> None:
        """A run begins.

        Args:
            counts: jobs to run, by rule.
            whole: jobs that the whole study has; by default as many.
        """
        self._counts, self._done, self._start = dict(counts), {}, self.clock()
        self._whole = dict(counts) | dict(whole or {})

    def finished(self, rule: str) -> str:
        """A job is done. Returns: a line for the user."""
        self._done[rule] = self._done.get(rule, 0) + 1
        done, jobs = sum(self._done.values()), max(sum(self._counts.values()), sum(self._done.values()))
        took = self.clock() - self._start
        line = f"Study: {done} of {jobs} jobs done in {worded(took)}"
        share = self._work(self._done) / max(self._work(self._counts), 1e-9)
        if done == jobs or not ENOUGH <= share < 1:
            return line
        return f"{line}, about {worded(took * (1 - share) / share)} left"

    def _work(self, counts: Mapping[str, int]) -> float:
        of_each = {
            rule: START + LONGER.get(rule, 0.0) + self.seconds.get(rule, 0.0) / max(self._whole.get(rule, 1), 1)
            for rule in counts
        }
        return sum(count * of_each[rule] for rule, count in counts.items())


def seconds_by_rule(hours: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Estimated seconds of every rule, for all models together.

    Args:
        hours: by rule, of every model.
    """
    seconds: dict[str, float] = {}
    for rule, of_model in (item for of_rules in hours for item in of_rules.items()):
        seconds[rule] = seconds.get(rule, 0.0) + 3600 * of_model
    return seconds


def worded(seconds: float) -> str:
    """A duration as one reads it: 40 s, 12 min, 3 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
